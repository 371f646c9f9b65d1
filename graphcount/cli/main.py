"""The program: finds the command, maps every outcome to an exit code, prints one line of error."""

from __future__ import annotations

import atexit
import errno
import gc
import os
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any

import click
from click.shell_completion import CompletionItem

from graphcount.cli.command import write_examples
from graphcount.errors import ConfigError, GraphcountError, bug_line
from graphcount.version import __version__

DONE, FAILED, COULD_NOT, BUG = 0, 1, 2, 70

UNWRITABLE = frozenset(
    getattr(errno, name, None) for name in ("ENOSPC", "EDQUOT", "EFBIG", "EIO", "EBADF")
)
"""Errors of writing to stdout that say something about the system, not about us."""

COMMANDS = {
    "count": ("graphcount.cli.count", "Count parameters, bytes, operators (the default)."),
    "check": ("graphcount.cli.check", "Pass or fail against budgets."),
    "diff": ("graphcount.cli.diff", "What changed between two models."),
    "audit": ("graphcount.cli.audit", "What a stranger's model hides."),
    "bench": ("graphcount.cli.bench", "Real latency with onnxruntime, per operator."),
    "scan": ("graphcount.cli.scan", "Many models: folders, buckets, lists; on a cluster too."),
    "rules": ("graphcount.cli.rules", "What an audit looks for, and what to do then."),
    "init": ("graphcount.cli.init", "Write a configuration with today's numbers."),
    "page": ("graphcount.cli.page", "One HTML page: map, tables, findings."),
    "export": ("graphcount.cli.export", "The graph as Mermaid, DOT, GraphML, GEXF, Netron data."),
    "explain": ("graphcount.cli.explain", "One node's numbers, in words."),
    "plan": ("graphcount.cli.plan", "What if: other types, training, data, widths."),
    "deploy": ("graphcount.cli.deploy", "A folder of models that are run as one."),
}
"""Commands by name: module with `command`, and the line `--help` shows without importing it."""

OTHER_NAMES = {"report": "page"}
"""Names that commands had, and have now: people go on typing them."""

EXAMPLES = (
    "model.onnx",
    "check model.onnx --max disk_nbytes=100MB",
    "audit model.onnx",
    "page model.onnx -o model.html",
)


class _Commands(click.Group):
    """Loads a command's module when it is called; what names no command is for `count`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and not ctx.resilient_parsing:
            _refuse_slip(args[0])
        return super().parse_args(ctx, _with_command(args) if args else args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise click.Abort from None  # click would print an empty line first

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        row = COMMANDS.get(OTHER_NAMES.get(cmd_name, cmd_name))
        if row is None:
            return None
        command: click.Command = import_module(row[0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        write_examples(formatter, EXAMPLES)
        super().format_epilog(ctx, formatter)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete commands and arguments of `count`: `graphcount MODEL` counts."""
        if incomplete.startswith("-"):
            return [*super().shell_complete(ctx, incomplete), *_count_options(ctx, incomplete)]
        commands = [
            CompletionItem(name, help=line)
            for name, (_, line) in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        if not commands:
            return [CompletionItem(incomplete, type="file")]
        models = (name for name in sorted(os.listdir()) if name.endswith(".onnx"))
        return [
            *commands,
            *(CompletionItem(name) for name in models if name.startswith(incomplete)),
        ]


def _count_options(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    count = import_module(COMMANDS["count"][0]).command
    with count.make_context("count", [], parent=ctx, resilient_parsing=True) as inner:
        options: list[CompletionItem] = count.shell_complete(inner, incomplete)
    return [item for item in options if item.value not in ("-h", "--help")]


@click.command(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done and within budget; 1 over budget or not as expected; 2 could not"
    " do it, or not completely; 70 a bug of ours.\n\nEnvironment: GRAPHCOUNT_CONFIG and"
    " GRAPHCOUNT_FORMAT stand for --config and --format; NO_COLOR, FORCE_COLOR, CLICOLOR_FORCE.",
)
@click.version_option(__version__, message="graphcount %(version)s")
def cli() -> None:
    """Say what is inside a neural network exported to ONNX, from the file alone.

    `graphcount MODEL` is `graphcount count MODEL`.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code; never raises, never shows a traceback."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = cli.main(arguments or ["--help"], prog_name="graphcount", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else DONE
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        from graphcount.cli.usage import usage_message

        return _complain(usage_message(error), COULD_NOT)
    except ConfigError as error:
        return [_complain(line, COULD_NOT) for line in str(error).split("\n")][-1]
    except GraphcountError as error:
        return _complain(str(error), COULD_NOT)
    except BrokenPipeError:
        _forget_stdout()  # the reader left; nothing more to say
        return COULD_NOT
    except (KeyboardInterrupt, click.Abort):
        return _complain("interrupted", 130)
    except MemoryError:
        return _complain("out of memory", COULD_NOT)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in UNWRITABLE and not error.filename:
            _forget_stdout()
            reason = os.strerror(error.errno or 0).lower()
            return _complain(f"standard output: cannot be written: {reason}", COULD_NOT)
        return _complain(bug_line(error), BUG)


def run() -> None:
    """Run one command and exit: nothing is collected or freed, as the process ends with it."""
    gc.disable()
    signal.signal(signal.SIGTERM, _terminated)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # started with it closed: nobody wants to read it
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
    _leave(main())


def _terminated(number: int, frame: object) -> None:
    """End as a shell says it, but with temporary files removed and child processes ended."""
    raise SystemExit(128 + number)


def _leave(code: int) -> None:
    """End the process; what asked to be called at its end is called, and what is written is out.

    Freeing a hundred thousand records one by one takes as long as counting a thousand nodes. Where
    another thread runs, or someone traces the program, Python ends it as it always does.
    """
    if threading.active_count() == 1 and not (sys.gettrace() or sys.getprofile()):
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):  # nobody reads it any more
                stream.flush()
        os._exit(code)
    sys.exit(code)


def _with_command(arguments: list[str]) -> list[str]:
    """Name the command: `count` unless another one, or help on the whole program, is asked for."""
    if arguments[0] in OTHER_NAMES:
        return [OTHER_NAMES[arguments[0]], *arguments[1:]]
    if arguments[0] in COMMANDS or arguments[0] in ("-h", "--help", "--version"):
        return arguments
    return ["count", *arguments]


def _refuse_slip(word: str) -> None:
    """Refuse a single word that is no file: a command was meant.

    Raises:
        click.UsageError: With the command it may have been.
    """
    known = word in COMMANDS or word in OTHER_NAMES
    if word.isalpha() and not known and not os.path.lexists(word):
        from graphcount.cli.usage import nearest

        hint = nearest(word, COMMANDS) or "see graphcount --help"
        raise click.UsageError(f"{word}: no such file, and no command; {hint}")


def _forget_stdout() -> None:
    """Throw away what could not be written, or Python would try again as it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _complain(message: str, code: int) -> int:
    from graphcount.formats.text import one_line

    try:
        sys.stderr.write(f"graphcount: {one_line(message, 400)}\n")
    except (OSError, ValueError):
        pass  # stderr is closed: the exit code has to say it
    return code
