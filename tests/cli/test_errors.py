"""Error lines as a set: `graphcount: WHERE: what is wrong; what to do`, one line, exit code 2."""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import graphcount
from graphcount.cli.main import COMMANDS, main

Complain = Callable[[str], str]


@pytest.fixture
def complain(
    fixtures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Complain:
    """Run a command that fails, in a folder of broken files; returns what stderr said."""
    whole = (fixtures / "cnn.onnx").read_bytes()
    (tmp_path / "cnn.onnx").write_bytes(whole)
    (tmp_path / "cut.onnx").write_bytes(whole[:60_000])
    (tmp_path / "empty.onnx").touch()
    (tmp_path / "words.onnx").write_text("just words")
    (tmp_path / "folder").mkdir()
    (tmp_path / "there.toml").touch()
    (tmp_path / "slip.toml").write_text("[[checks]]\nmax = { paramters = 1 }\n")
    (tmp_path / "bytes.toml").write_bytes(b"a = '\xff'")
    (tmp_path / "words.json").write_text("words")
    (tmp_path / "other.json").write_text("{}")
    monkeypatch.chdir(tmp_path)

    def call(line: str) -> str:
        assert main(line.split()) == 2
        out, err = capfd.readouterr()
        assert out == ""
        assert err.startswith("graphcount: ")
        return err

    return call


LINES = [
    # usage: the option or the argument, what is wrong with it, what to do
    ("cnn.onnx --formt json", "--formt: no such option; did you mean --format?"),
    ("cnn.onnx --xyz", "--xyz: no such option; see graphcount count --help"),
    ("cnn.onnx --config", "--config: needs a value"),
    ("cnn.onnx --quiet=1", "--quiet: takes no value"),
    ("cnn.onnx --top x", "--top: 'x' is not a whole number"),
    ("cnn.onnx --top 3 --all", "--all and --top exclude each other"),
    ("cnn.onnx --by node --sort macs --order graph", "--sort and --order exclude each other"),
    ("cnn.onnx --style torchinfo --all", "--style torchinfo takes --depth, but not --by, --top, "),
    ("cnn.onnx --top 0", "--top: 0 is not in the range x>=1"),
    ("bench cnn.onnx --seconds nan", "--seconds: 'nan' is not a number"),
    ("bench cnn.onnx --max-ratio inf", "--max-ratio: inf is not in the range 0<x<=1000000"),
    ("scan cnn.onnx --timeout 1e300", "--timeout: 1e+300 is not in the range 0<x<=1000000"),
    ("cnn.onnx --format xml", "--format: 'xml' is not one of 'table', 'json', 'jsonl', 'csv', "),
    ("cnn.onnx --dim batch", "--dim: 'batch': write it as name=size, e.g. batch=8 or batch=1:8"),
    ("cnn.onnx --shape x=axb", "--shape: 'x=axb': write it as input=dims, e.g. input=1x3x224x224"),
    ("cnn.onnx --style bars --format csv", "--style bars and --format csv exclude each other"),
    ("cnn.onnx --style torchinfo --bars", "--bars and --style torchinfo exclude each other"),
    ("cnn.onnx --sort macs", "--sort needs --by: it is about the rows of one table"),
    ("cnn.onnx --top 3 --format csv", "--sort or --top needs --by: it is about the rows of "),
    ("cnn.onnx --config a --no-config", "--config and --no-config exclude each other"),
    ("cuont cnn.onnx", "cuont: no such file, and no command; did you mean count?"),
    ("help", "help: no such file, and no command; see graphcount --help"),
    ("diff cnn.onnx", "NEW is missing; see graphcount diff --help"),
    ("diff a b c", "got unexpected extra argument (c); see graphcount diff --help"),
    ("scan", "TARGET is missing: name a folder, a file, a URL or a list"),
    ("scan folder --select EXT", "--select and --ignore need --audit"),
    ("audit cnn.onnx --select EXT99", "--select: 'EXT99' is no rule; did you mean EXT019?"),
    ("audit cnn.onnx --ignore NOPE=x", "--ignore: 'NOPE' is no rule; see graphcount rules"),
    ("rules NOPE", "RULE: 'NOPE' is no rule; see graphcount rules"),
    ("bench cnn.onnx --timeout x", "--timeout: 'x' is not a number"),
    ("bench -", "a benchmark needs a path, not standard input; name a file"),
    ("init -", "a configuration needs a path, not standard input; name a file"),
    # limits
    (
        "check cnn.onnx --max nodes",
        "--max: 'nodes': write it as measure=limit, e.g. parameters=30M",
    ),
    (
        "check cnn.onnx --max paramters=1",
        "--max: 'paramters' is no measure; did you mean parameters?",
    ),
    ("scan folder --max paramters=1", "--max: 'paramters' is no measure; did you mean parameters?"),
    ("check cnn.onnx --max nodes.Cov=1", "--max: 'Cov' is no operator; did you mean Conv?"),
    ("check cnn.onnx --min nodes=x", "--min: nodes: 'x' is not a count like 30M, 1.5k or 26_926"),
    (
        "check cnn.onnx --max-increase nodes=1",
        "cnn.onnx: --max-increase needs a baseline; give --baseline FILE, or --base FOLDER",
    ),
    (
        "check cnn.onnx --max nodes=99 --also json",
        "--also: 'json': write it as FORMAT=FILE; formats are table, json, ",
    ),
    # files: the file, what is wrong with it, the byte
    ("no.onnx", "no.onnx: no such file"),
    ("folder", "folder: is a directory, not a file"),
    ("empty.onnx", "empty.onnx: not an ONNX model: it looks like an empty file"),
    ("words.onnx", "words.onnx: not an ONNX model, nor any format known here"),
    (
        "cut.onnx",  # 60,000 bytes; tag and length of the graph take 4 from byte 23: 59,973 left
        "cut.onnx: damaged: field 7 claims 118124 bytes but 59973 are left (at byte 23)",
    ),
    ("audit no.onnx", "no.onnx: FMT011 no such file"),
    ("init folder", "folder: no .onnx file in it"),
    ("check folder --max nodes=1", "folder: no .onnx file in it"),
    ("scan folder", "no model found; --glob says which names are models"),
    ("init cnn.onnx -o there.toml", "there.toml: is there already; --force overwrites it"),
    ("zip://m.onnx", "zip://m.onnx: write it as zip://member::archive.zip"),
    # configurations and data of ours
    ("cnn.onnx --config no.toml", "no.toml: no such file"),
    (
        "cnn.onnx --config slip.toml",
        "slip.toml:2: checks[0].max.paramters: 'paramters' is no measure; did you mean parameters?",
    ),
    ("cnn.onnx --config bytes.toml", "bytes.toml: not TOML: not UTF-8 (at byte 5)"),
    ("check cnn.onnx --max nodes=1 --bench other.json", "other.json: not a graphcount.bench/1"),
    (
        "report cnn.onnx -o x.html --bench words.json",
        "words.json: not JSON: Expecting value: line 1 column 1 (char 0)",
    ),
    # outputs
    ("cnn.onnx -o folder", "folder: cannot be written: is a directory"),
]


@pytest.mark.parametrize(("line", "message"), LINES, ids=[line for line, _ in LINES])
def test_the_line(complain: Complain, line: str, message: str) -> None:
    err = complain(line)
    assert err.startswith(f"graphcount: {message}")
    if not message.endswith(" "):
        assert err == f"graphcount: {message}\n"


@pytest.mark.parametrize("command", ["count", "bench"])
def test_a_size_of_thousands_of_digits_is_none(complain: Complain, command: str) -> None:
    err = complain(f"{command} cnn.onnx --dim batch={'9' * 5_000}")
    assert err.startswith("graphcount: --dim: ")


def test_the_lines_have_one_grammar() -> None:
    for _, message in LINES:
        assert re.match(r"(--)?[a-z]|[A-Z]+ is missing|[A-Z]+: ", message), message
        assert not message.rstrip().endswith((".", "!")), message


@pytest.mark.parametrize(
    "line",
    [
        "cnn.onnx -o no/such/file",
        "diff cnn.onnx cnn.onnx -o no/such/file",
        "audit cnn.onnx -o no/such/file",
        "report cnn.onnx --no-audit -o no/such/file",
        "export cnn.onnx -o no/such/file",
        "explain cnn.onnx -o no/such/file",
        "plan cnn.onnx -o no/such/file",
        "rules -o no/such/file",
        "init cnn.onnx -o no/such/file",
        "check cnn.onnx --max nodes=99 -o no/such/file",
        "check cnn.onnx --max nodes=99 --write-baseline no/such/file",
    ],
)
def test_a_folder_that_is_missing(complain: Complain, line: str) -> None:
    expected = "graphcount: no/such/file: cannot be written: there is no folder no/such\n"
    assert complain(line) == expected


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("cnn.onnx -o cnn.onnx", "cnn.onnx"),
        ("cnn.onnx -o folder/../cnn.onnx", "folder/../cnn.onnx"),
        ("cnn.onnx -o link.onnx", "link.onnx"),
        ("diff empty.onnx cnn.onnx -o cnn.onnx", "cnn.onnx"),
        ("report empty.onnx --against cnn.onnx -o cnn.onnx", "cnn.onnx"),
        ("export cnn.onnx -o cnn.onnx", "cnn.onnx"),
        ("check cnn.onnx --max nodes=99 --also json=cnn.onnx", "cnn.onnx"),
        ("check cnn.onnx --write-baseline cnn.onnx", "cnn.onnx"),
        ("init cnn.onnx --force -o cnn.onnx", "cnn.onnx"),
        ("bench cnn.onnx --save-inputs cnn.onnx", "cnn.onnx"),
    ],
)
def test_nothing_is_written_over_what_is_read(
    complain: Complain, fixtures: Path, line: str, name: str
) -> None:
    Path("link.onnx").symlink_to("cnn.onnx")
    expected = f"graphcount: {name}: is read, and would be overwritten; write to another file\n"
    assert complain(line) == expected
    assert Path("cnn.onnx").read_bytes() == (fixtures / "cnn.onnx").read_bytes()


