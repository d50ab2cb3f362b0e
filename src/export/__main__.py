"""Write a trained network for other programs: ``python -m src.export --help``."""

import sys


def main() -> None:
    """Export the run that the command line names."""
    try:
        from src.cli.command import command
        from src.export.settings import check_export
    except KeyboardInterrupt:
        sys.exit(130)
    command("export", check_export, "src.export.run", paths=("run", "ckpt", "output"))


if __name__ == "__main__":
    if not __package__:
        # A script path on the command line puts src/export on the import path, not the project.
        print("error: start it as python -m src.export", file=sys.stderr)
        sys.exit(2)
    main()
