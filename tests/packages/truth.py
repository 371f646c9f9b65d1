"""What onnxruntime shows of a model when it runs: the shape of every value, and MACs made of these.

`run` makes every intermediate value an output, and runs the model on the CPU with all optimizations
off. Bodies run by themselves: of an If the branch that its condition takes, of a Loop and a Scan
each trip, with what they capture. Local functions are inlined first, by onnx.

Not covered: bodies of SequenceMap, values that are sequences or optionals (no shape), ai.onnx.ml.
"""

from __future__ import annotations

import collections
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import onnx
import onnx.inliner
import onnxruntime
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from tests.packages.macs import Counter, Seen, Shape

Array = NDArray[Any]
Feeds = Mapping[str, Array]

INTEGERS_BELOW = 2
"""Fed integers are 0 or 1: ids that every embedding has, masks."""

MAX_TRIPS = 64
"""Of a Loop or Scan; more are not run."""


class Run(NamedTuple):
    """What a run showed.

    Attributes:
        shapes: Of each value, by name; in bodies of those that every trip has in one size.
        counter: MACs by operator, bodies included.
        makers: Operator that makes each value, those inside local functions left out.
    """

    shapes: dict[str, Shape]
    counter: Counter
    makers: dict[str, str]


class NotRun(Exception):
    """onnxruntime cannot run it, or there is nothing to run."""


def run(model: onnx.ModelProto, feeds: Feeds) -> Run:
    """Run a model once.

    Raises:
        NotRun: onnxruntime does not.
    """
    own = [(name, node.op_type) for node in model.graph.node for name in node.output if name]
    if has_functions := bool(model.functions):
        model = onnx.inliner.inline_local_functions(model)
    runner = Runner(model)
    shapes = {name: tuple(array.shape) for name, array in feeds.items()}
    values, _ = runner.graph(model.graph, feeds, {})
    shapes |= {name: array.shape for name, array in values.items() if hasattr(array, "shape")}
    makers = dict(own)
    for (name, op_type), sizes in runner.inside.items():
        if len(sizes) == 1 and name not in shapes and not has_functions:
            shapes[name], makers[name] = sizes.pop(), op_type
    return Run(shapes, runner.counter, makers)