@pytest.mark.parametrize(
    "line",
    [
        "check cnn.onnx --max nodes=99 -o x --also json=./x",
        "check cnn.onnx --max nodes=99 --also junit=x --also sarif=x",
        "check cnn.onnx --max nodes=99 --write-baseline x -o x",
        "scan cnn.onnx -o x.csv -o x.csv",
    ],
)
def test_two_results_need_two_files(complain: Complain, line: str) -> None:
    assert complain(line).endswith(": is named for two results; write to another file\n")
    assert not list(Path().glob("x*"))


def test_what_may_be_written_twice(complain: Complain) -> None:
    assert main(["check", "cnn.onnx", "--write-baseline", "base.json"]) == 0
    growth = ["--baseline", "base.json", "--max-increase", "nodes=0"]
    assert main(["check", "cnn.onnx", *growth, "--write-baseline", "base.json"]) == 0
    twice = ["--also", f"json={os.devnull}", "--also", f"junit={os.devnull}"]
    assert main(["check", "cnn.onnx", "--max", "nodes=99", *twice]) == 0


@pytest.mark.parametrize("suffix", ["sqlite", "csv", "html"])
def test_a_scan_looks_for_the_folder_before_it_starts(complain: Complain, suffix: str) -> None:
    name = f"no/such/x.{suffix}"
    expected = f"graphcount: {name}: cannot be written: there is no folder no/such\n"
    assert complain(f"scan cnn.onnx -o {name}") == expected


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in ("check", "rules")])
def test_what_is_missing_is_named(complain: Complain, name: str) -> None:
    words = {"scan": "TARGET", "diff": "OLD", "deploy": "PATH"}
    err = complain(name)
    assert err.startswith(f"graphcount: {words.get(name, 'MODEL')} is missing")
    assert err.count("\n") == 1


