"""Training a network: the LightningModule, optimizers, schedules, metrics and callbacks."""
