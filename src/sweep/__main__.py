"""Entry of the process that computes the forecast of a sweep."""

import sys
from pathlib import Path

from src.sweep.forecast import main

main(*map(Path, sys.argv[1:]))
