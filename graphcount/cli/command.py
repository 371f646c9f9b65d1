"""What every command looks like: its help in groups, its examples, what a shell completes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem
from click.types import StringParamType

from graphcount.errors import UsageError

if TYPE_CHECKING:
    from graphcount.report.finding_rows import RuleInfo

GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Audit", ("--audit", "--select", "--ignore")),
    (
        "What fails (exit 1)",
        (
            "--max",
            "--min",
            "--max-increase",
            "--baseline",
            "--write-baseline",
            "--max-ratio",
            "--within",
            "--expect-parameters",
            "--fail-on",
            "--fail-on-change",
            "--strict",
        ),
    ),
    (
        "Sizes and costs",
        (
            *("--cost", "--dim", "--old-dim", "--new-dim", "--shape", "--value", "--input"),
            *("--macs-convention", "--in-place", "--arena", "--deep"),
        ),
    ),
    (
        "Runs",
        ("--warmup", "--runs", "--seconds", "--concurrency", "--sessions", "--no-profile"),
    ),
    (
        "onnxruntime",
        ("--provider", "--threads", "--inter-threads", "--optimization", "--custom-ops"),
    ),
    ("History", ("--history", "--commit", "--changes")),
    ("Limits", ("--limit", "--timeout", "--memory-limit", "--trust")),
    ("Configuration", ("--config", "--no-config")),
    (
        "Output",
        (
            "--format",
            "--output",
            "--also",
            "--marker",
            "--hide-passed",
            "--quiet",
            "--verbose",
            "--no-color",
            "--binary",
            "--help",
        ),
    ),
)
"""Groups of options in a command's help, in this order, after the options that are in none."""


OUTPUTS = ("file", "outputs", "also", "write_baseline", "save_inputs")
"""Parameters that name files to write; all others of type `FILE` name files to read."""


VERBOSE = click.Option(
    ["-v", "--verbose"],
    is_flag=True,
    help="Say on stderr what is read, and what is not.",
)
"""An option of every command."""


class Command(click.Command):
    """A command whose help has groups of options and ends with examples.

    It never writes over a file that it reads, nor two results to one file.

    Attributes:
        examples: Command lines, as people type them after `graphcount`.
    """

    def __init__(self, *args: Any, examples: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.append(VERBOSE)
        self.examples = tuple(examples)

    def invoke(self, ctx: click.Context) -> Any:
        """Run it, unless it would destroy what it was given."""
        if ctx.params.pop("verbose"):
            if ctx.params.get("quiet"):
                raise click.UsageError("--quiet and --verbose exclude each other")
            from graphcount.cli.output import listening

            ctx.with_resource(listening())
        read = {parameter.name for parameter in self.params if parameter.type is FILE}
        _refuse_overwriting(ctx.params, read.difference(OUTPUTS))
        return super().invoke(ctx)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options by group."""
        records = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                records[max(parameter.opts, key=len)] = record
        grouped = {name for _, names in GROUPS for name in names}
        own = tuple(name for name in records if name not in grouped)
        for title, names in (("Options", own), *GROUPS):
            rows = [records[name] for name in names if name in records]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples, then what else there is to say."""
        write_examples(formatter, self.examples)
        super().format_epilog(ctx, formatter)


def _refuse_overwriting(given: Mapping[str, Any], read: set[str]) -> None:
    """Refuse to write a file that is read, or written twice.

    A baseline may be written again by the run that compares with it.

    Raises:
        UsageError: With the file.
    """
    written: set[str] = set()
    for name in OUTPUTS:
        kept = read - {"baseline"} if name == "write_baseline" else read
        sources = [path for key in given if key in kept for path in _files(given[key])]
        for path in _files(given.get(name)):
            real = os.path.realpath(path)
            if os.path.exists(real) and not os.path.isfile(real):
                continue  # a device, a FIFO: nothing of it is lost
            if any(_is_same(source, real) for source in sources):
                raise UsageError("is read, and would be overwritten; write to another file", path)
            if real in written:
                raise UsageError("is named for two results; write to another file", path)
            written.add(real)


def _files(value: Any) -> Iterator[str]:
    """Yield the paths in a value: itself, several, or of pairs (`junit=FILE`) the last."""
    for item in value if isinstance(value, tuple) else (value,):
        path = item[-1] if isinstance(item, tuple) else item
        if path and path != "-":
            yield path


def _is_same(source: str, target: str) -> bool:
    try:
        return os.path.samefile(source, target)
    except (OSError, ValueError):  # one of them is not there, or no path of this machine
        return False


def write_examples(formatter: click.HelpFormatter, examples: Sequence[str]) -> None:
    """Write command lines as they are: a wrapped command cannot be copied."""
    if examples:
        with formatter.section("Examples"):
            for example in examples:
                formatter.write(f"{'':{formatter.current_indent}}graphcount {example}\n")


class File(StringParamType):
    """The path or address of a file, not looked at here; a shell completes it."""

    name = "file"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Let the shell complete paths."""
        return [CompletionItem(incomplete, type="file")]


class RuleParam(StringParamType):
    """The id of a rule, or the letters that a family begins with.

    Args:
        audits: Of the rules that an audit runs only.
    """

    name = "rule"

    def __init__(self, audits: bool = False) -> None:
        super().__init__()
        self.audits = audits

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Refuse what is no rule before anything is read."""
        from graphcount.auditing.engine import refuse_unknown
        from graphcount.errors import UsageError

        wanted = str(value).upper()
        try:
            refuse_unknown((wanted,), [rule.id for rule in self._known()])
        except UsageError as error:
            self.fail(error.message, param, ctx)
        return wanted

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return the rules that begin so, each with its name."""
        wanted = incomplete.upper()
        return [
            CompletionItem(rule.id, help=rule.name)
            for rule in self._known()
            if rule.id.startswith(wanted)
        ]

    def _known(self) -> tuple[RuleInfo, ...]:
        from graphcount.api.known_rules import audit_rules, rules

        return audit_rules() if self.audits else rules()


FILE, RULE, AUDIT_RULE = File(), RuleParam(), RuleParam(audits=True)
