"""Measure the speed of training on this machine: ``python -m src.benchmark --help``."""

import sys


def main() -> None:
    """Compose the configuration of the command line and measure."""
    try:
        from src.cli.hydra_app import launch
    except KeyboardInterrupt:
        sys.exit(130)
    launch("benchmark", "src.benchmark.run")


if __name__ == "__main__":
    if not __package__:
        # Started as a file, Python looks for its modules beside it.
        print("error: start it as python -m src.benchmark", file=sys.stderr)
        sys.exit(2)
    main()
