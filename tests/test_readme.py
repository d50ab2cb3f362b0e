"""The commands of the README are commands of this project."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from src.config.compose import plan
from src.errors import ConfigError
from tests.fixtures.datasets import cifar10_python_files, write_files

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```bash\n(.*?)```", README, flags=re.S)
LINES = [line for block in BLOCKS for line in re.sub(r"\\\n\s*", "", block).splitlines()]
TRAIN = [line for line in LINES if line.startswith("python -m src.train")]


@pytest.mark.parametrize("line", TRAIN)
def test_a_command_composes(line: str) -> None:
    words = shlex.split(line, comments=True)[3:]
    overrides = [word for word in words if word != "-m"]
    assert plan("train", overrides, multirun="-m" in words).jobs


def test_the_sweep_has_as_many_jobs_as_it_says() -> None:
    (line,) = (line for line in TRAIN if "a sweep of" in line)
    overrides = shlex.split(line, comments=True)[4:]
    assert f"a sweep of {len(plan('train', overrides, multirun=True).jobs)}" in line


def test_the_refusal_that_is_shown_is_the_one_that_is_given() -> None:
    shown = re.search(r"\$ python -m src\.train (\S+)\nerror: (.*)", README)
    assert shown is not None
    with pytest.raises(ConfigError) as refusal:
        plan("train", [shown.group(1)])
    assert str(refusal.value) == shown.group(2)


def test_the_snippet_of_the_data_set_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (snippet,) = re.findall(r"```python\n(.*?)```", README, flags=re.S)
    write_files(tmp_path / "data/cifar10", cifar10_python_files())
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(snippet, names)
    assert names["pixels"].shape == (32, 32, 3)
    assert isinstance(names["label"], int)


def test_no_placeholder_is_left() -> None:
    for name in ("README.md", "RESULTS.md", "CHANGELOG.md"):
        assert "@@" not in (ROOT / name).read_text()


def test_every_option_and_recipe_is_listed() -> None:
    for path in (ROOT / "conf" / "experiment").glob("*.yaml"):
        assert f"| `{path.stem}` |" in README
    for group in (
        "data",
        "augment",
        "optimizer",
        "scheduler",
        "trainer",
        "callbacks",
        "logger",
        "search",
    ):
        (row,) = re.findall(rf"^\| `{group}` \| (.*) \|$", README, flags=re.M)
        for path in (ROOT / "conf" / group).glob("*.yaml"):
            assert f"`{path.stem}`" in row, f"{group}={path.stem}"


def test_every_path_it_names_exists() -> None:
    for path in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / path).exists(), path
