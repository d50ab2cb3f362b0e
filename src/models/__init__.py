"""Networks: the residual family of this project, and those of torchvision and timm by name.

Configurations of runs name these builders as ``src.models.build_…``.
"""

from src.models.external import build_timm, build_torchvision
from src.models.resnet import build_model, list_models
from src.models.summary import summarize

__all__ = ["build_model", "build_timm", "build_torchvision", "list_models", "summarize"]
