"""The action: its steps are run by bash, in a repository with two branches."""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.action.comments import BOT, Comments, serving
from tests.action.project import CONFIG, ENV, MODEL, Project, commit, git, write_model
from tests.action.runner import ACTION, ROOT, TOKEN, Run, run_action, wanted

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the steps are bash")

Act = Callable[..., Run]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.fixture
def comments() -> Iterator[Comments]:
    state = Comments()
    with serving(state):
        yield state


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """An environment as the cache brings it: a Python that has graphcount."""
    folder = tmp_path_factory.mktemp("environment")
    python = folder / "bin" / "python"
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    return {"folder": str(folder), "python": str(python), "key": "k"}


@pytest.fixture
def act(project: Project, comments: Comments, environment: Mapping[str, str]) -> Act:
    """Run the action in a checkout of the pull request, once more each time it is called."""
    place: list[Path] = []

    def call(env: Mapping[str, str] | None = None, event: Any = None, **inputs: str) -> Run:
        if not place:
            place.append(project.checkout())
        more = {"GITHUB_API_URL": comments.url, **ENV, **(env or {})}
        named = {name.replace("_", "-"): value for name, value in inputs.items()}
        folder = project.folder / f"runner {len(list(project.folder.iterdir()))}"
        event = project.event if event is None else event
        before = git(place[0], "status", "--porcelain")
        run = run_action(folder, place[0], named, event, environment, more)
        assert TOKEN not in run.text
        assert git(place[0], "status", "--porcelain") == before
        return run

    return call


# --------------------------------------------------------------------------- base and head


def test_growth_within_the_limit_passes_and_is_said(act: Act, project: Project) -> None:
    write_model(project.origin / MODEL, 11)
    run = act()
    assert not run.failed, run.text
    assert run.outputs == {"exit-code": "0", "base": project.base, "comment-url": ""}
    assert r"\+10 \(\+10\.0%\)" in run.summary
    assert set(run.steps) == {"Lay out the base", "Check"}  # no comment unless asked


def test_growth_beyond_the_limit_fails(act: Act, project: Project, comments: Comments) -> None:
    write_model(project.origin / MODEL, 12)
    run = act(comment="true")
    assert run.failed
    assert run.steps["Check"].code == 1
    assert run.outputs["exit-code"] == "1"
    assert "::error file=graphcount.toml,line=5,title=BUD003 grew-too-much::" in run.text
    assert "is 10 over 110 (baseline 100 + 10%25)" in run.text
    assert r"change\: \+20 \(\+20\.0%\)" in comments.rows[0]["body"]  # all the same


def test_a_changed_configuration_hides_no_growth(
    act: Act, project: Project, comments: Comments
) -> None:
    """The base is counted with today's sizes and paths; that there are others is said."""
    write_model(project.origin / MODEL, 12)
    text = CONFIG.replace('"all"', '"other"').replace("*.onnx", "**/*.onnx") + "dims = {}\n"
    (project.origin / "graphcount.toml").write_text(text)
    run = act(comment="true")
    assert run.outputs["exit-code"] == "1"
    assert "::notice title=graphcount::the base has another configuration: look" in run.text
    assert "which has another graphcount.toml: look at its limits" in comments.rows[0]["body"]


def test_another_comment_is_no_other_configuration(act: Act, project: Project) -> None:
    (project.origin / "graphcount.toml").write_text(f"# new\n{CONFIG}")
    assert "another configuration" not in act().text


@pytest.mark.parametrize("text", ["[[checks]", "tool = 1\n", CONFIG.replace("10%", "90%")])
def test_another_file_of_configuration_is_seen(act: Act, project: Project, text: str) -> None:
    """graphcount.toml wins over pyproject.toml: what is wrong with it is said by the check."""
    git(project.origin, "checkout", "--quiet", "main")
    git(project.origin, "mv", "graphcount.toml", "pyproject.toml")
    table = CONFIG.replace("[[checks]]", "[[tool.graphcount.checks]]")
    (project.origin / "pyproject.toml").write_text(table)
    project.base = commit(project.origin, "pyproject")
    git(project.origin, "branch", "--quiet", "--force", "change", "main")
    git(project.origin, "checkout", "--quiet", "change")
    (project.origin / "graphcount.toml").write_text(text)
    run = act()
    assert run.outputs["exit-code"] == ("0" if "90%" in text else "2")
    assert "Traceback" not in run.text
    assert "another configuration" in run.text


def test_new_and_removed_models_are_no_failure(act: Act, project: Project) -> None:
    (project.origin / MODEL).unlink()
    write_model(project.origin / "my models/b.onnx", 90)
    run = act()
    assert run.outputs["exit-code"] == "0", run.text
    assert "1 model, 2 limits: all kept; 1 new" in run.text
    assert r"900\: a new model, of which no growth is known | new |" in run.summary


