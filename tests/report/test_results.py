"""The document of results: recipes with their published figures, ours, and how to repeat them."""

from pathlib import Path

import pytest

from src.report.recipes import recipes
from tests.fixtures.change import change
from tests.fixtures.cli import Cli
from tests.fixtures.runs import write_run

NAME = "cifar10_resnet18_fast"


def typed(path: Path, *words: str) -> None:
    """What the command line of a run was, as Hydra leaves it."""
    (path / ".hydra/overrides.yaml").write_text("".join(f"- {word}\n" for word in words))


@pytest.fixture
def document(report_cli: Cli, tmp_path: Path) -> str:
    """Of three seeds of a recipe, one changed run of it, a failed one, and a run of no recipe."""
    sweep = tmp_path / "runs"
    data = {
        "data": {
            "source": "images in /my/own/cifar10-jpeg.tar.xz (train/ and test/)",
            "validate_on": "test",
        }
    }
    for seed, acc in enumerate((0.90, 0.92, 0.94)):
        path = write_run(sweep / str(seed), f"seed={seed}", acc=acc, **data)
        typed(path, "data.root=/my/own/cifar10-jpeg.tar.xz", f"experiment={NAME}", f"seed={seed}")
    path = write_run(sweep / "3", acc=0.5, epochs=12)
    typed(path, f"experiment={NAME}", "trainer.max_epochs=12", "callbacks.progress_bar=false")
    typed(write_run(sweep / "4", state="failed"), f"experiment={NAME}")
    typed(write_run(sweep / "5", acc=0.7, seconds=1000), "model=resnet20")
    done = report_cli(f"sweep={sweep}", "format=results", "output=out")
    assert done.code == 0, done.err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["results.md"]
    return (tmp_path / "out/results.md").read_text()


