"""Small valid models that between them use every message of onnx.proto."""

from __future__ import annotations

from typing import Any

import onnx
from onnx import AttributeProto, TensorProto, helper

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


def _info(name: str, shape: Any, kind: int = FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def _model(graph: onnx.GraphProto, **fields: object) -> onnx.ModelProto:
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("local", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10, **fields)
    model.producer_name, model.producer_version, model.domain = "maker", "1", "org"
    model.model_version = 3
    return model


def convolution() -> onnx.ModelProto:
    """A convolution with lists, a number and a string as attributes; typed and raw data."""
    node = helper.make_node(
        "Conv",
        ["x", "w", "b"],
        ["h"],
        "conv",
        strides=[2, 2],
        pads=[1, 1, 1, 1],
        group=1,
        auto_pad="NOTSET",
    )
    leaky = helper.make_node("LeakyRelu", ["h"], ["y"], "leaky", alpha=0.25)
    weight = helper.make_tensor("w", FLOAT, [4, 2, 3, 3], [i / 9 for i in range(72)])
    bias = helper.make_tensor("b", FLOAT, [4], bytes(16), raw=True)
    graph = helper.make_graph(
        *([node, leaky], "main", [_info("x", [1, 2, 8, "w"])], [_info("y", ["n", 4, 4, "v"])]),
        initializer=[weight, bias],
        value_info=[_info("h", [1, 4, 4, None])],
    )
    graph.metadata_props.add(key="a", value="b")
    model = _model(graph)
    model.metadata_props.add(key="author", value="someone")
    return model


def attributes() -> onnx.ModelProto:
    """A node of a custom domain with an attribute of each type."""
    tensor = helper.make_tensor("t", INT64, [3], [1, -2, 300])
    graph = helper.make_graph([helper.make_node("Relu", ["a"], ["b"])], "body", [], [])
    values = helper.make_tensor("s", FLOAT, [2], [1.0, 2.0])
    sparse = helper.make_sparse_tensor(values, helper.make_tensor("i", INT64, [2], [0, 3]), [8])
    kind = helper.make_tensor_type_proto(FLOAT, [2, "k"])
    every: dict[str, Any] = {
        "f": 0.5,
        "i": -7,
        "s": "text",
        "t": tensor,
        "g": graph,
        "floats": [1.0, 2.5],
        "ints": [1, 2, -3],
        "strings": ["a", "b"],
        "tensors": [tensor, values],
        "graphs": [graph, graph],
        "sparse_tensor": sparse,
        "tp": helper.make_sequence_type_proto(kind),
    }
    node = helper.make_node("Every", ["x"], ["y"], "every", domain="local", **every)
    empty = node.attribute.add(name="none", type=AttributeProto.INTS)
    empty.doc_string = "no value"
    several = node.attribute.add(name="sparse_tensors", type=AttributeProto.SPARSE_TENSORS)
    several.sparse_tensors.append(sparse)
    types = node.attribute.add(name="types", type=AttributeProto.TYPE_PROTOS)
    types.type_protos.append(kind)
    graph = helper.make_graph([node], "main", [_info("x", [1])], [_info("y", None)])
    return _model(graph)


def tensors() -> onnx.ModelProto:
    """Tensors of several types, stored in every field, one outside, a sparse one."""
    outside = TensorProto(name="outside", data_type=FLOAT, dims=[4])
    outside.data_location = TensorProto.EXTERNAL
    for key, value in (("location", "side.bin"), ("offset", "0"), ("length", "16")):
        outside.external_data.add(key=key, value=value)
    stored = [
        helper.make_tensor("i32", TensorProto.INT32, [4], [1, -1, 1 << 30, -(1 << 31)]),
        helper.make_tensor("i8", TensorProto.INT8, [3], [1, -1, 127]),
        helper.make_tensor("f16", TensorProto.FLOAT16, [2], [1.0, 2.0]),
        helper.make_tensor("bool", TensorProto.BOOL, [2], [True, False]),
        helper.make_tensor("i64", INT64, [3], [1, -1, 1 << 40]),
        helper.make_tensor("u64", TensorProto.UINT64, [2], [1, (1 << 64) - 1]),
        helper.make_tensor("f64", TensorProto.DOUBLE, [2], [0.5, -0.5]),
        TensorProto(
            name="strings", data_type=TensorProto.STRING, dims=[3], string_data=[b"a", b"", b"bc"]
        ),
        helper.make_tensor("large", FLOAT, [300], [float(i) for i in range(300)]),
        helper.make_tensor("raw", FLOAT, [300], bytes(range(240)) * 5, raw=True),
        helper.make_tensor("many", INT64, [700], [i % 200 for i in range(700)]),
        helper.make_tensor("scalar", FLOAT, [], [1.0]),
        outside,
    ]
    stored[0].doc_string = "integers"
    stored[1].metadata_props.add(key="k", value="v")
    stored[2].segment.begin, stored[2].segment.end = 0, 2
    values = helper.make_tensor("sparse", FLOAT, [2], [1.0, 2.0])
    indices = helper.make_tensor("", INT64, [2], [0, 5])
    node = helper.make_node("Add", ["x", "scalar"], ["y"])
    graph = helper.make_graph(
        *([node], "main", [_info("x", [1])], [_info("y", [1])], stored),
        sparse_initializer=[helper.make_sparse_tensor(values, indices, [2, 3])],
    )
    annotation = graph.quantization_annotation.add(tensor_name="x")
    annotation.quant_parameter_tensor_names.add(key="SCALE_TENSOR", value="scalar")
    return _model(graph)


def values() -> onnx.ModelProto:
    """Inputs of every type of value."""
    tensor = helper.make_tensor_type_proto(FLOAT, ["n", 3])
    kinds = [
        helper.make_sequence_type_proto(tensor),
        helper.make_optional_type_proto(helper.make_sequence_type_proto(tensor)),
        helper.make_map_type_proto(INT64, tensor),
        helper.make_sparse_tensor_type_proto(FLOAT, [4, "m"]),
        onnx.TypeProto(opaque_type=onnx.TypeProto.Opaque(domain="d", name="o")),
    ]
    infos = [helper.make_value_info(f"v{at}", kind) for at, kind in enumerate(kinds)]
    infos.append(onnx.ValueInfoProto(name="untyped", doc_string="none"))
    infos[0].metadata_props.add(key="k", value="v")
    infos[3].type.denotation = "TENSOR"
    image = _info("image", [1, 3, "h", "w"])
    image.type.tensor_type.shape.dim[1].denotation = "DATA_CHANNEL"
    scalar = _info("scalar", [])
    node = helper.make_node("SequenceAt", ["v0", "scalar"], ["y"])
    graph = helper.make_graph([node], "main", [*infos, image, scalar], [_info("y", ["n", 3])])
    return _model(graph, doc_string="values")


def control() -> onnx.ModelProto:
    """Branches with names of the graph around them, and a loop with a state."""
    one = helper.make_tensor("one", FLOAT, [1], [1.0])
    constant = helper.make_node("Constant", [], ["k"], value=one)
    then = helper.make_graph(
        [constant, helper.make_node("Add", ["x", "k"], ["a"])], "then", [], [_info("a", [1])]
    )
    other = helper.make_graph(
        [helper.make_node("Mul", ["x", "c"], ["b"])], "else", [], [_info("b", [1])], [one]
    )
    other.initializer[0].name = "c"
    step = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["on"]),
            helper.make_node("Add", ["state", "state"], ["next"]),
        ],
        "step",
        [_info("i", [], INT64), _info("go", [], TensorProto.BOOL), _info("state", [1])],
        [_info("on", [], TensorProto.BOOL), _info("next", [1])],
    )
    trips = helper.make_tensor("trips", INT64, [], [5])
    graph = helper.make_graph(
        [
            helper.make_node("If", ["cond"], ["h"], "if", then_branch=then, else_branch=other),
            helper.make_node("Loop", ["trips", "", "h"], ["y"], "loop", body=step),
        ],
        *("main", [_info("cond", [], TensorProto.BOOL), _info("x", [1])], [_info("y", [1])]),
        initializer=[trips],
    )
    return _model(graph)


