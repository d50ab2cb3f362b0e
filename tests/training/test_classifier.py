"""The classifier: normalization inside, plain loss in evaluation, metrics without waiting."""

import pytest
import torch
from torch import nn

from src.data.dataset import Batch
from src.training.classifier import ImageClassifier, Normalize
from src.training.hardware import choose_precision
from src.training.metrics import LossAndAccuracy


def test_normalization_takes_bytes_and_floats_alike() -> None:
    layer = Normalize([0.5, 0.25, 0.0], [0.5, 0.25, 1.0])
    images = torch.randint(0, 256, (2, 3, 4, 4), dtype=torch.uint8)
    out = layer(images)
    assert out.dtype == torch.float32
    torch.testing.assert_close(out, layer(images.float()))
    torch.testing.assert_close(out[:, 1], (images[:, 1] / 255 - 0.25) / 0.25)
    torch.testing.assert_close(out[:, 2], images[:, 2] / 255)


def classifier(loss: nn.Module | None = None) -> ImageClassifier:
    torch.manual_seed(0)
    return ImageClassifier(
        nn.Sequential(nn.Flatten(), nn.Linear(12, 3)),
        mean=[0.5] * 3,
        std=[0.5] * 3,
        optimizer=lambda module: torch.optim.SGD(module.parameters(), 0.1),
        schedule=lambda opt, total, per: torch.optim.lr_scheduler.LambdaLR(opt, lambda step: 1.0),
        loss=loss,
    )


def batch(targets: torch.Tensor | None = None) -> Batch:
    images = torch.arange(4 * 12, dtype=torch.uint8).view(4, 3, 2, 2)
    return Batch(images, torch.tensor([0, 1, 2, 0]), torch.arange(4), targets)


def test_soft_targets_take_the_place_of_labels() -> None:
    module = classifier()
    hard = module.training_step(batch(), 0)
    soft = module.training_step(batch(nn.functional.one_hot(batch().labels, 3).float()), 0)
    other = module.training_step(batch(torch.full((4, 3), 1 / 3)), 0)
    torch.testing.assert_close(hard, soft)
    assert not torch.isclose(hard, other)


def test_label_smoothing_is_for_training_only() -> None:
    smooth, plain = classifier(nn.CrossEntropyLoss(label_smoothing=0.5)), classifier()
    assert not torch.isclose(smooth.training_step(batch(), 0), plain.training_step(batch(), 0))
    for module in (smooth, plain):
        module.validation_step(batch(), 0)
    torch.testing.assert_close(
        smooth.val_metrics.compute()["loss"], plain.val_metrics.compute()["loss"]
    )


def test_metrics_are_means_over_images_and_survive_a_checkpoint() -> None:
    metrics = LossAndAccuracy()
    metrics.update(
        torch.tensor(1.0),
        torch.tensor([[2.0, 1.0], [1.0, 2.0], [3.0, 0.0]]),
        torch.tensor([0, 1, 1]),
    )
    metrics.update(torch.tensor(3.0), torch.tensor([[0.0, 1.0]]), torch.tensor([1]))
    assert metrics.compute()["loss"].item() == pytest.approx(1.5)
    assert metrics.compute()["acc"].item() == pytest.approx(0.75)
    again = LossAndAccuracy()
    again.restore(metrics.export())
    assert again.compute() == metrics.compute()


def test_precision_is_chosen_by_the_hardware_unless_it_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert choose_precision("32-true", "cpu") == "32-true"
    for amx, avx512, expected in (
        (True, False, "bf16-mixed"),
        (False, True, "bf16-mixed"),
        (False, False, "32-true"),
    ):
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda amx=amx: amx)
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda avx512=avx512: avx512)
        assert choose_precision("auto", "cpu") == expected
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for capability, expected in (((7, 5), "32-true"), ((9, 0), "bf16-mixed")):
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda c=capability: c)
        assert choose_precision("auto", "gpu") == expected


def test_accuracy_of_mixed_images_is_the_share_of_the_predicted_class() -> None:
    module = classifier()
    predicted = module(batch().images).argmax(dim=1)
    other = (predicted + 1) % 3
    one_hot = nn.functional.one_hot
    targets = 0.7 * one_hot(predicted, 3).float() + 0.3 * one_hot(other, 3)
    # The smaller share is the image's own, as it is with half of all mixtures.
    mixed = batch(targets)._replace(labels=other)
    module.training_step(mixed, 0)
    assert module.train_metrics.compute()["acc"].item() == pytest.approx(0.7)
