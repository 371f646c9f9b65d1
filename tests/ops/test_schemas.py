"""The table of operators' definitions, against onnx's own."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import onnx
import pytest
from onnx import defs

from graphcount.ops.schemas import ATTRIBUTE_TYPES, DOMAINS, schema, versions

TABLE = Path(__file__).parents[2] / "graphcount" / "ops" / "schemas.txt"


def test_every_definition_is_as_onnx_has_it() -> None:
    if not version("onnx").startswith("1.23"):
        pytest.skip("the table is made from onnx 1.23")
    seen = 0
    for known in defs.get_all_schemas_with_history():
        row = schema(known.domain, known.name, known.since_version)
        assert row is not None, known.name
        seen += 1
        assert (row.since, row.withdrawn) == (known.since_version, known.deprecated)
        assert (row.inputs.fewest, row.outputs.fewest) == (known.min_input, known.min_output)
        for places, most in ((row.inputs, known.max_input), (row.outputs, known.max_output)):
            assert places.most == (None if most == 2**31 - 1 else most)
        assert set(row.attributes) == set(known.attributes)
        for name, attribute in known.attributes.items():
            kind = str(attribute.type).rpartition(".")[2]
            assert row.attributes[name] == onnx.AttributeProto.AttributeType.Value(kind)
            assert (name in row.required) == attribute.required
    default = [line for line in TABLE.read_text().splitlines() if not line.startswith("com.")]
    assert len(default) == seen


def test_letters_are_the_codes_of_onnx_proto() -> None:
    kinds = onnx.AttributeProto
    assert ATTRIBUTE_TYPES["g"] == kinds.GRAPH
    assert ATTRIBUTE_TYPES["I"] == kinds.INTS
    assert ATTRIBUTE_TYPES["p"] == kinds.SPARSE_TENSOR
    assert len(set(ATTRIBUTE_TYPES.values())) == len(ATTRIBUTE_TYPES)


def test_the_version_that_holds_is_the_newest_up_to_the_opset() -> None:
    assert [row.since for row in versions("", "Upsample")] == [1, 7, 9, 10]
    old, withdrawn = schema("", "Upsample", 8), schema("", "Upsample", 20)
    assert old is not None
    assert old.since == 7
    assert withdrawn is not None
    assert withdrawn.withdrawn
    assert schema("", "Gelu", 19) is None
    assert schema("", "NoSuchOperator", 20) is None
    assert versions("com.acme", "Conv") == ()


def test_places_that_may_be_left_out() -> None:
    clip = schema("", "Clip", 13)
    assert clip is not None
    assert [clip.inputs.required(index) for index in range(4)] == [True, False, False, False]
    assert clip.inputs.most == 3


def test_every_line_is_of_a_known_domain() -> None:
    domains = {line.split(" ")[0] for line in TABLE.read_text().splitlines()}
    assert {"" if domain == "ai.onnx" else domain for domain in domains} == DOMAINS
