import copy

import pytest
import torch
from torch import Tensor, nn
from torchvision import models

from src.models.external import build_torchvision
from src.models.resnet import build_model
from src.models.summary import summarize


@pytest.mark.parametrize(
    ("name", "options", "size", "multiply_adds"),
    [
        ("resnet18", {"stem": "imagenet", "num_classes": 1000}, 224, 1_814_073_344),
        ("resnet50", {"stem": "imagenet", "num_classes": 1000}, 224, 4_089_184_256),
        ("resnet18", {}, 32, 555_422_720),
    ],
)
def test_multiply_adds_are_the_published_ones(name, options, size, multiply_adds):
    with torch.device("meta"):
        summary = summarize(build_model(name, **options), (3, size, size))
    assert summary.multiply_adds == multiply_adds
    assert sum(row.multiply_adds for row in summary.rows) == multiply_adds


def test_rows_are_the_layers_in_the_order_of_execution():
    summary = summarize(build_model("resnet20", shortcut="A"), (3, 32, 24))
    rows = {row.name: row for row in summary.rows}
    assert list(rows)[:3] == ["conv1", "bn1", "layer1.0.conv1"]
    assert list(rows)[-2:] == ["avgpool", "fc"]
    assert "relu" not in rows and "dropout" not in rows and "maxpool" not in rows
    conv = rows["layer2.0.conv1"]
    assert conv.type == "Conv2d"
    assert (conv.input_size, conv.output_size) == ((16, 32, 24), (32, 16, 12))
    assert conv.parameters == 16 * 32 * 9
    assert conv.multiply_adds == 16 * 32 * 9 * 16 * 12
    padding = rows["layer2.0.downsample"]
    assert (padding.output_size, padding.parameters) == ((32, 16, 12), 0)
    assert (rows["bn1"].parameters, rows["bn1"].multiply_adds) == (32, 0)
    assert (rows["fc"].parameters, rows["fc"].multiply_adds) == (650, 640)


def test_groups_divide_the_multiply_adds():
    rows = {row.name: row for row in summarize(build_model("resnext29"), (3, 32, 32)).rows}
    assert rows["layer1.0.conv2"].multiply_adds == 512 * (512 // 8) * 9 * 32 * 32


def test_totals_tell_trainable_parameters_apart():
    model = build_model("resnet20")
    model.layer1.requires_grad_(False)
    frozen = sum(p.numel() for p in model.layer1.parameters())
    summary = summarize(model, (3, 32, 32))
    assert summary.parameters == 269_722
    assert summary.trainable == 269_722 - frozen
    assert sum(row.parameters for row in summary.rows) == 269_722


def test_one_image_is_enough_for_a_network_in_training_mode():
    # Batch statistics of one value a channel do not exist; evaluation mode does not need them.
    assert summarize(build_model("resnet20").train(), (3, 4, 4)).rows[-2].input_size == (64, 1, 1)


@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_left_as_it_was(training):
    model = build_model("resnet20", dropout=0.5).train(training)
    model.layer2.eval()
    before = copy.deepcopy(model.state_dict())
    tensors = {name: id(tensor) for name, tensor in model.state_dict(keep_vars=True).items()}
    modes = [module.training for module in model.modules()]
    random = torch.get_rng_state()
    summarize(model, (3, 32, 32))
    torch.testing.assert_close(model.state_dict(), before, rtol=0, atol=0)
    after = {name: id(tensor) for name, tensor in model.state_dict(keep_vars=True).items()}
    assert after == tensors
    assert [module.training for module in model.modules()] == modes
    assert torch.equal(torch.get_rng_state(), random)
    assert all(p.grad is None for p in model.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_the_table_is_aligned_and_ends_with_the_totals():
    summary = summarize(build_model("resnet20"), (3, 32, 32))
    lines = summary.as_table().splitlines()
    assert lines[0].split() == ["Layer", "Type", "Input", "Output", "Parameters", "Multiply-adds"]
    assert lines[2].split() == ["conv1", "Conv2d", "3x32x32", "16x32x32", "432", "442,368"]
    body = lines[2 : 2 + len(summary.rows)]
    assert len({len(line) for line in [*lines[:2], *body]}) == 1
    assert [line.split()[:2] for line in lines[-3:]] == [
        ["Parameters", "269,722"],
        ["trainable", "269,722"],
        ["Multiply-adds", "40,551,040"],
    ]


def test_attention_and_loose_parameters_are_counted():
    tokens, width = 5, 32
    model = models.VisionTransformer(32, 16, 1, 2, width, 64, num_classes=10)
    summary = summarize(model, (3, 32, 32))
    attention = next(row for row in summary.rows if row.type == "MultiheadAttention")
    assert attention.multiply_adds == 4 * tokens * width**2 + 2 * tokens**2 * width
    loose = model.class_token.numel() + model.encoder.pos_embedding.numel()
    assert summary.parameters == loose + sum(row.parameters for row in summary.rows)


class Shared(nn.Module):
    """One convolution, used twice, between plain tensors and code that depends on values."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.scale = torch.full((3, 1, 1), 2.0)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the convolution to scaled images, twice."""
        x = x * self.scale + torch.ones(3, 1, 1)
        if x.max() > 1:
            x = x / 255
        return self.conv(self.conv(x))


def test_a_layer_used_twice_has_its_parameters_counted_once_and_its_work_twice():
    summary = summarize(Shared(), (3, 8, 8))
    assert [row.parameters for row in summary.rows] == [84, 0]
    assert summary.multiply_adds == 2 * 81 * 64
    assert summary.parameters == 84


def test_weights_used_by_two_layers_are_counted_once():
    model = nn.Sequential(nn.Conv2d(3, 3, 3), nn.Conv2d(3, 3, 3))
    model[1].weight = model[0].weight
    summary = summarize(model, (3, 8, 8))
    assert [row.parameters for row in summary.rows] == [84, 3]
    assert summary.parameters == 87


def test_an_image_that_does_not_fit_value_dependent_code_is_refused_too():
    model = Shared()
    model.conv = nn.Conv2d(3, 3, 5)
    with pytest.raises(ValueError, match=r"^the model cannot take an image of 3x8x8 .*size"):
        summarize(model, (3, 8, 8))


def test_a_summary_works_inside_inference_mode():
    model = build_model("resnet20")
    with torch.inference_mode():
        assert summarize(model, (3, 32, 32)).multiply_adds == 40_551_040


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ((3, 8, 8), "^the model cannot take an image of 3x8x8 .*too small"),
        ((1, 32, 32), "^the model cannot take an image of 1x32x32 .*3 channels"),
    ],
)
def test_an_image_that_does_not_fit_is_refused_in_one_line(size, message, capfd):
    with pytest.raises(ValueError, match=message) as caught:
        summarize(build_torchvision("squeezenet1_1"), size)
    assert "\n" not in str(caught.value)
    assert "Traceback" not in capfd.readouterr().err
