"""File names in a run directory."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RunDirectory:
    """A run directory: everything about a run, enough to repeat or resume it.

    Attributes:
        path: the directory itself.
    """

    path: Path

    @property
    def record(self) -> Path:
        """State, command, versions, hardware and times."""
        return self.path / "run.json"

    @property
    def job(self) -> Path:
        """Which job of a sweep the directory is for."""
        return self.path / "job.json"

    @property
    def lock(self) -> Path:
        """Held by the process that trains."""
        return self.path / ".lock"

    @property
    def metrics(self) -> Path:
        """The final figures."""
        return self.path / "metrics.json"

    @property
    def rows(self) -> Path:
        """Every logged row."""
        return self.path / "metrics.csv"

    @property
    def config(self) -> Path:
        """The composed configuration."""
        return self.path / ".hydra" / "config.yaml"

    @property
    def overrides(self) -> Path:
        """What the command line changed, a YAML list."""
        return self.path / ".hydra" / "overrides.yaml"

    @property
    def hydra(self) -> Path:
        """Hydra's own settings, and the option that was chosen of each group."""
        return self.path / ".hydra" / "hydra.yaml"

    @property
    def checkpoints(self) -> Path:
        """The folder of ``best.ckpt`` and ``last.ckpt``."""
        return self.path / "checkpoints"

    @property
    def best(self) -> Path:
        """Weights of the epoch with the best monitored metric."""
        return self.checkpoints / "best.ckpt"

    @property
    def last(self) -> Path:
        """The newest state, from which a run continues."""
        return self.checkpoints / "last.ckpt"

    @property
    def previous(self) -> Path:
        """The state before the newest."""
        return self.checkpoints / "previous.ckpt"

    @property
    def states(self) -> list[Path]:
        """The files there are to continue from, the preferred one first."""
        return [path for path in (self.last, self.previous, self.best) if path.exists()]

    @property
    def summary(self) -> Path:
        """The network layer by layer."""
        return self.path / "model.txt"
