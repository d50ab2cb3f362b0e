"""Files of a run that somebody else has made: nothing in them is executed."""

import os
from pathlib import Path
from typing import Any

import pytest
import timm
import torch

from src.target_allowlist import trust_overrides
from tests.fixtures.change import change
from tests.fixtures.cli import TINY, Cli


def test_a_class_that_is_not_on_the_list_is_refused_by_name(evaluate_cli: Cli, runs: Path) -> None:
    config = runs / "one/.hydra/config.yaml"
    for target in (
        "os.system",
        "torch.nnx.Evil",
        "src.models.buildings.Evil",
        "torch.load",
        "timm.models._hub.os.system",  # a name in timm, since timm imports os
        "torch.nn.init.uniform_",
        "torchvision.models.get_model_weights",
    ):
        change(config, "model._target_", target)
        done = evaluate_cli(f"run={runs / 'one'}")
        assert done.code == 2
        assert f"{target} is not on the list of classes" in done.err
        assert done.err.count("\n") == 1


@pytest.mark.parametrize("module", ["evaluate", "predict", "export"])
@pytest.mark.parametrize(
    ("hidden", "named"),
    [
        ({"_target_": "pathlib.Path.touch", "_args_": ["executed"]}, "pathlib.Path.touch"),
        ([{"deeper": {"_target_": "os.mkdir", "_args_": ["executed"]}}], "os.mkdir"),
        ("\\${oc.create:{_target_:os.mkdir}}", "${oc.create:{_target_:os.mkdir}}"),
    ],
)
def test_nothing_hides_inside_of_a_class_that_is_on_the_list(
    request: pytest.FixtureRequest,
    runs: Path,
    tmp_path: Path,
    module: str,
    hidden: object,
    named: str,
) -> None:
    (tmp_path / "picture.png").touch()
    model = {"_target_": "torch.nn.Linear", "in_features": 1, "out_features": hidden}
    change(runs / "one/.hydra/config.yaml", "model", model)
    words = ["input=picture.png"] if module == "predict" else []
    done = request.getfixturevalue(f"{module}_cli")(f"run={runs / 'one'}", *words)
    assert done.code == 2
    assert f"{named} is not on the list of classes" in done.err
    assert not (tmp_path / "executed").exists()


def test_a_class_that_is_trusted_is_built(
    evaluate_cli: Cli, cli: Cli, runs: Path, cifar: str
) -> None:
    target = "tests.fixtures.networks.Pixels"
    place = runs / "own"
    words = ["model=custom", f"model._target_={target}", "+model.width=2", cifar, *TINY]
    assert cli(*words, f"hydra.run.dir={place}").code == 0
    refused = evaluate_cli(f"run={place}")
    assert refused.code == 2 and f"trust=[{target}]" in refused.err
    done = evaluate_cli(f"run={place}", f"trust=[{target}]")
    assert done.code == 0, done.err


def test_a_function_is_trusted_by_name_where_a_class_of_its_package_needs_none() -> None:
    function = {"_target_": "torchvision.models.resnet18"}
    known = {"_target_": "torch.nn.Linear"}
    assert trust_overrides(function, known) == ["trust=[torchvision.models.resnet18]"]


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("executed",)


def test_a_checkpoint_that_would_run_code_is_refused(
    evaluate_cli: Cli, runs: Path, tmp_path: Path
) -> None:
    torch.save(
        {"state_dict": Evil(), "global_step": 1, "epoch": 1}, runs / "one/checkpoints/best.ckpt"
    )
    done = evaluate_cli(f"run={runs / 'one'}")
    assert done.code == 2
    assert "best.ckpt: not a readable checkpoint (it asks for posix.mkdir" in done.err
    assert "nothing of it was executed" in done.err and "weights_only" not in done.err
    assert done.err.count("\n") == 1
    assert not (tmp_path / "executed").exists()


def test_weights_are_fetched_from_nowhere_for_a_file_s_asking(
    evaluate_cli: Cli, runs: Path
) -> None:
    model = {"_target_": "src.models.build_timm", "name": "hf-hub:some/one", "num_classes": None}
    change(runs / "one/.hydra/config.yaml", "model", model)
    done = evaluate_cli(f"run={runs / 'one'}")
    assert done.code == 2
    assert "hf-hub:some/one is not on the list of classes" in done.err
    assert "trust=[hf-hub:some/one]" in done.err


def test_a_run_that_goes_on_fetches_no_weights(
    cli: Cli, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def create(name: str, *, pretrained: bool = False, **_: object) -> None:
        asked.append(pretrained)
        raise ValueError("seen enough")

    monkeypatch.setattr(timm, "create_model", create)
    model = {"_target_": "src.models.build_timm", "name": "resnet10t", "pretrained": True}
    change(runs / "one/.hydra/config.yaml", "model", model | {"num_classes": None})
    done = cli(f"resume={runs / 'one'}", "trainer.max_epochs=2")
    assert done.code == 2
    assert asked and not any(asked)


@pytest.mark.parametrize("group", ["model", "optimizer"])
def test_a_run_is_not_resumed_with_classes_that_nobody_trusts(
    cli: Cli, runs: Path, tmp_path: Path, group: str
) -> None:
    evil = {"name": "custom", "_target_": "pathlib.Path.touch", "_args_": ["executed"]}
    change(runs / "one/.hydra/config.yaml", group, evil)
    done = cli(f"resume={runs / 'one'}", "trainer.max_epochs=2")
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert "pathlib.Path.touch is not on the list of classes" in done.err
    assert not (tmp_path / "executed").exists()


def test_the_command_to_go_on_with_trusts_what_the_run_was_begun_with(
    cli: Cli, cifar: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = "tests.fixtures.poison.Poisoned"
    own = [f"model._target_={target}", "+model.where=nowhere", "+model.step=4", "+model.stop=true"]
    words = [cifar, "model=custom", *own, *TINY, "data.batch_size=32", "trainer.max_epochs=3"]
    place = tmp_path / "run"
    done = cli(*words, "trainer.limit_train_batches=null", f"hydra.run.dir={place}")
    assert done.code == 143
    assert done.err.endswith(f"continue with resume={place} 'trust=[{target}]'\n")
    refused = cli(f"resume={place}")
    assert refused.code == 2 and f"add trust=[{target}]" in refused.err
    assert "a list is needed" in cli(f"resume={place}", f"trust={target}").err
    assert cli(f"resume={place}", f"trust=[{target}]", "trainer.max_epochs=1").code == 0
