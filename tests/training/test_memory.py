"""What is freed stays in the process."""

import platform
import subprocess
import sys

import pytest

from src.training.hardware import keep_freed_memory

FAULTS = """
import resource
import numpy as np
from src.training.hardware import keep_freed_memory

def faults():
    for _ in range(2):
        np.ones(48 << 20, np.uint8)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(4):
        np.ones(48 << 20, np.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

print(faults())
assert keep_freed_memory()
print(faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_memory_that_is_kept_needs_no_new_pages() -> None:
    # In a process of its own: what others have freed would be found first.
    done = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    returned, kept = map(int, done.stdout.split())
    assert kept * 10 < returned


def test_elsewhere_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("src.training.hardware.sys.platform", "darwin")
    assert not keep_freed_memory()
