import sys

import pytest
import torch
from torch import nn
from torchvision import models

from src.models.external import build_timm, build_torchvision

SQUEEZENET = models.SqueezeNet1_1_Weights.IMAGENET1K_V1


@pytest.fixture
def pretrained_squeezenet(tmp_path, monkeypatch):
    """Put a state dict where torchvision looks before it downloads SqueezeNet's weights."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    torch.manual_seed(0)
    state = models.squeezenet1_1().state_dict()
    file = tmp_path / "hub" / "checkpoints" / SQUEEZENET.url.rsplit("/", 1)[-1]
    file.parent.mkdir(parents=True)
    torch.save(state, file)
    return state


@pytest.mark.parametrize("name", ["mobilenet_v3_small", "squeezenet1_1", "regnet_y_400mf"])
@pytest.mark.parametrize("in_channels", [1, 3])
def test_torchvision_models_take_any_classes_and_channels(name, in_channels):
    model = build_torchvision(name, num_classes=7, in_channels=in_channels).eval()
    assert model(torch.randn(2, in_channels, 64, 64)).shape == (2, 7)


def test_torchvision_options_reach_the_builder():
    model = build_torchvision("mobilenet_v3_small", dropout=0.75)
    assert 0.75 in [m.p for m in model.modules() if isinstance(m, nn.Dropout)]


def test_googlenet_returns_logits_while_training():
    model = build_torchvision("googlenet", num_classes=5, init_weights=False).train()
    assert model(torch.randn(2, 3, 64, 64)).shape == (2, 5)


def test_pretrained_weights_are_kept_except_the_classifiers(pretrained_squeezenet):
    state = build_torchvision("squeezenet1_1", num_classes=7, weights="DEFAULT").state_dict()
    assert state["classifier.1.weight"].shape == (7, 512, 1, 1)
    for key, value in pretrained_squeezenet.items():
        assert key.startswith("classifier") or torch.equal(state[key], value)


@pytest.mark.parametrize("weights", ["IMAGENET1K_V1", "SqueezeNet1_1_Weights.IMAGENET1K_V1"])
def test_pretrained_classifier_is_kept_when_the_classes_are_as_many(pretrained_squeezenet, weights):
    model = build_torchvision("squeezenet1_1", num_classes=1000, weights=weights)
    torch.testing.assert_close(model.state_dict(), pretrained_squeezenet, rtol=0, atol=0)


def test_pretrained_first_convolution_sees_a_gray_image_as_before(pretrained_squeezenet):
    gray = torch.randn(2, 1, 64, 64)
    colored = build_torchvision("squeezenet1_1", weights="DEFAULT", num_classes=1000).eval()
    model = build_torchvision("squeezenet1_1", weights="DEFAULT", num_classes=1000, in_channels=1)
    expected = colored(gray.expand(-1, 3, -1, -1))
    torch.testing.assert_close(model.eval()(gray), expected, rtol=1e-4, atol=1e-4)


def test_a_pretrained_linear_classifier_is_replaced(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    file = models.MobileNet_V3_Small_Weights.DEFAULT.url.rsplit("/", 1)[-1]
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    torch.save(models.mobilenet_v3_small().state_dict(), tmp_path / "hub" / "checkpoints" / file)
    model = build_torchvision("mobilenet_v3_small", num_classes=4, weights="DEFAULT").eval()
    assert model(torch.randn(1, 3, 32, 32)).shape == (1, 4)


@pytest.mark.parametrize("in_channels", [1, 3])
def test_timm_models_take_any_classes_and_channels(in_channels):
    model = build_timm("resnet10t", num_classes=7, in_channels=in_channels, drop_rate=0.25).eval()
    assert model(torch.randn(2, in_channels, 64, 64)).shape == (2, 7)
    assert model.drop_rate == 0.25


def test_timm_is_asked_for_by_name_when_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(
        ValueError, match=r"'resnet10t' needs the timm package.*: pip install timm$"
    ):
        build_timm("resnet10t")


@pytest.mark.parametrize(
    ("build", "name", "options", "message"),
    [
        (build_torchvision, "mobilenet_v3_smal", {}, "did you mean mobilenet_v3_small"),
        (build_torchvision, "qqq", {}, "^unknown torchvision model 'qqq' \\(accepted: any of the"),
        (build_torchvision, "fcn_resnet50", {}, "^unknown torchvision model 'fcn_resnet50'"),
        (build_torchvision, "resnet18", {"color": 1}, "options {'color': 1}: .*'color'"),
        (build_torchvision, "resnet18", {"weights": "IMAGENET1K_V7"}, "accepted: IMAGENET1K_V1"),
        (
            build_timm,
            "resnet10tt",
            {},
            "^unknown timm model 'resnet10tt'; did you mean resnet10t",
        ),
        (build_timm, "resnet10t", {"color": 1}, "options {'color': 1}: .*'color'"),
        (build_timm, "resnet10t.no_such_tag", {"pretrained": True}, "tag.*needs no download$"),
    ],
)
def test_bad_names_and_options_are_refused_in_one_line(build, name, options, message):
    with pytest.raises(ValueError, match=message) as caught:
        build(name, **options)
    assert "\n" not in str(caught.value)


def test_weights_that_cannot_be_fetched_are_reported(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # nothing listens on "discard"
    with pytest.raises(ValueError, match=r"weights='DEFAULT'.*; weights=null needs no download$"):
        build_torchvision("squeezenet1_1", weights="DEFAULT")


def test_a_path_is_no_name_of_weights():
    message = r"^unknown weights of torchvision's resnet18 '/there/w\.pth' \(accepted: IMAGENET1K"
    with pytest.raises(ValueError, match=message):
        build_torchvision("resnet18", weights="/there/w.pth")