def functions() -> onnx.ModelProto:
    """Two functions that share a name, attributes with defaults, training, devices."""
    opsets = [helper.make_opsetid("", 20)]
    bound = helper.make_node("LeakyRelu", ["a"], ["b"], "inner")
    bound.attribute.add(name="alpha", ref_attr_name="slope", type=AttributeProto.FLOAT)
    plain = helper.make_function("local", "act", ["a"], ["b"], [bound], opsets, ["slope"])
    relu = helper.make_node("Relu", ["a"], ["b"])
    default = helper.make_attribute("size", [1, 2])
    other = helper.make_function(
        *("local", "act", ["a"], ["b"], [relu], opsets), attribute_protos=[default]
    )
    other.overload = "two"
    other.value_info.append(_info("b", ["n"]))
    other.metadata_props.add(key="k", value="v")
    first = helper.make_node("act", ["x"], ["h"], "call", domain="local", slope=0.5)
    second = helper.make_node("act", ["h"], ["y"], "again", domain="local")
    second.overload = "two"
    second.metadata_props.add(key="k", value="v")
    device = second.device_configurations.add(configuration_id="two", pipeline_stage=1)
    spec = device.sharding_spec.add(tensor_name="h", device=[0, 1])
    spec.index_to_device_group_map.add(key=0, value=[0, 1])
    spec.sharded_dim.add(axis=0).simple_sharding.add(num_shards=2, dim_value=4)
    graph = helper.make_graph([first, second], "main", [_info("x", [4])], [_info("y", [4])])
    model = _model(graph, functions=[plain, other])
    model.configuration.add(name="two", num_devices=2, device=["a", "b"])
    training = model.training_info.add()
    training.algorithm.CopyFrom(
        helper.make_graph([helper.make_node("Neg", ["x"], ["g"])], "step", [], [_info("g", [4])])
    )
    training.initialization.CopyFrom(helper.make_graph([], "start", [], []))
    training.update_binding.add(key="w", value="g")
    return model


MODELS = (convolution, attributes, tensors, values, control, functions)
