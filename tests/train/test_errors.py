"""What a user can do wrong is one line on stderr and exit code 2; nothing is left half done."""

import json
from pathlib import Path

import pytest
import torch

from src.training.classifier import ImageClassifier
from tests.fixtures.cli import TINY, Cli, the_run
from tests.fixtures.datasets import class_folder_files, write_files

SMALL = ["model=resnet20", "callbacks.model_summary=false", *TINY]


def refused(cli: Cli, *words: str) -> str:
    """The one line a command is refused with."""
    done = cli(*words)
    assert done.code == 2, done.out + done.err
    assert len(done.err.splitlines()) == 1, done.err
    assert done.err.startswith("error: ")
    return done.err


def test_no_gpu_says_how_to_use_the_cpu(
    cli: Cli, cifar: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    line = refused(cli, cifar, "model=resnet20", "trainer.accelerator=gpu")
    assert "torch finds no GPU on this machine; on the CPU: python -m src.train" in line
    assert line.rstrip().endswith("model=resnet20 trainer.accelerator=cpu")


def test_the_record_says_failed_and_why(cli: Cli, tmp_path: Path) -> None:
    refused(cli, "data.root=nowhere", "data.download=false", *SMALL)
    record = json.loads(the_run(tmp_path).record.read_text())
    assert record["state"] == "failed"
    assert "nowhere" in record["reason"]


def test_data_that_does_not_fit(cli: Cli, tmp_path: Path) -> None:
    two = write_files(tmp_path / "two", class_folder_files(train=40, test=4))
    one = write_files(tmp_path / "one", class_folder_files(("cat",)))
    (tmp_path / "none").mkdir()
    assert "data.num_classes=10" in refused(cli, f"data.root={two}", *SMALL)
    folder = ["data=folder", "data.batch_size=8", *SMALL]
    assert "one" in refused(cli, f"data.root={one}", *folder)
    assert "none" in refused(cli, f"data.root={tmp_path / 'none'}", *folder)
    assert "larger than the training set of 72 images" in refused(
        cli, "data=folder", f"data.root={two}", *SMALL
    )
    assert "the model has 7 outputs and the data 2 classes" in refused(
        cli, f"data.root={two}", "model.num_classes=7", *folder
    )
    assert "2 values for images of 3 channels" in refused(
        cli, f"data.root={two}", "data.mean=[0.5,0.5]", "data.std=[0.5,0.5]", *folder
    )


def test_an_unreadable_image_is_named_and_may_be_skipped(cli: Cli, tmp_path: Path) -> None:
    files = class_folder_files(train=40, test=4)
    files["train/cat/0003.png"] = b"not an image"
    words = ["data=folder", f"data.root={write_files(tmp_path / 'images', files)}"]
    words += ["data.batch_size=8", *SMALL]
    assert "train/cat/0003.png" in refused(cli, *words)
    done = cli(*words, "data.on_bad_image=skip", "hydra.run.dir=skipped")
    assert done.code == 0, done.err
    assert "train/cat/0003.png" in done.out


def test_a_directory_with_a_run_is_not_used_again(cli: Cli, cifar: str) -> None:
    assert cli(cifar, *SMALL, "hydra.run.dir=mine").code == 0
    line = refused(cli, cifar, *SMALL, "hydra.run.dir=mine")
    assert "already holds a run; continue it with resume=mine" in line
    Path("mine/run.json").unlink()
    assert "holds checkpoints of another run" in refused(cli, cifar, *SMALL, "hydra.run.dir=mine")


def test_a_directory_that_cannot_be_written(cli: Cli, cifar: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "not a directory" in refused(cli, cifar, *SMALL, "hydra.run.dir=file")
    assert "cannot be written" in refused(cli, cifar, *SMALL, "hydra.run.dir=/proc/run")
    (tmp_path / "outputs").symlink_to("unmounted")
    assert "not a directory" in refused(cli, cifar, *SMALL)


def own(name: str) -> list[str]:
    """The words that choose one of the test's own networks."""
    return ["model=custom", f"model._target_=tests.fixtures.networks.{name}"]


def test_classes_that_cannot_be_used(cli: Cli, cifar: str) -> None:
    for words, message in (
        (["model=custom", "model._target_=no.such.Network"], "model._target_=no.such.Network"),
        (["model=custom", "model._target_=torch.Size"], "model._target_=torch.Size"),
        (["model=torchvision", "model.name=mobilnet_v2"], "mobilenet_v2"),
        ([*own("Several"), "+model.width=2"], "the model returns several values"),
        ([*own("Seven"), "+model.width=2"], "the model has 7 outputs and the data 10 classes"),
        (own("Nothing"), "no trainable parameters"),
        ([*own("Nothing"), "optimizer=muon"], "muon"),
        (["optimizer=custom", "optimizer._target_=torch.optim.LBFGS"], "evaluates several times"),
        (["optimizer=custom", "optimizer._target_=no.such.Sgd"], "optimizer._target_=no.such.Sgd"),
        (["optimizer=custom", "optimizer._target_=torch.nn.ReLU"], "not a torch.optim.Optimizer"),
    ):
        line = refused(cli, cifar, "model=resnet20", "data.batch_size=64", *TINY, *words)
        assert message in line


def test_settings_that_only_the_images_or_the_machine_can_refuse(
    cli: Cli, cifar: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    words = [cifar, "model=resnet20", "data.batch_size=64"]
    assert "augment.cutout=40: larger than the images (32x32)" in refused(
        cli, *words, "augment.cutout=40"
    )
    wide = ["augment.crop_mode=reflect", "augment.crop_padding=32"]
    assert "augment.crop_padding=32: reflection needs less" in refused(cli, *words, *wide)
    assert "float16 needs a GPU" in refused(cli, *words, "trainer.precision=16-mixed")


def test_a_class_with_too_few_images_is_named(cli: Cli, tmp_path: Path) -> None:
    files = class_folder_files(train=9, test=2)
    files |= {f"train/owl/{n}.png": files[f"train/cat/000{n}.png"] for n in range(1)}
    files |= {"test/owl/0.png": files["test/cat/0000.png"]}
    root = write_files(tmp_path / "images", files)
    line = refused(cli, "data=folder", f"data.root={root}", "data.batch_size=4", *SMALL)
    assert "class owl has 1 training image(s)" in line


def test_a_sweep_is_not_written_over_another_nor_where_nothing_can_be(
    cli: Cli, cifar: str, tmp_path: Path
) -> None:
    words = ["-m", cifar, *SMALL, "data.batch_size=64"]
    assert cli(*words, "seed=0", "hydra.sweep.dir=mine").code == 0
    before = (tmp_path / "mine/0/.hydra/overrides.yaml").read_text()
    assert "already holds a sweep" in refused(cli, *words, "seed=1", "hydra.sweep.dir=mine")
    assert (tmp_path / "mine/0/.hydra/overrides.yaml").read_text() == before
    assert "cannot be written" in refused(cli, *words, "seed=0", "hydra.sweep.dir=/proc/x")


def test_divergence_ends_the_run_and_says_what_to_try(cli: Cli, cifar: str, tmp_path: Path) -> None:
    done = cli(cifar, "data.batch_size=64", *SMALL, "optimizer.lr=1e38")
    assert done.code == 1
    assert len(done.err.splitlines()) == 1
    assert "training diverged: train/loss is" in done.err
    assert "try a lower optimizer.lr" in done.err
    assert json.loads(the_run(tmp_path).record.read_text())["state"] == "failed"


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    ],
)
def test_running_out_of_memory_says_what_to_lower(
    cli: Cli, cifar: str, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def full(*_: object) -> None:
        raise error

    monkeypatch.setattr(ImageClassifier, "training_step", full)
    done = cli(cifar, "data.batch_size=64", *SMALL)
    assert done.code == 1
    assert len(done.err.splitlines()) == 1
    assert "try data.batch_size=32 trainer.accumulate_grad_batches=2" in done.err


def test_a_full_disk_ends_the_run_with_one_line(
    cli: Cli, cifar: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    done = cli(cifar, "data.batch_size=64", *SMALL)
    assert done.code == 1
    assert "No space left on device" in done.err
    assert not list(the_run(tmp_path).checkpoints.iterdir())
