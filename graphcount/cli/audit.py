"""`graphcount audit MODEL...`: findings with their evidence, and an exit code."""

from __future__ import annotations

import click

from graphcount.cli.options import (
    PARSERS,
    Progress,
    emit,
    make_view,
    models_argument,
    output_options,
    read_all,
    write,
)
from graphcount.errors import GraphcountError
from graphcount.report.records import SEVERITIES, Report


@click.command("audit")
@models_argument
@click.option(
    "--fail-on",
    type=click.Choice(SEVERITIES),
    default="high",
    show_default=True,
    help="Exit 1 for findings of this severity and above.",
)
@click.option("--select", multiple=True, metavar="RULE", help="Run EXT002 or all of EXT only.")
@click.option(
    "--ignore",
    multiple=True,
    metavar="RULE=REASON",
    callback=PARSERS["reasons"],
    help="Set findings of a rule aside, for a reason.",
)
@click.option(
    "--deep/--no-deep",
    default=None,
    help="Run rules that read tensors and side files."
    "  [default: up to 512 MB of them; of remote models none]",
)
@click.option(
    "--hash",
    "hash_file",
    is_flag=True,
    help="Put SHA-256 digests of the model and its side files into the report.",
)
@output_options
def command(
    models: tuple[str, ...],
    fail_on: str,
    select: tuple[str, ...],
    ignore: dict[str, str],
    deep: bool | None,
    hash_file: bool,
    format_name: str,
    output: str | None,
    quiet: bool,
    no_color: bool,
    binary: bool,
) -> int:
    """Look for what a stranger's model hides.

    Nothing is executed, and nothing outside the model's folder is read. A clean audit means that no
    known sign was found, not that a model is safe.
    """
    from graphcount.api import audit, rules

    progress = Progress(quiet)
    hash_file = hash_file or format_name == "cyclonedx"

    def read(path: str) -> Report:
        try:
            return audit(
                path,
                deep=deep,
                select=select,
                ignore=ignore,
                hash_file=hash_file,
                progress=progress,
            )
        finally:
            progress.clear()

    outcomes = list(read_all(models, read, show_rule=True))
    view = make_view(output, no_color, binary, rules={rule.id: rule for rule in rules()})
    if format_name == "table":
        from graphcount.formats.findings import render

        write(render(outcomes, view), output)
    else:
        emit(outcomes, format_name, view, output)
    return _exit_code(outcomes, SEVERITIES.index(fail_on))


def _exit_code(outcomes: list[Report | GraphcountError], worst: int) -> int:
    """2 for what could not be audited whole, else 1 for a finding that counts, else 0."""
    reports = [outcome for outcome in outcomes if isinstance(outcome, Report)]
    complete = all(report.audit is not None and report.audit.complete for report in reports)
    if len(reports) < len(outcomes) or not complete:
        return 2
    found = (SEVERITIES.index(finding.severity) for item in reports for finding in item.findings)
    return 1 if any(severity >= worst for severity in found) else 0