class Runner:
    """Runs graphs of one model."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = model
        self.counter = Counter()
        self.inside: dict[tuple[str, str], set[Shape]] = collections.defaultdict(set)

    def graph(
        self, graph: onnx.GraphProto, feeds: Feeds, outer: Mapping[str, Any]
    ) -> tuple[dict[str, Any], list[str]]:
        """Run one graph with everything as an output, then the bodies in it; return all values."""
        made = [name for node in graph.node for name in node.output if name]
        stored = {one.name: one for one in graph.initializer}
        captured = {name: outer[name] for name in free_names(graph) if name in outer}
        values: dict[str, Any] = {**outer, **stored, **feeds}
        if made:
            values |= self._run(graph, made, {**feeds}, captured)
        for node in graph.node:
            self._node(node, values)
        if outer:
            for node in graph.node:
                for name in node.output:
                    shape = _shape(values.get(name))
                    if shape is not None:
                        self.inside[name, node.op_type].add(shape)
        inner = {name: values[name] for name in (*made, *feeds, *stored)}
        return inner, [one.name for one in graph.output]

    def _run(
        self,
        graph: onnx.GraphProto,
        made: Sequence[str],
        feeds: dict[str, Any],
        captured: Mapping[str, Any],
    ) -> dict[str, Any]:
        one = onnx.GraphProto(name="g")
        one.node.extend(graph.node)
        one.initializer.extend(graph.initializer)
        one.sparse_initializer.extend(graph.sparse_initializer)
        known = {info.name: info for info in graph.input}
        for name, value in captured.items():
            if isinstance(value, onnx.TensorProto):
                one.initializer.append(value)
            else:
                feeds[name] = value
        for name, value in feeds.items():
            one.input.append(_input(name, value, known.get(name)))
        one.output.extend(onnx.ValueInfoProto(name=name) for name in made)
        model = onnx.ModelProto(ir_version=self.model.ir_version, graph=one)
        model.opset_import.extend(self.model.opset_import)
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level = 4
        options.intra_op_num_threads = 1
        try:
            session = onnxruntime.InferenceSession(
                model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
            results = session.run(list(made), feeds)
        except Exception as error:
            raise NotRun((str(error).splitlines() or [""])[0][:200]) from None
        return dict(zip(made, results, strict=True))

    def _node(self, node: onnx.NodeProto, values: Mapping[str, Any]) -> None:
        attributes = {one.name: helper.get_attribute_value(one) for one in node.attribute}
        domain = "" if node.domain == "ai.onnx" else node.domain
        seen = Seen(
            node.op_type,
            [_shape(values.get(name)) for name in node.input],
            [_shape(values.get(name)) for name in node.output],
            attributes,
        )
        self.counter.add(domain, seen)
        if domain:
            return
        if node.op_type == "If":
            taken = "then_branch" if bool(_array(values[node.input[0]])) else "else_branch"
            self.graph(attributes[taken], {}, values)
        elif node.op_type == "Loop":
            self._loop(node, attributes["body"], values)
        elif node.op_type == "Scan":
            self._scan(node, attributes, values)

    def _loop(self, node: onnx.NodeProto, body: onnx.GraphProto, values: Mapping[str, Any]) -> None:
        trips = int(_array(values[node.input[0]])) if node.input[0] else MAX_TRIPS
        going = len(node.input) < 2 or not node.input[1] or bool(_array(values[node.input[1]]))
        state = [_fed(values[name]) for name in node.input[2:]]
        names = [one.name for one in body.input]
        number = 0
        while going and number < trips:
            if number >= MAX_TRIPS:
                raise NotRun(f"Loop of more than {MAX_TRIPS} trips")
            first = [np.array(number, np.int64), np.array(going)]
            made, results = self.graph(
                body, dict(zip(names, [*first, *state], strict=True)), values
            )
            after = [_fed(made[name] if name in made else values[name]) for name in results]
            going, state = bool(_array(after[0])), after[1 : 1 + len(state)]
            number += 1

    def _scan(
        self, node: onnx.NodeProto, attributes: Mapping[str, Any], values: Mapping[str, Any]
    ) -> None:
        body, count = attributes["body"], int(attributes["num_scan_inputs"])
        given = [_fed(values[name]) for name in node.input]
        state, scanned = given[: len(given) - count], given[len(given) - count :]
        axes = list(attributes.get("scan_input_axes", [0] * count))
        names = [one.name for one in body.input]
        length = scanned[0].shape[axes[0]]
        if length > MAX_TRIPS:
            raise NotRun(f"Scan of more than {MAX_TRIPS} trips")
        for number in range(length):
            slices = [np.take(one, number, axis) for one, axis in zip(scanned, axes, strict=True)]
            made, results = self.graph(
                body, dict(zip(names, [*state, *slices], strict=True)), values
            )
            state = [_fed(made[name]) for name in results[: len(state)]]


def free_names(graph: onnx.GraphProto) -> set[str]:
    """Return names that a graph, or a body in it, takes from around it."""
    own = {one.name for one in (*graph.input, *graph.initializer)}
    own |= {one.values.name for one in graph.sparse_initializer}
    wanted: set[str] = {one.name for one in graph.output}
    for node in graph.node:
        wanted |= set(node.input)
        for body in bodies(node):
            wanted |= free_names(body)
        own |= set(node.output)
    return wanted - own - {""}


def _input(name: str, value: Any, info: onnx.ValueInfoProto | None) -> onnx.ValueInfoProto:
    """Return the declaration of an input with the shape that is fed."""
    if isinstance(value, np.ndarray):
        dtype = (
            info.type.tensor_type.elem_type
            if info is not None and info.type.tensor_type.elem_type
            else helper.np_dtype_to_tensor_dtype(value.dtype)
        )
        return helper.make_tensor_value_info(name, dtype, value.shape)
    if info is None:
        raise NotRun("a body takes a sequence from around it")
    return info


def _fed(value: Any) -> Any:
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value


def _array(value: Any) -> Any:
    return np.asarray(_fed(value)).reshape(-1)[0]


def _shape(value: Any) -> Shape | None:
    if isinstance(value, onnx.TensorProto):
        return tuple(value.dims)
    return tuple(value.shape) if isinstance(value, np.ndarray) else None


# ---------------------------------------------------------------------------------------- feeds


def fed(model: onnx.ModelProto, wanted: Iterable[str] = (), default: int = 2) -> dict[str, Array]:
    """Return an array for each input: as wanted (`x=1x3`, `x:=5`), else as declared.

    Raises:
        NotRun: An input is no tensor, or has no rank.
    """
    asked = {}
    for text in wanted:
        name, _, what = text.partition("=")
        asked[name.removesuffix(":")] = (name.endswith(":"), what)
    stored = {one.name for one in model.graph.initializer}
    random = np.random.default_rng(0)
    feeds = {}
    for info in model.graph.input:
        if info.name in stored:
            continue
        tensor = info.type.tensor_type
        if not info.type.HasField("tensor_type") or not tensor.elem_type:
            raise NotRun(f"input {info.name} is no tensor")
        dtype = helper.tensor_dtype_to_np_dtype(tensor.elem_type)
        is_value, text = asked.get(info.name, (False, ""))
        if is_value:
            feeds[info.name] = np.array([float(one) for one in text.split(",")]).astype(dtype)
            shape: Sequence[int] = [len(text.split(","))] if tensor.shape.dim else []
            feeds[info.name] = feeds[info.name].reshape(shape)
            continue
        if info.name not in asked and not tensor.HasField("shape"):
            raise NotRun(f"input {info.name} has no declared rank")
        shape = [dim.dim_value or default for dim in tensor.shape.dim]
        if info.name in asked:
            shape = [int(size) for size in text.split("x") if size]
        feeds[info.name] = drawn(random, dtype, shape)
    return feeds


def drawn(random: np.random.Generator, dtype: Any, shape: Sequence[int]) -> Array:
    """Return random elements of a type."""
    dtype = np.dtype(dtype)
    if dtype == np.dtype(object) or dtype.kind in "US":
        return np.full(shape, "a", object)
    if dtype.kind in "iub":
        return random.integers(0, INTEGERS_BELOW, shape).astype(dtype)
    return random.random(shape).astype(dtype)


def fixed(
    model: onnx.ModelProto, feeds: Feeds, *, values: Iterable[str] = (), strip: bool = True
) -> onnx.ModelProto:
    """Return a copy whose inputs have the sizes that are fed.

    Args:
        model: A model.
        feeds: What is fed.
        values: Inputs that become initializers with the elements that are fed.
        strip: Leave out what the file declares of other values, so that all has to be derived.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    stored = set(values)
    kept = [info for info in copy.graph.input if info.name not in stored]
    del copy.graph.input[:]
    copy.graph.input.extend(kept)
    for name in sorted(stored):
        copy.graph.initializer.append(numpy_helper.from_array(feeds[name], name))
    for info in copy.graph.input:
        if info.name in feeds:
            info.CopyFrom(_input(info.name, feeds[info.name], info))
    if strip:
        stripped(copy.graph)
    return copy


def stripped(graph: onnx.GraphProto) -> None:
    """Remove what a graph and the bodies in it declare of values that operators make."""
    del graph.value_info[:]
    for info in graph.output:
        if info.type.HasField("tensor_type"):
            info.type.tensor_type.ClearField("shape")
    for node in graph.node:
        for body in bodies(node):
            stripped(body)


def bodies(node: onnx.NodeProto) -> list[onnx.GraphProto]:
    """Return the graphs in the attributes of a node."""
    single = [one.g for one in node.attribute if one.type == onnx.AttributeProto.GRAPH]
    return [*single, *(body for one in node.attribute for body in one.graphs)]
