"""`graphcount check MODEL... --max parameters=30M`: a gate that fails closed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from graphcount.cli.options import (
    cost_options,
    deep_option,
    emit,
    make_view,
    models_argument,
    output_options,
    read_all,
    write,
)
from graphcount.errors import GraphcountError, UsageError
from graphcount.formats.text import one_line
from graphcount.report.records import Report

if TYPE_CHECKING:
    from graphcount.api import MacsConvention


@click.command("check")
@models_argument
@click.option(
    "--max",
    "maxima",
    multiple=True,
    metavar="MEASURE=LIMIT",
    help="Largest allowed value, e.g. parameters=30M or nbytes=100MB. May be repeated.",
)
@click.option(
    "--min", "minima", multiple=True, metavar="MEASURE=LIMIT", help="Smallest allowed value."
)
@cost_options
@deep_option
@output_options
def command(
    models: tuple[str, ...],
    maxima: tuple[str, ...],
    minima: tuple[str, ...],
    cost: bool | None,
    dims: dict[str, int],
    shapes: dict[str, tuple[int | str | None, ...]],
    macs_convention: MacsConvention,
    in_place: bool,
    deep: bool | None,
    format_name: str,
    output: str | None,
    quiet: bool,
    no_color: bool,
    binary: bool,
) -> int:
    """Pass or fail against budgets.

    A budget is kept only by a number that is exact: what is unknown, incomplete or damaged fails.
    """
    from graphcount.api import count
    from graphcount.gates.budgets import findings, judge, parse_budget

    budgets = [parse_budget(text, "max") for text in maxima]
    budgets += [parse_budget(text, "min") for text in minima]
    if not budgets:
        raise UsageError("nothing to check: give a budget, e.g. --max parameters=30M")
    needs_cost = any(budget.measure.depends_on == "cost" for budget in budgets)

    def read(path: str) -> Report:
        return count(
            path,
            deep=deep,
            cost=needs_cost if cost is None else cost,
            dims=dims,
            shapes=shapes,
            macs_convention=macs_convention,
            in_place=in_place,
        )

    outcomes = list(read_all(models, read))
    failed = False
    lines = []
    judged: list[Report | GraphcountError] = []
    for outcome in outcomes:
        if not isinstance(outcome, Report):
            judged.append(outcome)
            continue
        verdicts = judge(outcome, budgets)
        failed |= not all(verdict.kept for verdict in verdicts)
        judged.append(replace(outcome, findings=findings(verdicts)))
        for verdict in verdicts:
            word = "pass" if verdict.kept else "FAIL"
            lines.append(one_line(f"{word}  {outcome.model.path}: {verdict.message}", 400))
    if format_name == "table":
        write("".join(f"{line}\n" for line in lines), output)
    else:
        emit(judged, format_name, make_view(output, no_color, binary), output)
    if len(judged) > sum(isinstance(outcome, Report) for outcome in judged):
        return 2
    return 1 if failed else 0
