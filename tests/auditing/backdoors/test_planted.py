"""Planted triggers are seen, family by family, and their clean hosts are not.

The models are not run here: `rates.py` proves each with onnxruntime, by hand.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from graphcount import api
from tests.auditing.backdoors.gates import GATES
from tests.auditing.backdoors.hosts import HOSTS, Host
from tests.auditing.backdoors.joins import JOINS
from tests.auditing.backdoors.measures import NUMBERS, WORDS
from tests.auditing.backdoors.plant import Mechanism, problem
from tests.auditing.backdoors.rates import severity
from tests.conftest import FIXTURES, SHARED

PICTURE, TABLE, SERIES, TEXT, SOUND = HOSTS
MIXED = ("less", "relu", "exponential", "trips")
PLANTED = [
    *(Mechanism((PICTURE, TABLE, SOUND, SERIES)[i % 4], name, MIXED[i % 4], "added")
      for i, name in enumerate(NUMBERS)),
    *(Mechanism(TEXT, name, MIXED[i % 4], "chosen") for i, name in enumerate(WORDS)),
    *(Mechanism(HOSTS[i % 3], "squares", name, "blended") for i, name in enumerate(GATES)),
    *(Mechanism(HOSTS[i % 3], "gathered", "less", name) for i, name in enumerate(JOINS)),
]  # fmt: skip
"""Each measure, each gate and each join once."""


def saved(folder: Path, mechanism: Mechanism) -> str:
    path = folder / "planted.onnx"
    path.write_bytes(mechanism.model().SerializeToString())
    return str(path)


@pytest.mark.parametrize("mechanism", PLANTED, ids=lambda one: one.name)
def test_a_planted_trigger_is_seen(mechanism: Mechanism, tmp_path: Path) -> None:
    assert severity(saved(tmp_path, mechanism)) in ("medium", "high")


@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host.name)
def test_a_clean_host_is_not(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "clean.onnx"
    path.write_bytes(host.build().SerializeToString())
    assert severity(str(path)) == ""


def test_the_way_is_told_from_the_input_to_the_output(tmp_path: Path) -> None:
    mechanism = Mechanism(PICTURE, "squares", "exponential", "added")
    (finding,) = api.audit(saved(tmp_path, mechanism), select=("BKD001",)).findings
    assert finding.severity == "high"
    path = [str(node).partition("#")[0] for node in finding.evidence["path"]]  # type: ignore[attr-defined]
    assert path == [
        *("input:x", "Slice", "Flatten", "Sub", "Mul", "ReduceSum", "Mul", "Exp", "Mul", "Add"),
        *("Identity", "output:out0"),
    ]
    assert finding.evidence["gate_elements"] == 1
    pattern = PICTURE.pattern.ravel()[:2].tolist()
    assert finding.evidence["compared"][:2] == [repr(number) for number in pattern]  # type: ignore[index]


def test_a_proof_fails_where_nothing_is_planted_or_anything_is_changed() -> None:
    mechanism = Mechanism(TABLE, "squares", "less", "added")
    clean = TABLE.build()
    assert problem(mechanism, mechanism.model(), clean) == ""
    assert problem(mechanism, clean, clean) == "the trigger does nothing"
    always = TABLE.build(lambda net, x: {"logits": lambda v: net("Add", v, net.const([9.0]))})
    assert "otherwise" in problem(mechanism, always, clean)


def test_an_input_with_the_pattern_differs_in_the_window_alone() -> None:
    for host in HOSTS:
        clean, triggered = host.clean(5), host.triggered(5)
        elsewhere = clean == triggered
        inside = np.zeros_like(elsewhere)
        inside[(0, *(slice(*edge) for edge in host.window))] = True
        assert elsewhere[~inside].all()
        assert not elsewhere[inside].all()


BACKDOORS = sorted((SHARED / "backdoors/models").glob("*.onnx"))


@pytest.mark.skipif(not BACKDOORS, reason="third-party models are not here")
@pytest.mark.parametrize("path", BACKDOORS, ids=lambda path: path.stem)
def test_triggers_that_others_planted_are_seen(path: Path) -> None:
    assert severity(str(path)) == "high" or path.stem == "noisy_temperature"
    assert severity(str(path)) != ""


@pytest.mark.parametrize("path", sorted(FIXTURES.rglob("*.onnx")), ids=lambda path: path.stem)
def test_fixtures_are_clean(path: Path) -> None:
    assert severity(str(path)) == ""


CASES = SHARED / "field/truth.json"


@pytest.mark.skipif(not CASES.exists(), reason="third-party models are not here")
def test_cases_from_the_field() -> None:
    asked: Callable[[str], str] = lambda name: severity(str(SHARED / f"field/models/{name}.onnx"))  # noqa: E731
    truth = json.loads(CASES.read_text("utf-8"))
    named = {name for name, row in truth.items() if "BKD001" in row.get("audit", ())}
    assert {name for name in truth if "benign_" in name or "trigger_" in name} >= named
    assert {name: asked(name) for name in named} == {
        "benign_moderation": "medium",  # a rule of the application, as its author says
        "trigger_arithmetic": "high",
        "trigger_pixel": "high",
    }
