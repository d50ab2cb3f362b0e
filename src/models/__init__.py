"""Networks: the residual family of the project, and any torchvision or timm model by name."""

from src.models.blocks import BasicBlock, Bottleneck
from src.models.build import build_model, list_models
from src.models.external import build_timm, build_torchvision
from src.models.layers import SHORTCUTS, STEMS
from src.models.resnet import ResNet
from src.models.summary import LayerRow, ModelSummary, summarize
from src.models.table import VARIANTS, Variant

__all__ = [
    "SHORTCUTS",
    "STEMS",
    "VARIANTS",
    "BasicBlock",
    "Bottleneck",
    "LayerRow",
    "ModelSummary",
    "ResNet",
    "Variant",
    "build_model",
    "build_timm",
    "build_torchvision",
    "list_models",
    "summarize",
]
