"""Every key a configuration may have, and what becomes of it."""

from __future__ import annotations

import os
import re
from dataclasses import fields
from typing import Any, NamedTuple

from graphcount.auditing.rules import RULES
from graphcount.config.values import (
    KeyPlace,
    Parse,
    array,
    choice,
    mapping,
    nearest,
    parsed,
    quantity,
    shape,
    size,
    table,
    text,
    whole,
)
from graphcount.dtypes import BY_NAME
from graphcount.errors import UsageError
from graphcount.gates.allow import LISTS, AllowList, Ignored, OpsetRange
from graphcount.gates.budgets import Bound, Budget, make_budget
from graphcount.gates.checks import Check, Uncovered
from graphcount.gates.measures import require_operator
from graphcount.loading.limits import Limits
from graphcount.report.finding_rows import SEVERITIES


class AuditIgnore(NamedTuple):
    """A rule that does not apply to some models, and why."""

    rule: str
    reason: str
    models: tuple[str, ...] = ()


class AuditSettings(NamedTuple):
    """What the audit is asked for; None and empty: its own defaults.

    Attributes:
        fail_on: Mildest severity that fails.
        select: Rules or their families: `EXT`, `EXT002`.
        ignore: Exceptions, each with its reason.
        models: Other settings for models by glob.
    """

    fail_on: str | None = None
    select: tuple[str, ...] = ()
    ignore: tuple[AuditIgnore, ...] = ()
    models: dict[str, AuditSettings] = {}  # noqa: RUF012 (never changed)


# ------------------------------------------------------------------------------------- checks


def _budgets(bound: Bound) -> Parse:
    """Return a parser of `max = {parameters = "30M"}`."""

    def one(value: Any, place: KeyPlace) -> Budget:
        return make_budget(str(place.path[-1]), quantity(value, place), bound, place.origin)

    def read(value: Any, place: KeyPlace) -> tuple[Budget, ...]:
        return tuple(mapping(one)(_dotted(value), place).values())

    return read


def _dotted(value: Any) -> Any:
    """Join keys again: in TOML `nodes.Conv = 3` without quotes is a table."""
    if not isinstance(value, dict):
        return value
    flat: dict[str, Any] = {}
    for key, item in value.items():
        inner = _dotted(item)
        if isinstance(inner, dict):
            flat.update({f"{key}.{name}": leaf for name, leaf in inner.items()})
        else:
            flat[key] = inner
    return flat


def _list(key: str) -> Parse:
    """Return a parser of `dtypes = ["float32"]`."""

    def one(value: Any, place: KeyPlace) -> str:
        name = text(value, place)
        if key == "dtypes" and name not in BY_NAME:
            raise ValueError(f"{name!r} is no element type{nearest(name, BY_NAME)}")
        if LISTS[key].word == "operator":
            require_operator(name)
        return name

    def read(value: Any, place: KeyPlace) -> AllowList:
        names = frozenset(array(one)(value, place))
        return AllowList(key, names, place.origin, forbids=key == "forbidden_operators")

    return read


def _opset(value: Any, place: KeyPlace) -> OpsetRange:
    """Parse `opset = {min = 13, max = 21}`, or one number."""
    if isinstance(value, int) and not isinstance(value, bool):
        return OpsetRange(value, value, place.origin)
    bounds = table({"min": whole, "max": whole})(value, place)
    if not bounds:
        raise ValueError("needs min or max")
    return OpsetRange(bounds.get("min"), bounds.get("max"), place.origin)


_IGNORABLE = tuple(sorted({row.rule for row in LISTS.values()}))

_IGNORE = table(
    {"rule": choice(*_IGNORABLE), "where": text, "reason": text},
    required=("rule", "where", "reason"),
)


def _ignore(value: Any, place: KeyPlace) -> tuple[Ignored, ...]:
    rows = array(_IGNORE)(value, place)
    return tuple(Ignored(**row) for row in rows if len(row) == len(Ignored._fields))


CHECK: dict[str, Parse] = {
    "name": text,
    "paths": array(text),
    "exclude": array(text),
    "deployment": text,
    "dims": mapping(size),
    "shapes": mapping(shape),
    "max": _budgets("max"),
    "min": _budgets("min"),
    "max_increase": _budgets("max_increase"),
    "messages": lambda value, place: mapping(text)(_dotted(value), place),
    "severity": choice(*SEVERITIES),
    "dtypes": _list("dtypes"),
    "operators": _list("operators"),
    "forbidden_operators": _list("forbidden_operators"),
    "domains": _list("domains"),
    "opset": _opset,
    "ignore": _ignore,
    "baseline": text,
}
"""Keys of a check."""


