"""Write `graphcount/runtimes/onnxruntime.txt` from wheels of onnxruntime.

    pip install --no-deps --target wheels/1.32.0 onnxruntime==1.32.0      # and so on
    python tests/runtimes/make_tables.py wheels/*

Each folder is asked by a Python of its own: for the kernels of its providers
(`get_all_opkernel_def`), the schemas it knows (`get_all_operator_schema`), and, by sessions of one
node, for the newest IR version and the newest opset of each domain that it takes. What holds for
several releases is one line. `graphcount/runtimes/tables.py` describes the file.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "graphcount" / "runtimes" / "onnxruntime.txt"
OPEN = 2**31 - 1
NEWEST_ASKED = 100
"""A domain that takes this version takes any."""

DOMAINS = ("", "ai.onnx.ml", "ai.onnx.preview", "ai.onnx.preview.training", "com.microsoft")
NOT_IN_FILES = ("com.ms.internal.nhwc",)
"""Domains that the runtime makes for itself."""

Line = tuple[str, ...]


def last(value: Any) -> str:
    """Name of a member of an enumeration."""
    return str(value).rpartition(".")[2].split(":")[0].strip("<> ")


def dump() -> None:
    """Print what the onnxruntime on the path of this Python knows."""
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    onnxruntime.set_default_logger_severity(4)
    schemas = [list(schema_line(row, onnxruntime)) for row in state.get_all_operator_schema()]
    kernels = [
        [row.provider, row.domain, row.op_name, list(row.version_range), row.type_constraints]
        for row in state.get_all_opkernel_def()
    ]
    limits = {"ir": newest(lambda version: probe(onnxruntime, ir=version))}
    for domain in DOMAINS:
        limits[domain or "ai.onnx"] = newest(
            lambda version, name=domain: probe(onnxruntime, domain=name, version=version)
        )
    json.dump([onnxruntime.__version__, schemas, kernels, limits], sys.stdout)


def schema_line(schema: Any, runtime: Any) -> Line:
    """One schema: domain, name, version, inputs, outputs, attributes; types as JSON."""
    from graphcount.ops.schemas import ATTRIBUTE_TYPES

    letters = {code: letter for letter, code in ATTRIBUTE_TYPES.items()}

    def place(formal: Any) -> list[Any]:
        letter = {"Single": "r", "Optional": "o", "Variadic": "v"}[last(formal.option)]
        alike = letter != "v" or formal.isHomogeneous
        return [letter if alike else "h", formal.typeStr, sorted(formal.types)]

    attributes = [
        f"{name}:{letters[int(attribute.type)]}{'*' if attribute.required else ''}"
        for name, attribute in sorted(schema.attributes.items())
    ]
    if takes_any_attribute(schema, runtime):
        attributes.append("*")
    return (
        schema.domain or "ai.onnx",
        schema.name,
        f"{schema.since_version}{'!' if schema.deprecated else ''}",
        json.dumps([schema.min_input, [place(row) for row in schema.inputs]]),
        json.dumps([schema.min_output, [place(row) for row in schema.outputs]]),
        " ".join(attributes),
    )


def takes_any_attribute(schema: Any, runtime: Any) -> bool:
    """Whether the runtime does not mind an attribute that the schema does not have.

    It says so before anything else of a node that has as many inputs and outputs as it must.
    """
    from onnx import TensorProto, helper

    if schema.deprecated or schema.domain in NOT_IN_FILES:
        return False
    inputs = [f"x{number}" for number in range(max(schema.min_input, 1))]
    outputs = [f"y{number}" for number in range(max(schema.min_output, 1))]
    node = helper.make_node(
        schema.name, inputs[: schema.min_input], outputs, domain=schema.domain, not_in_it=1
    )
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in inputs]
    graph = helper.make_graph([node], "probe", value, [helper.make_empty_tensor_value_info("y0")])
    imports = [helper.make_opsetid(schema.domain, schema.since_version)]
    model = helper.make_model(graph, ir_version=4, opset_imports=imports)
    try:
        runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    except Exception as error:
        return "Unrecognized attribute" not in str(error)
    return True


def probe(runtime: Any, ir: int = 4, domain: str = "", version: int = 7) -> bool:
    """Whether a model of one Identity loads with these versions."""
    from onnx import TensorProto, helper

    node = helper.make_node("Identity", ["x"], ["y"])
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy"]
    graph = helper.make_graph([node], "probe", value[:1], value[1:])
    versions = {"": 7, domain: version}
    imports = [helper.make_opsetid(name, number) for name, number in versions.items()]
    model = helper.make_model(graph, ir_version=ir, opset_imports=imports)
    try:
        runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    except Exception:
        return False
    return True


def newest(takes: Any) -> int:
    """The newest version that is taken; `NEWEST_ASKED` for any, 0 for none."""
    if takes(NEWEST_ASKED):
        return NEWEST_ASKED
    return max((version for version in range(1, NEWEST_ASKED) if takes(version)), default=0)


def asked(folder: str) -> Any:
    """What the onnxruntime in a folder answers."""
    path = os.pathsep.join([folder, str(ROOT)])
    command = [sys.executable, __file__, "--dump"]
    env = {**os.environ, "PYTHONPATH": path, "ALLOW_RELEASED_ONNX_OPSET_ONLY": "1"}
    return json.loads(subprocess.run(command, env=env, capture_output=True, check=True).stdout)


class Sets:
    """Sets of types, by number in the order of their first use."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def __call__(self, types: Iterable[str]) -> str:
        text = " ".join(sorted({name.replace(" ", "") for name in types}))
        return str(self.numbers.setdefault(text, len(self.numbers)))


