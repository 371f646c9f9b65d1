"""The program, as `graphcount` and as `python -m graphcount`."""

import sys


def run() -> None:
    """Start; Ctrl-C while Python still imports the program is one line, too."""
    try:
        from graphcount.cli.main import run as start
    except KeyboardInterrupt:
        print("graphcount: interrupted", file=sys.stderr)
        sys.exit(130)
    start()


if __name__ == "__main__":
    run()
