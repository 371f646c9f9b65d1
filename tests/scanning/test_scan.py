"""The program: inventories that are equal however a scan went, and safe to look at."""

from __future__ import annotations

import csv
import html.parser
import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

import graphcount
from graphcount.cli.main import main
from graphcount.scanning.row import COLUMNS

MANY = 120
"""Models of a scan that is ended while it runs."""

Write = Callable[[Path, int], None]
Scan = Callable[..., subprocess.CompletedProcess[str]]
Models = Callable[..., Path]


def rows(text: str) -> list[dict[str, Any]]:
    """Rows of JSON lines."""
    return [json.loads(line) for line in text.splitlines()]


def exported(scan: Scan, database: Path, *targets: Any) -> list[dict[str, Any]]:
    """All rows of an inventory, read through a scan that has nothing left to do."""
    done = scan(*targets, "-o", database, "--resume", "--format", "jsonl")
    assert done.returncode in (0, 2), done.stderr
    return rows(done.stdout)


def test_rows_are_in_order_and_exact(scan: Scan, models: Models) -> None:
    folder = models(9)
    (folder / "part1" / "broken.onnx").write_bytes(b"\x08")
    done = scan(
        folder, folder / "part0", "--jobs", 2, "--format", "jsonl", "--max", "parameters=10"
    )
    assert done.returncode == 2
    assert done.stderr == ""
    found = rows(done.stdout)
    names = [str(path.relative_to(folder)) for path in sorted(folder.rglob("*.onnx"))]
    assert [os.path.relpath(row["path"], folder) for row in found] == names  # each once
    for row in found:
        if row["path"].endswith("broken.onnx"):
            assert (row["status"], row["error"]) == ("error", "damaged")
            continue
        parameters = 2 * (int(row["path"][-9:-5]) + 1)
        assert row["parameters"] == row["macs"] == parameters
        assert row["nbytes"] == 4 * parameters
        assert row["status"] == ("failed" if parameters > 10 else "ok")
        assert row["rules"] == ({"BUD001": 1} if parameters > 10 else {})
    assert [list(row) for row in found] == [[column.name for column in COLUMNS]] * 10


def test_exit_codes(program: Scan, models: Models, tmp_path: Path) -> None:
    folder = models(2)
    assert program(folder).returncode == 0
    assert program(folder, "--max", "parameters=3").returncode == 1
    assert program(folder, tmp_path / "none.onnx", "--max", "parameters=3").returncode == 2


def test_the_summary_counts_in_grammar(program: Scan, models: Models) -> None:
    folder = models(2)
    assert program(folder).stdout.startswith("2 models\n")
    one, two = sorted(folder.rglob("*.onnx"))
    assert program(one).stdout.startswith("1 model\n")
    two.write_bytes(one.read_bytes())
    assert "2 models have one architecture\n" in program(folder).stdout


def test_wrong_options_are_one_line(models: Models, capsys: pytest.CaptureFixture[str]) -> None:
    folder = models(1)
    for wrong in (
        [folder, "--glob", "*.none"],
        [folder, "--max", "nonsense=1"],
        [folder, "--max", "latency_p50=3ms"],
        [folder, "--max", "latency_ratio=1.02"],
        [folder, "--audit", "--select", "NONE"],
        [folder, "-o", "inventory.txt"],
        [folder, "--resume"],
        [folder, "--cluster", "nowhere"],
        [],
    ):
        assert main(["scan", *map(str, wrong)]) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert (said.err.count("graphcount: "), said.err.count("\n")) == (1, 1)