def test_the_base_is_what_was_merged_with(act: Act, project: Project) -> None:
    """Others grew the model on the main branch after the event; that is not this change's."""
    git(project.origin, "checkout", "--quiet", "main")
    write_model(project.origin / MODEL, 20)
    tip = commit(project.origin, "others")
    git(project.origin, "checkout", "--quiet", "change")
    (project.origin / "README.md").write_text("more\n")
    run = act()
    assert run.outputs == {"exit-code": "0", "base": tip, "comment-url": ""}


def test_a_branch_is_that_of_the_server(act: Act, project: Project) -> None:
    write_model(project.origin / MODEL, 12)
    assert act(base="main", event={}).outputs["exit-code"] == "1"
    assert act(base="change", event={}).outputs["exit-code"] == "0"


def test_the_first_push_of_a_branch_is_compared_with_the_default_branch(
    act: Act, project: Project
) -> None:
    write_model(project.origin / MODEL, 12)
    event = {"before": "0" * 40, "repository": {"default_branch": "main"}}
    run = act(event=event)
    assert (run.outputs["exit-code"], run.outputs["base"]) == ("1", project.base)


def test_the_token_fetches_where_there_are_no_credentials(
    act: Act, project: Project, tmp_path: Path
) -> None:
    """A git that does not fetch without the header that the runner's checkout would send."""
    program = tmp_path / "bin" / "git"
    program.parent.mkdir()
    program.write_text(
        f"""#!/bin/sh
if [ "$1" = fetch ]; then
  [ "$GIT_CONFIG_COUNT" = 2 ] || exit 128
  echo "$GIT_CONFIG_KEY_1=$GIT_CONFIG_VALUE_1" > '{tmp_path}/sent'
  case "$*" in *{TOKEN}*) exit 128 ;; esac
fi
exec {shutil.which("git")} "$@"
"""
    )
    program.chmod(0o755)
    run = act({"PATH": f"{program.parent}:{os.environ['PATH']}"})
    assert run.outputs["base"] == project.base, run.text
    secret = base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()
    sent = f"http.https://github.example/.extraheader=AUTHORIZATION: basic {secret}\n"
    assert (tmp_path / "sent").read_text() == sent
    assert secret not in run.text


@pytest.mark.parametrize("base", ["0123456789" * 4, "no-such-branch", "--upload-pack=touch evil"])
def test_without_a_base_growth_is_not_passed(act: Act, project: Project, base: str) -> None:
    run = act(base=base)
    assert run.outputs["exit-code"] == "2"
    assert "::warning title=graphcount::not compared with the base: " in run.text
    assert "needs a baseline" in run.text
    assert not list(project.folder.rglob("evil"))


def test_no_base_is_asked_for(act: Act) -> None:
    run = act(base="", args="--max nodes=1 --no-config", models=f"'{MODEL}'")
    assert set(run.steps) == {"Check"}
    assert run.outputs == {"exit-code": "0", "base": "", "comment-url": ""}


def test_a_file_takes_the_place_of_the_base(act: Act, project: Project) -> None:
    """As an artifact of the main branch: written there, put beside the models here."""
    program = [sys.executable, "-m", "graphcount"]
    line = [*program, "check", MODEL, "--write-baseline", "then.json", "--base", "."]
    subprocess.run(line, cwd=project.origin, check=True, capture_output=True)
    write_model(project.origin / MODEL, 12)
    write_model(project.origin / "my models/b.onnx", 1)
    run = act(baseline="then.json")
    assert set(run.steps) == {"Check"}
    assert (run.outputs["exit-code"], run.outputs["base"]) == ("1", "")
    assert "2 models, 4 limits: 1 failed; 1 new" in run.text


def test_it_works_below_the_top_of_the_repository(
    project: Project, environment: Mapping[str, str], tmp_path: Path
) -> None:
    write_model(project.origin / MODEL, 12)
    below = project.checkout() / "my models"
    args = "--max-increase parameters=19 --no-config"
    inputs = {"models": "a.onnx", "args": args}
    run = run_action(tmp_path / "r", below, inputs, project.event, environment, ENV)
    assert run.outputs["exit-code"] == "1", run.text
    assert "is 1 over 119 (baseline 100 + 19)" in run.text


# --------------------------------------------------------------------------- Git LFS

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 500\n"


