"""Train one network, or a sweep of them: ``python -m src.train --help``."""

from src.workflows.launch import launch


def main() -> None:
    """Compose the configuration of the command line and train."""
    launch("train", "src.workflows.train")


if __name__ == "__main__":
    main()
