"""What values of a configuration become: checks, settings of the audit, limits.

A meaning gets what is right in a value, and its place, where it says what is wrong.
"""

from __future__ import annotations

import os
import re
from math import isfinite
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from graphcount.config.values import KeyPlace, Meaning, means, nearest, read
from graphcount.errors import UsageError
from graphcount.units import parse_range, parse_shape

if TYPE_CHECKING:
    from graphcount.gates.allow import AllowList, Ignored, OpsetRange
    from graphcount.gates.budgets import Bound, Budget
    from graphcount.gates.checks import Check, Uncovered
    from graphcount.gates.loads import RuntimeDemand
    from graphcount.loading.limits import Limits
    from graphcount.report.rows import Dim


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


# ------------------------------------------------------------------------------------- sizes


def size(value: int | str, place: KeyPlace) -> int | tuple[int, int]:
    """Return the size of a dimension, or a range of it: `8`, `"1:8"`."""
    return parse_range(str(value))


def shape(value: str | tuple[int | str, ...], place: KeyPlace) -> tuple[Dim, ...]:
    """Return a shape: `1x3x224x224`, `[1, 3, 224, 224]`; `?` is not known."""
    text = value if isinstance(value, str) else ",".join(map(str, value))
    dims = parse_shape(text)
    if dims is None or (text is not value and len(dims) != len(value)):
        raise ValueError(f"{text!r}: write it as 1x3x224x224")
    return dims


def elements(value: float | tuple[float, ...], place: KeyPlace) -> tuple[int | float, ...]:
    """Return the elements of an input: `16000`, `0.5`, `true`, `[640, 480]`."""
    rows = value if isinstance(value, tuple) else (value,)
    for row in rows:
        if not (isfinite(row) if isinstance(row, float) else -(2**63) <= row < 2**64):
            raise ValueError(f"{row!r} is no element of an input")
    return tuple(int(row) if isinstance(row, bool) else row for row in rows)


# ------------------------------------------------------------------------------------- checks


def joined(value: dict[str, Any], place: KeyPlace) -> dict[str, Any]:
    """Join keys again: in TOML `nodes.Conv = 3` without quotes is a table."""
    flat: dict[str, Any] = {}
    for key, item in value.items():
        rows = {key: item}
        if isinstance(item, dict) and item:
            inner = joined(item, place.inside(key))
            rows = {f"{key}.{name}": leaf for name, leaf in inner.items()}
        for name in rows.keys() & flat.keys():
            place.inside(name).wrong("is given twice")
        flat.update(rows)
    return flat


def each(kind: Any) -> Meaning:
    """Return that every value of a table, whose keys are joined again, is of a type."""
    return lambda value, place: read(dict[str, kind], joined(value, place), place)


def budgets(kind: Any, bound: Bound) -> Meaning:
    """Return that a table has limits by measure, each of a type: `{parameters = "30M"}`."""

    def budget(limit: int | str, place: KeyPlace) -> Budget:
        from graphcount.gates.budgets import make_budget

        return make_budget(place.key, str(limit), bound, place.origin)

    return each(Annotated[kind, means(budget)])


def dtype(name: str, place: KeyPlace) -> str:
    """Return an element type."""
    from graphcount.dtypes import BY_NAME

    if name not in BY_NAME:
        raise ValueError(f"{name!r} is no element type{nearest(name, BY_NAME)}")
    return name


def operator(name: str, place: KeyPlace) -> str:
    """Return the name of an operator, which is no slip of a known one."""
    from graphcount.gates.measures import require_operator

    require_operator(name)
    return name


def names(value: tuple[str, ...], place: KeyPlace) -> AllowList:
    """Return a list of what is allowed, or forbidden."""
    from graphcount.gates.allow import AllowList

    forbids = place.key.startswith("forbidden")
    return AllowList(place.key, frozenset(value), place.origin, forbids)


def opset(value: int | dict[str, int], place: KeyPlace) -> OpsetRange:
    """Return `opset = {min = 13, max = 21}`, or of one number."""
    from graphcount.gates.allow import OpsetRange

    if isinstance(value, int):
        return OpsetRange(value, value, place.origin)
    if not value and place.is_right:
        raise ValueError("needs min or max")
    return OpsetRange(value.get("min"), value.get("max"), place.origin)


