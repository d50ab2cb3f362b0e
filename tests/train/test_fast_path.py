"""Nothing that makes training fast changes what is trained."""

from pathlib import Path

import lightning as L
import pytest
import torch
from torch import nn

from src.augment.counter_rng import permutation
from src.augment.pipeline import Augment
from src.data.dataset import ImageDataset
from src.data.split import stratified_split
from src.models.resnet import build_model
from src.runs.directory import RunDirectory
from src.runs.reader import read_rows
from src.training import conv_weight_grad
from tests.fixtures.cli import Cli

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
WORDS = [
    "model=resnet20",
    "data.batch_size=32",
    "scheduler=constant",
    "optimizer.lr=0.01",
    "trainer.accelerator=cpu",
    "trainer.max_epochs=2",
    "trainer.log_every_n_steps=1",
    "callbacks.progress_bar=false",
    "seed=5",
]


def losses(cli: Cli, place: Path, *words: str) -> torch.Tensor:
    """The loss of each step of a run."""
    done = cli(*WORDS, *words, f"hydra.run.dir={place}")
    assert done.code == 0, done.err
    return torch.tensor(
        [row["train/loss"] for row in read_rows(RunDirectory(place)) if "train/loss" in row],
        dtype=torch.float64,
    )


def written_by_hand(
    root: str, *, fused: bool = False, layout: torch.memory_format = torch.contiguous_format
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """The same training as most people would write it: an image at a time; losses, weights."""
    L.seed_everything(5, verbose=False)
    data = ImageDataset.open("cifar10", root, train=True)
    chosen, _ = stratified_split(data.labels, 0.1, 0)
    augment = Augment(seed=5, crop_padding=4, flip="random")
    network = build_model("resnet20", num_classes=10).to(memory_format=layout)
    optimizer = torch.optim.SGD(
        network.parameters(), lr=0.01, momentum=0.9, nesterov=True, weight_decay=5e-4, fused=fused
    )
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, STD))
    found = []
    for epoch in range(2):
        order = torch.from_numpy(chosen)[permutation(5, epoch, len(chosen))].tolist()
        for start in range(0, len(order), 32):
            images, labels = [], []
            for index in order[start : start + 32]:
                pixels, label = data[index]
                image = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None]
                one = torch.tensor([label]), torch.tensor([index])
                images.append((augment(image, *one, epoch, 10)[0].float() / 255 - mean) / std)
                labels.append(label)
            optimizer.zero_grad()
            batch = torch.cat(images).contiguous(memory_format=layout)
            loss = nn.functional.cross_entropy(network(batch), torch.tensor(labels))
            loss.backward()
            optimizer.step()
            found.append(loss.item())
    return torch.tensor(found, dtype=torch.float64), network.state_dict()


def test_losses_and_weights_are_those_of_a_loop_written_by_hand(
    cli: Cli, cifar: str, tmp_path: Path
) -> None:
    ours = losses(cli, tmp_path / "ours", cifar, "trainer.precision=32-true")
    root = cifar.removeprefix("data.root=")
    assert len(ours) == 12 and ours.std() > 0.05
    same, weights = written_by_hand(root, fused=True, layout=torch.channels_last)
    # Ours are read from sums in float32.
    torch.testing.assert_close(ours, same, rtol=1e-5, atol=0)
    checkpoint = torch.load(tmp_path / "ours/checkpoints/last.ckpt", weights_only=True)
    for name, expected in weights.items():
        found = checkpoint["state_dict"][f"network.backbone.{name}"]
        assert torch.equal(found, expected), name
    # Another optimizer kernel and another order of summing round differently.
    torch.testing.assert_close(ours, written_by_hand(root)[0], rtol=2e-3, atol=0)


@pytest.mark.parametrize(
    "word", ["data.resident=always", "data.num_workers=1", "callbacks.progress_bar=true"]
)
def test_where_the_images_lie_and_who_watches_changes_no_bit(
    cli: Cli, cifar: str, tmp_path: Path, word: str
) -> None:
    usual = losses(cli, tmp_path / "usual", cifar)
    assert torch.equal(usual, losses(cli, tmp_path / "other", cifar, word))


def test_the_order_of_channels_in_memory_changes_roundings_alone(
    cli: Cli, cifar: str, tmp_path: Path
) -> None:
    exact = [cifar, "trainer.precision=32-true"]
    last = losses(cli, tmp_path / "last", *exact)
    first = losses(cli, tmp_path / "first", *exact, "trainer.channels_last=false")
    torch.testing.assert_close(last, first, rtol=2e-3, atol=0)


def test_weight_gradients_as_matrix_products_change_roundings_alone(
    cli: Cli, cifar: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [cifar, "model=resnet18", "trainer.precision=bf16-mixed", "trainer.max_steps=3"]
    fast = losses(cli, tmp_path / "fast", *words)
    monkeypatch.setattr(conv_weight_grad, "LARGEST_MAP", 0)
    plain = losses(cli, tmp_path / "plain", *words)
    assert fast[0] == plain[0], "the forward pass is the same"
    torch.testing.assert_close(fast, plain, rtol=0.02, atol=0)
