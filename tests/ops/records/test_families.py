"""Families against the folders in which onnx and onnxruntime define their operators, and rows."""

from __future__ import annotations

from importlib.metadata import version

import pytest

from graphcount.ops import operators
from tests.ops.records.definitions import definitions, newest

FOLDERS = {
    "math": "elementwise linear einsum norm softmax reduction reshaping making indexing",
    "logical": "elementwise",
    "nn": "conv pool norm attention elementwise reshaping text",
    "tensor": "reshaping movement indexing image elementwise making",
    "reduction": "reduction",
    "generator": "making",
    "controlflow": "control",
    "sequence": "sequence",
    "optional": "sequence",
    "text": "text",
    "rnn": "recurrent",
    "image": "image",
    "object_detection": "image pool",
    "quantization": "quant",
    "traditionalml": "ml",
    "preview": "attention",
    "bert_defs.cc": "attention conv norm elementwise linear embedding experts other",
    "contrib_defs.cc": "linear conv pool elementwise recurrent experts embedding image making quant"
    " attention other",
    "diffusion_defs.cc": "norm elementwise",
    "quantization_defs.cc": "quant linear elementwise attention norm recurrent",
    "nhwc_schema_defs.cc": "conv pool quant",
    "nchwc_schema_defs.cc": "conv pool image reshaping",
}
"""Folder of onnx/defs, or file of onnxruntime/core/graph/contrib_ops, and families of ours."""

UNDEFINED = {
    **dict.fromkeys(["Scale", "ScaledTanh", "ParametricSoftplus"], "elementwise"),
    "ImageScaler": "image",
    "NhwcInstanceNorm": "norm",
    **dict.fromkeys(["Send", "Recv", "Wait", "Expand"], "other"),
}
"""Operators that no package defines any more, or not for the CPU."""


def test_a_family_is_of_the_folder_where_its_owner_defines_it() -> None:
    defined, wrong = newest(), []
    for key, row in operators().items():
        if key in defined:
            folder = defined[key].folder
            families = FOLDERS[folder.partition("/")[0]].split()
        else:
            families = [UNDEFINED[key[1]]]
        if row.family not in families:
            wrong.append((key, row.family, families))
    assert not wrong


@pytest.mark.skipif(
    tuple(map(int, version("onnxruntime").split(".")[:2])) > (1, 32),
    reason="the installed onnxruntime is newer than the tables",
)
def test_every_operator_that_is_defined_is_known() -> None:
    defined = [one.key for one in definitions() if not one.domain.endswith("preview.training")]
    assert not set(defined) - operators().keys()


def test_operators_that_no_package_defines_are_known() -> None:
    names = [name for domain, name in operators() if (domain, name) not in newest()]
    assert sorted(names) == sorted(UNDEFINED)
