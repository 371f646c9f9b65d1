"""What every command looks like: its help in groups, its examples, what a shell completes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem
from click.types import StringParamType

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
            "--force",
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


OUTPUTS = ("file", "outputs", "also", "write_baseline", "save_inputs", "history")
"""Parameters that name files to write; all others of type `FILE` name files to read."""

FORCE_HELP = (
    "Overwrite what is there: a configuration, external data of a model, what a link leads to."
)
FORCE = click.Option(["--force"], is_flag=True, help=FORCE_HELP)
"""An option of every command that writes files. What is named to be read is kept all the same."""


VERBOSE = click.Option(
    ["-v", "--verbose"],
    is_flag=True,
    help="Say on stderr what is read, and what is not.",
)
"""An option of every command."""


class Command(click.Command):
    """A command whose help has groups of options and ends with examples.

    It never writes over a file that it reads, nor two results to one file; see
    `graphcount.cli.overwriting`.

    Attributes:
        examples: Command lines, as people type them after `graphcount`.
    """

    def __init__(self, *args: Any, examples: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = {parameter.name for parameter in self.params}
        if "force" not in names and not names.isdisjoint(OUTPUTS):
            self.params.append(FORCE)
        self.params.append(VERBOSE)
        self.examples = tuple(examples)

    def invoke(self, ctx: click.Context) -> Any:
        """Run it, unless it would destroy what it was given."""
        if ctx.params.pop("verbose"):
            if ctx.params.get("quiet"):
                raise click.UsageError("--quiet and --verbose exclude each other")
            from graphcount.cli.output import listening

            ctx.with_resource(listening())
        if any(ctx.params.get(name) for name in OUTPUTS):
            from graphcount.cli.overwriting import refuse_overwriting

            read = {parameter.name for parameter in self.params if parameter.type is FILE}
            refuse_overwriting(ctx.params, OUTPUTS, read.difference(OUTPUTS))
        if FORCE in self.params:
            ctx.params.pop("force")
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
