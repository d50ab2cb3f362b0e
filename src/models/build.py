"""The public entry: a residual network by its name."""

from src.models.checks import check_name
from src.models.resnet import ResNet
from src.models.table import VARIANTS


def list_models() -> list[str]:
    """Return the names that `build_model` knows, in the table's order."""
    return list(VARIANTS)


def build_model(
    name: str,
    *,
    num_classes: int = 10,
    in_channels: int = 3,
    stem: str | None = None,
    shortcut: str | None = None,
    conv_bias: bool = False,
    zero_init_residual: bool = False,
    dropout: float = 0.0,
    norm_momentum: float = 0.1,
) -> ResNet:
    """Build the residual network `name`, (N, in_channels, H, W) float -> (N, num_classes) logits.

    `stem` is `cifar` or `imagenet`, `shortcut` is `A`, `B`, `C` or `none`; None takes the table's.
    `conv_bias`, `zero_init_residual`, `dropout` and `norm_momentum` are explained at `ResNet`.
    Raises ValueError for a name that is not in `list_models()` and for an option that is unknown or
    out of range.
    """
    check_name("model", name, VARIANTS)
    return ResNet(
        VARIANTS[name],
        num_classes=num_classes,
        in_channels=in_channels,
        stem=stem,
        shortcut=shortcut,
        conv_bias=conv_bias,
        zero_init_residual=zero_init_residual,
        dropout=dropout,
        norm_momentum=norm_momentum,
    )
