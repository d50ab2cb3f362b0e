"""Training of a network that is handed in: optimizers, schedules, checkpoints, loggers."""
