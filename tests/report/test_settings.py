"""Which settings tell runs apart."""

from omegaconf import OmegaConf

from src.report.varying_settings import flat_text, varying


def test_only_what_varies_is_a_column_and_seeds_are_not() -> None:
    runs = [
        {"seed": "0", "model.name": "resnet18", "optimizer.lr": "0.1", "data.split_seed": "0"},
        {"seed": "1", "model.name": "resnet18", "optimizer.lr": "0.2", "data.split_seed": "5"},
    ]
    assert varying(runs) == ["optimizer.lr"]
    assert varying(runs[:1]) == []


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


def test_what_follows_from_the_option_is_no_column() -> None:
    runs = [
        {"optimizer.name": "sgd", "optimizer.lr": "0.1", "optimizer.momentum": "0.9"},
        {"optimizer.name": "adamw", "optimizer.lr": "0.003", "optimizer.betas": "[0.9,0.999]"},
    ]
    assert varying(runs) == ["optimizer.name", "optimizer.lr"]
    as_in_files = [{**runs[0]}, {**runs[1], "optimizer.lr": "0.001"}]
    assert varying(as_in_files) == ["optimizer.name"]
    runs.append({"optimizer.name": "sgd", "optimizer.lr": "0.1", "optimizer.momentum": "0"})
    assert varying(runs) == ["optimizer.name", "optimizer.lr", "optimizer.momentum"]
    assert varying([{"a": "1"}, {"a": "1", "b": "2"}]) == ["b"]


def test_a_data_set_brings_its_statistics() -> None:
    runs = [
        {"data.name": "cifar10", "data.mean": "0.4"},
        {"data.name": "shapes", "data.mean": "0.5"},
    ]
    assert varying(runs) == ["data.name"]
    assert varying([*runs, {"data.name": "shapes", "data.mean": "0"}]) == ["data.name", "data.mean"]
