"""What ``tensorboard --logdir outputs`` shows of a run, without any setting."""

from collections.abc import Container, Iterable, Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger, TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
from torch.utils.tensorboard.summary import hparams

__all__ = ["COMPARED", "LAYOUT", "TensorBoard", "begin_run", "end_run"]

COMPARED = ("val/acc", "val/loss", "test/acc", "test/loss")
"""What the HParams tab shows beside the settings.

The same for every run: TensorBoard takes the columns of all of them from the first it meets.
"""


def _chart(*tags: str) -> list[Any]:
    """A chart of the tags that match one of some regular expressions."""
    return ["Multiline", list(tags)]


LAYOUT = {
    "training": {
        # TensorBoard matches from the start: without $, train/loss_epoch would join in.
        "loss": _chart("train/loss$", "val/loss$"),
        "accuracy": _chart("train/acc$", "val/acc$"),
        "learning rate": _chart("lr$"),
        "images per second": _chart("images_per_second$"),
        "gradient norm by depth": _chart("gradient_norm/"),
    }
}
"""The Custom Scalars tab: training and validation on one chart, and the rest of the curves."""


class TensorBoard(TensorBoardLogger):
    """Writes TensorBoard events into the run directory itself.

    Attributes:
        begins_at: the step that a resumed run is going to do first; 0 in a new one.
    """

    def __init__(self, directory: Path, resume_step: int | None = None):
        """Write to ``directory``.

        ``resume_step`` makes TensorBoard drop the points a resumed run is going to draw again.
        """
        self.begins_at = resume_step or 0
        further: dict[str, Any] = {} if resume_step is None else {"purge_step": resume_step}
        super().__init__(
            save_dir=directory, name="", version="", default_hp_metric=False, **further
        )

    @rank_zero_only
    def save(self) -> None:
        """Flush; Lightning's would add a ``hparams.yaml`` with nothing in it.

        It calls this before training, when a resumed run's files are to stay as they are.
        """
        if self._experiment is not None:
            self._experiment.flush()


@rank_zero_only
def begin_run(
    loggers: Iterable[Logger],
    settings: Mapping[str, Any],
    pages: Mapping[str, str],
    chosen: Container[str] = (),
) -> None:
    """Write what is known before the first step: charts, pages, settings for HParams.

    Settings stand there from the start, so that a run that goes on, fails or is interrupted can
    be compared too. A resumed run adds its pages at the step it begins at; of the settings
    TensorBoard keeps those the run began with.

    Args:
        loggers: those of the Trainer; only TensorBoard is written to.
        settings: flat, plain values by name.
        pages: what the Text tab shows by title, verbatim.
        chosen: settings that HParams shows first, for they tell the run from others.
    """
    for logger in _writers(loggers):
        logger.experiment.add_custom_scalars(LAYOUT)
        for title, text in pages.items():
            logger.experiment.add_text(title, f"```\n{text.rstrip()}\n```", logger.begins_at)
        # The logger's own method would log each metric too, as -1 or 0 at step 0.
        experiment, start, _ = hparams(dict(settings), dict.fromkeys(COMPARED, 0.0))
        for summary in (_with_first(experiment, chosen), start):
            logger.experiment._get_file_writer().add_summary(summary)
        logger.experiment.flush()


@rank_zero_only
def end_run(loggers: Iterable[Logger]) -> None:
    """Tell HParams that the run has succeeded."""
    for logger in _writers(loggers):
        _, _, end = hparams({}, {})
        logger.experiment._get_file_writer().add_summary(end)
        logger.experiment.flush()


def _with_first(summary: Summary, chosen: Container[str]) -> Summary:
    """Mark settings as differing between runs: TensorBoard lists those before the others."""
    content = summary.value[0].metadata.plugin_data
    parsed = HParamsPluginData.FromString(content.content)
    for info in parsed.experiment.hparam_infos:
        info.differs = info.name in chosen
    content.content = parsed.SerializeToString()
    return summary


def _writers(loggers: Iterable[Logger]) -> list[TensorBoard]:
    return [logger for logger in loggers if isinstance(logger, TensorBoard)]