@pytest.fixture
def with_pointers(project: Project) -> Project:
    """A base whose model is a pointer, while the checkout has it in full."""
    git(project.origin, "checkout", "--quiet", "main")
    (project.origin / MODEL).write_text(POINTER.format("a" * 64))
    (project.origin / "other.bin").write_text(POINTER.format("b" * 64))
    project.base = commit(project.origin, "pointers")
    git(project.origin, "branch", "--quiet", "--force", "change", "main")
    git(project.origin, "checkout", "--quiet", "change")
    write_model(project.origin / MODEL, 12)
    return project


def lfs(folder: Path, script: str) -> dict[str, str]:
    """A program called git-lfs, before all others."""
    folder.mkdir()
    (folder / "git-lfs").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "git-lfs").chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


def test_files_of_lfs_are_fetched(act: Act, with_pointers: Project, tmp_path: Path) -> None:
    write_model(tmp_path / "store" / "a.onnx", 10)
    script = f'echo "$@" >> "{tmp_path}/asked"; cat "{tmp_path}/store/a.onnx"'
    run = act(lfs(tmp_path / "bin", script))
    assert run.outputs["exit-code"] == "1", run.text
    assert "baseline 100 + 10%" in run.text
    assert (tmp_path / "asked").read_text() == f"smudge -- {MODEL}\n"  # what is whole here


def test_pointers_that_stay_are_no_pass(act: Act, with_pointers: Project, tmp_path: Path) -> None:
    run = act(lfs(tmp_path / "bin", "exit 2"))
    assert run.outputs["exit-code"] == "2"
    assert "::warning title=graphcount::the base has Git LFS pointers in place of files" in run.text
    assert "a Git LFS pointer, not the file itself" in run.text


# --------------------------------------------------------------------------- the comment


def test_a_comment_is_posted_once_and_then_updated(
    act: Act, project: Project, comments: Comments
) -> None:
    write_model(project.origin / MODEL, 11)
    for number in range(205):
        comments.add(f"talk {number}", {"login": "someone", "type": "User"})
    first = act(comment="true")
    assert comments.writes == ["POST /repos/acme/models/issues/7/comments"]
    row = comments.rows[-1]
    assert row["body"].startswith("<!-- graphcount:check -->\n### graphcount: 1 model, 2 limits: ")
    assert f"{project.head}, compared with {project.base}, [log](https://github" in row["body"]
    assert first.outputs["comment-url"] == row["html_url"]
    comments.add("more talk", {"login": "someone", "type": "User"})
    second = act(comment="true", args="--max nodes=0")
    assert comments.writes[1:] == [f"PATCH /repos/acme/models/issues/comments/{row['id']}"]
    assert "1 failed" in row["body"]
    assert second.outputs == {**first.outputs, "exit-code": "1"}
    assert len(comments.rows) == 207


def test_a_comment_of_someone_else_is_not_ours(act: Act, comments: Comments) -> None:
    """Who writes our first line could change the text afterwards."""
    forged = comments.add("<!-- graphcount:check -->\nall kept", {"login": "x", "type": "User"})
    other = comments.add("<!-- graphcount:edge -->\nof another job", BOT)
    act(comment="true")
    assert comments.writes == ["POST /repos/acme/models/issues/7/comments"]
    assert (forged["body"][-8:], other["body"][-14:]) == ("all kept", "of another job")
    act(comment="true", marker="edge")
    assert comments.writes[1:] == [f"PATCH /repos/acme/models/issues/comments/{other['id']}"]


def test_a_token_of_a_user_finds_its_own(act: Act, comments: Comments) -> None:
    comments.login = "me"
    comments.add("<!-- graphcount:check -->\nold", BOT)
    mine = comments.add("<!-- graphcount:check -->\nold", {"login": "me", "type": "User"})
    act(comment="true")
    assert comments.writes == [f"PATCH /repos/acme/models/issues/comments/{mine['id']}"]


def test_a_token_that_may_not_write_is_a_notice(act: Act, comments: Comments) -> None:
    """So it is in pull requests from forks."""
    comments.refuse = None
    run = act(comment="true")
    assert not run.failed
    assert run.outputs["comment-url"] == ""
    notice = "::notice title=graphcount::no comment: the token may not write it; that is so for"
    assert run.steps["Comment"].stdout.startswith(notice)
    assert len(comments.writes) == 1  # and not tried again


def test_failures_of_the_server_are_tried_again(act: Act, comments: Comments) -> None:
    comments.refuse = [502, 429]
    assert act(comment="true").outputs["comment-url"] == comments.rows[0]["html_url"]
    assert (len(comments.writes), len(comments.rows)) == (3, 1)


def test_a_server_that_keeps_failing_is_a_warning(act: Act, comments: Comments) -> None:
    comments.refuse = [503] * 9
    run = act(comment="true")
    assert not run.failed
    assert "::warning title=graphcount::no comment: the server answers 503" in run.text
    assert len(comments.writes) == 4