def _check(value: Any, place: KeyPlace) -> Check:
    before = len(place.problems)
    section = table(CHECK)(value, place)
    messages = section.get("messages", {})
    budgets = tuple(
        budget._replace(note=messages.get(budget.measure.name, ""))
        for bound in ("max", "min", "max_increase")
        for budget in section.get(bound, ())
    )
    known = {budget.measure.name for budget in budgets}
    if before == len(place.problems):
        for name in messages:
            if name not in known:
                place.inside("messages").inside(name).wrong(f"no limit{nearest(name, known)}")
    dims = section.get("dims", {})
    check = Check(
        name=section.get("name", f"check {int(place.path[-1]) + 1}"),
        origin=place.origin,
        folder=os.path.dirname(os.path.abspath(place.file)),
        paths=section.get("paths", ()),
        exclude=section.get("exclude", ()),
        deployment=section.get("deployment", ""),
        dims={name: size for name, size in dims.items() if isinstance(size, int)},
        ranges={name: size for name, size in dims.items() if not isinstance(size, int)},
        shapes=section.get("shapes", {}),
        budgets=budgets,
        lists=tuple(section[key] for key in LISTS if key in section),
        opset=section.get("opset"),
        ignored=section.get("ignore", ()),
        severity=section.get("severity", "high"),
        baseline=section.get("baseline", ""),
    )
    if check.deployment and (check.paths or check.ranges):
        place.inside("deployment").wrong("goes with neither paths nor ranges")
    if before == len(place.problems) and not check.demands:
        place.wrong("asks for nothing: give max, min, max_increase, or a list")
    return check


# ------------------------------------------------------------------------------------- the rest


def _rule(value: Any, place: KeyPlace) -> str:
    """Parse a rule or a family of rules."""
    name = text(value, place)
    if not re.fullmatch(r"[A-Z]{3}([0-9]{3})?", name):
        raise ValueError(f"{name!r} is no rule like EXT002 and no family like EXT")
    known = [row[:6].upper() for row in RULES]
    if not any(rule.startswith(name) for rule in known):
        raise ValueError(f"{name!r} is no rule{nearest(name, known)}")
    return name


_AUDIT_IGNORE = table(
    {"rule": _rule, "reason": text, "models": array(text)}, required=("rule", "reason")
)


def _audit_ignore(value: Any, place: KeyPlace) -> tuple[AuditIgnore, ...]:
    rows = array(_AUDIT_IGNORE)(value, place)
    return tuple(AuditIgnore(**row) for row in rows if {"rule", "reason"} <= row.keys())


_AUDIT: dict[str, Parse] = {
    "fail_on": choice(*SEVERITIES),
    "select": array(_rule),
    "ignore": _audit_ignore,
}


def _audit_of_model(value: Any, place: KeyPlace) -> AuditSettings:
    return AuditSettings(**table(_AUDIT)(value, place))


AUDIT: dict[str, Parse] = {**_AUDIT, "models": mapping(_audit_of_model)}
"""Keys of the audit."""


def _audit(value: Any, place: KeyPlace) -> AuditSettings:
    return AuditSettings(**table(AUDIT)(value, place))


def _formula(value: Any, place: KeyPlace) -> str:
    """Parse an expression of the language of costs; see `graphcount.ops.user`."""
    from graphcount.ops.user import parse

    formula = text(value, place)
    parse(formula, "formula")
    return formula


OPERATOR: dict[str, Parse] = {"macs": _formula, "elementwise": _formula}
"""Keys of an operator's cost."""


def _operator(value: Any, place: KeyPlace) -> dict[str, str]:
    from graphcount.ops.cost import user_rules

    name = str(place.path[-1])
    if not re.fullmatch(r"([\w.-]+::)?[\w.-]+", name):
        raise ValueError('name it as "com.acme::Foo", or "Foo" for ai.onnx')
    formulas: dict[str, str] = table(OPERATOR)(value, place)
    if not formulas and not value:
        raise ValueError("needs macs or elementwise")
    try:
        user_rules({name: formulas} if formulas else {})
    except UsageError as error:  # its cost is known
        raise ValueError(error.message.removeprefix(f"operators: {name}: ")) from None
    return formulas


def _limits(value: Any, place: KeyPlace) -> Limits:
    return Limits(**table({field.name: whole for field in fields(Limits)})(value, place))


def _uncovered(value: Any, place: KeyPlace) -> Uncovered:
    return Uncovered(choice("fail", "warn", "ignore")(value, place), place.origin)


SECTIONS: dict[str, Parse] = {
    "uncovered": _uncovered,
    "exclude": array(text),
    "dims": mapping(size),
    "checks": array(_check),
    "operators": mapping(_operator),
    "audit": _audit,
    "limits": _limits,
}
"""Keys at the top of `graphcount.toml`, or of `[tool.graphcount]`."""


def sections(value: Any, place: KeyPlace) -> dict[str, Any]:
    """Parse a whole configuration."""
    values: dict[str, Any] = parsed(table(SECTIONS), value, place) or {}
    return values
