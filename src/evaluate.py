"""Say how good a trained run is: ``python -m src.evaluate --help``."""

import sys


def main() -> None:
    """Evaluate the run that the command line names."""
    try:
        from src.config.after import check_evaluate
        from src.workflows.command import command
    except KeyboardInterrupt:
        sys.exit(130)
    paths = ("run", "ckpt", "against", "output")
    command("evaluate", check_evaluate, "src.workflows.evaluate", paths=paths)


if __name__ == "__main__":
    if not __package__:
        # Started as a file, Python looks for its modules beside it.
        print("error: start it as python -m src.evaluate", file=sys.stderr)
        sys.exit(2)
    main()
