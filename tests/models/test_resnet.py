import pytest
import torch
from torch import nn

from src.models.resnet import ResNet, build_model, list_models


def on_meta(name: str, **options: object) -> ResNet:
    """Build a network without memory for its weights."""
    with torch.device("meta"):
        return build_model(name, **options)


def trainable(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


IMAGENET = {"stem": "imagenet", "num_classes": 1000}
PLAIN = {"stem": "imagenet", "shortcut": "none", "conv_bias": True}


@pytest.mark.parametrize(
    ("name", "options", "parameters"),
    [
        ("resnet18", IMAGENET, 11_689_512),
        ("resnet34", IMAGENET, 21_797_672),
        ("resnet50", IMAGENET, 25_557_032),
        ("resnet101", IMAGENET, 44_549_160),
        ("resnet152", IMAGENET, 60_192_808),
        ("resnext50", IMAGENET, 25_028_904),
        ("resnext101", IMAGENET, 88_791_336),
        ("wide_resnet50", IMAGENET, 68_883_240),
        ("wide_resnet101", IMAGENET, 126_886_696),
        ("resnet18", {}, 11_173_962),
        ("resnet34", {}, 21_282_122),
        ("resnet50", {}, 23_520_842),
        ("resnet101", {}, 42_512_970),
        ("resnet152", {}, 58_156_618),
        ("resnext50", {}, 22_992_714),
        ("resnext101", {}, 86_755_146),
        ("wide_resnet50", {}, 66_847_050),
        ("resnext29", {}, 34_426_698),
        ("resnet20", {}, 269_722),
        ("resnet32", {}, 464_154),
        ("resnet44", {}, 658_586),
        ("resnet56", {}, 853_018),
        ("resnet110", {}, 1_727_962),
        ("resnet18", PLAIN, 11_011_722),
    ],
)
def test_parameter_counts_are_the_published_ones(name, options, parameters):
    assert trainable(on_meta(name, **options)) == parameters


@pytest.mark.parametrize("name", list_models())
@torch.no_grad()
def test_every_model_maps_images_to_logits(name):
    model = on_meta(name, num_classes=7, in_channels=2)
    assert model(torch.empty(3, 2, 33, 32, device="meta")).shape == (3, 7)


def test_model_names_are_unique_and_complete():
    assert len(set(list_models())) == len(list_models()) == 15
    assert {"resnet18", "resnext29", "wide_resnet101", "resnet110"} <= set(list_models())


@pytest.mark.parametrize("name", ["resnet20", "resnet18", "resnext29"])
@pytest.mark.parametrize("stem", ["cifar", "imagenet"])
@torch.no_grad()
def test_feature_sizes_are_those_of_a_run(name, stem):
    model = on_meta(name, stem=stem)
    seen: list[int] = []
    for stage in model.stages:
        stage.register_forward_hook(lambda _module, _inputs, output: seen.append(output.shape[-1]))
    for image_size in (1, 5, 32, 33, 97):
        seen.clear()
        logits = model(torch.empty(2, 3, image_size, image_size, device="meta"))
        assert logits.shape == (2, 10)
        assert model.feature_sizes(image_size) == seen


def test_the_last_stage_sees_a_single_pixel_of_small_images():
    imagenet, cifar = on_meta("resnet18", stem="imagenet"), on_meta("resnet18")
    assert imagenet.feature_sizes(32) == [8, 4, 2, 1]
    assert imagenet.feature_sizes(33)[-1] == 2
    assert imagenet.feature_sizes(224)[-1] == 7
    assert cifar.feature_sizes(32)[-1] == 4
    assert cifar.feature_sizes(8)[-1] == 1


def test_stems_differ_in_kernel_stride_and_pooling():
    cifar, imagenet = on_meta("resnet18"), on_meta("resnet18", stem="imagenet")
    assert (cifar.conv1.kernel_size, cifar.conv1.stride) == ((3, 3), (1, 1))
    assert (imagenet.conv1.kernel_size, imagenet.conv1.stride) == ((7, 7), (2, 2))
    assert not any(isinstance(module, nn.MaxPool2d) for module in cifar.modules())
    assert isinstance(imagenet.maxpool, nn.MaxPool2d)


def test_the_stride_of_a_bottleneck_is_on_its_3x3_convolution():
    block = on_meta("resnet50").layer2[0]
    assert [c.stride[0] for c in (block.conv1, block.conv2, block.conv3)] == [1, 2, 1]


@pytest.mark.parametrize(
    ("name", "shortcut", "count"),
    [("resnet20", "B", 21), ("resnet20", "C", 28), ("resnet50", "B", 53)],
)
def test_conv_bias_reaches_every_convolution_and_starts_at_zero(name, shortcut, count):
    model = build_model(name, shortcut=shortcut, conv_bias=True)
    convolutions = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    assert len(convolutions) == count
    assert all(m.bias is not None and not m.bias.any() for m in convolutions)
    usual = on_meta(name, shortcut=shortcut)
    assert all(m.bias is None for m in usual.modules() if isinstance(m, nn.Conv2d))


def test_convolutions_start_he_normal_with_fan_out_and_norms_at_one_and_zero():
    model = build_model("resnet18")
    for name in ("layer3.1.conv2", "layer4.0.conv1"):
        conv = model.get_submodule(name)
        expected = (2 / (conv.out_channels * 9)) ** 0.5
        assert conv.weight.std().item() == pytest.approx(expected, rel=0.02)
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    assert all((m.weight == 1).all() and not m.bias.any() for m in norms)


@pytest.mark.parametrize(("name", "last_norm"), [("resnet20", "bn2"), ("resnext29", "bn3")])
def test_zero_init_residual_starts_every_block_at_its_shortcut(name, last_norm):
    model = build_model(name, zero_init_residual=True).eval()
    for stage in model.stages:
        for block in stage:
            assert not getattr(block, last_norm).weight.any()
            assert block.bn1.weight.all()
    block = model.stages[0][1]
    x = torch.rand(2, block.conv1.in_channels, 4, 4)
    torch.testing.assert_close(block(x), x)


def test_norm_momentum_is_the_share_of_the_newest_batch():
    images = torch.rand(4, 3, 32, 32)
    model = build_model("resnet20", norm_momentum=1.0)
    model(images)
    seen = model.conv1(images)
    assert torch.allclose(model.bn1.running_mean, seen.mean(dim=(0, 2, 3)), atol=1e-6)
    kept = build_model("resnet20", norm_momentum=0.25).bn1
    kept(torch.ones(4, 16, 8, 8))
    assert torch.allclose(kept.running_mean, torch.full((16,), 0.25))


def test_dropout_acts_before_the_classifier_in_training_only():
    torch.manual_seed(0)
    model = build_model("resnet20", dropout=0.5)
    entering: list[torch.Tensor] = []
    model.fc.register_forward_pre_hook(lambda _module, inputs: entering.append(inputs[0]))
    x = torch.randn(4, 3, 16, 16)
    model.train()(x)
    model.eval()(x)
    assert 0.3 < (entering[0] == 0).float().mean() < 0.7
    assert (entering[1] != 0).float().mean() > 0.7
    assert model.state_dict().keys() == build_model("resnet20").state_dict().keys()


def test_one_channel_and_channels_last():
    model = build_model("resnet20", in_channels=1).eval()
    x = torch.randn(2, 1, 28, 28)
    expected = model(x)
    channels_last = model.to(memory_format=torch.channels_last)
    actual = channels_last(x.to(memory_format=torch.channels_last))
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-4)


def test_feature_maps_stay_channels_last_through_option_a():
    model = build_model("resnet20").to(memory_format=torch.channels_last)
    kept: list[bool] = []
    model.layer3.register_forward_hook(
        lambda _module, _inputs, y: kept.append(y.is_contiguous(memory_format=torch.channels_last))
    )
    model(torch.randn(2, 3, 32, 32).to(memory_format=torch.channels_last))
    assert kept == [True]


def test_state_dict_loads_strictly_into_another_of_its_kind():
    first, second = build_model("resnet32").eval(), build_model("resnet32").eval()
    x = torch.randn(2, 3, 16, 16)
    assert not torch.allclose(first(x), second(x))
    second.load_state_dict(first.state_dict(), strict=True)
    assert torch.equal(first(x), second(x))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet81", r"^unknown model 'resnet81'; did you mean resnet18\? \(accepted: resnet1"),
        ("RESNEXT50", "did you mean resnext50"),
        ("qqq", "^unknown model 'qqq' \\(accepted: resnet18, resnet34"),
    ],
)
def test_an_unknown_name_is_refused_in_one_line(name, message):
    with pytest.raises(ValueError, match=message) as caught:
        build_model(name)
    assert "\n" not in str(caught.value)