def test_all_formats_say_the_same(scan: Scan, models: Models, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    folder = models(4)
    names = [f"i.{suffix}" for suffix in ("sqlite", "jsonl", "csv", "parquet", "html")]
    options = [part for name in names for part in ("-o", name)]
    done = scan(folder, "--jobs", 1, "--hash", *options)
    assert done.returncode == 0, done.stderr
    assert "4 models" in done.stdout
    expected = rows((tmp_path / "i.jsonl").read_text())
    assert [row["parameters"] for row in expected] == [2, 8, 4, 6]
    found = parquet.read_table(tmp_path / "i.parquet").to_pylist()
    kinds = {column.name: column.kind for column in COLUMNS}
    for row, other in zip(expected, found, strict=True):
        assert other.pop("beyond_int64") is None
        for name, value in other.items():
            assert row[name] == (json.loads(value) if kinds[name] == "json" and value else value)
    table = list(csv.DictReader(io.StringIO((tmp_path / "i.csv").read_text())))
    assert [(row["path"], row["macs"]) for row in table] == [
        (row["path"], str(row["macs"])) for row in expected
    ]
    with closing(sqlite3.connect(tmp_path / "i.sqlite")) as db:
        assert [row[0] for row in db.execute("SELECT sha256 FROM inventory")] == [
            row["sha256"] for row in expected
        ]


def test_numbers_beyond_64_bits_stay_exact(scan: Scan, tmp_path: Path, save: Any) -> None:
    from onnx import TensorProto, helper

    weight = TensorProto(name="w", data_type=1, dims=[2**40, 2**40])
    Path(save([helper.make_node("Relu", ["w"], ["y"])], [weight], outputs=["y"])).rename(
        tmp_path / "m.onnx"
    )
    parquet = pytest.importorskip("pyarrow.parquet")
    done = scan("m.onnx", "--format", "jsonl", "-o", "i.sqlite", "-o", "i.parquet")
    (row,) = rows(done.stdout)
    assert row["elements"] == 2**80
    (other,) = parquet.read_table(tmp_path / "i.parquet").to_pylist()
    assert other["elements"] is None
    assert json.loads(other["beyond_int64"])["elements"] == 2**80


# ------------------------------------------------------------------------- unchanged, resumed


def test_unchanged_files_are_not_read_again(
    scan: Scan, models: Models, write_model: Write, tmp_path: Path
) -> None:
    folder = models(6)
    before = exported(scan, tmp_path / "i.sqlite", folder)
    paths = sorted(folder.rglob("*.onnx"))
    for path in paths[:3]:  # other bytes that look unchanged: they must not be read
        times = (path.stat().st_atime_ns, path.stat().st_mtime_ns)
        path.write_bytes(bytes(path.stat().st_size))
        os.utime(path, ns=times)
    write_model(paths[3], 100)
    paths[4].unlink()
    write_model(folder / "new.onnx", 50)
    after = exported(scan, tmp_path / "i.sqlite", folder)
    assert after[1:4] == before[:3]
    assert [row["parameters"] for row in after] == [
        100,
        *(r["parameters"] for r in before[:3]),
        200,
        before[5]["parameters"],
    ]
    with closing(sqlite3.connect(tmp_path / "i.sqlite")) as db:
        assert db.execute("SELECT count(*) FROM models").fetchone() == (6,)
    other = rows(
        scan(folder, "-o", "i.sqlite", "--resume", "--no-cost", "--format", "jsonl").stdout
    )
    assert other[1]["error"] == "not-onnx"  # another analysis reads all again


def test_with_hashes_the_content_decides(scan: Scan, models: Models, tmp_path: Path) -> None:
    folder = models(2)
    options = [folder, "-o", "i.sqlite", "--resume", "--hash", "--format", "jsonl"]
    before = scan(*options).stdout
    first, second = sorted(folder.rglob("*.onnx"))
    times = (first.stat().st_atime_ns, first.stat().st_mtime_ns)
    first.write_bytes(bytes(first.stat().st_size))
    os.utime(first, ns=times)
    second.touch()
    after = rows(scan(*options).stdout)
    assert after[0]["error"] == "not-onnx"
    assert after[1] == rows(before)[1]


def test_a_side_file_that_changes_is_noticed(scan: Scan, save: Any, tmp_path: Path) -> None:
    from onnx import TensorProto, helper

    weight = TensorProto(name="w", data_type=1, dims=[2], data_location=TensorProto.EXTERNAL)
    weight.external_data.add(key="location", value="w.bin")
    save([helper.make_node("Relu", ["w"], ["y"])], [weight], outputs=[("y", [2])])
    (before,) = exported(scan, tmp_path / "i.sqlite", "model1.onnx")
    assert before["message"] == "unknown: w: external data: w.bin is missing"
    (tmp_path / "w.bin").write_bytes(bytes(8))
    (after,) = exported(scan, tmp_path / "i.sqlite", "model1.onnx")
    assert after["unknown"] == 0


def test_an_inventory_is_not_overwritten(scan: Scan, models: Models, tmp_path: Path) -> None:
    folder = models(1)
    assert scan(folder, "-o", "i.sqlite").returncode == 0
    again = scan(folder, "-o", "i.sqlite")
    assert (again.returncode, again.stderr.count("\n")) == (2, 1)
    assert "--resume goes on" in again.stderr
    (tmp_path / "other.sqlite").write_bytes(b"not a database, but long enough to be looked at")
    assert "is no inventory" in scan(folder, "-o", "other.sqlite", "--resume").stderr
    with closing(sqlite3.connect(tmp_path / "third.sqlite")) as db:
        db.execute("CREATE TABLE x (y)")
    assert "another SQLite file" in scan(folder, "-o", "third.sqlite", "--resume").stderr


def start(
    folder: Path, database: Path, begun: Callable[[subprocess.Popen[str]], bool]
) -> subprocess.Popen[str]:
    """Start a scan in a session of its own and wait until it has begun."""
    command = [sys.executable, "-m", "graphcount", "scan", str(folder), "-o", str(database)]
    process = subprocess.Popen(
        [*command, "--jobs", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # ignored by a parent it stays ignored, and Ctrl-C is what is tried
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline and process.poll() is None:
        if begun(process):
            return process
        time.sleep(0.005)
    pytest.fail(f"the scan ended or hung: {process.poll()}")


def finished(database: Path) -> int:
    if not database.exists():
        return 0
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
            found: int = db.execute("SELECT count(*) FROM inventory").fetchone()[0]
            return found
    except sqlite3.Error:
        return 0


def group(process: subprocess.Popen[str]) -> list[int]:
    """Processes of a session, from /proc."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == process.pid and fields[0] != "Z":
                found.append(int(entry.name))
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")
@pytest.mark.parametrize("how", ["kill -9", "Ctrl-C", "a worker"])
def test_an_ended_scan_goes_on_to_the_same_inventory(
    scan: Scan, models: Models, tmp_path: Path, how: str
) -> None:
    folder = models(MANY, 80)
    undisturbed = rows(scan(folder, "--format", "jsonl").stdout)
    database = tmp_path / "i.sqlite"
    process = start(folder, database, lambda process: finished(database) > 10)
    if how == "a worker":
        workers = [pid for pid in group(process) if pid != process.pid]
        os.kill(max(workers), signal.SIGKILL)
        assert process.wait(200) == 0
    elif how == "Ctrl-C":
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(60) == 130
        assert process.stderr is not None
        assert "--resume goes on" in process.stderr.read()
    else:
        os.kill(process.pid, signal.SIGKILL)
        process.wait(20)
    for _ in range(100):
        if not group(process):
            break
        time.sleep(0.1)
    assert not group(process)  # no worker is left behind
    assert process.communicate()[1].count("Traceback") == 0
    done = finished(database)
    assert 10 < done <= MANY
    if how != "a worker":
        assert done < MANY
        with closing(sqlite3.connect(database)) as db:
            paths = [row[0] for row in db.execute("SELECT path FROM inventory")]
        for name in paths:  # finished models are not read again: other bytes do not matter
            times = (os.stat(name).st_atime_ns, os.stat(name).st_mtime_ns)
            Path(name).write_bytes(bytes(os.stat(name).st_size))
            os.utime(name, ns=times)
    assert exported(scan, database, folder) == undisturbed


@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")
@pytest.mark.parametrize("after", [0, 0.05, 0.1, 0.2])
def test_ctrl_c_while_processes_start_is_one_line(
    models: Models, tmp_path: Path, after: float
) -> None:
    process = start(models(3), tmp_path / "i.sqlite", lambda process: len(group(process)) > 1)
    time.sleep(after)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert "Traceback" not in said
    assert process.returncode == (130 if "interrupted" in said else 0)


def test_a_model_that_takes_too_long_is_a_row(scan: Scan, models: Models, tmp_path: Path) -> None:
    folder = models(2)
    sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
    try:
        from models import write_nodes  # type: ignore[import-not-found]
    finally:
        sys.path.pop(0)
    write_nodes(folder / "part0" / "slow.onnx", 100_000)
    done = scan(folder, "--timeout", "0.5", "--format", "jsonl", "--jobs", 1)
    assert done.returncode == 2
    found = {Path(row["path"]).name: row for row in rows(done.stdout)}
    assert found["slow.onnx"]["error"] == "resources"
    assert found["slow.onnx"]["message"] == "not done after 0.5 s"
    assert found["m0001.onnx"]["status"] == "ok"


# ----------------------------------------------------------------------------- hostile names


class Tags(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert not any(name.startswith("on") for name, _ in attributes)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
def test_hostile_names_are_inert(
    program: Scan, scan: Scan, write_model: Write, tmp_path: Path
) -> None:
    folder = tmp_path / "m"
    names = [
        b"<img src=x onerror=alert(1)>.onnx",
        b"=cmd|'C calc'!A0.onnx",
        b"\x1b[31mred\n.onnx",
        "right\u202eto left.onnx".encode(),
        b"raw \xff byte.onnx",
        rb"raw \udcff byte.onnx",
        b"AKIAIOSFODNN7EXAMPLE.onnx",
        b'"><script>alert(1)</script>'.replace(b"/", b"") + b".onnx",
    ]
    folder.mkdir()
    for size, name in enumerate(names, 1):
        write_model(folder / "x", size)
        os.rename(os.fsencode(folder / "x"), os.path.join(os.fsencode(folder), name))
    done = program(
        *("m", "-o", "i.html", "-o", "i.csv", "-o", "i.jsonl", "-o", "i.sqlite"),
        env={**os.environ, "PYTHONUTF8": "1"},
    )
    assert done.returncode == 0, done.stderr
    texts = [done.stdout, *((tmp_path / f"i.{s}").read_text() for s in ("html", "csv", "jsonl"))]
    for text in texts:
        assert not {"\x1b", "\u202e", "\udcff"} & set(text)
        assert "AKIAIOSFODNN7EXAMPLE" not in text
    found = rows(texts[3])
    assert sorted(row["parameters"] for row in found) == [2, 4, 6, 8, 10, 12, 14, 16]
    page = Tags()
    page.feed(texts[1])
    assert not page.tags & {"img", "a", "iframe", "svg"}
    assert texts[1].count("<script>") == 1
    cells = [row["path"] for row in csv.DictReader(io.StringIO(texts[2]))]
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in cells)
    again = scan("m", "-o", "i.sqlite", "--resume", "--format", "jsonl")
    assert rows(again.stdout) == found


@pytest.mark.skipif(sys.platform == "win32", reason="the hostile set needs FIFOs and links")
def test_the_shared_sets_in_one_command(program: Scan, shared: Path, hostile: Path) -> None:
    done = program(hostile, shared / "corpus", "--format", "jsonl")
    assert done.returncode == 2
    assert done.stderr == ""
    found = rows(done.stdout)
    wanted = [*hostile.rglob("*.onnx"), *(shared / "corpus").rglob("*.onnx")]
    assert len(found) == sum(not path.is_dir() for path in wanted)
    assert {row["error"] for row in found} <= {None, "damaged", "not-onnx", "limit", "not-readable"}


# ------------------------------------------------------------------------------------ library


def test_the_library_yields_outcomes_in_order(models: Models) -> None:
    folder = models(8)
    (folder / "part0" / "broken.onnx").write_bytes(b"")
    for jobs in (1, 2):
        outcomes = list(graphcount.scan(str(folder), jobs=jobs))
        assert isinstance(outcomes[0], graphcount.NotOnnxError)
        reports = [item for item in outcomes if isinstance(item, graphcount.Report)]
        assert [report.totals.parameters for report in reports] == [2, 8, 14, 4, 10, 16, 6, 12]


def test_the_library_is_lazy(models: Models) -> None:
    folder = models(3)
    asked = []

    def targets() -> Any:
        for path in sorted(folder.rglob("*.onnx")):
            asked.append(path)
            yield str(path)

    outcomes = graphcount.scan(targets())
    next(outcomes)
    assert len(asked) == 1


# ---------------------------------------------------------------------------------------- sizes


@pytest.fixture
def dynamic(tmp_path: Path) -> Path:
    """A folder of three products with a weight of 3 x 2: MACs are 6 for each row."""
    from onnx import TensorProto, helper

    for name, size in (("a", "batch"), ("b", "n"), ("c", 4)):
        weight = TensorProto(name="w", data_type=1, dims=[3, 2], raw_data=bytes(24))
        values = [helper.make_tensor_value_info("x", 1, [size, 3])]
        values.append(helper.make_tensor_value_info("y", 1, [size, 2]))
        node = helper.make_node("MatMul", ["x", "w"], ["y"])
        graph = helper.make_graph([node], "g", values[:1], values[1:], [weight])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
        path = tmp_path / "dynamic" / f"{name}.onnx"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(model.SerializeToString())
    return tmp_path / "dynamic"


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_size_applies_where_a_model_has_it(scan: Scan, dynamic: Path, jobs: int) -> None:
    done = scan(dynamic, "--jobs", jobs, "--dim", "batch=5", "--format", "jsonl")
    assert (done.returncode, done.stderr) == (0, "")
    found = [
        (
            row["macs"],
            row["macs_expression"],
            row["macs_assumed"],
            row["sizes_assumed"],
            row["dims"],
        )
        for row in rows(done.stdout)
    ]
    assert found == [
        (5 * 6, None, None, None, {"batch": 5}),
        (None, "6*n", 6, {"n": 1}, None),
        (4 * 6, None, None, None, None),
    ]


def test_a_size_that_no_model_has_is_an_error_after_all_rows(
    scan: Scan, dynamic: Path, tmp_path: Path
) -> None:
    done = scan(dynamic, "--jobs", 1, "--dim", "batsh=5", "-o", "i.sqlite", "-o", "i.jsonl")
    assert done.returncode == 2
    assert "3 models" in done.stdout
    assert done.stderr.splitlines() == [
        "graphcount: i.sqlite, i.jsonl: 3 models written",
        "graphcount: no model has dimension batsh; there is batch",
    ]
    assert len(rows((tmp_path / "i.jsonl").read_text())) == 3
    again = scan(dynamic, "--jobs", 1, "--dim", "batch=5", "-o", "i.sqlite", "--resume")
    assert again.returncode == 0


def test_assumed_macs_are_said_to_be_so_and_no_budget_looks_at_them(
    scan: Scan, dynamic: Path, tmp_path: Path
) -> None:
    done = scan(dynamic, "--jobs", 1, "--max", "macs=1G", "-o", "i.html")
    assert done.returncode == 1
    assert "6 assumed" in done.stdout
    assert "give sizes or ranges of batch" in done.stdout
    page = (tmp_path / "i.html").read_text()
    assert (
        '<td class="n" data-v="6" title="sizes assumed: batch 1; 6*batch">6 (assumed)</td>' in page
    )


def test_the_library_refuses_a_size_that_no_model_has_after_the_last(dynamic: Path) -> None:
    outcomes = graphcount.scan(str(dynamic), analysis=graphcount.Analysis(dims={"batsh": 5}))
    assert len(list(islice(outcomes, 3))) == 3
    with pytest.raises(graphcount.UsageError, match="no model has dimension batsh"):
        next(outcomes)
    analysis = graphcount.Analysis(dims={"n": 7, "*": 2})
    reports = [
        item
        for item in graphcount.scan(str(dynamic), analysis=analysis)
        if isinstance(item, graphcount.Report)
    ]
    assert [report.totals.macs for report in reports] == [2 * 6, 7 * 6, 4 * 6]
