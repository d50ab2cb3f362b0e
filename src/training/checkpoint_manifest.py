"""SHA-256 of each checkpoint of a run, in ``manifest.json`` beside them.

A checkpoint and its entry cannot change in one moment. So the entry names the new file before it
takes the old one's place, and forgets the old one after: whenever a run is killed, the file that is
there is one of those named.
"""

import hashlib
import logging
from pathlib import Path
from typing import Any

from src.files import read_json, write_json

log = logging.getLogger(__name__)


def digest(file: Any) -> str:
    """SHA-256 of an open binary file from its beginning: 64 hexadecimal digits."""
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()


class Manifest:
    """The ``manifest.json`` of a folder of checkpoints: for each file what it may hold."""

    def __init__(self, folder: Path):
        """Of ``folder``, where there may be none yet."""
        self.path = folder / "manifest.json"

    def accepts(self, path: Path) -> bool:
        """Whether a file is what was written under its name, or nothing is known of that.

        Raises:
            OSError: the file cannot be read.
        """
        files = self._read()
        if path.name not in files:
            return True
        with path.open("rb") as file:
            return digest(file) in files[path.name]

    def expect(self, name: str, sha: str) -> None:
        """Before the file ``name`` becomes one with this SHA-256.

        What is there now counts as right where nothing was known of it.

        Raises:
            OSError: it cannot be written.
        """
        files = self._known(name)
        self._write(files | {name: [sha, *files.get(name, [])]})

    def settle(self, name: str, sha: str) -> None:
        """After the file ``name`` has become one with this SHA-256.

        Raises:
            OSError: it cannot be written.
        """
        self._write(self._read() | {name: [sha]})

    def expect_copy(self, name: str, to: str) -> None:
        """Before the file ``to`` becomes what ``name`` is.

        Raises:
            OSError: it cannot be written.
        """
        files = self._known(name)
        self._write(files | {to: [*files[name], *files.get(to, [])]})

    def settle_copy(self, name: str, to: str) -> None:
        """After the file ``to`` has become what ``name`` is.

        Raises:
            OSError: it cannot be written.
        """
        files = self._read()
        self._write(files | {to: files.get(name, [])})

    def _known(self, name: str) -> dict[str, list[str]]:
        """What is there now counts as right where nothing was known of it."""
        files = self._read()
        there = self.path.with_name(name)
        if name not in files and there.exists():
            with there.open("rb") as file:
                files[name] = [digest(file)]
        return files

    def _read(self) -> dict[str, list[str]]:
        try:
            content = read_json(self.path)
            return {str(name): [str(sha) for sha in shas] for name, shas in content.items()}
        except (ValueError, TypeError) as error:
            log.warning("%s is damaged; checkpoints are not compared with it: %s", self.path, error)
            return {}

    def _write(self, files: dict[str, list[str]]) -> None:
        write_json(self.path, {name: list(dict.fromkeys(shas)) for name, shas in files.items()})
