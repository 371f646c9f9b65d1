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


def cases(hostile: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((hostile / "expected.json").read_text())["cases"]
    return found


@pytest.mark.long
@pytest.mark.parametrize("command", ["audit", "count"])
def test_no_case_is_failed(command: str, shared: Path, hostile: Path, tmp_path: Path) -> None:
    conf: dict[str, Any] = {
        "audit": [PYTHON, "-m", "graphcount", command, "--format", "json", "{path}"],
        "gate": [PYTHON, "-m", "graphcount", "check", "--max", f"parameters={10**15}", "{path}"],
        "findings": "findings",
        "id": "rule",
        "severity": "severity",
        "totals": {"external_bytes": "model.referenced_nbytes"},
    }
    if command == "count":
        conf["gate"] = None  # once is enough
    (tmp_path / "conf.json").write_text(json.dumps(conf))
    grader = tmp_path / "grade.py"  # its scratch files have fixed names: give it its own
    source = (shared / "hostile" / "grade.py").read_text()
    grader.write_text(source.replace("/tmp/grade.", f"{tmp_path}/grade."))
    grade = [PYTHON, str(grader), "--set", str(hostile)]
    done = subprocess.run(
        [*grade, "--conf", str(tmp_path / "conf.json"), "--slack", "3"],
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
