"""A run in which everything that could carry state from step to step does."""

EPOCHS, STEPS = 3, 16
"""Epochs of the run, and steps of an epoch."""

_NETWORK = "tests.fixtures.networks.Eventful"
TRUST = f"trust=[{_NETWORK}]"
"""Override with which the run is resumed."""

SETTINGS = [
    "model=custom",
    f"model._target_={_NETWORK}",
    "augment=standard",
    "augment.mixup=0.2",
    "optimizer=sgd",
    "optimizer.momentum=0.9",
    "scheduler=cosine",
    "callbacks=ema",
    "callbacks.ema.decay=0.9",
    "callbacks.progress_bar=false",
    "callbacks.model_summary=false",
    "logger=csv",
    "data.batch_size=32",
    "data.drop_last=true",
    "trainer.accelerator=cpu",
    f"trainer.max_epochs={EPOCHS}",
    "trainer.log_every_n_steps=4",
]
