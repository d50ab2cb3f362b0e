"""Files of a run directory."""

from dataclasses import dataclass
from pathlib import Path


@dataclass
class RunDirectory:
    """Paths of the files in a run directory."""

    path: Path

    def __post_init__(self) -> None:
        self.record = self.path / "run.json"  # state, command, versions, hardware, times
        self.job = self.path / "job.json"  # in a sweep: key and overrides of the job
        self.lock = self.path / ".lock"  # held by the process that trains
        self.metrics = self.path / "metrics.json"  # the final metrics
        self.rows = self.path / "metrics.csv"  # the logged metrics, a row each step or epoch
        self.config = self.path / ".hydra" / "config.yaml"  # the composed configuration
        self.overrides = self.path / ".hydra" / "overrides.yaml"  # those of the command line
        self.hydra = self.path / ".hydra" / "hydra.yaml"  # Hydra's own, and the chosen options
        self.summary = self.path / "model.txt"  # the network layer by layer
        self.checkpoints = self.path / "checkpoints"
        self.best = self.checkpoints / "best.ckpt"  # weights at the best monitored metric
        self.last = self.checkpoints / "last.ckpt"  # the newest, from which a run is resumed
        self.previous = self.checkpoints / "previous.ckpt"  # the one before the newest

    @property
    def states(self) -> list[Path]:
        """The existing checkpoints, in the order in which they are tried for resuming."""
        return [path for path in (self.last, self.previous, self.best) if path.exists()]