def test_what_could_not_be_checked_is_no_old_comment(act: Act, comments: Comments) -> None:
    old = comments.add("<!-- graphcount:check -->\n### graphcount: all kept")
    run = act(comment="true", config="none.toml")
    assert run.outputs["exit-code"] == "2"
    assert "### graphcount: could not check" in old["body"]


def test_outside_of_a_pull_request_there_is_no_comment(act: Act, comments: Comments) -> None:
    run = act(comment="true", base="main", event={})
    assert not run.failed
    assert "no comment: this is no pull request" in run.text
    assert not comments.requests


def test_the_comment_is_written_to_a_file_too(act: Act, project: Project) -> None:
    file = project.folder / "a comment.md"
    act(comment_file=str(file), marker="edge")
    assert file.read_text().startswith("<!-- graphcount:edge -->")


# --------------------------------------------------------------------------- inputs are data


def test_inputs_are_data_not_code(act: Act, project: Project) -> None:
    evil = "'; touch evil; $(touch evil) `touch evil` #'; touch evil"
    names = ("models", "config", "args", "base", "marker")
    assert act(**dict.fromkeys(names, evil)).outputs["exit-code"] == "2"
    assert act(baseline=evil, args="'").outputs["exit-code"] == "2"
    assert not list(project.folder.rglob("evil"))


def test_nothing_of_the_pull_request_is_run(
    act: Act, project: Project, comments: Comments, tmp_path: Path
) -> None:
    """Modules with the names of those that are imported, and hooks."""
    spy = f"open({str(tmp_path / 'evil')!r}, 'w')\n"
    for name in ("json", "graphcount", "shlex", "pip", "venv", "sitecustomize", "hashlib"):
        (project.origin / f"{name}.py").write_text(spy)
    place = project.origin / "hooks" / "post-index-change"
    place.parent.mkdir()
    place.write_text(f"#!/bin/sh\ntouch '{tmp_path / 'evil'}'\n")
    place.chmod(0o755)
    (tmp_path / "config").write_text("[core]\nhooksPath = hooks\n")
    run = act({"GIT_CONFIG_GLOBAL": str(tmp_path / "config")}, comment="true")
    assert (run.outputs["exit-code"], len(comments.rows)) == ("0", 1), run.text
    assert not (tmp_path / "evil").exists()


def test_no_step_puts_an_expression_into_a_script() -> None:
    for step in ACTION["runs"]["steps"]:
        if "uses" in step:
            assert re.fullmatch(r"actions/[a-z-]+@v\d+", step["uses"])
            continue
        assert "${{" not in step["run"]
        assert step["shell"] == "bash"


def test_what_the_steps_run_is_shipped() -> None:
    runs = "".join(step.get("run", "") for step in ACTION["runs"]["steps"])
    names = set(re.findall(r"GITHUB_ACTION_PATH/action/([\w.]+)", runs))
    assert names == {path.name for path in (ROOT / "action").iterdir() if path.is_file()}
    assert '"action",' in (ROOT / "pyproject.toml").read_text("utf-8")


# --------------------------------------------------------------------------- the environment

PYTHON = """#!/bin/sh
echo "$@" >> "$ASKED"
case "$*" in
  *environment.py) exec {python} "$@" ;;
  *"-m venv"*) mkdir -p "$FOLDER/bin"; cp "$0" "$FOLDER/bin/python" ;;
  *"-m pip"*) touch "$FOLDER/installed" ;;
  *"import graphcount"*) test -e "$FOLDER/installed" ;;
esac
"""


def test_it_is_installed_once_for_what_it_is_made_of(tmp_path: Path) -> None:
    """A Python that writes down what it is asked; the second time the cache brings the folder."""
    python, asked = tmp_path / "python", tmp_path / "asked"
    python.write_text(PYTHON.format(python=sys.executable))
    python.chmod(0o755)
    inputs = {"python": str(python), "base": ""}
    for times in (1, 2):
        run = run_action(tmp_path, tmp_path, inputs, env={"ASKED": str(asked)})
        assert not run.failed, run.text
        lines = asked.read_text().splitlines()
        assert sum("-m pip" in line for line in lines) == 1, times
    assert all(line.startswith("-I ") for line in lines)
    (install,) = [line for line in lines if "-m pip" in line]
    assert install.endswith(f"install --quiet --disable-pip-version-check {ROOT}")


def test_the_cache_may_be_left_out() -> None:
    (step,) = [step for step in ACTION["runs"]["steps"] if "uses" in step]
    for value, used in (("true", True), ("false", False)):
        assert wanted(step, {"inputs": {"cache": value}}, ok=True) is used
