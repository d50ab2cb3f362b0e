"""Optimizers of a model, a function each; made from ``optimizer.name``."""

from src.training.optimizers.groups import DECAY_ON, parameter_groups
from src.training.optimizers.muon import muon
from src.training.optimizers.plain import adam, adamw, custom, sgd

__all__ = ["DECAY_ON", "adam", "adamw", "custom", "muon", "parameter_groups", "sgd"]
