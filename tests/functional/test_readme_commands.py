"""Every command of README and tour, typed by someone who has the wheel and `fixtures/`."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = {name: (ROOT / name).read_text("utf-8") for name in ("README.md", "docs/tour.md")}

ELSEWHERE = {
    "pip install -e '.[test]' && python -m pytest -n 2 --dist worksteal": "these tests",
    "pip install -e '.[docs]' && mkdocs build --strict": "tests/test_site.py",
    "python web/build.py site && python -m http.server -d site 8000 -b 127.0.0.1": "tests/web",
    "graphcount https://example.org/model.onnx": "needs a network",
    "graphcount https://example.com/model.onnx": "needs a network",
    "graphcount scan s3://bucket/models/ --cluster tcp://head:8786": "needs S3 and a cluster",
}
"""Commands that are parsed instead of run, and why; tests/loading/remote and tests/scanning do with
servers and clusters of their own what they do."""

PRINTED = {
    "graphcount fixtures/cnn.onnx": "26,926",
    "graphcount model.onnx --by op_type": "Gemm",
    "cat model.onnx | graphcount -": "26,926",
    "graphcount check": "all kept",
    "graphcount check model.onnx --max disk_nbytes=1MB --max parameters=26k": "926 over the max",
    "graphcount audit model.onnx": "no known sign",
    "graphcount bench model.onnx --dim batch=1": "p50",
    "graphcount rules EXT002": "external-data-traversal",
}
"""What some commands must show; all must end as the README says."""

WRITTEN = {
    "README.md": {"graphcount.toml": "[checks.max]", "model.html": "</html>"},
    "docs/tour.md": {
        "graphcount.toml": "[checks.max]",
        "model.html": "</html>",
        "diff.html": "</html>",
        "index.html": "</html>",
        "audited.html": "</html>",
    },
}
"""Files that the commands leave."""


def commands(page: str) -> list[tuple[str, int]]:
    """What stands behind `$` in blocks of the console, and the exit code its comment names."""
    found = []
    for block in re.findall(r"```console\n(.*?)```", PAGES[page], re.DOTALL):
        for line in re.findall(r"^\$ (.*)$", block, re.MULTILINE):
            command, _, comment = line.partition(" #")
            stated = re.match(r"\s*exit (\d): ", comment)
            found.append((command.strip(), int(stated.group(1)) if stated else 0))
    return found


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this checkout."""
    pytest.importorskip("hatchling", reason="hatchling is not installed: it builds the wheel")
    folder = tmp_path_factory.mktemp("wheel")
    code = f"import hatchling.build; hatchling.build.build_wheel({str(folder)!r})"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def fresh(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel, which sees the installed dependencies of this one."""
    folder = tmp_path_factory.mktemp("fresh")
    venv.create(folder, symlinks=True, with_pip=False)
    python = folder / "bin" / "python"
    options = ["--quiet", "--no-index", "--no-deps", "--disable-pip-version-check"]
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", *options, str(wheel)]
    away = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    subprocess.run(pip, check=True, capture_output=True, env=away)
    seen = f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages/seen.pth"
    (folder / seen).write_text(f"{sysconfig.get_path('purelib')}\n")
    return folder


@pytest.mark.skipif(sys.platform == "win32", reason="commands of a POSIX shell")
@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
@pytest.mark.long
@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_a_page_works(page: str, fresh: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (extra bench)")
    shutil.copytree(ROOT / "fixtures", tmp_path / "fixtures")
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith("PYTHON")
    } | {"PATH": f"{fresh / 'bin'}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "80"}
    where = "import graphcount; print(graphcount.__file__)"
    done = subprocess.run(
        ["bash", "-c", f"python -c '{where}'"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env=environment,
    )
    assert done.stdout.startswith(str(fresh))  # the wheel, not this checkout
    run = [(command, code) for command, code in commands(page) if command not in ELSEWHERE]
    assert len(run) >= 8
    for command, code in run:
        _, installs, rest = command.partition(" && ")
        typed = rest if installs and command.startswith("pip ") else command
        if typed.startswith("pip install "):
            continue  # an extra: the fixture has it, see test_every_extra_exists
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", typed],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env=environment,
        )
        assert done.returncode == code, (command, done.stdout[-2000:], done.stderr)
        assert PRINTED.get(typed, "") in done.stdout, (command, done.stdout)
    for name, words in WRITTEN[page].items():
        assert words in (tmp_path / name).read_text("utf-8"), name


def test_commands_that_are_run_elsewhere_are_accepted() -> None:
    from graphcount.cli.main import COMMANDS

    listed = [command for page in PAGES for command, _ in commands(page)]
    for command in ELSEWHERE:
        assert command in listed, "no longer in a page"
        words = shlex.split(command)
        if words[0] == "graphcount":
            name = words[1] if words[1] in COMMANDS else "count"
            parser = import_module(COMMANDS[name][0]).command
            parser.make_context(name, words[1 + (words[1] in COMMANDS) :])
    assert set(PRINTED) <= {command.rpartition(" && ")[2] for command in listed}


def test_every_extra_exists(wheel: Path) -> None:
    """`pip install '.[bench]'` names an extra that the wheel has."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        metadata = archive.read(name).decode()
    extras = set(re.findall(r"^Provides-Extra: (.+)$", metadata, re.MULTILINE))
    named = set(re.findall(r"pip install (?:-e )?'\.\[(\w+)\]'", "".join(PAGES.values())))
    assert {"bench", "remote", "test"} <= named <= extras


def test_the_wheel_has_what_the_program_reads_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if ".dist-info/" not in name]
    assert {name.partition("/")[0] for name in names} == {"graphcount"}
    package = ROOT / "graphcount"
    source = {
        str(path.relative_to(ROOT))
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert set(names) == source
    data = {name.rpartition(".")[2] for name in names} - {"py"}
    assert data == {"typed", "txt", "json", "html", "css", "js", "LICENSE"}
    assert {"graphcount/py.typed", "graphcount/report/schema.json"} <= set(names)
    assert "graphcount/formats/page/assets/d3-hierarchy.min.js" in names