# ------------------------------------------------------------------------------ streams


def program(*arguments: str, cwd: Path, shell: str = "") -> subprocess.CompletedProcess[str]:
    """Run the program through a shell, with something after its words."""
    command = f'exec "{sys.executable}" -m graphcount {" ".join(arguments)} {shell}'
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, check=False, cwd=cwd, env=environment
    )


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
@pytest.mark.parametrize("line", ["cnn.onnx", "scan cnn.onnx --format csv --quiet", "--help"])
def test_a_full_disk_is_no_bug_of_ours(fixtures: Path, line: str) -> None:
    done = program(line, cwd=fixtures, shell="> /dev/full")
    assert done.returncode == 2
    expected = "graphcount: standard output: cannot be written: no space left on device\n"
    assert done.stderr == expected


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
def test_closed_streams_leave_the_verdict(fixtures: Path) -> None:
    limits = "check cnn.onnx --max parameters="
    for limit, code in ((26_926, 0), (26_925, 1)):
        assert program(f"{limits}{limit}", cwd=fixtures, shell=">&-").returncode == code
    assert program("no.onnx", cwd=fixtures, shell="2>&-").returncode == 2
    assert program("--nope", cwd=fixtures, shell="2>&- >&-").returncode == 2
    done = program("-", cwd=fixtures, shell="<&-")
    assert (done.returncode, done.stderr) == (2, "graphcount: -: is closed\n")


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
@pytest.mark.parametrize("line", ["rules --format markdown", "cnn.onnx --format json"])
def test_a_reader_that_leaves_hears_nothing(fixtures: Path, line: str) -> None:
    command = f'"{sys.executable}" -m graphcount {line} | head -c 1'
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, check=False, cwd=fixtures, env=environment
    )
    assert (len(done.stdout), done.stderr) == (1, b"")


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_ctrl_c_is_one_line_and_the_code_of_shells() -> None:
    """The program writes more than a pipe holds, and nobody reads on."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-m", "graphcount", "rules", "--format", "json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        preexec_fn=_hear_interrupts,
    ) as child:
        assert child.stdout is not None
        assert select.select([child.stdout], [], [], 60)[0]  # it has begun to write
        assert child.poll() is None
        child.send_signal(signal.SIGINT)
        try:
            _, err = child.communicate(timeout=30)
        finally:
            child.kill()
    assert (child.returncode, err) == (130, "graphcount: interrupted\n")


def _hear_interrupts() -> None:
    """Tests that run in the background of a shell inherit that Ctrl-C is ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_a_page_of_a_model_from_a_pipe(fixtures: Path, tmp_path: Path) -> None:
    """It is counted and audited, and can be read once only."""
    page = tmp_path / "page.html"
    done = program("report - -o", str(page), cwd=fixtures, shell="< cnn.onnx")
    assert done.returncode == 0
    piped = subprocess.run(
        [sys.executable, "-m", "graphcount", "page", "-", "-o", str(page)],
        input=(fixtures / "cnn.onnx").read_bytes(),
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert (piped.returncode, piped.stderr.count(b"\n")) == (0, 1)
    assert "26,926" in page.read_text("utf-8") or "26926" in page.read_text("utf-8")


def test_ctrl_c_during_imports_is_one_line(tmp_path: Path) -> None:
    """A module of the program that raises what Python raises when Ctrl-C comes while it is read."""
    code = (
        "import sys\n"
        "class Interrupting:\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'click':\n"
        "            raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupting())\n"
        "from graphcount.__main__ import run\n"
        "run()\n"
    )
    root = str(Path(graphcount.__file__).resolve().parent.parent)
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": root},
    )
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "graphcount: interrupted\n"


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_program_that_is_terminated_leaves_nothing_behind(fixtures: Path, tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(temporary)}
    line = ["bench", str(fixtures / "cnn.onnx"), "--seconds", "600", "--timeout", "600"]
    with subprocess.Popen(
        [sys.executable, "-m", "graphcount", *line],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    ) as child:
        for _ in range(1200):
            if list(temporary.glob("graphcount-*")):
                break
            time.sleep(0.05)
        assert list(temporary.glob("graphcount-*"))
        child.send_signal(signal.SIGTERM)
        try:
            _, err = child.communicate(timeout=30)
        finally:
            child.kill()
    assert (child.returncode, err) == (128 + signal.SIGTERM, b"")
    assert list(temporary.iterdir()) == []
