"""Write `graphcount/ops/schemas.txt` from the definitions in onnx and (with it) onnxruntime.

python tests/ops/make_schemas.py            # ai.onnx*; keeps the lines of com.microsoft
python tests/ops/make_schemas.py --contrib  # both, in an environment that has onnxruntime
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

TABLE = Path(__file__).parents[2] / "graphcount" / "ops" / "schemas.txt"

LETTERS = {
    "FLOAT": "f",
    "INT": "i",
    "STRING": "s",
    "TENSOR": "t",
    "GRAPH": "g",
    "FLOATS": "F",
    "INTS": "I",
    "STRINGS": "S",
    "TENSORS": "T",
    "GRAPHS": "G",
    "SPARSE_TENSOR": "p",
    "SPARSE_TENSORS": "P",
    "TYPE_PROTO": "y",
    "TYPE_PROTOS": "Y",
}


def last(value: Any) -> str:
    """Name of a member of an enumeration, whoever bound it to Python."""
    return str(value).rpartition(".")[2].split(":")[0].strip("<> ")


def lines(schemas: Iterable[Any], domains: tuple[str, ...]) -> Iterator[str]:
    """One line a schema, in the order of domain, name and version."""
    rows = [schema for schema in schemas if schema.domain in domains]
    for schema in sorted(rows, key=lambda row: (row.domain, row.name, row.since_version)):
        columns = [schema.domain or "ai.onnx", schema.name]
        columns.append(f"{schema.since_version}{'!' if schema.deprecated else ''}")
        for fewest, places in (
            (schema.min_input, schema.inputs),
            (schema.min_output, schema.outputs),
        ):
            kinds = {"Single": "r", "Optional": "o", "Variadic": "v"}
            columns.append(f"{fewest}:{''.join(kinds[last(place.option)] for place in places)}")
        columns += [
            f"{name}:{LETTERS[last(attribute.type)]}{'*' if attribute.required else ''}"
            for name, attribute in sorted(schema.attributes.items())
        ] or ["-"]
        yield " ".join(columns)


def onnx_lines() -> list[str]:
    """Lines of the domains that onnx defines."""
    from onnx import defs

    domains = ("", "ai.onnx.ml", "ai.onnx.preview", "ai.onnx.preview.training")
    return list(lines(defs.get_all_schemas_with_history(), domains))


def contrib_lines() -> list[str]:
    """Lines of onnxruntime's own domains."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    return list(lines(state.get_all_operator_schema(), ("com.microsoft", "com.microsoft.nchwc")))


def main() -> None:
    """Write the table."""
    if "--contrib" in sys.argv:
        contrib = contrib_lines()
    else:
        contrib = [line for line in TABLE.read_text().splitlines() if line.startswith("com.")]
    TABLE.write_text("\n".join([*onnx_lines(), *contrib]) + "\n", "ascii")


if __name__ == "__main__":
    main()
