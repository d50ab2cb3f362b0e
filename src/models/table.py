"""The table of residual networks: a row is all that sets one network apart from another."""

from dataclasses import dataclass


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
