import pytest
import torch
from torch import Tensor, nn
from torchvision import models

from src.models.resnet import build_model

TORCHVISION_NAMES = {
    "resnet18": "resnet18",
    "resnet34": "resnet34",
    "resnet50": "resnet50",
    "resnet101": "resnet101",
    "resnet152": "resnet152",
    "resnext50": "resnext50_32x4d",
    "resnext101": "resnext101_32x8d",
    "wide_resnet50": "wide_resnet50_2",
}


def random_weights(model: nn.Module) -> dict[str, Tensor]:
    """Draw weights and statistics that all differ, and keep activations near one."""
    generator = torch.Generator().manual_seed(0)

    def uniform(like: Tensor, low: float, high: float) -> Tensor:
        return torch.empty(like.shape).uniform_(low, high, generator=generator)

    state = {}
    for name, value in model.state_dict().items():
        if value.ndim > 1:
            bound = (6 / value[0].numel()) ** 0.5
            state[name] = uniform(value, -bound, bound)
        elif name.endswith(("running_var", "weight")):
            state[name] = uniform(value, 0.4, 1.2)
        elif value.is_floating_point():
            state[name] = uniform(value, -0.3, 0.3)
        else:
            state[name] = torch.zeros(value.shape, dtype=value.dtype)
    return state


@pytest.mark.parametrize(("ours", "theirs"), TORCHVISION_NAMES.items())
def test_outputs_equal_torchvisions_with_its_weights(ours, theirs):
    # Without memory at first: drawing the initial weights of both would take most of the time.
    with torch.device("meta"):
        model = build_model(ours, num_classes=1000, stem="imagenet").eval()
        reference = models.get_model(theirs).eval()
    state = random_weights(reference)
    assert list(model.state_dict()) == list(state)
    reference.load_state_dict(state, strict=True, assign=True)
    model.load_state_dict(state, strict=True, assign=True)
    x = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = reference(x)
        actual = model(x)
    assert not torch.allclose(expected[0], expected[1])
    scale = expected.abs().max().item()
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-5 * scale)


@pytest.mark.parametrize("zero_init_residual", [False, True])
def test_initial_weights_equal_torchvisions_for_a_seed(zero_init_residual):
    torch.manual_seed(3)
    model = build_model(
        "resnet18", num_classes=10, stem="imagenet", zero_init_residual=zero_init_residual
    )
    torch.manual_seed(3)
    reference = models.resnet18(num_classes=10, zero_init_residual=zero_init_residual)
    torch.testing.assert_close(model.state_dict(), reference.state_dict(), rtol=0, atol=0)
