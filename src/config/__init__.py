"""What a user may configure: typed settings, their ranges, and the checks across them.

Imports hydra and omegaconf, never torch, so that a mistake is reported in about a second.
"""

from src.config.check import check
from src.config.errors import ConfigError, Interrupted, RunFailed, UserError, as_user_errors
from src.config.schema import TrainConfig

__all__ = [
    "ConfigError",
    "Interrupted",
    "RunFailed",
    "TrainConfig",
    "UserError",
    "as_user_errors",
    "check",
]
