"""``python -m src.evaluate`` on a tiny run."""

import csv
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import yaml

from tests.fixtures.cli import TINY, Cli
from tests.fixtures.datasets import cifar10_python_files, write_files


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())


def test_it_finds_what_the_run_itself_had_found(evaluate_cli: Cli, runs: Path) -> None:
    done = evaluate_cli(f"run={runs / 'one'}")
    assert done.code == 0, done.err
    found, trained = read(runs / "one/evaluation/metrics.json"), read(runs / "one/metrics.json")
    assert found["images"] == 40
    assert found["acc"] == pytest.approx(trained["test/acc"])
    assert found["loss"] == pytest.approx(trained["test/loss"], rel=1e-3)
    low, high = found["acc_interval"]
    assert low < found["acc"] < high
    assert np.array(found["confusion"]).sum() == 40
    assert f"{found['acc']:.2%}" in done.out
    assert "│ airplane" in done.out


def test_predictions_name_each_image_once(evaluate_cli: Cli, runs: Path) -> None:
    evaluate_cli(f"run={runs / 'one'}")
    with (runs / "one/evaluation/predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["index"]) for row in rows] == list(range(40))
    assert rows[3]["image"] == "test_batch[3]"
    right = [row["label"] == row["prediction"] for row in rows]
    assert sum(right) / 40 == pytest.approx(read(runs / "one/metrics.json")["test/acc"])
    shares = [float(rows[0][name]) for name in list(rows[0])[4:]]
    assert sum(shares) == pytest.approx(1, abs=1e-4)
    assert list(rows[0])[4 + int(np.argmax(shares))] == rows[0]["prediction"]


def test_the_pictures_show_something(evaluate_cli: Cli, runs: Path) -> None:
    evaluate_cli(f"run={runs / 'one'}")
    for name in ("confusion", "calibration", "worst"):
        picture = cv2.imread(str(runs / f"one/evaluation/{name}.png"))
        assert picture is not None and picture.std() > 10, name


def test_a_checkpoint_file_is_enough(evaluate_cli: Cli, runs: Path) -> None:
    path = runs / "one/checkpoints/last.ckpt"
    done = evaluate_cli(f"ckpt={path}", "batch_size=7")
    assert done.code == 0, done.err
    found = read(runs / "one/evaluation/metrics.json")
    assert found["checkpoint"] == "last.ckpt" and found["images"] == 40


def test_other_images_have_a_place_of_their_own(
    evaluate_cli: Cli, runs: Path, tmp_path: Path
) -> None:
    other = write_files(tmp_path / "others", cifar10_python_files(rows=12, seed=9))
    assert evaluate_cli(f"run={runs / 'one'}").code == 0
    done = evaluate_cli(f"run={runs / 'one'}", f"data.root={other}", "tta=flip")
    assert done.code == 0, done.err
    assert read(runs / "one/evaluation/metrics.json")["images"] == 40
    found = read(runs / "one/evaluation-others/metrics.json")
    assert found["images"] == 12
    assert found["tta"]["views"] == "flip" and found["tta"]["images"] == 12
    assert "with tta=flip" in done.out


def test_two_runs_are_compared_image_by_image(evaluate_cli: Cli, runs: Path) -> None:
    done = evaluate_cli(f"run={runs / 'one'}", f"against={runs / 'two'}")
    assert done.code == 0, done.err
    found = read(runs / "one/evaluation/comparison.json")
    assert found["settings"] == {"seed": [0, 1]}
    assert found["difference"] == pytest.approx(found["acc"] - found["against_acc"])
    assert 0 < found["p_value"] <= 1
    with (runs / "one/evaluation/disagreements.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == found["disagreed"]
    assert all(row["prediction"] != row["against"] for row in rows)
    assert "McNemar" in done.out


def test_a_run_that_was_moved_needs_only_its_images(
    evaluate_cli: Cli, runs: Path, cifar: str
) -> None:
    (runs / "one").rename(runs / "moved there")
    done = evaluate_cli(f"run='{runs / 'moved there'}'", cifar)
    assert done.code == 0, done.err


def change(path: Path, key: str, value: object) -> None:
    cfg = yaml.safe_load(path.read_text())
    node = cfg
    *parents, last = key.split(".")
    for parent in parents:
        node = node[parent]
    node[last] = value
    path.write_text(yaml.safe_dump(cfg))


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
        assert f"{target} is not built for a file's asking" in done.err
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
    assert f"{named} is not built for a file's asking" in done.err
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


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("executed"),)


def test_a_checkpoint_that_would_run_code_is_refused(
    evaluate_cli: Cli, runs: Path, tmp_path: Path
) -> None:
    torch.save(
        {"state_dict": Evil(), "global_step": 1, "epoch": 1}, runs / "one/checkpoints/best.ckpt"
    )
    done = evaluate_cli(f"run={runs / 'one'}")
    assert done.code == 2
    assert "best.ckpt: not a readable checkpoint" in done.err
    assert done.err.count("\n") == 1
    assert not (tmp_path / "executed").exists()


def break_config(run: Path) -> None:
    (run / ".hydra/config.yaml").write_text("a: [")


def other_network(run: Path) -> None:
    change(run / ".hydra/config.yaml", "model.name", "resnet32")


def no_best(run: Path) -> None:
    (run / "checkpoints/best.ckpt").unlink()


def no_record(run: Path) -> None:
    (run / "run.json").unlink()


def truncate(run: Path) -> None:
    path = run / "checkpoints/best.ckpt"
    path.write_bytes(path.read_bytes()[:1000])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (break_config, "config.yaml: cannot be read"),
        (other_network, "best.ckpt: not of the network of this run"),
        (no_best, "has no checkpoints/best.ckpt"),
        (no_record, "run.json: does not say what the run was trained on"),
        (truncate, "best.ckpt: not a readable checkpoint"),
    ],
)
def test_a_damaged_run_is_one_line(
    evaluate_cli: Cli, runs: Path, damage: Any, message: str
) -> None:
    damage(runs / "one")
    done = evaluate_cli(f"run={runs / 'one'}")
    assert done.code == 2
    assert message in done.err
    assert done.err.count("\n") == 1, done.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "which run?"),
        (["run=a", "ckpt=b"], "which run?"),
        (["run=nowhere"], "nowhere: no such run directory"),
        (["run=runs"], "runs: not a run directory"),
        (["ckpt=file.txt"], "not in a run directory"),
        (["run=runs/one", "tta=turn"], "tta=turn: not an option"),
        (["run=runs/one", "batchsize=3"], "did you mean batch_size"),
        (["run=runs/one", "data.rot=x"], "data.rot: no such setting"),
        (["run=runs/one", "data=cifar11"], "did you mean cifar10"),
        (["run=runs/one", "data=shapes"], "its classes are circle"),
        (["run=runs/one", "data.root=a,b"], "data=<option> or data.<key>=<value> is meant"),
        (["run=runs/one", "data.root=nothing", "data.download=false"], "data.root=nothing"),
        (["run=runs/one", "precision=16-mixed", "accelerator=cpu"], "float16 needs a GPU"),
        (["run=runs/one", "against=nowhere"], "nowhere: no such run directory"),
        (["-m", "run=runs/one"], "cannot be swept"),
    ],
)
@pytest.mark.usefixtures("runs")
def test_a_mistake_is_one_line(
    evaluate_cli: Cli, tmp_path: Path, words: list[str], message: str
) -> None:
    (tmp_path / "file.txt").write_text("no checkpoint")
    done = evaluate_cli(*words)
    assert done.code == 2
    assert message in done.err
    assert done.err.count("\n") == 1, done.err


def test_help_and_settings_can_be_shown(evaluate_cli: Cli) -> None:
    assert "src.evaluate run=RUN_DIR against=RUN_DIR" in evaluate_cli("--help").out
    assert "tta: flip" in evaluate_cli("--cfg", "job", "tta=flip").out
