"""Late convolutions compute what plain ones do."""

import copy

import pytest
import torch
from torch import Tensor, nn

from src.models.resnet import build_model
from src.training import conv_weight_grad
from src.training.conv_weight_grad import MatmulWeightGradConv2d, use_matmul_weight_grad


def replacements(module: nn.Module) -> int:
    """Number of convolutions that are replaced."""
    use_matmul_weight_grad(module)
    return sum(isinstance(layer, MatmulWeightGradConv2d) for layer in module.modules())


def pair(stride: int, bias: bool = False) -> tuple[nn.Conv2d, nn.Conv2d]:
    """A plain convolution and a quickened copy of it."""
    torch.manual_seed(0)
    plain = nn.Conv2d(256, 32, 3, stride, padding=1, bias=bias)
    plain = plain.to(memory_format=torch.channels_last)
    late = copy.deepcopy(plain)
    use_matmul_weight_grad(late)
    assert isinstance(late, MatmulWeightGradConv2d)
    return plain, late


def gradients(layer: nn.Conv2d, images: Tensor) -> list[Tensor]:
    images = images.clone().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        out = layer(images)
    out.float().square().mean().backward()
    found = [out.detach(), images.grad, *(p.grad for p in layer.parameters())]
    return [tensor for tensor in found if tensor is not None]


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("size", "stride"), [(4, 1), (7, 2), (8, 2), (1, 1), (3, 1)])
def test_outputs_are_equal_and_gradients_equal_but_for_rounding(
    size: int, stride: int, bias: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, late = pair(stride, bias)
    calls = []
    compute = conv_weight_grad._weight_gradient
    monkeypatch.setattr(
        conv_weight_grad, "_weight_gradient", lambda *args: calls.append(1) or compute(*args)
    )
    images = torch.randn(6, 256, size, size).to(memory_format=torch.channels_last)
    expected, found = gradients(plain, images), gradients(late, images)
    assert calls, "the matrix product was taken"
    for wanted, got in zip(expected, found, strict=True):
        assert wanted.dtype == got.dtype and wanted.stride() == got.stride()
        torch.testing.assert_close(got, wanted, rtol=2e-2, atol=1e-6)


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_larger_maps_and_float32_go_the_usual_way(precision: torch.dtype) -> None:
    plain, late = pair(1)
    size = 5 if precision == torch.bfloat16 else 4
    images = torch.randn(2, 256, size, size)
    found = []
    for layer in (plain, late):
        with torch.autocast("cpu", precision, enabled=precision != torch.float32):
            layer(images).float().square().mean().backward()
        found.append(layer.weight.grad)
    assert torch.equal(*found)


def test_a_network_keeps_its_names_and_its_evaluation() -> None:
    torch.manual_seed(0)
    plain = build_model("resnet18", num_classes=10).eval()
    late = copy.deepcopy(plain)
    assert replacements(late) == 7
    assert list(plain.state_dict()) == list(late.state_dict())
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(plain(images), late(images))
    assert isinstance(copy.deepcopy(late).layer4[1].conv2, MatmulWeightGradConv2d)


def test_what_a_plain_one_refuses_is_refused() -> None:
    images = torch.randn(2, 256, 4, 4, dtype=torch.float64)
    for layer in pair(1):
        with pytest.raises(RuntimeError), torch.autocast("cpu", torch.bfloat16):
            layer(images)


def test_other_convolutions_are_left_alone() -> None:
    class Own(nn.Conv2d):
        pass

    layers = nn.ModuleList(
        [
            nn.Conv2d(64, 64, 3, padding=1),
            nn.Conv2d(256, 256, 1),
            nn.Conv2d(256, 256, 3, padding=1, groups=2),
            nn.Conv2d(256, 256, 3, padding=2, dilation=2),
            nn.Conv2d(256, 256, 3, padding=1, padding_mode="reflect"),
            nn.Conv2d(256, 256, 3),
            Own(256, 256, 3, padding=1),
        ]
    )
    assert replacements(layers) == 0
