"""The engine: selection, isolation of a failing rule, limits on what is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

import graphcount
from graphcount.auditing import engine
from graphcount.auditing.context import Context
from graphcount.auditing.engine import KEPT_PER_RULE, Selection, audit
from graphcount.auditing.rule import HEADINGS, Rule, info, sections
from graphcount.auditing.rules import RULES, load_rules
from graphcount.errors import UsageError
from graphcount.report.finding_rows import SEVERITIES, Finding

A = Rule("AAA001", "a", "low")
B = Rule("BBB001", "b", "high", reads_payload=True)


def rule(rule: Rule, check: Callable[[Context], Iterable[Finding]]) -> SimpleNamespace:
    return SimpleNamespace(RULE=rule, check=check, __doc__="Something.")


@pytest.fixture
def context(fixtures: Path) -> Iterator[Context]:
    model = graphcount.load(str(fixtures / "cnn.onnx"))
    made = Context(model.file, model.model_graph, deep=False)
    yield made
    made.close()


def use(monkeypatch: pytest.MonkeyPatch, *modules: SimpleNamespace) -> None:
    monkeypatch.setattr(engine, "load_rules", lambda: modules)


def test_a_failing_rule_is_a_finding_and_the_others_go_on(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(context: Context) -> Iterator[Finding]:
        yield A.finding("seen before", {})
        raise ZeroDivisionError("oh")

    use(monkeypatch, rule(A, fails), rule(A._replace(id="CCC001"), lambda c: [A.finding("x", {})]))
    found = audit(context)
    assert [finding.rule for finding in found.findings] == ["INT001", "AAA001", "AAA001"]
    assert "AAA001 did not finish: ZeroDivisionError: oh" in found.findings[0].message
    assert not found.audit.complete


def test_a_rule_that_lacks_a_package_did_not_run(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a browser, where there is no numpy: no finding of the file's, and no clean audit."""

    def lacks(context: Context) -> Iterator[Finding]:
        yield A.finding("seen before", {})
        raise ModuleNotFoundError("No module named 'numpy'", name="numpy")

    use(monkeypatch, rule(A, lacks), rule(A._replace(id="CCC001"), lambda c: []))
    audited = audit(context)
    assert [finding.rule for finding in audited.findings] == ["AAA001"]
    assert audited.audit.rules == ("CCC001",)
    assert [tuple(row) for row in audited.audit.skipped] == [
        ("AAA001", "the package numpy is not installed")
    ]
    assert not audited.audit.complete


def test_rules_that_read_payload_are_skipped_and_that_is_said(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, rule(A, lambda c: []), rule(B, lambda c: [B.finding("x", {})]))
    found = audit(context)
    assert found.findings == ()
    assert found.audit.rules == ("AAA001",)
    assert [row.rule for row in found.audit.skipped] == ["BBB001"]


def test_select_and_ignore_with_a_reason(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    use(
        monkeypatch,
        rule(A, lambda c: [A.finding("x", {})] * 3),
        rule(B._replace(reads_payload=False), lambda c: [B.finding("y", {})]),
    )
    assert [f.rule for f in audit(context, Selection(select=("BBB",))).findings] == ["BBB001"]
    found = audit(context, Selection(ignore={"AAA": "known"}))
    assert [f.rule for f in found.findings] == ["BBB001"]
    assert [tuple(row) for row in found.audit.ignored] == [("AAA", "known", 3)]
    with pytest.raises(UsageError, match="did you mean BBB001"):
        audit(context, Selection(select=("BBB01",)))


def test_many_findings_of_a_rule_are_counted_not_shown(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, rule(A, lambda c: (A.finding(f"number {i:04}", {}) for i in range(1000))))
    findings = audit(context).findings
    assert len(findings) == KEPT_PER_RULE
    assert findings[-1].evidence == {"more": 1000 - KEPT_PER_RULE}


def test_worst_first(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    severities = ("info", "critical", "low", "high")
    use(
        monkeypatch,
        rule(A, lambda c: [A.finding("x", {}, severity=name) for name in severities]),  # type: ignore[arg-type]
    )
    assert [f.severity for f in audit(context).findings] == ["critical", "high", "low", "info"]


def test_the_table_of_rules_is_whole_and_in_order() -> None:
    files = {path.stem for path in Path(engine.__file__).parent.glob("rules/*.py")} - {"__init__"}
    assert set(RULES) == files
    assert list(RULES) == sorted(RULES)
    rules = [module.RULE for module in load_rules()]
    assert len({rule.id for rule in rules}) == len({rule.name for rule in rules}) == len(rules)
    for name, known in zip(RULES, rules, strict=True):
        assert name.startswith(known.id.lower() + "_")
        assert known.severity in SEVERITIES


@pytest.mark.parametrize("module", load_rules(), ids=lambda module: str(module.RULE.id))
def test_every_rule_is_documented_under_the_same_headings(module: SimpleNamespace) -> None:
    known = info(module)
    assert 10 < len(known.summary) <= 90
    parts = sections(known.help)
    assert list(parts) == [heading for heading in HEADINGS if heading in parts]
    assert set(HEADINGS) - {"References"} <= set(parts)
    assert all(parts.values())
