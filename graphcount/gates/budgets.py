"""Budgets: limits on measures, and what a model makes of them.

A budget is kept only by a number that is known and exact; everything else fails (fail closed).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import Literal, NamedTuple

from graphcount.errors import UsageError
from graphcount.gates.contributors import largest
from graphcount.gates.doubts import at_sizes, doubt, is_bound, measured
from graphcount.gates.measure import Measure
from graphcount.gates.measures import find_measure
from graphcount.gates.subject import Subject
from graphcount.report.finding_rows import VerdictRow
from graphcount.units import beside, nbytes, parse, share, spelled

Bound = Literal["max", "min", "max_increase"]


class Origin(NamedTuple):
    """Where a demand is written: a line of a file, or an option."""

    file: str = ""
    line: int = 0
    option: str = ""

    @property
    def text(self) -> str:
        """`graphcount.toml:12` or `--max`."""
        return f"{self.file}:{self.line}" if self.file else self.option

    @property
    def place(self) -> dict[str, object]:
        """The same as a JSON object."""
        return {"file": self.file, "line": self.line} if self.file else {"option": self.option}


class Budget(NamedTuple):
    """A limit on a measure.

    Attributes:
        limit: The most or the least; for `max_increase` the growth: a number, or a share (Fraction)
            of what the baseline has.
        text: The limit as the user wrote it.
        note: The user's text for when it is not kept.
    """

    measure: Measure
    bound: Bound
    limit: int | Fraction
    text: str
    origin: Origin = Origin()
    note: str = ""


class Standing(NamedTuple):
    """What is the same for all demands of a check: its name and the severity of a failure."""

    check: str = ""
    severity: str = "high"


class Earlier(NamedTuple):
    """A model as it was.

    Attributes:
        values: Those that are known, by name of measure.
        is_new: There was no such model.
    """

    values: Mapping[str, int] = MappingProxyType({})
    is_new: bool = False


def parse_budget(text: str, bound: Bound) -> Budget:
    """Read an option: `parameters=30M`, `nbytes=5%`.

    Raises:
        UsageError: No measure of that name, or no quantity.
    """
    option = f"--{bound.replace('_', '-')}"
    name, equals, limit = text.rpartition("=")
    if not equals:
        raise UsageError(f"{option}: {text!r}: write it as measure=limit, e.g. parameters=30M")
    try:
        return make_budget(name.strip(), limit.strip(), bound, Origin(option=option))
    except UsageError as error:
        raise UsageError(f"{option}: {error.message}") from None
    except ValueError as error:
        raise UsageError(f"{option}: {name.strip()}: {error}") from None


def make_budget(name: str, text: str, bound: Bound, origin: Origin) -> Budget:
    """Return a budget from its two texts.

    Raises:
        UsageError: No measure of that name.
        ValueError: No quantity.
    """
    measure = find_measure(name)
    if bound == "max_increase" and text.endswith("%"):
        return Budget(measure, bound, share(text), text, origin)
    return Budget(measure, bound, parse(text, measure.unit), text, origin)


def judge(
    subject: Subject,
    budgets: Iterable[Budget],
    standing: Standing | None = None,
    earlier: Earlier | None = None,
) -> list[VerdictRow]:
    """Hold a model against budgets, in the given order.

    Args:
        subject: The model.
        budgets: The limits.
        standing: Name and severity of the check.
        earlier: The model as it was; limits on growth need it.
    """
    standing, earlier = standing or Standing(), earlier or Earlier()
    return [_judge(subject, budget, standing, earlier) for budget in budgets]


def _judge(subject: Subject, budget: Budget, standing: Standing, earlier: Earlier) -> VerdictRow:
    measure, least = budget.measure, budget.bound == "min"
    if earlier.is_new and budget.bound == "max_increase":
        value = measured(subject, measure, least)
        number = "" if value is None else f" {spelled(value, measure.unit)}"
        message = f"{measure.name}{number}: a new model, of which no growth is known"
        return _verdict(subject, budget, standing, "BUD003", message)
    limit, base = _limit(budget, earlier.values)
    value = _held(subject, budget, limit)
    unsure = doubt(subject, measure, value, least)
    broken = _breaks(value, limit, least)
    if broken and value is not None:
        rule, message = _beyond(subject, budget, value, limit, base)
    elif unsure:
        rule = "BUD002"
        message = f"{measure.name} {unsure} (limit {_amount(limit, budget)})"
    else:
        rule = "BUD003" if budget.bound == "max_increase" else "BUD001"
        assert value is not None
        message = _within(subject, budget, value, limit, base)
    row = _verdict(subject, budget, standing, rule, message)
    row = row._replace(value=value, limit=limit, base=earlier.values.get(measure.name))
    if not broken and not unsure:
        return row
    parts = largest(measure.parts(subject))
    return row._replace(kept=False, note=budget.note, contributors=parts)


def _verdict(
    subject: Subject, budget: Budget, standing: Standing, rule: str, message: str
) -> VerdictRow:
    """Return the row of a limit that is kept."""
    measure = budget.measure
    return VerdictRow(
        rule=rule,
        measure=measure.name,
        kept=True,
        severity=standing.severity,
        value=measured(subject, measure, budget.bound == "min"),
        unit=measure.unit,
        bound=budget.bound,
        limit=None,
        written=budget.text,
        message=message,
        note="",
        origin=budget.origin.text,
        where={"check": standing.check, "measure": measure.name, "limit": budget.origin.place},
        contributors=(),
    )


def _held(subject: Subject, budget: Budget, limit: int) -> int | None:
    """Return what is held against a limit; of two bounds that break it, the one that is nearer."""
    least = budget.bound == "min"
    value, nearer = (measured(subject, budget.measure, end) for end in (least, not least))
    sure = is_bound(subject, budget.measure, least) and _breaks(nearer, limit, least)
    return nearer if sure else value


def _breaks(value: int | None, limit: int, least: bool) -> bool:
    return value is not None and (value < limit if least else value > limit)


def _limit(budget: Budget, baseline: Mapping[str, int]) -> tuple[int, int | None]:
    """Return the limit as a number, and what the baseline has when it is one on growth."""
    if budget.bound != "max_increase":
        return int(budget.limit), None
    base = baseline[budget.measure.name]
    growth = budget.limit
    return base + (int(base * growth) if isinstance(growth, Fraction) else growth), base


def _within(subject: Subject, budget: Budget, value: int, limit: int, base: int | None) -> str:
    """Return the sentence of a limit that is kept."""
    measure, least = budget.measure, budget.bound == "min"
    number = spelled(value, measure.unit)
    if is_bound(subject, measure, least):
        number = f"{_side(budget)} {number}, a bound,"
    relation = ">=" if least else "<="
    allowed = _written(limit, budget) if base is None else _grown(limit, base, budget)
    return f"{measure.name} {number} {relation} {allowed}{at_sizes(subject, measure, least)}"


def _beyond(
    subject: Subject, budget: Budget, value: int, limit: int, base: int | None
) -> tuple[str, str]:
    """Return the rule and the sentence of a limit that is not kept."""
    measure, least = budget.measure, budget.bound == "min"
    sure = _breaks(measured(subject, measure, not least), limit, least)
    is_bounded = is_bound(subject, measure, least)
    if is_bounded and not sure:  # of no size it is known that it is beyond
        ranged = subject.report.ranges is not None
        more = "a longer benchmark" if measure.unit == "ratio" else ""
        return "BUD002", (
            f"{measure.name} is {_side(budget)} {_amount(value, budget)}"
            f"{' over these ranges' if ranged else ''}, a bound, and the limit is"
            f" {_amount(limit, budget)}"
            + (f"; {more or 'narrower ranges'} may tell" if ranged or more else "")
        )
    number = f"{'at most' if least else 'at least'} " if is_bounded else ""
    number += _amount(value, budget)
    over = f"{measure.name} {number} is {_amount(abs(value - limit), budget)}"
    sizes = at_sizes(subject, measure, least)
    if base is not None:
        return "BUD003", f"{over} over {_grown(limit, base, budget)}{sizes}"
    word = "under the minimum" if least else "over the maximum"
    return "BUD001", f"{over} {word} {_amount(limit, budget)}{sizes}"


def _side(budget: Budget) -> str:
    return "at least" if budget.bound == "min" else "at most"


def _written(limit: int, budget: Budget) -> str:
    """Return the limit as the user wrote it; plain digits are grouped."""
    plain = budget.text.isdecimal()
    return spelled(limit, budget.measure.unit) if plain else budget.text


def _grown(limit: int, base: int, budget: Budget) -> str:
    """Return what growth allows: `28,272 (baseline 26,926 + 5%)`."""
    unit = budget.measure.unit
    return f"{spelled(limit, unit)} (baseline {spelled(base, unit)} + {budget.text})"


def _amount(number: int, budget: Budget) -> str:
    """Return exact digits, and beside them the number in the user's unit or a human size."""
    unit = budget.measure.unit
    aside = beside(number, unit, budget.text)
    if not aside and unit == "bytes" and abs(number) >= 1000:
        aside = nbytes(number)
    text = spelled(number, unit)
    return f"{text} ({aside})" if aside else text
