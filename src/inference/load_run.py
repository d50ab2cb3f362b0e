"""Load a trained network from its run directory."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Interval, MinLen
from hydra.core.override_parser.types import Override
from omegaconf import OmegaConf
from pydantic.dataclasses import dataclass as pydantic_dataclass
from torch import nn

from src.config.compose import composed, config_folders
from src.config.fields import LENIENT, typed
from src.config.schema import DataConfig, RunChoice, TrainConfig
from src.config.validate import check
from src.errors import ConfigError, UserError, as_user_errors, one_line
from src.factory import build_backbone, without_pretrained_weights
from src.files import read_json
from src.runs.directory import RunDirectory
from src.runs.reader import read_config
from src.target_allowlist import check_targets
from src.training.checkpoint_io import AtomicCheckpointIO, CheckpointError
from src.training.classifier import Normalize

_Side = Annotated[int, Interval(ge=1, le=4096)]


@pydantic_dataclass(config=LENIENT)
class _DataFacts:
    classes: Annotated[tuple[str, ...], MinLen(1)]
    image_shape: tuple[_Side, _Side, Literal[1, 3]]


@pydantic_dataclass(config=LENIENT)
class _ComputeFacts:
    precision: Literal["32-true", "bf16-mixed", "16-mixed"]


@pydantic_dataclass(config=LENIENT)
class _RunFacts:
    """Fields of ``run.json`` that are needed to rebuild the network."""

    data: _DataFacts
    compute: _ComputeFacts


@dataclass(frozen=True)
class TrainedRun:
    """A trained network and the run that trained it."""

    directory: RunDirectory
    checkpoint: Path
    config: TrainConfig
    network: nn.Module  # images (N, C, H, W) in 0..255 to logits (N, classes); normalizes them
    classes: tuple[str, ...]  # name of each label
    image_shape: tuple[int, int, int]  # height, width, channels of the training images
    precision: str  # of the training, one of Lightning's names


def load_run(run: str | Path, which: str = "best", *, trust: Sequence[str] = ()) -> TrainedRun:
    """Build the network of a run and load its weights, without executing code from its files.

    ``run`` is a run directory, of which the weights ``which`` (``best`` or ``last``) are loaded, or
    a checkpoint file in one; ``trust`` is that of :func:`src.target_allowlist.check_targets`.
    """
    directory, checkpoint = _locate(Path(run).expanduser(), which)
    config = check(read_config(directory))
    check_targets(directory.config, config.model, trust)
    with as_user_errors():
        record = read_json(directory.record)
    try:
        facts: _RunFacts = typed(_RunFacts, record, "")
    except ConfigError as error:
        raise UserError(f"{directory.record}: {error}") from error
    shape, classes = facts.data.image_shape, facts.data.classes
    channels = shape[2]
    # The checkpoint holds mean and standard deviation as well.
    normalize = Normalize([0.0] * channels, [1.0] * channels)
    model = without_pretrained_weights(config.model)
    backbone = build_backbone(model, len(classes), channels)
    network = nn.Sequential(OrderedDict(normalize=normalize, backbone=backbone))
    _load_weights(network, checkpoint)
    precision = facts.compute.precision
    return TrainedRun(directory, checkpoint, config, network.eval(), classes, shape, precision)


def load_chosen_run(settings: RunChoice) -> TrainedRun:
    """Load the run or checkpoint that a command's settings name."""
    path = settings.ckpt or settings.run or ""
    return load_run(path, settings.checkpoint, trust=settings.trust)


def _locate(path: Path, which: str) -> tuple[RunDirectory, Path]:
    if path.is_file():
        directory = RunDirectory(path.resolve().parent.parent)
        if not directory.config.exists():
            raise UserError(f"{path}: not in a run directory; its network is described there")
        return directory, path
    directory = RunDirectory(path)
    if not path.is_dir():
        raise UserError(f"{path}: no such run directory")
    if not directory.config.exists():
        raise UserError(f"{path}: not a run directory (it has no .hydra/config.yaml)")
    checkpoint = directory.best if which == "best" else directory.last
    if not checkpoint.exists():
        other = directory.last if which == "best" else directory.best
        hint = f"; checkpoint={other.stem} is there" if other.exists() else ""
        raise UserError(f"{path}: has no checkpoints/{checkpoint.name}{hint}")
    return directory, checkpoint


def _load_weights(network: nn.Module, checkpoint: Path) -> None:
    try:
        state = AtomicCheckpointIO().load_checkpoint(checkpoint)["state_dict"]
    except (OSError, CheckpointError) as error:
        raise UserError(one_line(error)) from error
    prefix = "network."
    own = {name: value for name, value in state.items() if name.startswith(prefix)}
    weights = {name.removeprefix(prefix): value for name, value in own.items()}
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        reason = one_line(error)[:300]
        raise UserError(f"{checkpoint}: not of the network of this run: {reason}") from error


def override_data(trained: TrainedRun, changes: list[Override]) -> DataConfig:
    """The data settings of a run with changes, at the size and channels of its own images."""
    cfg = read_config(trained.directory)
    height, _, channels = trained.image_shape
    # data=<option> comes first, because it replaces the whole group.
    for item in sorted(changes, key=lambda item: str(item.key_or_group) != "data"):
        key, value = str(item.key_or_group), item.value()
        if item.is_sweep_override() or item.is_add() or item.is_delete():
            raise ConfigError(f"{item.input_line}: type data=<option> or data.<key>=<value>")
        if key == "data":
            with config_folders():
                cfg.data = composed("train", [f"data={value}"]).data
        elif key.split(".")[1] not in cfg.data:
            raise ConfigError(f"{key}: no such setting (accepted: {', '.join(map(str, cfg.data))})")
        else:
            OmegaConf.update(cfg, key, value)
    data = check(cfg).data
    if not changes:
        return data
    return replace(data, image_size=data.image_size or height, channels=channels)
