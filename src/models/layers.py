"""Stems, shortcuts and convolutions that residual networks are put together from."""

from torch import Tensor, nn
from torch.nn import functional as F

STEMS = ("cifar", "imagenet")
SHORTCUTS = ("A", "B", "C", "none")


def conv3x3(
    in_channels: int, out_channels: int, *, stride: int = 1, groups: int = 1, bias: bool = False
) -> nn.Conv2d:
    """Return a 3x3 convolution that keeps the size, or with stride 2 halves it, rounding up."""
    return nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, groups=groups, bias=bias)


def conv1x1(
    in_channels: int, out_channels: int, *, stride: int = 1, bias: bool = False
) -> nn.Conv2d:
    """Return a 1x1 convolution."""
    return nn.Conv2d(in_channels, out_channels, 1, stride, bias=bias)


def make_stem(
    stem: str, in_channels: int, width: int, *, bias: bool = False
) -> tuple[nn.Conv2d, nn.Module]:
    """Return the first convolution and the pooling that follows its activation.

    `imagenet` (He et al. 2015, arXiv:1512.03385, table 1) divides the size by 4; `cifar` (its
    section 4.2) keeps it and has no pooling, because a 32x32 image has no pixels to give away.
    """
    assert stem in STEMS
    if stem == "imagenet":
        conv = nn.Conv2d(in_channels, width, 7, stride=2, padding=3, bias=bias)
        return conv, nn.MaxPool2d(3, stride=2, padding=1)
    return conv3x3(in_channels, width, bias=bias), nn.Identity()


class ZeroPadShortcut(nn.Module):
    """Option A: every `stride`-th pixel, and zeros for the channels that the input lacks.

    (N, in_channels, H, W) -> (N, out_channels, ceil(H / stride), ceil(W / stride)); no parameters.
    He et al. 2015, arXiv:1512.03385, sections 3.3 and 4.1.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        assert in_channels <= out_channels, "option A adds channels, it cannot drop any"
        self.extra_channels = out_channels - in_channels
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Subsample and pad `x`; its channels come first, the zeros after them."""
        x = x[:, :, :: self.stride, :: self.stride]
        return F.pad(x, (0, 0, 0, 0, 0, self.extra_channels))

    def extra_repr(self) -> str:
        """Describe the layer in `print(model)`."""
        return f"extra_channels={self.extra_channels}, stride={self.stride}"


def make_shortcut(
    shortcut: str, in_channels: int, out_channels: int, stride: int, *, bias: bool = False
) -> nn.Module | None:
    """Return what a block adds to its residual branch; None when it adds nothing.

    `A` pads with zeros and `B` projects where the shape changes, both the identity elsewhere; `C`
    projects in every block; `none` is the plain network (He et al. 2015, arXiv:1512.03385,
    sections 3.3 and 4.1, table 3).
    """
    assert shortcut in SHORTCUTS
    if shortcut == "none":
        return None
    changes_shape = stride != 1 or in_channels != out_channels
    if shortcut == "C" or (shortcut == "B" and changes_shape):
        return nn.Sequential(
            conv1x1(in_channels, out_channels, stride=stride, bias=bias),
            nn.BatchNorm2d(out_channels),
        )
    if changes_shape:
        return ZeroPadShortcut(in_channels, out_channels, stride)
    return nn.Identity()
