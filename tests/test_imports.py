"""Direction of imports, owners of heavy packages, and what a command does not pay for."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Collection
from functools import cache
from pathlib import Path

import networkx as nx
import onnx
import pytest
from onnx import helper

PACKAGE = Path(__file__).resolve().parent.parent / "graphcount"

ROWS: tuple[tuple[str, ...], ...] = (
    ("__main__",),
    ("cli",),
    ("api",),
    ("config", "signing"),
    ("auditing", "benchmarking", "comparing", "deploying", "runtimes", "scanning"),
    ("analysis",),
    ("formats", "gates", "graph", "planning"),
    ("ops",),
    ("loading", "report"),
    (
        *("characters", "credentials", "domains", "dtypes", "errors", "symbolic", "units"),
        *("verbose", "version"),
    ),
)
"""Rooms, high to low: a module imports from its own room and from lower rows."""

OWNERS = {
    "click": {"cli"},
    "msgspec": {"config"},
    "rich": {"formats", "scanning"},
    "networkx": {"graph", "api"},
    "onnx": {"loading", "benchmarking", "runtimes"},
    "google": {"loading"},
    "onnxruntime": {"benchmarking"},
    "distributed": {"scanning"},
    "fsspec": {"loading"},
    "aiohttp": {"loading"},
    "numpy": {"auditing", "benchmarking", "loading", "ops"},
    "pandas": {"report"},
    "pyarrow": {"scanning"},
    "ruptures": {"benchmarking"},
    "model_signing": {"signing"},
}
"""Third-party packages and the rooms that import them, no other."""

LEVEL = {room: level for level, rooms in enumerate(ROWS) for room in rooms}
FILES = sorted(PACKAGE.rglob("*.py"))


def room(path: Path) -> str:
    """First folder or file below the package."""
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


@cache
def statements(path: Path) -> tuple[ast.Import | ast.ImportFrom, ...]:
    """Every import of a file, at its top or inside a function, of types too."""
    nodes = ast.walk(ast.parse(path.read_text("utf-8")))
    return tuple(node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom))


DOTTED = re.compile(r"graphcount(\.\w+)+")


@cache
def written(path: Path) -> tuple[str, ...]:
    """Modules that a file names in strings, as tables for `import_module` do."""
    tree = ast.parse(path.read_text("utf-8"))
    texts = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    names = [text for text in texts if isinstance(text, str) and DOTTED.fullmatch(text)]
    return tuple(name for name in names if name in {module(other) for other in FILES})


def imports(path: Path) -> tuple[str, ...]:
    """Every module a file imports, by a statement or by a name that `import_module` gets."""
    found = list(written(path))
    for node in statements(path):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        else:
            assert node.level == 0, f"{path}: relative import"
            found.append(node.module or "")
            if node.module == "graphcount":
                found += [f"graphcount.{alias.name}" for alias in node.names]
    return tuple(found)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path: Path) -> None:
    own = room(path)
    if own == "__init__":
        return  # the public names: lazily, from anywhere
    assert own in LEVEL, f"{own} has no row in ROWS"
    for name in imports(path):
        parts = name.split(".")
        if parts[0] != "graphcount" or len(parts) < 2 or parts[1] == own:
            continue
        assert parts[1] in LEVEL, f"{path.name} imports {name}"
        assert LEVEL[parts[1]] > LEVEL[own], f"{path.name} ({own}) imports {name}: not below it"


def test_no_files_import_each_other_in_a_circle() -> None:
    """Not even inside functions or for types: what goes round cannot be read from one end."""
    graph: nx.DiGraph[str] = nx.DiGraph()
    known = {module(path): path for path in FILES}
    for name, path in known.items():
        graph.add_edges_from((name, found) for found in imported(path, known))
    graph.remove_node("graphcount")  # the public names: lazily, from anywhere
    circles = [sorted(part) for part in nx.strongly_connected_components(graph) if len(part) > 1]
    assert circles == []


def imported(path: Path, known: Collection[str]) -> set[str]:
    """Files of the package that a file imports: of `from a.b import c`, a.b.c where it is one."""
    found = set(written(path))
    for node in statements(path):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif node.module:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found.add(whole if whole in known else node.module)
    return found.intersection(known)


def module(path: Path) -> str:
    """Dotted name of a file."""
    name = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    return name.removesuffix(".__init__")


def test_heavy_packages_have_owners() -> None:
    found: dict[str, set[str]] = {package: set() for package in OWNERS}
    for path in FILES:
        for name in imports(path):
            found.get(name.partition(".")[0], set()).add(room(path))
    assert found == OWNERS


def loaded(code: str) -> set[str]:
    """Top-level modules that are loaded after running some code in a fresh interpreter."""
    program = f"{code}\nimport sys\nprint(*sorted({{m.split('.')[0] for m in sys.modules}}))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=PACKAGE.parent,
    )
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_import_nothing_heavy(option: str) -> None:
    modules = loaded(f"from graphcount.cli.main import main\nmain([{option!r}])")
    assert not modules & {"onnx", "networkx", "numpy", "rich", "onnxruntime"}
    assert "click" in modules


def test_importing_the_package_imports_nothing_heavy() -> None:
    modules = loaded("import graphcount")
    assert not modules & {"onnx", "networkx", "numpy", "rich", "click", "onnxruntime"}


def test_counting_needs_no_heavy_package() -> None:
    modules = loaded("import graphcount\ngraphcount.count('fixtures/cnn.onnx')")
    assert not modules & {"onnx", "networkx", "numpy", "rich", "click", "onnxruntime"}


def test_a_configuration_alone_needs_the_library_that_reads_it(tmp_path: Path) -> None:
    run = f"import os, graphcount.cli.main as m\nos.chdir({str(tmp_path)!r})\n"
    run += f"m.main(['count', {str(PACKAGE.parent / ONE)!r}, '--format', 'csv'])"
    assert "msgspec" not in loaded(run)
    (tmp_path / "graphcount.toml").write_text("dims = { batch = 1 }\n")
    modules = loaded(run)
    assert "msgspec" in modules
    assert not modules & {"onnx", "networkx", "numpy", "rich"}


def test_the_table_is_the_only_format_that_needs_rich() -> None:
    run = "from graphcount.cli.main import main\nmain(['fixtures/cnn.onnx', '--format', 'csv'])"
    assert "rich" not in loaded(run)


ONE = "fixtures/conv2d_1_3_2x2.onnx"

MOST_FILES = 97
"""Files of ours that a count of one node may load. A third of its time is spent on them."""


def test_a_count_of_one_node_loads_few_files(tmp_path: Path) -> None:
    values = [helper.make_tensor_value_info(name, 1, [2, 2]) for name in ("x", "y")]
    node = helper.make_node("MatMul", ["x", "x"], ["y"])
    path = str(tmp_path / "one.onnx")
    onnx.save(helper.make_model(helper.make_graph([node], "one", values[:1], values[1:])), path)
    code = f"from graphcount.cli.main import main\nmain([{path!r}])\nimport sys"
    show = "print(*[m for m in sys.modules if m.partition('.')[0] == 'graphcount'])"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{show}"],
        capture_output=True,
        text=True,
        check=True,
        cwd=PACKAGE.parent,
    )
    names = done.stdout.splitlines()[-1].split()
    assert "graphcount.formats.table" in names
    assert len(names) <= MOST_FILES, f"{len(names)}: {' '.join(sorted(names))}"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (f"import graphcount\ngraphcount.count({ONE!r})", "arguments model"),
        (
            f"from graphcount.cli.main import main\nmain([{ONE!r}, '--format', 'json'])",
            "arguments model outcomes",
        ),
        (
            f"import graphcount\ngraphcount.check({ONE!r}, max={{'nodes': 1}})",
            "arguments checking model outcomes sizes",
        ),
    ],
    ids=["count", "command", "check"],
)
def test_a_verb_loads_no_other(code: str, expected: str) -> None:
    show = "print(*[m for m in sys.modules if m.startswith('graphcount.api.')])"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\n{show}"],
        capture_output=True,
        text=True,
        check=True,
        cwd=PACKAGE.parent,
    )
    names = {name.removeprefix("graphcount.api.") for name in done.stdout.splitlines()[-1].split()}
    assert names == set(expected.split())


def test_no_room_has_the_name_of_a_verb() -> None:
    """Importing a package `graphcount.audit` would take the place of the function."""
    import graphcount

    assert not {room(path) for path in FILES} & {
        name for name in graphcount.__all__ if name.islower()
    }


def test_every_public_name_can_be_imported() -> None:
    import graphcount

    for name in graphcount.__all__:
        assert getattr(graphcount, name) is not None
    with pytest.raises(AttributeError):
        _ = graphcount.no_such_name
