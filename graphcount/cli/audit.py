"""`graphcount audit MODEL...`: findings with their evidence, and an exit code."""

from __future__ import annotations

from collections.abc import Mapping

import click

from graphcount.cli.command import Command
from graphcount.cli.options import (
    audit_options,
    config_options,
    fail_on_option,
    hash_option,
    models_argument,
    output_options,
    read_config,
)
from graphcount.cli.output import Progress, emit, make_view, read_all
from graphcount.errors import GraphcountError
from graphcount.formats import AUDIT_FORMATS
from graphcount.report.records import Report
from graphcount.report.rows import SEVERITIES

FAIL_ON = "high"
"""Mildest severity that fails, when nobody says otherwise."""


@click.command(
    "audit",
    cls=Command,
    examples=(
        "audit model.onnx",
        "audit models/*.onnx --fail-on medium --format sarif -o audit.sarif",
        'audit model.onnx --ignore "EXT011=checksums are kept elsewhere"',
    ),
)
@models_argument
@fail_on_option(None)
@audit_options
@click.option(
    "--deep/--no-deep",
    default=None,
    help="Run rules that read tensors and side files."
    "  [default: up to 512 MB of them; of remote models none]",
)
@hash_option
@config_options
@output_options(AUDIT_FORMATS)
def command(
    models: tuple[str, ...],
    fail_on: str | None,
    select: tuple[str, ...],
    ignore: dict[str, str],
    deep: bool | None,
    hash_file: bool,
    config_file: str | None,
    no_config: bool,
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
    from graphcount.config.audits import asked_of

    config = read_config(config_file, no_config)
    progress = Progress(quiet)
    hash_file = hash_file or format_name == "cyclonedx"

    def read(path: str) -> Report:
        asked = asked_of(config, path)
        try:
            return audit(
                path,
                deep=deep,
                select=select or asked.select,
                ignore={**asked.ignore, **ignore},
                hash_file=hash_file,
                progress=progress,
                limits=config.limits,
            )
        finally:
            progress.clear()

    outcomes = list(read_all(models, read, show_rule=True))
    view = make_view(output, no_color, binary, rules={rule.id: rule for rule in rules()})
    emit(outcomes, format_name, view, output, AUDIT_FORMATS)
    levels = {path: fail_on or asked_of(config, path).fail_on or FAIL_ON for path in models}
    return _exit_code(dict(zip(models, outcomes, strict=True)), levels)


def _exit_code(by_path: Mapping[str, Report | GraphcountError], levels: Mapping[str, str]) -> int:
    """2 for what could not be audited whole, else 1 for a finding that counts, else 0."""
    outcomes = list(by_path.values())
    reports = [outcome for outcome in outcomes if isinstance(outcome, Report)]
    complete = all(report.audit is not None and report.audit.complete for report in reports)
    if len(reports) < len(outcomes) or not complete:
        return 2
    fails = any(
        SEVERITIES.index(finding.severity) >= SEVERITIES.index(levels[path])
        for path, outcome in by_path.items()
        if isinstance(outcome, Report)
        for finding in outcome.findings
    )
    return 1 if fails else 0
