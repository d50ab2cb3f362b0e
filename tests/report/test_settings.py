"""Which settings tell runs apart."""

from pathlib import Path

from omegaconf import OmegaConf

from src.report.comparison import build_comparison
from src.report.load import flat_text
from src.runs.directory import RunDirectory
from tests.fixtures.runs import write_run


def columns(path: Path) -> tuple[str, ...]:
    return build_comparison([path], "val/acc", path).columns


def choose(path: Path, *typed: str, **choices: str | None) -> None:
    """What Hydra notes of a command line, and of the options that it did not name."""
    OmegaConf.save(list(typed), RunDirectory(path).overrides)
    OmegaConf.save({"hydra": {"runtime": {"choices": choices}}}, RunDirectory(path).hydra)


def test_only_what_was_typed_and_varies_is_a_column_and_seeds_are_not(tmp_path: Path) -> None:
    same = ["optimizer.momentum=0.9", "data.split_seed=1"]
    write_run(tmp_path / "0", "optimizer.lr=0.1", "seed=0", *same)
    assert columns(tmp_path) == ()
    write_run(tmp_path / "1", "optimizer.lr=0.2", "seed=1", *same)
    assert columns(tmp_path) == ("optimizer.lr",)
    write_run(tmp_path / "2", "+model.width=4", "optimizer.lr=0.1", *same)
    assert columns(tmp_path) == ("optimizer.lr", "model.width")
    write_run(tmp_path / "3", "trainer.log_every_n_steps=7", "optimizer.lr=0.1", *same)
    assert columns(tmp_path) == ("optimizer.lr", "model.width"), "nothing that was learned"


def test_a_default_is_compared_with_what_another_typed(tmp_path: Path) -> None:
    write_run(tmp_path / "0")
    write_run(tmp_path / "1", "trainer.max_epochs=3")
    assert columns(tmp_path) == ()
    write_run(tmp_path / "2", "trainer.max_epochs=4")
    report = build_comparison([tmp_path], "val/acc", tmp_path)
    assert [group.settings for group in report.groups] == [
        {"trainer.max_epochs": "3"},
        {"trainer.max_epochs": "4"},
    ]


def test_the_option_of_a_group_is_one_column_whatever_follows_from_it(tmp_path: Path) -> None:
    sgd = {"callbacks": "default", "optimizer": "sgd", "experiment": None}
    choose(write_run(tmp_path / "0", "optimizer.lr=0.1", "optimizer.nesterov=true"), **sgd)
    adamw = write_run(tmp_path / "1", "optimizer.lr=0.003", "callbacks.ema.enabled=true")
    typed = ["optimizer=adamw", "callbacks=ema", "hydra.verbose=true", "search=optuna"]
    choose(adamw, *typed, **sgd | {"optimizer": "adamw", "callbacks": "ema"})
    report = build_comparison([tmp_path], "val/acc", tmp_path)
    assert [group.settings for group in report.groups] == [
        {"optimizer": "sgd", "callbacks": "default"},
        {"optimizer": "adamw", "callbacks": "ema"},
    ]
    choose(tmp_path / "0", "experiment=one", **sgd | {"experiment": "one"})
    assert columns(tmp_path) == ("experiment", "optimizer", "callbacks")


def test_a_long_word_with_spaces_and_colons_is_one_setting(tmp_path: Path) -> None:
    for number, letter in enumerate("ab"):
        word = f"+model.options={{first: {letter}, second: {'a long text ' * 9}}}"
        path = write_run(tmp_path / str(number))
        choose(path, word)
    assert columns(tmp_path) == ("model.options",)


def test_what_no_command_line_can_be_is_passed_over(tmp_path: Path) -> None:
    bomb = "".join(f"- &{n} [{', '.join([f'*{n - 1}'] * 9)}]\n" for n in range(1, 30))
    for number in (0, 1):
        path = write_run(tmp_path / str(number), f"optimizer.lr=0.{number}")
        RunDirectory(path).overrides.write_text(f"- &0 optimizer.lr=0.{number}\n{bomb}")
        choices = "hydra: {runtime: {choices: {model: [a], optimizer: {}}}}"
        RunDirectory(path).hydra.write_text(choices)
    assert columns(tmp_path) == ("optimizer.lr",)


def test_values_are_written_as_they_are_typed_and_equal_numbers_are_equal() -> None:
    cfg = OmegaConf.create(
        {"a": None, "b": True, "c": 1.0, "d": [0.5, 1], "e": {"f": {"g": "x y"}}, "h": 0.1234567}
    )
    flat = flat_text(cfg)
    assert flat == {
        "a": "null",
        "b": "true",
        "c": "1",
        "d": "[0.5,1]",
        "e.f.g": "x y",
        "h": "0.1234567",
    }


def test_what_the_weights_do_not_depend_on_is_left_out() -> None:
    cfg = OmegaConf.create(
        {
            "resume": "there",
            "logger": {"tensorboard": False},
            "callbacks": {"progress_bar": False, "ema": {"enabled": True}},
            "data": {"num_workers": 4, "cache_dir": "/tmp", "batch_size": 8},
        }
    )
    assert flat_text(cfg) == {"callbacks.ema.enabled": "true", "data.batch_size": "8"}


def test_a_reference_to_outside_of_the_file_is_kept_as_it_stands() -> None:
    cfg = OmegaConf.create({"data": {"root": "${oc.env:NOT_THERE_AT_ALL}"}})
    assert flat_text(cfg) == {"data.root": "${oc.env:NOT_THERE_AT_ALL}"}
