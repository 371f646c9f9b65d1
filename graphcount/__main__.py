"""`python -m graphcount` is the program."""

from graphcount.cli.main import run

if __name__ == "__main__":
    run()
