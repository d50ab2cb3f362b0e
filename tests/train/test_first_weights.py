"""A trained network needs nothing of what its first weights were loaded from."""

from pathlib import Path

import pytest
import torch
from torch import nn

from src.factory import without_pretrained_weights
from tests.fixtures.cli import TINY, Cli


class FromFile(nn.Module):
    """A network that starts from a file."""

    def __init__(self, num_classes: int, in_channels: int = 3, weights_path: str | None = None):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.LazyLinear(num_classes))
        self.layers(torch.zeros(1, in_channels, 32, 32))
        if weights_path is not None:
            self.load_state_dict(torch.load(weights_path, weights_only=True))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """The logits."""
        return self.layers(images)


@pytest.mark.parametrize(
    "key", ["checkpoint", "checkpoint_path", "weights", "weights_backbone", "weights_path"]
)
def test_options_for_first_weights_are_emptied(key: str) -> None:
    settings = without_pretrained_weights({"_target_": "x.Y", "name": "z", key: "gone.pth"})
    assert isinstance(settings, dict)
    assert not settings[key] and settings["name"] == "z"


def test_a_run_is_evaluated_and_resumed_after_its_first_weights_moved(
    cli: Cli, evaluate_cli: Cli, cifar: str, tmp_path: Path
) -> None:
    file, run = tmp_path / "w.pth", tmp_path / "r"
    torch.save(FromFile(10).state_dict(), file)
    target = f"{FromFile.__module__}.FromFile"
    words = [f"model._target_={target}", f"+model.weights_path={file}"]
    done = cli(cifar, "model=custom", *words, "augment=none", *TINY, f"hydra.run.dir={run}")
    assert done.code == 0, done.err
    file.unlink()
    trust = f"trust=[{target}]"
    done = evaluate_cli(f"run={run}", trust)
    assert done.code == 0, done.err
    done = cli(f"resume={run}", "trainer.max_epochs=2", trust)
    assert done.code == 0, done.err
