"""What a run directory holds, and reading it back; needs no torch."""

from src.runs.directory import RunDirectory
from src.runs.record import RunRecord, open_record
from src.runs.results import RunSummary, read_run, read_runs

__all__ = ["RunDirectory", "RunRecord", "RunSummary", "open_record", "read_run", "read_runs"]