def places(text: str, sets: Sets) -> str:
    """Formal parameters as `2:rT,oT`, after which the sets of their types stand as `T=5`."""
    fewest, formals = json.loads(text)
    rows = [f"{letter}{name.replace(' ', '')}={sets(types)}" for letter, name, types in formals]
    return f"{fewest}:{','.join(rows)}"


def schema_lines(schemas: Iterable[Line], sets: Sets) -> Iterator[str]:
    """Lines `op DOMAIN NAME SINCE INPUTS OUTPUTS ATTRIBUTES`."""
    for domain, name, since, inputs, outputs, attributes in sorted(schemas):
        if domain not in NOT_IN_FILES:
            columns = domain, name, since, places(inputs, sets), places(outputs, sets)
            yield " ".join(["op", *columns, attributes or "-"])


def kernel_lines(kernels: Iterable[Any], sets: Sets) -> Iterator[str]:
    """Lines `kernel PROVIDER DOMAIN NAME FIRST-LAST TYPES`; typed kernels of one range as one."""
    groups: dict[Line, list[dict[str, frozenset[str]]]] = {}
    for provider, domain, name, (first, end), types in kernels:
        short = provider.removesuffix("ExecutionProvider").lower()
        span = f"{first}-{'' if end == OPEN else end}"
        row = {key: frozenset(value) for key, value in types.items()}
        if domain not in NOT_IN_FILES:
            groups.setdefault((short, domain or "ai.onnx", name, span), []).append(row)
    for key, rows in sorted(groups.items()):
        for row in merged(rows):
            pairs = [f"{name}={sets(types)}" for name, types in sorted(row.items())]
            yield " ".join(["kernel", *key, ",".join(pairs) or "-"])


def merged(rows: list[dict[str, frozenset[str]]]) -> list[dict[str, frozenset[str]]]:
    """Join rows that differ in the types of one parameter only."""
    done: list[dict[str, frozenset[str]]] = []
    for row in rows:
        for index, other in enumerate(done):
            differ = [name for name in row if row[name] != other.get(name)]
            if row.keys() == other.keys() and len(differ) <= 1:
                joined = {name: row[name] | other[name] for name in row}
                return merged([*done[:index], *done[index + 1 :], joined, *rows[len(done) + 1 :]])
        done.append(row)
    return done


def spans(holds: list[bool], releases: list[str]) -> str:
    """Releases in which a line holds: `1.19-1.24,1.30-`; `-` for all."""
    parts, start = [], None
    for index, held in enumerate([*holds, False]):
        if held and start is None:
            start = index
        if not held and start is not None:
            end = "" if index == len(holds) else releases[index - 1]
            parts.append(f"{releases[start] if start else ''}-{end}")
            start = None
    return ",".join(parts)


def main(folders: list[str]) -> None:
    """Write the table."""
    answers = [asked(folder) for folder in folders]
    answers.sort(key=lambda answer: [int(part) for part in answer[0].split(".")])
    releases = [answer[0].rpartition(".")[0] for answer in answers]
    sets = Sets()
    lines = [
        {*schema_lines(schemas, sets), *kernel_lines(kernels, sets)}
        for _, schemas, kernels, _ in answers
    ]
    text = [f"release {answer[0]} " + json.dumps(answer[3]) for answer in answers]
    text += [f"types {number} {types}" for types, number in sets.numbers.items()]
    for line in sorted(set().union(*lines), key=lambda line: (line.split(" ", 1)[0] != "op", line)):
        kind, rest = line.split(" ", 1)
        text.append(f"{kind} {spans([line in known for known in lines], releases)} {rest}")
    TABLE.write_text("\n".join(text) + "\n", "ascii")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    dump() if sys.argv[1:] == ["--dump"] else main(sys.argv[1:])
