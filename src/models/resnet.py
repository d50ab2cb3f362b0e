"""Residual networks: shortcuts, blocks, one table for every depth."""

from dataclasses import dataclass
from typing import cast

from torch import Tensor, nn
from torch.nn import functional as F

from src.text import check_at_least_one, check_model_name

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


@dataclass(frozen=True)
class Variant:
    """A row of the table; `depths` and `widths` have an entry a stage.

    `block` is `basic` or `bottleneck`. `cardinality` is the number of groups of a bottleneck's 3x3
    convolution and `base_width` the width of one of them in a stage of width 64. `stem` and
    `shortcut` are what the network has unless the caller asks for another.
    """

    block: str
    depths: tuple[int, ...]
    widths: tuple[int, ...] = (64, 128, 256, 512)
    cardinality: int = 1
    base_width: int = 64
    stem: str = "cifar"
    shortcut: str = "B"

    def __post_init__(self) -> None:
        assert self.depths and len(self.depths) == len(self.widths), "a depth and a width a stage"


def _cifar_resnet(layers: int) -> Variant:
    """Return the row of a 6n+2 layer network: He et al. 2015, arXiv:1512.03385, section 4.2."""
    n, rest = divmod(layers - 2, 6)
    assert rest == 0
    return Variant("basic", (n, n, n), (16, 32, 64), shortcut="A")


VARIANTS: dict[str, Variant] = {
    # He et al. 2015, arXiv:1512.03385, table 1.
    "resnet18": Variant("basic", (2, 2, 2, 2)),
    "resnet34": Variant("basic", (3, 4, 6, 3)),
    "resnet50": Variant("bottleneck", (3, 4, 6, 3)),
    "resnet101": Variant("bottleneck", (3, 4, 23, 3)),
    "resnet152": Variant("bottleneck", (3, 8, 36, 3)),
    # He et al. 2015, section 4.2 and table 6: the networks for CIFAR.
    "resnet20": _cifar_resnet(20),
    "resnet32": _cifar_resnet(32),
    "resnet44": _cifar_resnet(44),
    "resnet56": _cifar_resnet(56),
    "resnet110": _cifar_resnet(110),
    # Xie et al. 2016, arXiv:1611.05431, table 1 (32x4d); torchvision's 101 is 32x8d.
    "resnext50": Variant("bottleneck", (3, 4, 6, 3), cardinality=32, base_width=4),
    "resnext101": Variant("bottleneck", (3, 4, 23, 3), cardinality=32, base_width=8),
    # Xie et al. 2016, section 5.3 and table 7: 8x64d, the network for CIFAR, 34.4 M parameters.
    "resnext29": Variant("bottleneck", (3, 3, 3), (64, 128, 256), cardinality=8, base_width=64),
    # Zagoruyko & Komodakis 2016, arXiv:1605.07146, WRN-50-2-bottleneck: the inner width times 2.
    "wide_resnet50": Variant("bottleneck", (3, 4, 6, 3), base_width=128),
    "wide_resnet101": Variant("bottleneck", (3, 4, 23, 3), base_width=128),
}


class ResNet(nn.Module):
    """A residual network for images, (N, in_channels, H, W) float -> (N, num_classes) logits.

    He et al. 2015, arXiv:1512.03385. Parameters have torchvision's names, so that its weights load.
    `variant` is a row of the table and gives the stem and the shortcut that are None; `conv_bias`
    gives every convolution a bias; `zero_init_residual` starts every block as its shortcut (Goyal
    et al. 2017, arXiv:1706.02677, section 5.1); `dropout`, a probability in [0, 1), acts before
    the classifier; `norm_momentum`, in (0, 1], is the share of the newest batch in the running
    statistics of norms. Raises ValueError for an option that is unknown or out of range.
    """

    def __init__(
        self,
        variant: Variant,
        *,
        num_classes: int = 10,
        in_channels: int = 3,
        stem: str | None = None,
        shortcut: str | None = None,
        conv_bias: bool = False,
        zero_init_residual: bool = False,
        dropout: float = 0.0,
        norm_momentum: float = 0.1,
    ) -> None:
        super().__init__()
        self.variant = variant
        self.stem = variant.stem if stem is None else stem
        self.shortcut = variant.shortcut if shortcut is None else shortcut
        check_model_name("stem", self.stem, STEMS)
        check_model_name("shortcut", self.shortcut, SHORTCUTS)
        check_at_least_one(num_classes=num_classes, in_channels=in_channels)
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must be at least 0 and below 1, got {dropout}")
        if not 0 < norm_momentum <= 1:
            raise ValueError(f"norm_momentum must be above 0 and at most 1, got {norm_momentum}")
        if zero_init_residual and self.shortcut == "none":
            raise ValueError(
                "zero_init_residual=True needs a shortcut: with shortcut='none' no signal would "
                "pass; set zero_init_residual=False or shortcut to A, B or C"
            )

        width = variant.widths[0]
        self.conv1, self.maxpool = make_stem(self.stem, in_channels, width, bias=conv_bias)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)

        block = BLOCKS[variant.block]
        channels = width
        for stage, (depth, width) in enumerate(zip(variant.depths, variant.widths, strict=True)):
            blocks = nn.Sequential()
            for index in range(depth):
                blocks.append(
                    block(
                        channels,
                        width,
                        stride=2 if stage > 0 and index == 0 else 1,
                        shortcut=self.shortcut,
                        cardinality=variant.cardinality,
                        base_width=variant.base_width,
                        conv_bias=conv_bias,
                        zero_init_residual=zero_init_residual,
                    )
                )
                channels = width * block.expansion
            self.add_module(f"layer{stage + 1}", blocks)

        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(channels, num_classes)
        self._initialize_convolutions()
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = norm_momentum

    def _initialize_convolutions(self) -> None:
        """Draw the convolutions' weights: He et al. 2015, arXiv:1502.01852, with fan-out.

        Norms start at weight 1 and bias 0 by themselves, except where a block has zeroed its own.
        """
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    @property
    def stages(self) -> list[nn.Module]:
        """The stages in order: `layer1`, `layer2`, ..."""
        return [self.get_submodule(f"layer{i + 1}") for i in range(len(self.variant.depths))]

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits (N, num_classes) of images (N, in_channels, H, W)."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        for stage in self.stages:
            x = stage(x)
        x = self.avgpool(x).flatten(1)
        return cast(Tensor, self.fc(self.dropout(x)))

    def feature_sizes(self, image_size: int) -> list[int]:
        """Return the height (and width) in pixels after each stage, for square images.

        Nothing is run. Raises ValueError unless `image_size` is at least 1.
        """
        check_at_least_one(image_size=image_size)
        # Every stride of 2 comes with padding (k - 1) / 2, so each halves the size, rounding up.
        halvings = 2 if self.stem == "imagenet" else 0
        return [-(-image_size // 2 ** (halvings + i)) for i in range(len(self.variant.depths))]

    def collapses(self, image_size: int) -> bool:
        """Tell whether a stage ends in a 1x1 map, so that its 3x3 kernels see mostly padding."""
        return min(self.feature_sizes(image_size)) == 1


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
    check_model_name("model", name, VARIANTS)
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
