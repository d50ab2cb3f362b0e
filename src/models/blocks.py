"""The two residual blocks of He et al. 2015 (arXiv:1512.03385), figure 5."""

from torch import Tensor, nn

from src.models.layers import conv1x1, conv3x3, make_shortcut


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
        # torchvision's name for the shortcut; an identity adds no key to the state dict.
        self.downsample = make_shortcut(shortcut, in_channels, width, stride, bias=conv_bias)
        if zero_init_residual:
            nn.init.zeros_(self.bn2.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Return relu(residual(x) + shortcut(x)); relu(residual(x)) in a plain network."""
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
    in torchvision's "ResNet v1.5"; the paper's is on the first 1x1, which skips 3 pixels of 4.
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
        """Return relu(residual(x) + shortcut(x)); relu(residual(x)) in a plain network."""
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