def line_of(document: str, start: str) -> list[str]:
    (line,) = [line for line in document.splitlines() if line.startswith(f"| {start} ")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_seeds_are_one_line_with_its_spread(document: str) -> None:
    cells = line_of(document, "as written")
    assert cells[1:6] == ["3", "–", "92.00 ± 2.00", "91.00 ± 2.00", "3"]
    assert cells[-1] == "1234567"
    assert f"-m experiment={NAME} data.root=cifar10-jpeg.tar.xz seed=0,1,2\n" in document
    assert "the validation column is of test images" in document
    assert "Data: images in cifar10-jpeg.tar.xz (train/ and test/); ten classes." in document
    assert "/my/own" not in document


def test_a_changed_recipe_says_so_and_how_it_went(document: str) -> None:
    assert line_of(document, "trainer.max\\_epochs=12")[3] == "50.00"
    assert "-m src.train" not in line_of(document, "trainer.max\\_epochs=12")[0]
    assert "Validation accuracy after each epoch (trainer" not in document, "too many epochs"


def test_the_overview_has_every_recipe_and_says_what_was_not_run(document: str) -> None:
    overview = document.partition("###")[0]
    for recipe in recipes():
        cells = line_of(overview, recipe.name.replace("_", "\\_"))
        assert recipe.published.split(" ")[0] in cells[1]
        if recipe.name != NAME:
            assert cells[2] == "not run"
        else:
            assert cells[2].startswith("91.00 ± 2.00 (cifar10-jpeg.tar.xz); trainer.max")


def test_what_did_not_finish_is_named(document: str) -> None:
    assert document.rstrip().endswith("4 (failed).")


def test_a_run_resumed_with_other_settings_is_repeated_by_those(
    report_cli: Cli, tmp_path: Path
) -> None:
    again = {"command": "python -m src.train resume=x trainer.max_epochs=4"}
    for seed in (0, 1):
        words = [f"seed={seed}", "trainer.max_epochs=4"]
        path = write_run(tmp_path / f"runs/{seed}", *words, epochs=4, resumed=[again])
        split = f"data.split_seed={seed + 3}"
        typed(path, "model=resnet20", "trainer.max_epochs=1", f"seed={seed}", split)
    assert report_cli("sweep=runs", "format=results", "output=out").code == 0
    text = (tmp_path / "out/results.md").read_text()
    start = "python -m src.train model=resnet20 trainer.max_epochs=4 data.split_seed="
    assert f"{start}3\n" in text and f"{start}4 seed=1\n" in text


def test_runs_of_no_recipe_come_last(document: str) -> None:
    others = document.partition("## Other runs")[2]
    assert line_of(others, "model=resnet20")[6] == "16.7 min"
    assert "python -m src.train model=resnet20\n" in others
    assert "after each epoch (model=resnet20): 23.33, 46.67, 70.00." in others


def test_every_recipe_tells_what_is_known_of_it() -> None:
    for recipe in recipes():
        assert recipe.about.endswith("."), recipe.name
        if recipe.name != "shapes_quickstart":
            assert recipe.published and recipe.source, recipe.name


def test_the_note_of_a_recipe_is_told_after_its_source(document: str) -> None:
    (recipe,) = (recipe for recipe in recipes() if recipe.name == NAME)
    assert recipe.note.startswith("Tuned on ")
    section = document.partition(f"### {NAME}")[2]
    assert section.index(recipe.source) < section.index(recipe.note) < section.index("| run as")
    assert all(recipe.note not in other.source for other in recipes())


def test_the_document_names_its_own_command(report_cli: Cli, tmp_path: Path, document: str) -> None:
    assert "by `python -m src.report 'sweep=…' format=results`" in document, "of one machine"
    assert report_cli("sweep=[runs/0,runs/5]", "format=results", "output=two").code == 0
    text = (tmp_path / "two/results.md").read_text()
    assert "by `python -m src.report 'sweep=[runs/0,runs/5]' format=results`" in text


def test_a_run_of_a_recipe_that_is_gone_is_among_the_others(
    report_cli: Cli, tmp_path: Path
) -> None:
    typed(write_run(tmp_path / "runs/0"), "experiment=an_old_one")
    done = report_cli("sweep=runs", "format=results", "output=out")
    assert done.code == 0, done.err
    text = (tmp_path / "out/results.md").read_text()
    assert "src.train experiment=an_old_one\n" in text.partition("## Other runs")[2]


def test_the_jpeg_copy_is_told_of_where_it_was_read(
    report_cli: Cli, tmp_path: Path, document: str
) -> None:
    assert "`cifar10-jpeg.tar.xz` is the JPEG copy" in document
    write_run(tmp_path / "others/0")
    assert report_cli("sweep=others", "format=results", "output=out2").code == 0
    assert "JPEG" not in (tmp_path / "out2/results.md").read_text()


def test_commands_name_no_place_of_this_machine(report_cli: Cli, tmp_path: Path) -> None:
    path = write_run(tmp_path / "runs/0", "model.name=resnet20")
    words = ["model=resnet20", "++data.root=/home/me/cifar", "data.cache_dir=/home/me/cache"]
    typed(path, *words, "hydra.run.dir=/home/me/run")
    assert report_cli(f"sweep={tmp_path}/runs", "format=results", "output=out").code == 0
    text = (tmp_path / "out/results.md").read_text()
    assert "python -m src.train model=resnet20 ++data.root=cifar\n" in text
    assert "/home/me" not in text and str(tmp_path) not in text


@pytest.mark.parametrize("figure", [10**400, -1.0])
def test_figures_that_cannot_be_are_told_with_the_run(
    report_cli: Cli, tmp_path: Path, figure: float
) -> None:
    write_run(tmp_path / "runs/0")
    change(write_run(tmp_path / "runs/1") / "metrics.json", "train_seconds", figure)
    done = report_cli("sweep=runs", "format=results", "output=out")
    assert done.code == 0, done.err
    assert "1 (unreadable: " in (tmp_path / "out/results.md").read_text()


def test_without_a_finished_run_there_is_nothing_to_draw(report_cli: Cli, tmp_path: Path) -> None:
    write_run(tmp_path / "runs/0", state="failed")
    done = report_cli("sweep=runs", "format=figure", "output=out")
    assert done.code == 2
    assert "no finished run to draw" in done.err
    assert not list((tmp_path / "out").glob("*"))


def test_what_all_runs_of_a_recipe_change_is_told_once(report_cli: Cli, tmp_path: Path) -> None:
    for number, shortcut in enumerate("ABC"):
        path = write_run(tmp_path / f"runs/{number}", f"model.shortcut={shortcut}")
        typed(path, f"experiment={NAME}", f"model.shortcut={shortcut}", "trainer.max_steps=9")
    assert report_cli("sweep=runs", "format=results", "output=out").code == 0
    text = (tmp_path / "out/results.md").read_text()
    assert line_of(text, NAME.replace("_", "\\_"))[2].startswith(
        "with trainer.max\\_steps=9: model."
    )
    assert "\nAll with trainer.max\\_steps=9:\n" in text
    assert [line_of(text, f"model.shortcut={name}")[5] for name in "ABC"] == ["1", "1", "1"]
    assert text.count("trainer.max_steps=9\n") == 3, "in each of the commands"
