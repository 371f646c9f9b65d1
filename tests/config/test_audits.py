"""What a configuration asks of the audit of one model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from graphcount.cli.main import main
from graphcount.config import NO_CONFIG, load_config
from graphcount.config.audits import asked_of

CONFIG = """
[audit]
fail_on = "medium"
ignore = [
    {rule = "EXT004", reason = "a shared store"},
    {rule = "TXT", reason = "names in Japanese", models = ["jp/*"]},
]

[audit.models."vendor/*"]
fail_on = "info"
select = ["EXT"]
ignore = [{rule = "EXT004", reason = "their store"}]
"""


def test_common_settings_then_those_of_patterns(tmp_path: Path) -> None:
    file = tmp_path / "graphcount.toml"
    file.write_text(CONFIG)
    config = load_config(str(file))
    assert asked_of(config, str(tmp_path / "a.onnx")) == (
        "medium", (), {"EXT004": "a shared store"}
    )  # fmt: skip
    assert asked_of(config, str(tmp_path / "jp" / "deep" / "a.onnx")).ignore == {
        "EXT004": "a shared store",
        "TXT": "names in Japanese",
    }
    assert asked_of(config, str(tmp_path / "vendor" / "a.onnx")) == (
        "info", ("EXT",), {"EXT004": "their store"}
    )  # fmt: skip


def test_without_a_configuration_nothing_is_asked() -> None:
    assert asked_of(NO_CONFIG, "a.onnx") == (None, (), {})


@pytest.mark.parametrize(
    ("text", "options", "code"),
    [
        ("", [], 0),
        ('[audit]\nfail_on = "info"', [], 1),
        ('[audit]\nfail_on = "info"', ["--fail-on", "low"], 0),
        ('[audit]\nfail_on = "info"', ["--no-config"], 0),
        ('[audit]\nfail_on = "info"\nignore = [{rule = "EXT011", reason = "kept"}]', [], 0),
        ('[audit.models."*external*"]\nfail_on = "info"', [], 1),
        ('[audit.models."elsewhere/*"]\nfail_on = "info"', [], 0),
    ],
)
def test_the_command_follows_it(
    text: str, options: list[str], code: int, fixtures: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """mlp_external has one finding of severity info: EXT011."""
    (tmp_path / "graphcount.toml").write_text(text)
    monkeypatch.chdir(tmp_path)
    assert main(["audit", str(fixtures / "mlp_external.onnx"), *options]) == code


def test_findings_as_sarif_with_their_rules(
    fixtures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(fixtures / "mlp_external.onnx")
    assert main(["audit", "--no-config", "--format", "sarif", path]) == 0
    (run,) = json.loads(capsys.readouterr().out)["runs"]
    (rule,) = run["tool"]["driver"]["rules"]
    assert rule["id"] == "EXT011"
    assert "security" in rule["properties"]["tags"]
    assert [result["ruleId"] for result in run["results"]] == ["EXT011"]
