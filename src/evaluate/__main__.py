"""Evaluate a trained run: ``python -m src.evaluate --help``."""

import sys


def main() -> None:
    """Evaluate the run that the command line names."""
    try:
        from src.cli.command import command
        from src.evaluate.settings import check_evaluate
    except KeyboardInterrupt:
        sys.exit(130)
    paths = ("run", "ckpt", "against", "output")
    command("evaluate", check_evaluate, "src.evaluate.run", paths=paths)


if __name__ == "__main__":
    if not __package__:
        # A script path on the command line puts src/evaluate on the import path, not the project.
        print("error: start it as python -m src.evaluate", file=sys.stderr)
        sys.exit(2)
    main()
