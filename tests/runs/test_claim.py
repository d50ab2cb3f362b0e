"""Directories on a command line."""

import pytest

from src.config.compose import find_value
from src.config.overrides import hydra_override


@pytest.mark.parametrize(
    "path", ["it's", "a, [b] {c}", r"a\b", "a\\", r"a\'b", r"\\host\x", "été =1"]
)
def test_a_quoted_path_is_read_as_it_was(path: str) -> None:
    assert find_value([hydra_override("run", path)], "run") == path
