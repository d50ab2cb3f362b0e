"""Words of Hydra's own grammar on the command line."""

import pytest

from src.config import ConfigError
from src.config.compose import plan
from tests.fixtures.cli import Cli


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
    ],
)
def test_settings_of_hydra_that_break_a_run_are_refused_in_one_line(
    cli: Cli, words: list[str], said: str
) -> None:
    done = cli(*words)
    assert done.code == 2
    assert done.err.startswith(f"error: {said}") and done.err.count("\n") == 1
