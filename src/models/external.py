"""Networks of torchvision and timm, which are imported only when used."""

from typing import Any

import torch
from torch import nn

from src.errors import one_line
from src.text import check_model_name


def build_torchvision(
    name: str,
    *,
    num_classes: int = 10,
    in_channels: int = 3,
    weights: str | None = None,
    **options: Any,
) -> nn.Module:
    """Build torchvision's classifier ``name``, (N, in_channels, H, W) -> (N, num_classes) logits.

    ``weights`` names pretrained weights, such as ``DEFAULT``, downloaded once. Their classifier is
    replaced if it has another number of classes, the first convolution if ``in_channels`` is not 3:
    by the mean kernel of the three colors, scaled so that an image repeated over the channels gives
    the same output. ``options`` go to torchvision's builder.
    """
    from torchvision import models

    known_names = models.list_models(module=models)
    listed_by = "torchvision.models.list_models(module=torchvision.models)"
    check_model_name("torchvision model", name, known_names, listed_by=listed_by)
    if name in ("googlenet", "inception_v3"):
        # By default they return a tuple in training: the logits and those of auxiliary classifiers.
        options.setdefault("aux_logits", False)
    try:
        model: nn.Module
        if weights is None:
            model = models.get_model(name, num_classes=num_classes, **options)
        else:
            known = models.get_model_weights(name)
            asked = weights.removeprefix(f"{known.__name__}.")
            check_model_name(f"weights of torchvision's {name}", asked, known.__members__)
            model = models.get_model(name, weights=weights, **options)
            _replace_classifier(model, num_classes)
    except (TypeError, OSError, RuntimeError) as error:
        raise ValueError(
            f"torchvision cannot build {name!r} with weights={weights!r} and options {options}: "
            f"{one_line(error)}{'; weights=null needs no download' if weights else ''}"
        ) from error
    if in_channels != 3:
        _replace_first_convolution(model, in_channels, keep_weights=weights is not None)
    return model


def build_timm(
    name: str,
    *,
    num_classes: int = 10,
    in_channels: int = 3,
    pretrained: bool = False,
    **options: Any,
) -> nn.Module:
    """Build timm's model ``name``, (N, in_channels, H, W) -> (N, num_classes) logits.

    ``name`` may have a tag of weights (``resnet18.a1_in1k``) or a source (``hf-hub:...``,
    ``local-dir:...``); ``options`` go to ``timm.create_model``.
    """
    try:
        import timm
    except ImportError as error:
        raise ValueError(
            f"timm model {name!r} needs the timm package, which is not installed: pip install timm"
        ) from error

    if ":" not in name and not timm.is_model(name):
        known, base = timm.list_models(), name.partition(".")[0]
        check_model_name("timm model", base, known, listed_by="timm.list_models()")
    try:
        model: nn.Module = timm.create_model(
            name, pretrained=pretrained, num_classes=num_classes, in_chans=in_channels, **options
        )
    except (TypeError, OSError, RuntimeError) as error:
        raise ValueError(
            f"timm cannot build {name!r} with pretrained={pretrained} and options {options}: "
            f"{one_line(error)}{'; pretrained=false needs no download' if pretrained else ''}"
        ) from error
    return model


def _replace_classifier(model: nn.Module, num_classes: int) -> None:
    """Replace the last layer of ``model``, unless it has ``num_classes`` outputs."""
    layers = [(p, m) for p, m in model.named_modules() if isinstance(m, (nn.Linear, nn.Conv2d))]
    path, old = layers[-1]
    if len(old.weight) == num_classes:
        return
    bias = old.bias is not None
    if isinstance(old, nn.Linear):
        model.set_submodule(path, nn.Linear(old.in_features, num_classes, bias=bias))
    else:  # a 1x1 convolution
        model.set_submodule(path, nn.Conv2d(old.in_channels, num_classes, 1, bias=bias))


def _replace_first_convolution(model: nn.Module, in_channels: int, *, keep_weights: bool) -> None:
    """Replace the first convolution of ``model`` by one for ``in_channels`` channels."""
    path, old = next((p, m) for p, m in model.named_modules() if isinstance(m, nn.Conv2d))
    assert old.in_channels == 3 and old.groups == 1
    kept: Any = {name: getattr(old, name) for name in ("kernel_size", "stride", "padding")}
    new = nn.Conv2d(in_channels, old.out_channels, bias=old.bias is not None, **kept)
    if keep_weights:
        with torch.no_grad():
            new.weight.copy_(old.weight.mean(1, keepdim=True) * (3 / in_channels))
            new.bias = old.bias
    model.set_submodule(path, new)
