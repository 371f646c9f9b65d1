"""Hostile files: the universal promises hold, and the audit finds what each of them hides.

Every case must give numbers that are true or one line of error, in bounded time and memory, without
opening what it must not; no gate may pass on what is not exact; outcome, rules and severity are
those the set asks for, whatever set is there.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import graphcount
from graphcount import api

PYTHON = sys.executable


@pytest.fixture(scope="module")
def hostile(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The generated set: FIFOs, links and sparse files cannot live in git."""
    if sys.platform == "win32":
        pytest.skip("the hostile set needs FIFOs and links")
    folder = tmp_path_factory.mktemp("hostile") / "open"
    maker = shared / "hostile" / "make_hostile.py"
    command = [PYTHON, str(maker), "--out", str(folder), "--set", "open", "--seed", "3"]
    subprocess.run(command, check=True, capture_output=True)
    return folder


def cases(hostile: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((hostile / "expected.json").read_text())["cases"]
    return found


@pytest.mark.parametrize("command", ["count", "audit"])
def test_no_case_is_failed(command: str, shared: Path, hostile: Path) -> None:
    conf: dict[str, Any] = {
        "audit": [PYTHON, "-m", "graphcount", command, "--format", "json", "{path}"],
        "gate": [PYTHON, "-m", "graphcount", "check", "--max", f"parameters={10**15}", "{path}"],
        "findings": "findings",
        "id": "rule",
        "severity": "severity",
        "totals": {"external_bytes": "model.external_nbytes"},
    }
    if command == "count":
        conf["gate"] = None  # once is enough
    (hostile.parent / "conf.json").write_text(json.dumps(conf))
    grader = hostile.parent / "grade.py"  # its scratch files have fixed names: give it its own
    source = (shared / "hostile" / "grade.py").read_text()
    grader.write_text(source.replace("/tmp/grade.", f"{hostile.parent}/grade."))
    grade = [PYTHON, str(grader), "--set", str(hostile)]
    done = subprocess.run(
        [*grade, "--conf", str(hostile.parent / "conf.json"), "--slack", "3"],
        capture_output=True,
        text=True,
        check=False,
        env=_environment(),
    )
    codes = (*UNIVERSAL, *OF_AN_AUDIT) if command == "audit" else UNIVERSAL
    lines = [line for line in done.stdout.splitlines() if line.startswith("FAIL")]
    broken = [line for line in lines if any(f" {code}" in line for code in codes)]
    assert broken == []
    assert f" / {len(cases(hostile))}" in done.stdout


UNIVERSAL = ("U1 ", "U2 ", "U3 ", "U4 ", "U5 ", "U6 ", "U7 ", "U8 ", "T ")
OF_AN_AUDIT = ("O ", "R ", "S ")


def test_the_rule_of_an_error_is_one_the_case_asks_for(hostile: Path) -> None:
    for case in cases(hostile):
        if case["accept"] != ["error"]:
            continue
        with pytest.raises(graphcount.GraphcountError) as caught:
            api.audit(str(hostile / case["path"]))
        assert caught.value.rule in {r for wanted in case["rules"] for r in wanted.split("|")}


def _environment() -> dict[str, str]:
    import os

    root = str(Path(graphcount.__file__).resolve().parent.parent)
    return {**os.environ, "PYTHONPATH": root}


def test_counted_facts_are_true(hostile: Path) -> None:
    wrong = []
    for case in cases(hostile):
        truth = case["truth"]
        if "init_elements" not in truth:
            continue
        try:
            report = graphcount.count(str(hostile / case["path"]))
        except graphcount.GraphcountError:
            assert "error" in case["accept"] or case["accept"] == ["any"], case["id"]
            continue
        if report.model.function_count == 0 and report.model.node_count != truth["nodes_all"]:
            wrong.append((case["id"], "nodes", truth["nodes_all"], report.model.node_count))
        expected = truth["init_elements"] + truth["const_elements"]
        sparse = [t.elements for t in report.tensors if t.storage.where == "sparse"]
        if report.totals.elements - sum(sparse) != expected:
            wrong.append((case["id"], "elements", expected, report.totals.elements))
        if report.totals.unused < truth["dead_elements"]:
            wrong.append((case["id"], "unused", truth["dead_elements"], report.totals.unused))
    assert wrong == []


def test_what_a_gate_must_refuse_is_refused_in_process(hostile: Path) -> None:
    from graphcount.gates.budgets import judge, parse_budget
    from graphcount.gates.subject import Subject

    budget = parse_budget(f"parameters={10**15}", "max")
    for case in cases(hostile):
        if case["gate"] == "either":
            continue
        try:
            kept = judge(Subject(graphcount.count(str(hostile / case["path"]))), [budget])[0].kept
        except graphcount.GraphcountError:
            kept = False
        assert kept == (case["gate"] == "may_pass"), case["id"]
