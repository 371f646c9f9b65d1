"""Every key a configuration may have: its type, its default, and what it says.

This is the one place: a configuration is read by it (`values.py`), and the schema that ships and
the list in docs/ci.md are made of it (`tests/config/make_schema.py`). A new key is a line here, and
an attribute of what its table becomes (`meaning.py`).
"""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, defstruct

from graphcount.config import meaning
from graphcount.config.values import choice, means
from graphcount.dtypes import BY_NAME
from graphcount.loading.limits import Limits
from graphcount.report.finding_rows import SEVERITIES

LEFT_OUT: Any = UNSET
"""Default of a key that may be left out."""


def about(text: str, **schema: Any) -> Meta:
    """Return what a key says; editors show it."""
    return Meta(description=text, extra_json_schema=schema or None)


def matches(pattern: str) -> Meta:
    """Return what editors hold a text against; its meaning decides."""
    return Meta(extra_json_schema={"pattern": f"^{pattern}$"})


# ------------------------------------------------------------------------------------- values

_DIMS = r"\s*([0-9]{1,19}|\?)\s*([x,]\s*([0-9]{1,19}|\?)\s*)*"

TextValue = Annotated[str, Meta(min_length=1)]
WholeValue = Annotated[int, Meta(ge=0)]
TextValues = list[TextValue]
SeverityValue = Annotated[Any, choice(*SEVERITIES)]
QuantityValue = WholeValue | Annotated[str, Meta(min_length=1, examples=["30M"])]

_Dim = Annotated[int, Meta(ge=0, le=2**63 - 1)]
SizeValue = Annotated[
    _Dim | Annotated[str, Meta(examples=["1:8"]), matches("[0-9]{1,19}(:[0-9]{1,19})?")],
    means(meaning.size),
]
ShapeValue = Annotated[
    Annotated[str, Meta(examples=["1x3x224x224"]), matches(rf"\s*\[?({_DIMS})?\]?\s*")]
    | list[_Dim | Annotated[str, matches(r"\?")]],
    means(meaning.shape),
]
_Element = bool | int | float
ElementsValue = Annotated[_Element | list[_Element], means(meaning.elements)]
DtypeValues = list[Annotated[TextValue, means(meaning.dtype, enum=list(BY_NAME))]]
OperatorValues = list[Annotated[TextValue, means(meaning.operator)]]
RuleValue = Annotated[TextValue, matches("[A-Z]{3}([0-9]{3})?"), means(meaning.rule)]
FormulaValue = Annotated[TextValue, means(meaning.formula)]
ListRuleValue = Annotated[Any, choice("BUD010", "BUD011", "BUD012")]
NAMES = means(meaning.names)


# ------------------------------------------------------------------------------------- tables


class OpsetKeys(Struct, forbid_unknown_fields=True):
    """The least and the greatest opset."""

    min: Annotated[WholeValue, about("the least")] = LEFT_OUT
    max: Annotated[WholeValue, about("the greatest")] = LEFT_OUT


class IgnoreKeys(Struct, forbid_unknown_fields=True):
    """An exception from a list of a check."""

    rule: Annotated[ListRuleValue, about("rule of the list")]
    where: Annotated[TextValue, about("glob of the nodes or tensors that the list leaves alone")]
    reason: Annotated[TextValue, about("why")]


