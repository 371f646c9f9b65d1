"""`graphcount.audit` and `audits` do in Python what `graphcount audit` does."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import graphcount
from graphcount.report.serial import dumps, to_dict
from tests.api.conftest import Command

EXTERNAL = "mlp_external.onnx"  # its one finding is EXT011, info: no checksum


@pytest.fixture(autouse=True)
def external(folder: Path, fixtures: Path) -> None:
    for name in (EXTERNAL, f"{EXTERNAL}.data"):
        shutil.copy(fixtures / name, folder)


def test_findings_are_those_of_the_command_line(command: Command) -> None:
    done = command("audit", EXTERNAL, "cnn.onnx", "--fail-on", "info", "--format", "json")
    audited = graphcount.audits([EXTERNAL, "cnn.onnx"], fail_on="info")
    assert audited.exit_code == done.code == 1
    assert [json.loads(dumps(to_dict(report))) for report in audited.reports] == json.loads(
        done.out
    )
    assert audited.reports[0] == graphcount.audit(EXTERNAL)
    assert [finding.rule for finding in audited.findings] == ["EXT011"]
    assert graphcount.audits(EXTERNAL).exit_code == command("audit", EXTERNAL).code == 0


@pytest.mark.parametrize(
    ("config", "code"),
    [
        ('[audit]\nfail_on = "info"\n', 1),
        ('[audit]\nfail_on = "high"\n[audit.models."mlp*"]\nfail_on = "info"\n', 1),
        ('[audit]\nfail_on = "info"\n[[audit.ignore]]\nrule = "EXT011"\nreason = "known"\n', 0),
        ('[audit]\nfail_on = "info"\nselect = ["TEN"]\n', 0),
    ],
    ids=["level", "level of a model", "ignored", "selected"],
)
def test_a_configuration(config: str, code: int, folder: Path, command: Command) -> None:
    (folder / "graphcount.toml").write_text(config)
    audited = graphcount.audits([EXTERNAL], config="graphcount.toml")
    done = command("audit", EXTERNAL, "--format", "json")
    assert audited.exit_code == done.code == code
    (report,) = audited.reports
    assert json.loads(dumps(to_dict(report))) == json.loads(done.out)
    assert report == graphcount.audit(EXTERNAL, config="graphcount.toml")


def test_what_cannot_be_read_is_2(command: Command) -> None:
    heard: list[graphcount.GraphcountError] = []
    audited = graphcount.audits(["bad/cut.onnx", "cnn.onnx"], on_error=heard.append)
    assert audited.exit_code == command("audit", "bad/cut.onnx", "cnn.onnx").code == 2
    assert len(heard) == len(audited.errors) == len(audited.reports) == 1
    with pytest.raises(graphcount.DamagedError):
        graphcount.audits(["bad/cut.onnx"])


def test_rules_are_chosen_by_their_beginnings(command: Command) -> None:
    chosen = graphcount.rules(["EXT", "BUD001"])
    done = command("rules", "EXT", "BUD001", "--format", "json")
    assert [rule.id for rule in chosen] == [row["id"] for row in json.loads(done.out)]
    assert {rule.id[:3] for rule in chosen} == {"EXT", "BUD"}
    assert set(chosen) < set(graphcount.rules())
    assert graphcount.rules("EXT011") == tuple(r for r in chosen if r.id == "EXT011")
