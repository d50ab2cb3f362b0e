"""Compare runs over their seeds: ``python -m src.report --help``."""

import sys


def main() -> None:
    """Report on the sweeps that the command line names."""
    try:
        from src.cli.command import command
        from src.report.settings import check_report
    except KeyboardInterrupt:
        sys.exit(130)
    command("report", check_report, "src.report.run", paths=("sweep", "output"))


if __name__ == "__main__":
    if not __package__:
        # Started as a file, Python looks for its modules beside it.
        print("error: start it as python -m src.report", file=sys.stderr)
        sys.exit(2)
    main()