class CheckKeys(Struct, forbid_unknown_fields=True):
    """A check: limits and lists that some models are held against."""

    name: Annotated[TextValue, about("name, which stands in every message")] = LEFT_OUT
    paths: Annotated[
        TextValues,
        about("files, folders and globs, relative to this file; none: all that are named"),
    ] = LEFT_OUT
    exclude: Annotated[TextValues, about("paths that this check leaves alone")] = LEFT_OUT
    deployment: Annotated[
        TextValue, about("in place of `paths`: a folder whose models run as one")
    ] = LEFT_OUT
    dims: Annotated[
        dict[str, SizeValue], about("sizes of dynamic dimensions, or ranges from least to most")
    ] = LEFT_OUT
    shapes: Annotated[dict[str, ShapeValue], about("shapes of inputs; `?` is not known")] = LEFT_OUT
    values: Annotated[
        dict[str, ElementsValue], about("elements of small inputs that decide what is computed")
    ] = LEFT_OUT
    max: Annotated[
        dict[str, Any],
        about("largest allowed values"),
        means(meaning.budgets(QuantityValue, "max")),
    ] = LEFT_OUT
    min: Annotated[
        dict[str, Any],
        about("smallest allowed values"),
        means(meaning.budgets(QuantityValue, "min")),
    ] = LEFT_OUT
    max_increase: Annotated[
        dict[str, Any],
        about("largest growth since the baseline, also in percent of it"),
        means(meaning.budgets(QuantityValue, "max_increase")),
    ] = LEFT_OUT
    messages: Annotated[
        dict[str, Any],
        about("what to say when a limit is not kept"),
        means(meaning.each(TextValue)),
    ] = LEFT_OUT
    severity: Annotated[
        SeverityValue, about("of its findings; below `--fail-on` it only warns")
    ] = "high"
    dtypes: Annotated[DtypeValues, about("element types that stored tensors may have"), NAMES] = (
        LEFT_OUT
    )
    operators: Annotated[OperatorValues, about("operators there may be, no other"), NAMES] = (
        LEFT_OUT
    )
    forbidden_operators: Annotated[OperatorValues, about("operators there must not be"), NAMES] = (
        LEFT_OUT
    )
    domains: Annotated[TextValues, about("domains that operators may be of"), NAMES] = LEFT_OUT
    opset: Annotated[
        WholeValue | OpsetKeys,
        about("the opset of `ai.onnx`"),
        means(meaning.opset),
    ] = LEFT_OUT
    runtime: Annotated[
        TextValue | TextValues,
        about("runtimes that have to load the model: `onnxruntime:1.32/cpu`"),
        means(meaning.runtimes),
    ] = LEFT_OUT
    ignore: Annotated[
        list[Annotated[IgnoreKeys, means(meaning.ignored)]], about("exceptions from its lists")
    ] = LEFT_OUT
    baseline: Annotated[TextValue, about("file of `--write-baseline`, relative to this file")] = (
        LEFT_OUT
    )


class AuditIgnoreKeys(Struct, forbid_unknown_fields=True):
    """A rule of the audit that does not apply, and why."""

    rule: Annotated[RuleValue, about("a rule, or all of a family: `EXT002`, `EXT`")]
    reason: Annotated[TextValue, about("why")]
    models: Annotated[TextValues, about("globs of models; none: of all")] = LEFT_OUT


class ModelAuditKeys(Struct, forbid_unknown_fields=True):
    """Settings of the audit of some models."""

    fail_on: Annotated[SeverityValue, about("mildest severity that fails (`high`)")] = LEFT_OUT
    select: Annotated[list[RuleValue], about("run these rules or families only")] = LEFT_OUT
    ignore: Annotated[
        list[Annotated[AuditIgnoreKeys, means(meaning.audit_ignore)]],
        about("rules that do not apply"),
    ] = LEFT_OUT


class AuditKeys(ModelAuditKeys, forbid_unknown_fields=True):
    """Settings of the audit."""

    models: Annotated[
        dict[str, Annotated[ModelAuditKeys, means(meaning.audit)]],
        about("settings that are stronger for models by glob; `*` matches slashes too"),
    ] = LEFT_OUT


class OperatorKeys(Struct, forbid_unknown_fields=True):
    """The cost of an operator; see docs/cost.md."""

    macs: Annotated[FormulaValue, about("formula of its MACs")] = LEFT_OUT
    elementwise: Annotated[FormulaValue, about("formula of its element-wise work")] = LEFT_OUT


LimitKeys = defstruct(
    "LimitKeys",
    [
        (row.name, WholeValue, LEFT_OUT if row.default is None else row.default)
        for row in fields(Limits)
    ],
    forbid_unknown_fields=True,
)
"""What a model may ask of graphcount."""


class ConfigKeys(Struct, forbid_unknown_fields=True):
    """Configuration of graphcount: `graphcount.toml`, or `[tool.graphcount]` in pyproject.toml."""

    uncovered: Annotated[
        Any,
        choice("fail", "warn", "ignore"),
        about("a named model that no check applies to"),
        means(meaning.uncovered),
    ] = "fail"
    exclude: Annotated[
        TextValues, about("models and folders that are left alone; `*` matches slashes too")
    ] = LEFT_OUT
    dims: Annotated[
        dict[str, SizeValue],
        about("sizes of dynamic dimensions, or ranges, where a model has them"),
    ] = LEFT_OUT
    checks: Annotated[
        list[Annotated[CheckKeys, means(meaning.check)]], about("checks, each a `[[checks]]`")
    ] = LEFT_OUT
    operators: Annotated[
        dict[str, Annotated[OperatorKeys, means(meaning.cost)]],
        about(
            "costs of your own operators by name: `com.acme::Foo`",
            propertyNames={"pattern": r"^([\w.-]+::)?[\w.-]+$"},
        ),
    ] = LEFT_OUT
    audit: Annotated[AuditKeys, about("the audit"), means(meaning.audit)] = LEFT_OUT
    limits: Annotated[
        LimitKeys,  # type: ignore[valid-type]
        about("what a model may ask of graphcount"),
        means(meaning.limits),
    ] = LEFT_OUT
