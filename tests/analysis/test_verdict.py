"""Verdicts: the program asks for the rule that decided, never for the sentence."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

import graphcount
from graphcount.analysis import kinds
from graphcount.analysis.attribution import Attributed
from graphcount.analysis.verdict import KindContext, RuleId, Verdict
from tests.conftest import FIXTURES, SHARED


def models() -> list[Path]:
    """Exports in whose framework count the rules have a say, and the project's own."""
    own = sorted(FIXTURES.glob("*.onnx"))
    return own + sorted((SHARED / "truth").rglob("*.onnx"))[::5]


@pytest.mark.parametrize("path", models(), ids=lambda path: path.stem)
def test_no_number_depends_on_the_words_of_a_reason(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = graphcount.count(str(path))

    decide = kinds.decide

    def reworded(tensor: Attributed, context: KindContext) -> Verdict:
        return decide(tensor, context)._replace(reason="in other words")

    monkeypatch.setattr(kinds, "decide", reworded)
    after = graphcount.count(str(path))
    assert not before.tensors or "in other words" in {row.reason for row in after.tensors}
    assert after.framework == before.framework
    assert after.totals == before.totals


def test_every_rule_is_named_where_it_decides() -> None:
    text = "".join(
        path.read_text("utf-8")
        for path in sorted(Path(kinds.__file__).parent.glob("*.py"))
        if path.name != "verdict.py"
    )
    assert [rule for rule in get_args(RuleId) if f'"{rule}"' not in text] == []