def runtimes(value: str | tuple[str, ...], place: KeyPlace) -> tuple[RuntimeDemand, ...]:
    """Return runtimes that have to load a model."""
    from graphcount.gates.loads import RuntimeDemand
    from graphcount.runtimes.tables import target

    names = (value,) if isinstance(value, str) else value
    return tuple(RuntimeDemand(target(name).text, place.origin) for name in names)


def ignored(value: dict[str, str], place: KeyPlace) -> Ignored:
    """Return what lists leave alone."""
    from graphcount.gates.allow import Ignored

    return Ignored(**value)


def check(value: dict[str, Any], place: KeyPlace) -> Check:
    """Return a check of its keys."""
    from graphcount.gates.allow import LISTS
    from graphcount.gates.checks import Check

    messages = value.pop("messages", {})
    bounds = [value.pop(bound, {}) for bound in ("max", "min", "max_increase")]
    limits = [row for rows in bounds for row in rows.values()]
    known = [row.measure.name for row in limits]
    if place.is_right:
        for name in messages.keys() - set(known):
            place.inside("messages", name).wrong(f"no limit{nearest(name, known)}")
    sizes = value.pop("dims", {})
    made = Check(
        name=value.pop("name", f"check {int(place.path[-1]) + 1}"),
        origin=place.origin,
        folder=os.path.dirname(os.path.abspath(place.file)),
        dims={name: size for name, size in sizes.items() if isinstance(size, int)},
        ranges={name: size for name, size in sizes.items() if not isinstance(size, int)},
        budgets=tuple(row._replace(note=messages.get(row.measure.name, "")) for row in limits),
        lists=tuple(value.pop(key) for key in LISTS if key in value),
        ignored=value.pop("ignore", ()),
        **value,  # keys that are attributes of it
    )
    if made.deployment and (made.paths or made.ranges):
        place.inside("deployment").wrong("goes with neither paths nor ranges")
    if place.is_right and not made.demands:
        place.wrong("asks for nothing: give max, min, max_increase, runtime, or a list")
    return made


def uncovered(action: str, place: KeyPlace) -> Uncovered:
    """Return what becomes of models that no check applies to."""
    from graphcount.gates.checks import Uncovered

    return Uncovered(action, place.origin)


# ------------------------------------------------------------------------------------- the rest


def rule(name: str, place: KeyPlace) -> str:
    """Return a rule or a family of rules."""
    from graphcount.auditing.rules import RULES

    if not re.fullmatch(r"[A-Z]{3}([0-9]{3})?", name):
        raise ValueError(f"{name!r} is no rule like EXT002 and no family like EXT")
    known = [row[:6].upper() for row in RULES]
    if not any(row.startswith(name) for row in known):
        raise ValueError(f"{name!r} is no rule{nearest(name, known)}")
    return name


def audit_ignore(value: dict[str, Any], place: KeyPlace) -> AuditIgnore:
    """Return an exception."""
    return AuditIgnore(**value)


def audit(value: dict[str, Any], place: KeyPlace) -> AuditSettings:
    """Return settings of the audit."""
    return AuditSettings(**value)


def formula(text: str, place: KeyPlace) -> str:
    """Return an expression of the language of costs; see `graphcount.ops.user`."""
    from graphcount.ops.user import parse

    parse(text, "formula")
    return text


def cost(formulas: dict[str, str], place: KeyPlace) -> dict[str, str]:
    """Return the cost of an operator that has none of ours."""
    from graphcount.ops.cost import user_rules

    if not re.fullmatch(r"([\w.-]+::)?[\w.-]+", place.key):
        raise ValueError('name it as "com.acme::Foo", or "Foo" for ai.onnx')
    if not formulas and place.is_right:
        raise ValueError("needs macs or elementwise")
    try:
        user_rules({place.key: formulas} if formulas else {})
    except UsageError as error:  # its cost is known
        raise ValueError(error.message.removeprefix(f"operators: {place.key}: ")) from None
    return formulas


def limits(value: dict[str, int], place: KeyPlace) -> Limits:
    """Return what a model may ask of us."""
    from graphcount.loading.limits import Limits

    return Limits(**value)
