"""Words of Hydra's own grammar on the command line."""

from pathlib import Path

import pytest

from src.config.compose import find_value, hydra_override, plan
from src.errors import ConfigError
from src.files import read_json
from tests.fixtures.cli import TINY, Cli
from tests.fixtures.datasets import write_files


@pytest.mark.parametrize(
    "path", ["it's", "a, [b] {c}", r"a\b", "a\\", r"a\'b", r"\\host\x", "été =1"]
)
def test_a_quoted_path_is_read_as_it_was(path: str) -> None:
    assert find_value([hydra_override("run", path)], "run") == path


def test_a_pattern_sweeps_over_the_options_that_match() -> None:
    planned = plan("train", ["model=glob(resnet2*)"], multirun=True)
    assert [job.overrides for job in planned.jobs] == [("model=resnet20",)]
    planned = plan("train", ["experiment=glob(*)"], multirun=True)
    assert len(planned.jobs) > 5


@pytest.mark.parametrize("word", ["+experiment=shapes_quickstart", "+model=resnet20", "+seed=1"])
def test_a_superfluous_plus_is_to_be_left_out(word: str) -> None:
    with pytest.raises(ConfigError, match=r"leave out the [+]"):
        plan("train", [word])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["hydra.output_subdir=null"], "hydra.output_subdir=null"),
        (["-cn", "evaluate"], "--config-name evaluate"),
        (
            ["~callbacks", "callbacks.progress_bar=false"],
            "callbacks.progress_bar: has been taken out with ~callbacks",
        ),
        (["-cn", "yours"], "--config-name yours: no such file"),
        (["-cd", "nowhere"], "--config-dir nowhere: no such folder"),
        (["hydra.searchpath=[file://nowhere]"], "hydra.searchpath: file://nowhere: no such folder"),
        (["data.exclude=raw"], "data.exclude=raw: should be a valid list"),
        (["-cp", "conf"], "--config-path conf: would take the place of conf/"),
    ],
)
def test_settings_of_hydra_that_break_a_run_are_refused_in_one_line(
    cli: Cli, words: list[str], said: str
) -> None:
    done = cli(*words)
    assert done.code == 2
    assert done.err.startswith(f"error: {said}") and done.err.count("\n") == 1


FILES = {
    "model/mine.yaml": b"defaults: [resnet20]\nshortcut: B\n",
    "mine.yaml": b"defaults: [train, _self_]\nseed: ${oc.decode:${oc.env:SEED_OF_MINE}}\n",
}


@pytest.fixture
def further(tmp_path: Path) -> str:
    """A folder of configurations beside ``conf/``."""
    return str(write_files(tmp_path / "further", FILES))


WAYS = [
    ["--config-dir", "further"],
    ["-cd", "further"],
    ["hydra.searchpath=[file://further]"],
]
SMALL = ["model=mine", *TINY, "logger=csv"]


@pytest.mark.usefixtures("further")
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way[0])
def test_options_of_a_further_folder_make_a_run_and_a_sweep(
    way: list[str], cli: Cli, cifar: str, tmp_path: Path
) -> None:
    done = cli(*way, cifar, *SMALL, "hydra.run.dir=run")
    assert done.code == 0, done.err
    done = cli("-m", *way, cifar, *SMALL, "seed=0,1", "sweep=two")
    assert done.code == 0, done.err
    runs = [tmp_path / "run", *(tmp_path / f"outputs/sweep/two/{job}" for job in (0, 1))]
    for run in runs:
        assert read_json(run / "run.json")["state"] == "finished"
        assert "shortcut: B" in (run / ".hydra/config.yaml").read_text()


@pytest.mark.usefixtures("further")
def test_ranks_find_the_further_folder(cli: Cli, cifar: str, tmp_path: Path) -> None:
    done = cli("-cd", "further", cifar, *SMALL, "trainer.devices=2", "hydra.run.dir=run")
    assert done.code == 0, done.err
    assert read_json(tmp_path / "run/run.json")["ranks"]["world_size"] == 2


@pytest.mark.usefixtures("further")
@pytest.mark.parametrize(
    "words", [["hydra.run.dir=run"], ["seed=1,2", "sweep=two", "hydra.mode=MULTIRUN"]]
)
def test_a_primary_configuration_and_a_variable_of_ones_own(
    words: list[str], cli: Cli, cifar: str, tmp_path: Path
) -> None:
    own = ["-cd", "further", "-cn", "mine", "+hydra.job.env_set.SEED_OF_MINE=7"]
    done = cli(*own, *words, cifar, *SMALL)
    assert done.code == 0, done.err
    seeds = [read_json(path)["seed"] for path in sorted(tmp_path.rglob("run.json"))]
    assert seeds == ([7] if len(words) == 1 else [1, 2])


@pytest.mark.usefixtures("further")
def test_a_pattern_sweeps_over_the_options_of_a_further_folder(
    cli: Cli, cifar: str, tmp_path: Path
) -> None:
    done = cli("-m", "-cd", "further", "model=glob(m*)", cifar, *SMALL[1:], "sweep=one")
    assert done.code == 0, done.err
    assert "model=mine" in (tmp_path / "outputs/sweep/one/0/.hydra/overrides.yaml").read_text()


@pytest.mark.usefixtures("further")
def test_options_of_a_further_folder_are_named(cli: Cli) -> None:
    done = cli("-cd", "further", "model=mime")
    assert done.code == 2
    assert "model=mime: no such option; did you mean mine?" in done.err


def test_other_commands_have_one_configuration(evaluate_cli: Cli) -> None:
    for flag in ("--config-name", "--config-dir", "--config-path"):
        done = evaluate_cli(flag, "x", "run=r")
        assert done.code == 2
        assert done.err == f"error: {flag}: src.evaluate has one configuration; leave it out\n"
