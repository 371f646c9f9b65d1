""".github/workflows/ci.yml: it runs what .ci/run runs, on every Python we name, with few rights."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent


def workflow() -> dict[Any, Any]:
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8")
    found: dict[Any, Any] = yaml.safe_load(text)
    return found


def test_the_first_job_runs_what_is_run_at_home() -> None:
    job = workflow()["jobs"]["linux"]
    assert [step["run"] for step in job["steps"] if "run" in step][-1] == "bash .ci/run"
    assert (ROOT / ".ci" / "run").is_file()
    assert "continue-on-error" not in job


def test_every_python_of_the_package_is_run() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    named = re.findall(r"Python :: (3\.\d+)$", "\n".join(project["classifiers"]), re.MULTILINE)
    assert workflow()["jobs"]["linux"]["strategy"]["matrix"]["python"] == named
    assert project["requires-python"] == f">={named[0]}"


def test_it_may_read_and_nothing_else() -> None:
    found = workflow()
    assert found["permissions"] == {"contents": "read"}
    assert set(found[True]) == {"push", "pull_request"}  # YAML 1.1 reads `on` as true
    for job in found["jobs"].values():
        assert "permissions" not in job
        uses = [step for step in job["steps"] if "uses" in step]
        names = [step["uses"] for step in uses if step["uses"] != "./"]  # the action of this commit
        assert all(re.fullmatch(r"actions/[a-z-]+@v\d+", name) for name in names)
        assert uses[0]["with"] == {"persist-credentials": False}


def test_what_was_never_seen_green_says_so() -> None:
    for job in workflow()["jobs"].values():
        assert ("not yet seen green" in job.get("name", "")) == ("continue-on-error" in job)
