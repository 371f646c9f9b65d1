"""SECURITY.md: its tests exist, its limits are the program's; and promises no other test holds."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import sysconfig
import unicodedata
from collections.abc import Callable
from dataclasses import fields
from functools import cache
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest
from onnx import TensorProto, helper

from graphcount.auditing.rule import Rule
from graphcount.cli.main import main
from graphcount.formats.text import one_line, safe
from graphcount.loading.limits import DEFAULT_LIMITS, LEAST_WORK, WORK

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "SECURITY.md").read_text("utf-8")

Save = Callable[..., str]

# ------------------------------------------------------------------------------- the document


@cache
def defined_in(path: Path) -> dict[str, set[str]]:
    """Functions of a file with the names of their arguments."""
    body = ast.parse(path.read_text("utf-8")).body
    return {
        node.name: {argument.arg for argument in node.args.args}
        for node in body
        if isinstance(node, ast.FunctionDef)
    }


@pytest.mark.parametrize(
    ("path", "name"), sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TEXT)))
)
def test_every_test_that_is_named_exists(path: str, name: str) -> None:
    assert name.startswith("test_")
    assert name in defined_in(ROOT / path)


def test_every_promise_has_a_test_that_everyone_can_run() -> None:
    chapters = re.split(r"^### (P\d+) .*$", TEXT.partition("## Not promised")[0], flags=re.M)[1:]
    promises = dict(zip(chapters[::2], chapters[1::2], strict=True))
    assert list(promises) == [f"P{number}" for number in range(1, 11)]
    for name, chapter in promises.items():
        needs_a_set = []
        for path, test, mark in re.findall(r"^- `(\S+)::(\w+)`( †)?$", chapter, re.MULTILINE):
            asks = "shared" in defined_in(ROOT / path)[test] or path.endswith("test_hostile.py")
            assert asks == bool(mark), test
            needs_a_set.append(asks)
        assert not all(needs_a_set), name


FACTORS = {"": 1, "KiB": 2**10, "MiB": 2**20, "MB": 10**6}


def rows(text: str) -> dict[str, int]:
    """Numbers of a table by name."""
    found = re.findall(r"^\| `([\w.]+)` \| ([\d,]+) ?(\w*) \|", text, re.MULTILINE)
    return {name: int(number.replace(",", "")) * FACTORS[unit] for name, number, unit in found}


def test_the_limits_are_those_of_the_program() -> None:
    settings = TEXT.partition("## Limits")[2].partition("Other bounds")[0]
    real = {field.name: getattr(DEFAULT_LIMITS, field.name) for field in fields(DEFAULT_LIMITS)}
    assert rows(settings) == real | {"work": LEAST_WORK}


def test_the_work_of_parts_is_that_of_the_program() -> None:
    table = TEXT.partition("| part | units |")[2].partition("\n\n")[0]
    assert {
        part: int(units)
        for part, units in re.findall(r"^\| (.+?) \| (\d+) \|$", table, re.MULTILINE)
    } == WORK


def test_the_other_bounds_are_those_of_the_program() -> None:
    bounds = rows(TEXT.partition("Other bounds")[2])
    assert bounds
    for name, value in bounds.items():
        module, _, constant = name.rpartition(".")
        assert getattr(import_module(module), constant) == value, name


# --------------------------------------------------------------------- P1: never a wrong pass


@pytest.mark.parametrize("error", [ZeroDivisionError("oh"), RecursionError(), MemoryError()])
def test_an_audit_that_did_not_end_is_no_pass(
    error: Exception,
    fixtures: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def check(context: object) -> NoReturn:
        raise error

    rule = SimpleNamespace(RULE=Rule("AAA001", "a", "low"), check=check, __doc__="A rule.")
    monkeypatch.setattr("graphcount.auditing.engine.load_rules", lambda: (rule,))
    model = str(fixtures / "cnn.onnx")
    assert main(["audit", model, "--fail-on", "critical", "--format", "json"]) == 2
    (finding,) = json.loads(capsys.readouterr().out)["findings"]
    assert (finding["rule"], finding["severity"]) == ("INT001", "high")


# ------------------------------------------------------------------- P3: time and memory


def chain(save: Save, length: int) -> str:
    nodes = [helper.make_node("Relu", [f"v{i}"], [f"v{i + 1}"]) for i in range(length)]
    return save(nodes, inputs=[("v0", [1, 8])], outputs=[(f"v{length}", [1, 8])])


def choices(save: Save, length: int) -> str:
    """Each value is one of two functions of the value before, by a comparison with a number."""
    nodes = []
    for i in range(length // 4):
        before = f"v{i}"
        nodes += [
            helper.make_node("Less", [before, "half"], [f"less{i}"]),
            helper.make_node("Neg", [before], [f"neg{i}"]),
            helper.make_node("Abs", [before], [f"abs{i}"]),
            helper.make_node("Where", [f"less{i}", f"neg{i}", f"abs{i}"], [f"v{i + 1}"]),
        ]
    half = helper.make_tensor("half", TensorProto.FLOAT, [], [0.5])
    last = f"v{length // 4}"
    return save(nodes, [half], inputs=[("v0", [1, 8])], outputs=[(last, [1, 8])])


MEASURED = """
import json, sys, time
from pathlib import Path
from graphcount.cli.main import main
code = main(sys.argv[1:])
words = Path("/proc/self/status").read_text("ascii", "replace").partition("VmHWM:")[2].split()
json.dump([code, time.process_time(), 1024 * int(words[0])], sys.stderr)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is read in /proc")
@pytest.mark.parametrize(
    ("command", "made", "exit_code"),
    [("count", chain, 0), ("audit", chain, 0), ("count", choices, 0), ("audit", choices, 0)],
)
def test_time_and_memory_are_bounded(
    command: str, made: Callable[[Save, int], str], exit_code: int, save: Save
) -> None:
    """Thousands of choices, one upon the other, are followed to their end as well."""
    nodes = 10_000
    path = made(save, nodes)
    arguments = [
        sys.executable,
        "-c",
        MEASURED,
        command,
        path,
        "--format",
        "json",
        "-o",
        path + ".r",
    ]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True, cwd=ROOT)
    code, seconds, peak_nbytes = json.loads(done.stderr)
    assert code == exit_code
    assert len(json.loads(Path(path + ".r").read_text("ascii"))["nodes"]) == nodes
    assert seconds <= 10 + 2 * nodes / 100_000
    assert peak_nbytes <= 64 * 10**6 + 3 * Path(path).stat().st_size + 3_000 * nodes


