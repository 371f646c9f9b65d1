"""A runner of GitHub Actions, as far as action.yml needs one: expressions, conditions, outputs."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

ROOT = Path(__file__).resolve().parent.parent.parent
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
TOKEN = "ghs_secret"
GIVEN = ("Name the environment", "Install graphcount")
"""Steps that are not run where there is an environment."""

NAME = re.compile(r"(?<!['\w.-])(inputs|github|runner|steps)((?:\.[\w-]+)+)")


class Step(NamedTuple):
    """A step that was run."""

    code: int
    stdout: str
    stderr: str


class Run(NamedTuple):
    """A run of the action: its steps by name, what it wrote, what it came to."""

    steps: dict[str, Step]
    outputs: dict[str, str]
    summary: str
    failed: bool

    @property
    def text(self) -> str:
        """All that stands in the log."""
        return "".join(step.stdout + step.stderr for step in self.steps.values())


def evaluate(expression: str, contexts: Mapping[str, Any]) -> Any:
    """Evaluate an expression: names of contexts, strings, `==`, `!=`, `!`, `&&`, `||`."""

    def value(match: re.Match[str]) -> str:
        node: Any = contexts[match[1]]
        for part in match[2].strip(".").split("."):
            node = node.get(part) if isinstance(node, Mapping) else None
        return repr("" if node is None else node)

    text = NAME.sub(value, expression.strip())
    text = text.replace("!cancelled()", "True").replace("&&", " and ").replace("||", " or ")
    return eval(text, {"__builtins__": {}})


def fill(text: str, contexts: Mapping[str, Any]) -> str:
    return re.sub(r"\$\{\{(.*?)\}\}", lambda m: str(evaluate(m[1], contexts)), text)


def wanted(step: Mapping[str, Any], contexts: Mapping[str, Any], ok: bool) -> bool:
    """Whether a step is run; without a function of status, only if all went well before."""
    condition = str(step.get("if", "")).strip().removeprefix("${{").removesuffix("}}")
    if "cancelled()" not in condition and not ok:
        return False
    return bool(evaluate(condition, contexts)) if condition.strip() else True


def run_action(
    folder: Path,
    checkout: Path,
    inputs: Mapping[str, str],
    event: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    env: Mapping[str, str] | None = None,
) -> Run:
    """Run every `run` step by bash; the cache is a step that does nothing.

    Args:
        folder: The runner's own files.
        checkout: Where the steps run.
        inputs: Of the action.
        event: `github.event`.
        environment: Outputs of the first steps, which are then not run.
        env: More variables.
    """
    temp = folder / "runner temp"
    temp.mkdir(parents=True, exist_ok=True)
    github = {"event": event or {}, "token": TOKEN}
    contexts: dict[str, Any] = {"github": github, "runner": {"temp": str(temp)}, "steps": {}}
    defaults = {
        name: fill(str(row.get("default", "")), contexts) for name, row in ACTION["inputs"].items()
    }
    contexts["inputs"] = {**defaults, **inputs}
    done: dict[str, Step] = {}
    ok = True
    summary = folder / "summary"
    for step in ACTION["runs"]["steps"]:
        if environment is not None and step["name"] in GIVEN:
            contexts["steps"]["environment"] = {"outputs": environment}
            continue
        if "run" not in step or not wanted(step, contexts, ok):
            continue
        output = folder / f"output {len(done)}"
        output.touch()
        result = run_step(step, checkout, contexts, output, summary, temp, env or {})
        done[step["name"]] = result
        ok = ok and result.code == 0
        rows = (line.partition("=") for line in output.read_text().splitlines())
        values = {name: text for name, _, text in rows}
        contexts["steps"][step.get("id", step["name"])] = {"outputs": values}
    outputs = {name: fill(row["value"], contexts) for name, row in ACTION["outputs"].items()}
    return Run(done, outputs, summary.read_text() if summary.exists() else "", not ok)


def run_step(
    step: Mapping[str, Any],
    checkout: Path,
    contexts: Mapping[str, Any],
    output: Path,
    summary: Path,
    temp: Path,
    env: Mapping[str, str],
) -> Step:
    own = {key: fill(text, contexts) for key, text in step["env"].items()}
    result = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=checkout,
        env={
            **os.environ,
            "GITHUB_ACTION_PATH": str(ROOT),
            "GITHUB_OUTPUT": str(output),
            "GITHUB_REPOSITORY": "acme/models",
            "GITHUB_RUN_ID": "42",
            "GITHUB_SERVER_URL": "https://github.example",
            "GITHUB_STEP_SUMMARY": str(summary),
            "RUNNER_TEMP": str(temp),
            **env,
            **own,
        },
    )
    return Step(result.returncode, result.stdout, result.stderr)
