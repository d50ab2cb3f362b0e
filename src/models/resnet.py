"""Residual networks: shortcuts, blocks, a table of all variants, the network, its builder."""

from dataclasses import dataclass
from typing import Any, cast

from torch import Tensor, nn
from torch.nn import functional as F

from src.text import check_model_name


@dataclass(frozen=True)
class Variant:
    """Row of ``VARIANTS``; ``depths`` and ``widths`` have an entry for each stage."""

    block: str  # basic or bottleneck
    depths: tuple[int, ...]
    widths: tuple[int, ...] = (64, 128, 256, 512)
    cardinality: int = 1  # groups of a bottleneck's 3x3 convolution
    base_width: int = 64  # channels of a group in a stage of width 64
    stem: str = "cifar"
    shortcut: str = "B"


def _cifar_resnet(layers: int) -> Variant:
    """Variant of 6n+2 layers: He et al. 2015, arXiv:1512.03385, section 4.2."""
    n = (layers - 2) // 6
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


class ZeroPadShortcut(nn.Module):
    """Option A: every ``stride``-th pixel, with zeros for the added channels."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.extra_channels = out_channels - in_channels
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        x = x[:, :, :: self.stride, :: self.stride]
        return F.pad(x, (0, 0, 0, 0, 0, self.extra_channels))


def make_shortcut(
    shortcut: str, in_channels: int, out_channels: int, stride: int, *, bias: bool
) -> nn.Module | None:
    """Shortcut of a block: He et al. 2015, arXiv:1512.03385, sections 3.3 and 4.1, table 3.

    ``A`` pads with zeros and ``B`` projects where the shape changes, both are the identity
    elsewhere; ``C`` projects in every block; ``none`` is the plain network.
    """
    assert shortcut in ("A", "B", "C", "none"), shortcut
    if shortcut == "none":
        return None
    changes_shape = stride != 1 or in_channels != out_channels
    if shortcut == "C" or (shortcut == "B" and changes_shape):
        return nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 1, stride, bias=bias),
            nn.BatchNorm2d(out_channels),
        )
    if changes_shape:
        return ZeroPadShortcut(in_channels, out_channels, stride)
    return nn.Identity()


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut: the block of ResNet-18 and ResNet-34.

    (N, in_channels, H, W) -> (N, width, H / stride, W / stride).
    """

    expansion = 1
    last_norm = "bn2"

    def __init__(
        self, variant: Variant, in_channels: int, width: int, stride: int, shortcut: str, bias: bool
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 3, stride, padding=1, bias=bias)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=bias)
        self.bn2 = nn.BatchNorm2d(width)
        # torchvision's name for the shortcut; nn.Identity adds no key to the state dict.
        self.downsample = make_shortcut(shortcut, in_channels, width, stride, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        if self.downsample is not None:
            out = out + self.downsample(x)
        return self.relu(out)


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions and a shortcut: the block of ResNet-50 and deeper.

    (N, in_channels, H, W) -> (N, 4 * width, H / stride, W / stride). More groups of the 3x3
    convolution make a ResNeXt, wider ones a wide ResNet. The stride is on it, as in torchvision
    ("ResNet v1.5"); the paper's is on the first 1x1, which skips 3 pixels of 4.
    """

    expansion = 4
    last_norm = "bn3"

    def __init__(
        self, variant: Variant, in_channels: int, width: int, stride: int, shortcut: str, bias: bool
    ) -> None:
        super().__init__()
        groups = variant.cardinality
        inner = width * variant.base_width // 64 * groups
        out_channels = width * self.expansion
        self.conv1 = nn.Conv2d(in_channels, inner, 1, bias=bias)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride, padding=1, groups=groups, bias=bias)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, out_channels, 1, bias=bias)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = make_shortcut(shortcut, in_channels, out_channels, stride, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        if self.downsample is not None:
            out = out + self.downsample(x)
        return self.relu(out)


class ResNet(nn.Module):
    """A residual network for images, (N, in_channels, H, W) float -> (N, num_classes) logits.

    He et al. 2015, arXiv:1512.03385. Parameters have torchvision's names, so that its weights load.

    Args:
        stem: ``cifar`` or ``imagenet``; None takes the variant's, as ``shortcut``.
        shortcut: ``A``, ``B``, ``C`` or ``none``, see ``make_shortcut``.
        zero_init_residual: whether every block starts as its shortcut (Goyal et al. 2017,
            arXiv:1706.02677, section 5.1).
        dropout: probability in [0, 1) before the classifier.
        norm_momentum: share of the newest batch in the running statistics of norms, in (0, 1].
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
        self.stem = stem or variant.stem
        self.shortcut = shortcut or variant.shortcut
        self._add_stem(in_channels, conv_bias)
        self.relu = nn.ReLU(inplace=True)
        block = Bottleneck if variant.block == "bottleneck" else BasicBlock
        channels = variant.widths[0]
        for stage, (depth, width) in enumerate(zip(variant.depths, variant.widths, strict=True)):
            blocks = nn.Sequential()
            for index in range(depth):
                stride = 2 if stage > 0 and index == 0 else 1
                blocks.append(block(variant, channels, width, stride, self.shortcut, conv_bias))
                channels = width * block.expansion
            self.add_module(f"layer{stage + 1}", blocks)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(channels, num_classes)
        self._initialize(norm_momentum, zero_init_residual)

    def _add_stem(self, in_channels: int, conv_bias: bool) -> None:
        """Add the first convolution, its norm, and the pooling after their activation.

        ``imagenet`` (He et al. 2015, table 1) divides the size by 4, ``cifar`` (section 4.2)
        keeps it.
        """
        assert self.stem in ("cifar", "imagenet"), self.stem
        width = self.variant.widths[0]
        if self.stem == "imagenet":
            self.conv1 = nn.Conv2d(in_channels, width, 7, stride=2, padding=3, bias=conv_bias)
            self.maxpool: nn.Module = nn.MaxPool2d(3, stride=2, padding=1)
        else:
            self.conv1 = nn.Conv2d(in_channels, width, 3, padding=1, bias=conv_bias)
            self.maxpool = nn.Identity()
        self.bn1 = nn.BatchNorm2d(width)

    def _initialize(self, norm_momentum: float, zero_init_residual: bool) -> None:
        """Initialize the convolutions: He et al. 2015, arXiv:1502.01852, with fan-out."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.BatchNorm2d):
                module.momentum = norm_momentum
            elif zero_init_residual and isinstance(module, BasicBlock | Bottleneck):
                nn.init.zeros_(module.get_parameter(f"{module.last_norm}.weight"))

    @property
    def stages(self) -> list[nn.Module]:
        return [self.get_submodule(f"layer{i + 1}") for i in range(len(self.variant.depths))]

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        for stage in self.stages:
            x = stage(x)
        x = self.avgpool(x).flatten(1)
        return cast(Tensor, self.fc(self.dropout(x)))

    def feature_sizes(self, image_size: int) -> list[int]:
        """Side in pixels after each stage, for square images."""
        # Every stride of 2 comes with padding (k - 1) / 2, so each halves the size, rounding up.
        halvings = 2 if self.stem == "imagenet" else 0
        return [-(-image_size // 2 ** (halvings + i)) for i in range(len(self.variant.depths))]


def list_models() -> list[str]:
    """Names that ``build_model`` accepts, in the table's order."""
    return list(VARIANTS)


def build_model(name: str, **options: Any) -> ResNet:
    """Build the network ``name`` of ``list_models()``; ``options`` are those of ``ResNet``."""
    check_model_name("model", name, VARIANTS)
    return ResNet(VARIANTS[name], **options)
