"""A small builder of ONNX graphs: values are names, constants become initializers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

F32, I64, I32, BOOL, TEXT = 1, 7, 6, 9, 8
OPSETS = {"": 21, "ai.onnx.ml": 3, "planted": 1}

Array = NDArray[Any]


class Net:
    """A graph under construction; the bodies of control flow are nets with its constants.

    Attributes:
        nodes: Nodes so far.
        tensors: Initializers so far.
        functions: Local functions so far.
    """

    def __init__(self, outer: Net | None = None) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.functions: list[onnx.FunctionProto] = [] if outer is None else outer.functions
        self.tensors: list[TensorProto] = [] if outer is None else outer.tensors
        self.made: list[int] = [0] if outer is None else outer.made

    def name(self, stem: str) -> str:
        """Return a new name."""
        self.made[0] += 1
        return f"{stem}{self.made[0]}"

    def const(self, numbers: Any, dtype: Any = np.float32) -> str:
        """Store a tensor and return its name."""
        array = np.asarray(numbers, object if dtype is str else dtype)
        self.tensors.append(numpy_helper.from_array(array, self.name("k")))
        return self.tensors[-1].name

    def ints(self, *numbers: int) -> str:
        """Store a vector of int64."""
        return self.const(numbers, np.int64)

    def many(self, op_type: str, *inputs: str, outputs: int = 2, **attributes: Any) -> list[str]:
        """Add a node and return the names of its results."""
        results = [self.name("v") for _ in range(outputs)]
        domain = attributes.pop("domain", "")
        node = helper.make_node(op_type, inputs, results, domain=domain, **attributes)
        self.nodes.append(node)
        return results

    def __call__(self, op_type: str, *inputs: str, **attributes: Any) -> str:
        """Add a node and return the name of its first result."""
        return self.many(op_type, *inputs, outputs=1, **attributes)[0]

    def cast(self, value: str, to: int) -> str:
        """Convert a value."""
        return self("Cast", value, to=to)

    def flat(self, value: str) -> str:
        """Bring a value to (batch, elements)."""
        return self("Flatten", value, axis=1)

    def scalar(self, value: str) -> str:
        """Return the largest number of a value without dimensions."""
        return self("ReduceMax", value, keepdims=0)

    def body(
        self,
        inputs: Sequence[tuple[str, int, Sequence[Any] | None]],
        make: Callable[[Net], Sequence[tuple[str, int]]],
    ) -> onnx.GraphProto:
        """Return a subgraph: inputs by name, type and shape; `make` returns outputs with types."""
        inner = Net(self)
        results = make(inner)
        return helper.make_graph(
            inner.nodes,
            self.name("body"),
            [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in inputs],
            [helper.make_tensor_value_info(name, kind, None) for name, kind in results],
        )

    def function(self, make: Callable[[Net, Sequence[str]], str], *inputs: str) -> str:
        """Call a local function whose constants are formal inputs."""
        inner = Net()
        inner.made = self.made
        formal = [self.name("f") for _ in inputs]
        result = make(inner, formal)
        for tensor in inner.tensors:
            node = helper.make_node("Constant", [], [tensor.name], value=tensor)
            inner.nodes.insert(0, node)
        name = self.name("Function")
        imports = [helper.make_opsetid("", OPSETS[""])]
        made = helper.make_function("planted", name, formal, [result], inner.nodes, imports)
        self.functions.append(made)
        return self(name, *inputs, domain="planted")

    def model(
        self, inputs: Sequence[onnx.ValueInfoProto], outputs: Sequence[onnx.ValueInfoProto]
    ) -> onnx.ModelProto:
        """Return the model."""
        graph = helper.make_graph(self.nodes, "planted", inputs, outputs, self.tensors)
        opsets = [helper.make_opsetid(domain, version) for domain, version in OPSETS.items()]
        return helper.make_model(
            graph, opset_imports=opsets, ir_version=10, functions=self.functions
        )
