"""Classify images with a trained run: ``python -m src.predict --help``."""

import sys


def main() -> None:
    """Classify the images that the command line names."""
    try:
        from src.cli.command import command
        from src.predict.settings import check_predict
    except KeyboardInterrupt:
        sys.exit(130)
    paths = ("run", "ckpt", "input", "output")
    command("predict", check_predict, "src.predict.run", paths=paths)


if __name__ == "__main__":
    if not __package__:
        # A script path on the command line puts src/predict on the import path, not the project.
        print("error: start it as python -m src.predict", file=sys.stderr)
        sys.exit(2)
    main()
