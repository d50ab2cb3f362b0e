"""Looks a sweep over before its first job; is asked by a file and answers by another."""

import sys
from pathlib import Path

from src.workflows.sweep.preflight import main

main(*map(Path, sys.argv[1:]))
