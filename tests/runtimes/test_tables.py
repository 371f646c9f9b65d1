"""The tables: the installed onnxruntime's own lists, and runtimes that are not there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import onnxruntime
import pytest

from graphcount.domains import canonical
from graphcount.errors import UsageError
from graphcount.runtimes.tables import RuntimeTable, read_table, target

MAKER = Path(__file__).parent / "make_tables.py"
LARGEST = 200_000


@pytest.fixture(scope="module")
def table() -> RuntimeTable:
    try:
        return read_table(target(f"onnxruntime:{onnxruntime.__version__}"))
    except UsageError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def kernels() -> list[tuple[str, str, int, int, dict[str, list[str]]]]:
    program = (
        "import json\nfrom onnxruntime.capi import onnxruntime_pybind11_state as state\n"
        "print(json.dumps([[k.domain, k.op_name, *k.version_range, k.type_constraints]"
        " for k in state.get_all_opkernel_def()]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    return [tuple(row) for row in json.loads(done.stdout)]


def test_every_kernel_of_onnxruntime_is_there(
    table: RuntimeTable, kernels: list[tuple[str, str, int, int, dict[str, list[str]]]]
) -> None:
    for domain, name, first, last, types in kernels:
        rows = table.kernels[canonical(domain), name]
        assert any(
            row.covers(first)
            and (row.last is None) == (last == 2**31 - 1)
            and all(set(allowed) <= row.types[key] for key, allowed in types.items())
            for row in rows
        ), (domain, name, first)


def test_no_kernel_is_there_that_onnxruntime_does_not_have(
    table: RuntimeTable, kernels: list[tuple[str, str, int, int, dict[str, list[str]]]]
) -> None:
    """Of kernels of one parameter: what they allow is the union of what onnxruntime's allow."""
    own: dict[tuple[str, str, int], dict[str, set[str]]] = {}
    for domain, name, first, _, types in kernels:
        known = own.setdefault((canonical(domain), name, first), {})
        for key, allowed in types.items():
            known.setdefault(key, set()).update(allowed)
    for (domain, name), rows in table.kernels.items():
        for row in rows:
            for key, permitted in row.types.items():
                assert permitted <= own[domain, name, row.first][key], (domain, name, key)


def test_the_newest_release_stands_for_the_name_alone() -> None:
    newest = target("onnxruntime")
    releases = [int(part) for part in newest.release.split(".")]
    assert releases >= [1, 32, 0]
    assert target("onnxruntime/cpu") == newest
    assert target("onnxruntime:1.24").text == "onnxruntime:1.24.4/cpu"
    assert target("onnxruntime:1.24.4/cpu") == target("onnxruntime:1.24")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("tensorrt", "runtime 'tensorrt' is not known; there is onnxruntime"),
        ("", "runtime '' is not known"),
        ("onnxruntime:", "runtime 'onnxruntime:' is not known"),
        ("onnxruntime:0.1", "onnxruntime 0.1 has no table; there are 1.19.2, "),
        ("onnxruntime:1.24.1", "onnxruntime 1.24.1 has no table"),
        ("onnxruntime:1.32/cuda", "onnxruntime 1.32.0 has no table of cuda; there is cpu"),
        ("x" * 10_000, "xxx' is not known"),
    ],
)
def test_one_line_says_which_there_are(name: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        target(name)
    assert words in str(caught.value)
    assert len(str(caught.value)) < 300


def test_the_newest_versions_are_those_of_the_sessions_that_the_maker_made() -> None:
    """onnxruntime 1.24 was released with onnx 1.20 (IR 13, opset 25), 1.19 with 1.16 (10, 21)."""
    for name, ir, opset in (("1.19", 10, 21), ("1.24", 13, 25)):
        table = read_table(target(f"onnxruntime:{name}"))
        assert (table.newest_ir, table.newest_opsets[""]) == (ir, opset)


def test_the_file_is_small() -> None:
    file = MAKER.parents[2] / "graphcount" / "runtimes" / "onnxruntime.txt"
    assert file.stat().st_size < LARGEST
