"""One training run: data, network, Trainer, test, final figures."""

import logging
import time
from collections.abc import Callable
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import LambdaCallback
from omegaconf import OmegaConf

from src.config.compose import plain_override
from src.config.run_key import flat_settings, nested_settings
from src.config.schema import TrainConfig
from src.data.module import ImageDataModule
from src.distributed.ranks import this_rank
from src.distributed.rendezvous import init_process_group, rank_zero_first
from src.files import write_json
from src.models.summary import ModelSummary
from src.plotting import draw_curves, warn_if_fails
from src.process.signals import handle_signals
from src.runs.directory import RunDirectory
from src.runs.record import RunRecord
from src.target_allowlist import trust_overrides
from src.train.build import build_classifier, build_data
from src.train.lifecycle import explain_errors, run_lifecycle
from src.train.output import chosen_settings, final_figures, show, title
from src.train.preflight import (
    check_disk_space,
    check_run_length,
    check_same_split,
    estimate_checkpoint_bytes,
)
from src.train.trainer import build_trainer
from src.training import hardware
from src.training.callbacks.stop_on_signal import StopRequest
from src.training.checkpoint_io import AtomicCheckpointIO, restore_last
from src.training.classifier import ImageClassifier, steps_per_epoch
from src.training.loggers import begin_run, end_run

log = logging.getLogger(__name__)


def run(
    config: TrainConfig, directory: RunDirectory, begun: Callable[[], None] = lambda: None
) -> dict[str, Any]:
    """Train and test by ``config``, with all results in ``directory``.

    A resumed run's files, except its log, stay unchanged until training begins; then ``begun`` is
    called. Returns the contents of ``metrics.json`` on the first rank, else an empty dict.
    """
    resume = plain_override("resume", str(directory.path))
    stop_request = StopRequest(
        directory.last if config.callbacks.checkpoint else None,
        [resume, *trust_overrides(config.model, config.optimizer)],
    )
    with (
        run_lifecycle(directory, config) as record,
        explain_errors(config),
        handle_signals(stop_request.on_signal),
    ):
        return _run(config, directory, record, stop_request, begun)


def _build(
    config: TrainConfig, directory: RunDirectory, record: RunRecord, stop_request: StopRequest
) -> tuple[L.Trainer, ImageClassifier, ImageDataModule, ModelSummary]:
    """Open the data, build and check network and Trainer, and put the facts into the record."""
    first = this_rank().first
    resume_step = None
    with rank_zero_first():
        compute = hardware.prepare(config)
        L.seed_everything(config.run.seed, workers=True, verbose=False)
        data = build_data(config)
        if config.run.resume:
            check_same_split(directory, data.split_hash)
            if first:
                resume_step = restore_last(directory)
        check_run_length(config, len(data.train_indices), directory)
        classifier, summary = build_classifier(config, data, compute)
    if first:
        check_disk_space(directory.path, estimate_checkpoint_bytes(config, summary.parameters))
    if config.callbacks.model_summary:
        log.info("%s", summary.as_table())
    log.info("training on %s", hardware.describe(compute, config.trainer))
    record.update(
        compute=hardware.facts(compute),
        data=_data_facts(data),
        parameters=summary.parameters,
        multiply_adds=summary.multiply_adds,
    )
    init_process_group(compute.accelerator)
    trainer = build_trainer(config, directory, compute, resume_step, stop_request)
    return trainer, classifier, data, summary


def _run(
    config: TrainConfig,
    directory: RunDirectory,
    record: RunRecord,
    stop_request: StopRequest,
    begun: Callable[[], None],
) -> dict[str, Any]:
    """Build, train and test; write and show the results."""
    first = this_rank().first
    trainer, classifier, data, summary = _build(config, directory, record, stop_request)

    def begin(*_: object) -> None:
        record.begin()
        begun()
        directory.summary.write_text(summary.as_table() + "\n")
        configuration = OmegaConf.to_yaml(nested_settings(config))
        pages = {"configuration": configuration, "model": summary.as_table()}
        begin_run(trainer.loggers, flat_settings(config), pages, chosen_settings(directory))

    if first:
        # Called after every step that can fail before training.
        trainer.callbacks.insert(0, LambdaCallback(on_train_start=begin))  # type: ignore[attr-defined]
    # There is no checkpoint where ranks are restarted after a failure before the first one.
    resume = directory.last if config.run.resume and directory.last.exists() else None
    started = time.perf_counter()
    trainer.fit(classifier, datamodule=data, ckpt_path=resume, weights_only=True)
    if first and not record.begun:
        begin()  # no step was left to train
    which, tested = _test(config, directory, trainer, classifier, data)
    seconds = time.perf_counter() - started
    if not first:
        return {}
    figures = final_figures(config, which, directory, trainer, tested, seconds)
    write_json(directory.metrics, figures)
    end_run(trainer.loggers)
    with warn_if_fails("curves.png"):
        draw_curves(directory, title(config, figures))
    show(figures, directory.path)
    return figures


def _test(
    config: TrainConfig,
    directory: RunDirectory,
    trainer: L.Trainer,
    classifier: ImageClassifier,
    data: ImageDataModule,
) -> tuple[str, dict[str, float]]:
    """Test the best weights, the last, or with ``none`` nothing; return which, and the metrics."""
    which = config.run.test_checkpoint
    if which == "best" and not trainer.strategy.broadcast(directory.best.exists()):
        log.warning("the run ended before its first validation: testing the last weights")
        which = "last"
    if which != "best" and trainer.global_step % steps_per_epoch(trainer):
        # max_steps ended the run inside an epoch, before its validation.
        trainer.validate(classifier, datamodule=data, verbose=False)
    if which == "none":
        return which, {}
    if which == "best":
        # Not by ckpt_path: Lightning 2.6.6 then restores the callbacks' states of that epoch too,
        # which replaces averaged weights by raw ones and resets the counts.
        best = AtomicCheckpointIO().load_checkpoint(directory.best)
        classifier.load_state_dict(best["state_dict"])
    (metrics,) = trainer.test(classifier, datamodule=data, verbose=False)
    return which, {name: float(value) for name, value in metrics.items()}


def _data_facts(data: ImageDataModule) -> dict[str, Any]:
    assert data.data is not None
    return {
        "source": data.data.description,
        "classes": list(data.classes),
        "image_shape": list(data.image_shape),
        "train_images": len(data.train_indices),
        "val_images": len(data.val_indices),
        "test_images": len(data.test_set),
        "validate_on": data.config.validate_on,
        "held_out": data.held_out,
        "split_hash": data.split_hash,
    }
