"""templates/gitlab.yml: its script is run as a runner of GitLab runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.action.project import ENV, MODEL, Project, write_model
from tests.action.runner import ROOT

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the script is that of a shell")

SPEC, JOBS = yaml.safe_load_all((ROOT / "templates" / "gitlab.yml").read_text("utf-8"))
JOB: dict[str, Any] = JOBS["graphcount"]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def run(project: Project, place: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the lines of the script in one shell, with a graphcount and a pip that is not asked."""
    programs = project.folder / "bin"
    programs.mkdir(exist_ok=True)
    for name, text in {
        "pip": "exit 0",
        "graphcount": f'exec "{sys.executable}" -m graphcount "$@"',
    }.items():
        (programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (programs / name).chmod(0o755)
    script = "\n".join(JOB["script"])
    for name, row in SPEC["spec"]["inputs"].items():
        script = script.replace(f"$[[ inputs.{name} ]]", row["default"])
    assert "$[[" not in script
    path = f"{programs}:{os.environ['PATH']}"
    return subprocess.run(
        ["sh", "-e", "-c", script],
        cwd=place,
        env={**os.environ, **ENV, "PATH": path, "CI_DEFAULT_BRANCH": "main", **variables},
        check=False,
        capture_output=True,
        text=True,
    )


def test_a_merge_request_is_compared_with_its_target(project: Project) -> None:
    write_model(project.origin / MODEL, 12)
    place = project.checkout()
    done = run(project, place, CI_MERGE_REQUEST_DIFF_BASE_SHA=project.base)
    assert done.returncode == 1, done.stderr
    assert "parameters 120 is 10 over 110 (baseline 100 + 10%)" in " ".join(done.stdout.split())
    for kind, file in JOB["artifacts"]["reports"].items():
        assert (place / file).stat().st_size > 0, kind
    merged = project.head  # of a pipeline for merged results: the tip of the target branch
    variables = {"CI_MERGE_REQUEST_TARGET_BRANCH_SHA": merged}
    assert (
        run(project, place, CI_MERGE_REQUEST_DIFF_BASE_SHA=project.base, **variables).returncode
        == 0
    )


def test_a_first_push_is_compared_with_the_default_branch(project: Project) -> None:
    write_model(project.origin / MODEL, 12)
    done = run(project, project.checkout(), CI_COMMIT_BEFORE_SHA="0" * 40)
    assert done.returncode == 1, done.stderr


def test_without_a_base_growth_is_no_pass(project: Project) -> None:
    done = run(project, project.checkout(), CI_COMMIT_BEFORE_SHA="0123456789" * 4)
    assert done.returncode == 2
    assert "not compared with the base, which cannot be fetched" in done.stdout
    assert "needs a baseline" in done.stderr


def test_downloads_are_cached_where_pip_puts_them() -> None:
    (folder,) = JOB["cache"]["paths"]
    assert JOB["variables"]["PIP_CACHE_DIR"] == f"$CI_PROJECT_DIR/{folder}"
