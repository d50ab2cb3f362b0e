"""What happens around the training loop, a callback a file."""

from src.training.callbacks.checkpoints import best_checkpoint, last_checkpoint
from src.training.callbacks.divergence import Divergence
from src.training.callbacks.early_stopping import EarlyStopping
from src.training.callbacks.epoch_line import EpochLine
from src.training.callbacks.first_batch import FirstBatch
from src.training.callbacks.graceful_stop import GracefulStop
from src.training.callbacks.gradient_norms import GradientNorms
from src.training.callbacks.progress import ProgressBar
from src.training.callbacks.step_seed import StepSeed
from src.training.callbacks.training_log import TrainingLog
from src.training.callbacks.weight_averaging import EMAWeightAveraging

__all__ = [
    "Divergence",
    "EMAWeightAveraging",
    "EarlyStopping",
    "EpochLine",
    "FirstBatch",
    "GracefulStop",
    "GradientNorms",
    "ProgressBar",
    "StepSeed",
    "TrainingLog",
    "best_checkpoint",
    "last_checkpoint",
]
