import pytest
import torch
from torch import Tensor, nn

from src.models.resnet import ResNet, build_model

KINDS = ["A", "B", "C", "none"]


def small(name: str, shortcut: str, **options: object) -> ResNet:
    torch.manual_seed(0)
    return build_model(name, shortcut=shortcut, **options)


def images(count: int = 4) -> Tensor:
    return torch.randn(count, 3, 16, 16, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("name", "shortcut", "added"),
    [
        # What a shortcut adds to the plain network's parameters: in * out + 2 * out a projection.
        ("resnet20", "A", 0),
        ("resnet20", "B", (16 * 32 + 64) + (32 * 64 + 128)),
        (
            "resnet20",
            "C",
            3 * (16 * 16 + 32)
            + (16 * 32 + 64)
            + 2 * (32 * 32 + 64)
            + (32 * 64 + 128)
            # two further blocks of the last stage
            + 2 * (64 * 64 + 128),
        ),
        ("resnext29", "A", 0),
        (
            "resnext29",
            "B",
            (64 * 256 + 512) + (256 * 512 + 1024) + (512 * 1024 + 2048),
        ),
        (
            "resnext29",
            "C",
            (64 * 256 + 512 + 256 * 512 + 1024 + 512 * 1024 + 2048)
            + 2 * (256 * 256 + 512 + 512 * 512 + 1024 + 1024 * 1024 + 2048),
        ),
    ],
)
def test_parameters_that_a_shortcut_adds(name, shortcut, added):
    def count(kind: str) -> int:
        with torch.device("meta"):
            return sum(p.numel() for p in build_model(name, shortcut=kind).parameters())

    assert count(shortcut) - count("none") == added


@pytest.mark.parametrize("name", ["resnet20", "resnext29"])
@pytest.mark.parametrize("shortcut", KINDS)
def test_shapes_and_names_of_the_shortcuts(name, shortcut):
    with torch.device("meta"):
        model = build_model(name, shortcut=shortcut)
    assert model(torch.empty(2, 3, 17, 32, device="meta")).shape == (2, 10)
    projections = [key for key in model.state_dict() if key.endswith("downsample.0.weight")]
    wide_first_stage = name == "resnext29"
    assert len(projections) == {"A": 0, "B": 2 + wide_first_stage, "C": 9, "none": 0}[shortcut]


@pytest.mark.parametrize("name", ["resnet20", "resnet50"])
@pytest.mark.parametrize("shortcut", KINDS)
def test_gradient_reaches_every_parameter(name, shortcut):
    model = small(name, shortcut)
    nn.functional.cross_entropy(model(images()), torch.tensor([0, 1, 2, 3])).backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, key


@pytest.mark.parametrize("shortcut", KINDS)
@pytest.mark.parametrize(("name", "last_norm"), [("resnet20", "bn2"), ("resnet50", "bn3")])
def test_only_the_plain_network_dies_with_its_residual_branches(name, last_norm, shortcut):
    model = small(name, shortcut).eval()
    for stage in model.stages:
        for block in stage:
            nn.init.zeros_(getattr(block, last_norm).weight)
    with torch.no_grad():
        logits = model(images())
    if shortcut == "none":
        assert torch.equal(logits, model.fc.bias.detach().expand_as(logits))
    else:
        assert not torch.allclose(logits[0], logits[1])


@pytest.mark.parametrize(
    ("name", "in_channels", "out"), [("resnet20", 16, 32), ("resnet50", 256, 512)]
)
def test_option_a_keeps_every_second_pixel_and_pads_with_zeros(name, in_channels, out):
    shortcut = small(name, "A").layer2[0].downsample
    x = torch.randn(2, in_channels, 7, 8)
    y = shortcut(x)
    assert y.shape == (2, out, 4, 4)
    assert torch.equal(y[:, :in_channels], x[:, :, ::2, ::2])
    assert not y[:, in_channels:].any()
    assert not list(shortcut.parameters())


def test_option_a_of_the_first_bottleneck_pads_without_subsampling():
    x = torch.randn(2, 64, 5, 5)
    y = small("resnet50", "A").layer1[0].downsample(x)
    assert y.shape == (2, 256, 5, 5)
    assert torch.equal(y[:, :64], x)
    assert not y[:, 64:].any()


def test_option_b_adds_the_input_itself_where_the_shape_stays():
    block = small("resnet20", "B").layer1[1].eval()
    x = torch.rand(2, 16, 6, 6)
    residual = block.bn2(block.conv2(torch.relu(block.bn1(block.conv1(x)))))
    torch.testing.assert_close(block(x), torch.relu(residual + x))


def test_the_plain_block_is_its_residual_branch():
    block = small("resnet20", "none").layer1[1].eval()
    x = torch.rand(2, 16, 6, 6)
    residual = block.bn2(block.conv2(torch.relu(block.bn1(block.conv1(x)))))
    torch.testing.assert_close(block(x), torch.relu(residual))


def test_the_default_shortcut_is_the_papers():
    with torch.device("meta"):
        assert build_model("resnet56").shortcut == "A"
        assert build_model("resnet18").shortcut == build_model("resnext29").shortcut == "B"
