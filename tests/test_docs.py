"""The documentation is true: its commands, snippets, links, paths and lists, and all YAML files."""

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
import yaml

from src.config.compose import composed, config_folders, plan
from src.config.validate import check_command
from src.errors import ConfigError
from tests.fixtures.datasets import cifar10_python_files, write_files

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
COMMANDS = [README, *sorted((ROOT / "docs").glob("*.md"))]
PAGES = [*COMMANDS, *sorted((ROOT / "docs/decisions").glob("*.md"))]
PAGES += [ROOT / f"{name}.md" for name in ("CONTRIBUTING", "SECURITY", "CHANGELOG", "RESULTS")]
PAGES += [ROOT / ".github/pull_request_template.md"]
TARGETS = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.M)


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), flags=re.S | re.M)


def shell_lines(page: Path) -> Iterator[str]:
    """Lines to be typed, and those of shown sessions, but for the ones that are refused."""
    for block in blocks(page, "bash"):
        yield from re.sub(r"\\\n\s*", "", block).splitlines()
    for block in blocks(page, ""):
        shown = re.sub(r"\\\n\s*", "", block)
        yield from re.findall(r"^\$ (.*)\n(?!error:)", shown, flags=re.M)


LINES = [(page.name, line) for page in COMMANDS for line in shell_lines(page)]
OURS = {(name, line): None for name, line in LINES if line.startswith("python -m src.")}
PYTHON = [
    (page.stem, number, text)
    for page in COMMANDS
    for number, text in enumerate(blocks(page, "python"))
]


@pytest.mark.parametrize(("page", "line"), OURS)
def test_a_command_composes(page: str, line: str) -> None:
    command, *words = shlex.split(line.partition("src.")[2], comments=True)
    overrides = [word for word in words if word != "-m"]
    if command in ("train", "benchmark"):
        assert plan(command, overrides, multirun="-m" in words).jobs
        return
    own = [word for word in overrides if not word.startswith("data.")]
    with config_folders():
        cfg = composed(command, own)
    assert check_command(command, cfg)


def test_the_sweep_has_as_many_jobs_as_it_says() -> None:
    (line,) = {line for _, line in OURS if "a sweep of" in line}
    overrides = shlex.split(line, comments=True)[4:]
    assert f"a sweep of {len(plan('train', overrides, multirun=True).jobs)}" in line


def test_the_refusal_that_is_shown_is_the_one_that_is_given() -> None:
    shown = re.search(r"\$ python -m src\.train (\S+)\nerror: (.*)", README.read_text())
    assert shown is not None
    with pytest.raises(ConfigError) as refusal:
        plan("train", [shown.group(1)])
    assert str(refusal.value) == shown.group(2)


def test_what_make_and_pip_are_asked_for_is_there() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = extras["optional-dependencies"]
    for page in PAGES:
        for target in re.findall(r"(?:^|`)make\s+([a-z-]+)", page.read_text(), flags=re.M):
            assert target in TARGETS, f"{page.name}: make {target}"
        for names in re.findall(r"-e '?\.\[([\w,]+)\]", page.read_text()):
            assert set(names.split(",")) <= set(extras), f"{page.name}: {names}"


def run_snippet(page: str, number: int, text: str) -> dict[str, Any]:
    module = ModuleType(f"snippet_{page}_{number}")
    exec(text, module.__dict__)
    return module.__dict__


def test_every_snippet_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_files(tmp_path / "data/cifar10", cifar10_python_files())
    monkeypatch.chdir(tmp_path)
    data, network, family = (run_snippet(*snippet) for snippet in PYTHON)
    assert data["pixels"].shape == (32, 32, 3)
    assert isinstance(data["label"], int)
    assert network["MyNet"](10, 3, width=4)(torch.zeros(2, 3, 32, 32)).shape == (2, 10)
    assert "resnet20" in family["names"]


def test_no_placeholder_is_left() -> None:
    for page in PAGES:
        assert "@@" not in page.read_text(), page.name


def test_every_option_and_recipe_is_listed() -> None:
    text = (ROOT / "docs/training.md").read_text()
    for path in (ROOT / "conf/experiment").glob("*.yaml"):
        assert f"| `{path.stem}` |" in text, path.stem
    listed = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", text, flags=re.M))
    groups = {path.name for path in (ROOT / "conf").iterdir() if path.is_dir()}
    for group in groups - {"experiment", "hydra"}:
        for path in (ROOT / "conf" / group).glob("*.yaml"):
            assert f"`{path.stem}`" in listed[group], f"{group}={path.stem}"


def test_every_folder_of_the_source_is_explained() -> None:
    text = (ROOT / "docs/architecture.md").read_text()
    for path in (ROOT / "src").iterdir():
        if path.name not in ("__init__.py", "__pycache__"):
            assert f"`{path.name}{'/' if path.is_dir() else ''}`" in text, path


def anchors(page: Path) -> set[str]:
    """The names that GitHub gives to a page's headings."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.S | re.M)
    headings = re.findall(r"^#+ (.*)$", text, flags=re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_paths_lead_somewhere(page: Path) -> None:
    text = page.read_text()
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link
    if page.name not in ("CHANGELOG.md", "RESULTS.md"):
        for path in re.findall(r"`((?:src|conf|tests|docs)/[\w./-]+)`", text):
            assert (ROOT / path).exists(), path


def test_every_decision_is_listed() -> None:
    index = (ROOT / "docs/decisions/README.md").read_text()
    for path in (ROOT / "docs/decisions").glob("*.md"):
        assert path.name == "README.md" or f"({path.name})" in index, path.name


def test_every_yaml_file_parses() -> None:
    found = [ROOT / "CITATION.cff", ROOT / ".pre-commit-config.yaml"]
    found += [path for folder in (".github", "conf") for path in (ROOT / folder).rglob("*.y*ml")]
    assert len(found) > 50
    for path in found:
        assert yaml.safe_load(path.read_text()), path


def test_the_actions_run_what_the_makefile_has() -> None:
    text = (ROOT / ".github/workflows/ci.yaml").read_text()
    assert set(re.findall(r"run: make ([a-z-]+)", text)) <= set(TARGETS)
