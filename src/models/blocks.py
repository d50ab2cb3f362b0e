"""Parts of a residual network: convolutions, stems, shortcuts, blocks."""

from torch import Tensor, nn
from torch.nn import functional as F

STEMS = ("cifar", "imagenet")
SHORTCUTS = ("A", "B", "C", "none")


def conv3x3(
    in_channels: int, out_channels: int, *, stride: int = 1, groups: int = 1, bias: bool = False
) -> nn.Conv2d:
    """3x3 convolution that keeps the size, or with stride 2 halves it, rounded up."""
    return nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, groups=groups, bias=bias)


def conv1x1(
    in_channels: int, out_channels: int, *, stride: int = 1, bias: bool = False
) -> nn.Conv2d:
    """1x1 convolution."""
    return nn.Conv2d(in_channels, out_channels, 1, stride, bias=bias)


def make_stem(
    stem: str, in_channels: int, width: int, *, bias: bool = False
) -> tuple[nn.Conv2d, nn.Module]:
    """First convolution, and the pooling that follows its activation.

    `imagenet` (He et al. 2015, arXiv:1512.03385, table 1) divides the size by 4; `cifar` (its
    section 4.2) keeps it without pooling, because a 32x32 image is small already.
    """
    assert stem in STEMS
    if stem == "imagenet":
        conv = nn.Conv2d(in_channels, width, 7, stride=2, padding=3, bias=bias)
        return conv, nn.MaxPool2d(3, stride=2, padding=1)
    return conv3x3(in_channels, width, bias=bias), nn.Identity()


class ZeroPadShortcut(nn.Module):
    """Option A: every `stride`-th pixel, with zeros for the added channels.

    (N, in_channels, H, W) -> (N, out_channels, ceil(H / stride), ceil(W / stride)); no parameters.
    He et al. 2015, arXiv:1512.03385, sections 3.3 and 4.1.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        assert in_channels <= out_channels, "option A cannot remove channels"
        self.extra_channels = out_channels - in_channels
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        x = x[:, :, :: self.stride, :: self.stride]
        return F.pad(x, (0, 0, 0, 0, 0, self.extra_channels))

    def extra_repr(self) -> str:
        return f"extra_channels={self.extra_channels}, stride={self.stride}"


def make_shortcut(
    shortcut: str, in_channels: int, out_channels: int, stride: int, *, bias: bool = False
) -> nn.Module | None:
    """Shortcut of a block; None in a plain network.

    `A` pads with zeros and `B` projects where the shape changes, both are the identity elsewhere;
    `C` projects in every block; `none` is the plain network (He et al. 2015, arXiv:1512.03385,
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


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut: the block of ResNet-18 and ResNet-34.

    (N, in_channels, H, W) -> (N, width, H / stride, W / stride), sizes rounded up.
    """

    expansion = 1

    def __init__(
        self,
        in_channels: int,
        width: int,
        *,
        stride: int = 1,
        shortcut: str = "B",
        cardinality: int = 1,
        base_width: int = 64,
        conv_bias: bool = False,
        zero_init_residual: bool = False,
    ) -> None:
        super().__init__()
        assert (cardinality, base_width) == (1, 64), "a basic block has no groups and no base width"
        self.conv1 = conv3x3(in_channels, width, stride=stride, bias=conv_bias)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = conv3x3(width, width, bias=conv_bias)
        self.bn2 = nn.BatchNorm2d(width)
        # torchvision's name for the shortcut; nn.Identity adds no key to the state dict.
        self.downsample = make_shortcut(shortcut, in_channels, width, stride, bias=conv_bias)
        if zero_init_residual:
            nn.init.zeros_(self.bn2.weight)

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        if self.downsample is not None:
            out = out + self.downsample(x)
        return self.relu(out)


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions and a shortcut: the block of ResNet-50 and deeper.

    (N, in_channels, H, W) -> (N, 4 * width, H / stride, W / stride), sizes rounded up. The 3x3
    convolution has `cardinality` groups of `width * base_width / 64` channels: more groups make a
    ResNeXt (Xie et al. 2016, arXiv:1611.05431, table 1), wider ones a wide ResNet (Zagoruyko &
    Komodakis 2016, arXiv:1605.07146, WRN-50-2-bottleneck). The stride is on the 3x3 convolution, as
    in torchvision ("ResNet v1.5"); the paper's is on the first 1x1, which skips 3 pixels of 4.
    """

    expansion = 4

    def __init__(
        self,
        in_channels: int,
        width: int,
        *,
        stride: int = 1,
        shortcut: str = "B",
        cardinality: int = 1,
        base_width: int = 64,
        conv_bias: bool = False,
        zero_init_residual: bool = False,
    ) -> None:
        super().__init__()
        inner = width * base_width // 64 * cardinality
        out_channels = width * self.expansion
        self.conv1 = conv1x1(in_channels, inner, bias=conv_bias)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = conv3x3(inner, inner, stride=stride, groups=cardinality, bias=conv_bias)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = conv1x1(inner, out_channels, bias=conv_bias)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = make_shortcut(shortcut, in_channels, out_channels, stride, bias=conv_bias)
        if zero_init_residual:
            nn.init.zeros_(self.bn3.weight)

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        if self.downsample is not None:
            out = out + self.downsample(x)
        return self.relu(out)


BLOCKS: dict[str, type[BasicBlock] | type[Bottleneck]] = {
    "basic": BasicBlock,
    "bottleneck": Bottleneck,
}