# ------------------------------------------------- P4: reads only, starts nothing, calls no one

WATCHED = """
import json, os, sys
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
HARMLESS = {"os.listdir", "os.scandir", "os.putenv", "os.unsetenv", "os.add_dll_directory"}
opened, broken = set(), []
def watch(event, args):
    if event == "open":
        if isinstance(args[0], int):
            return  # a descriptor: it was opened before
        opened.add(os.path.abspath(os.fsdecode(args[0])))
        if isinstance(args[2], int) and args[2] & WRITES:
            broken.append([event, os.fsdecode(args[0])])
    elif event == "ctypes.dlopen" and args[0] is not None:
        broken.append([event, str(args[0])])
    elif event.partition(".")[0] in {
        "os", "subprocess", "socket", "pickle", "shutil", "tempfile", "urllib", "http", "ftplib",
        "smtplib", "sqlite3", "webbrowser", "pty", "mmap",
    } and event not in HARMLESS:
        broken.append([event, repr(args)[:100]])
sys.dont_write_bytecode = True
sys.addaudithook(watch)
from graphcount.cli.main import main
code = main(sys.argv[1:])
sys.stdout.flush()
json.dump([code, sorted(opened), broken], sys.stderr)
"""


def watched(*arguments: str, cwd: Path) -> tuple[int, set[Path], list[Any]]:
    """Run a command; its exit code, the files it opened that are no program's, what it must not."""
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, *arguments],
        capture_output=True,
        text=True,
        check=True,
        cwd=cwd,
        env={**_environment(), "PYTHONPATH": str(ROOT)},
    )
    code, opened, broken = json.loads(done.stderr.splitlines()[-1])
    installed = {*sysconfig.get_paths().values(), sys.prefix, sys.base_prefix}
    installed |= {os.environ["PYTHONPYCACHEPREFIX"]}  # where conftest.py has modules compiled
    programs = [Path(folder).resolve() for folder in installed] + [ROOT / "graphcount"]
    files = {Path(path).resolve() for path in opened}
    return code, {p for p in files if not any(p.is_relative_to(f) for f in programs)}, broken


def _environment() -> dict[str, str]:
    import os

    return {**os.environ, "NO_COLOR": "1"}


@pytest.mark.parametrize(
    ("command", "reads_side_file"),
    [
        ("count {} --no-deep", False),
        ("count {} --hash --deep --format json", True),
        ("check {} --max parameters=1M", False),
        ("audit {} --no-deep", False),
        ("audit {} --deep --format sarif", True),
        ("explain {}", False),
        ("plan {} --dim batch=1", False),
        ("export {} --format dot", False),
        ("init {} -o -", False),
        ("report {} -o -", True),
    ],
)
def test_nothing_is_written_started_or_called(
    command: str, reads_side_file: bool, tmp_path: Path, fixtures: Path
) -> None:
    model, side = tmp_path / "mlp_external.onnx", tmp_path / "mlp_external.onnx.data"
    for path in (model, side):
        path.write_bytes((fixtures / path.name).read_bytes())
    (tmp_path / "cwd").mkdir()
    code, opened, broken = watched(*command.format(model).split(), cwd=tmp_path / "cwd")
    assert code == 0
    assert broken == []
    assert model in opened
    assert opened <= ({model, side} if reads_side_file else {model})


def test_the_watch_sees_what_is_forbidden(tmp_path: Path, fixtures: Path) -> None:
    path = str(fixtures / "cnn.onnx")
    _, _, broken = watched("count", path, "-o", str(tmp_path / "out.txt"), cwd=tmp_path)
    assert {event for event, _ in broken} == {"open", "os.rename"}


# ------------------------------------------------------------------------------ P8: safe text

BIDI = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
INVISIBLE = {
    0x61C,
    0x200B,
    0x200C,
    0x200D,
    0x200E,
    0x200F,
    0x2060,
    0xFEFF,
    *range(0xE0000, 0xE0080),
}


def test_dangerous_characters_are_shown_as_escapes() -> None:
    """By Unicode's own data: controls, separators, surrogates, bidirectional, invisible, tags."""
    tried = 0
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        dangerous = (
            unicodedata.category(character) in ("Cc", "Zl", "Zp", "Cs")
            or unicodedata.bidirectional(character) in BIDI
            or code in INVISIBLE
        )
        if dangerous:
            tried += 1
            assert character not in safe(f"a{character}b"), hex(code)
            assert character not in one_line(f"a{character}b"), hex(code)
    assert tried > 2048 + 65
