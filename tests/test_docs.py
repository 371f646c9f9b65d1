"""docs/ci.md: its configuration is one, its example passes, its lists are complete."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from graphcount.config import read_config
from graphcount.config.sections import CHECK
from graphcount.formats import CHECK_FORMATS

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "docs" / "ci.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def test_the_configuration_is_one_and_shows_every_key() -> None:
    text, audit = blocks("toml")
    (check,) = read_config(text, "graphcount.toml").checks
    assert len(check.budgets) == 9
    for key in CHECK:
        assert re.search(rf"^(# )?{key} =|^\[checks\.{key}\]", text, re.MULTILINE) or key == "min"
    settings = read_config(audit, "graphcount.toml").audit
    assert settings is not None
    assert (settings.fail_on, len(settings.ignore), list(settings.models)) == (
        "medium", 2, ["vendor/*"]
    )  # fmt: skip


def test_every_format_is_named() -> None:
    for name in CHECK_FORMATS:
        assert f"`{name}`" in TEXT


def test_the_snippets_are_yaml_and_fit_our_files() -> None:
    github, gitlab, hooks = map(yaml.safe_load, blocks("yaml"))
    inputs = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))["inputs"]
    assert set(github[1]["with"]) <= set(inputs)
    assert "graphcount check" in gitlab["graphcount"]["script"][1]
    known = {h["id"] for h in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))}
    assert {hook["id"] for hook in hooks["repos"][0]["hooks"]} <= known


def test_the_pytest_example_works(monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = blocks("python")
    names: dict[str, Any] = {}
    exec(code, names)
    monkeypatch.chdir(ROOT)
    names["test_the_model_is_small_enough"]("fixtures/cnn.onnx")
