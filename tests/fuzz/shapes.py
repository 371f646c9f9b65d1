"""Files that are worst by the shape of what is in them, not by one field that is repeated."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count

from graphcount.loading.wire import encode_varint, fields
from tests.fuzz.floods import Flood, field

Dims = Sequence["int | str"]

# ------------------------------------------------------------------------------------- messages


def node(
    op_type: str,
    inputs: Iterable[str],
    outputs: Iterable[str],
    *attributes: bytes,
    name: str = "",
    domain: str = "",
    metadata: bytes = b"",
) -> bytes:
    """Write a node as a field of its graph."""
    content = b"".join(field("NodeProto", "input", text.encode()) for text in inputs)
    content += b"".join(field("NodeProto", "output", text.encode()) for text in outputs)
    content += field("NodeProto", "op_type", op_type.encode())
    content += field("NodeProto", "name", name.encode()) if name else b""
    content += field("NodeProto", "domain", domain.encode()) if domain else b""
    content += b"".join(field("NodeProto", "attribute", each) for each in attributes)
    return field("GraphProto", "node", content + metadata)


def attribute(name: str, value: int | bytes | Sequence[int], member: str = "i") -> bytes:
    """Write an attribute: an integer, or integers, or the content of another member."""
    kinds = {"i": 2, "s": 3, "t": 4, "g": 5, "ints": 7, "strings": 8}
    if isinstance(value, int | bytes):
        content = field("AttributeProto", member, value)
    else:
        member = "ints"
        content = b"".join(field("AttributeProto", "ints", number) for number in value)
    kind = field("AttributeProto", "type", kinds[member])
    return field("AttributeProto", "name", name.encode()) + content + kind


def value(name: str, dims: Dims, kind: int = 1) -> bytes:
    """Write the content of a ValueInfoProto."""
    shape = b""
    for dim in dims:
        one = (
            field("TensorShapeProto.Dimension", "dim_value", dim)
            if isinstance(dim, int)
            else field("TensorShapeProto.Dimension", "dim_param", dim.encode())
        )
        shape += field("TensorShapeProto", "dim", one)
    tensor = field("TypeProto.Tensor", "elem_type", kind) + field(
        "TypeProto.Tensor", "shape", shape
    )
    typed = field("ValueInfoProto", "type", field("TypeProto", "tensor_type", tensor))
    return field("ValueInfoProto", "name", name.encode()) + typed


def tensor(name: str, numbers: Sequence[int], dims: Sequence[int] | None = None) -> bytes:
    """Write the content of a TensorProto of int64."""
    content = b"".join(field("TensorProto", "dims", dim) for dim in dims or [len(numbers)])
    raw = struct.pack(f"<{len(numbers)}q", *numbers)
    content += field("TensorProto", "data_type", 7) + field("TensorProto", "name", name.encode())
    return content + field("TensorProto", "raw_data", raw)


def floats(name: str, dims: Sequence[int], raw: bytes = b"") -> bytes:
    """Write the content of a TensorProto of float32."""
    content = b"".join(field("TensorProto", "dims", dim) for dim in dims)
    content += field("TensorProto", "data_type", 1) + field("TensorProto", "name", name.encode())
    return content + field("TensorProto", "raw_data", raw)


def graph(
    nodes: bytes,
    inputs: Iterable[bytes] = (),
    outputs: Iterable[bytes] = (),
    initializers: Iterable[bytes] = (),
) -> bytes:
    """Write the content of a GraphProto."""
    content = nodes + field("GraphProto", "name", b"g")
    content += b"".join(field("GraphProto", "initializer", each) for each in initializers)
    content += b"".join(field("GraphProto", "input", each) for each in inputs)
    return content + b"".join(field("GraphProto", "output", each) for each in outputs)


def model(main: bytes, *functions: bytes, tail: bytes = b"") -> bytes:
    """Write a model."""
    head = field("ModelProto", "ir_version", 10) + field("ModelProto", "graph", main)
    for domain in (b"", b"l", b"ai.onnx.ml"):
        version = {b"": 21, b"l": 1}.get(domain, 4)
        opset = field("OperatorSetIdProto", "domain", domain)
        opset += field("OperatorSetIdProto", "version", version)
        head += field("ModelProto", "opset_import", opset)
    return head + b"".join(field("ModelProto", "functions", each) for each in functions) + tail


def function(name: str, inputs: Iterable[str], outputs: Iterable[str], nodes: bytes) -> bytes:
    """Write the content of a FunctionProto; `nodes` are fields of a graph."""
    content = field("FunctionProto", "name", name.encode())
    content += field("FunctionProto", "domain", b"l")
    for text in inputs:
        content += field("FunctionProto", "input", text.encode())
    for text in outputs:
        content += field("FunctionProto", "output", text.encode())
    for domain in (b"", b"l"):
        opset = field("OperatorSetIdProto", "domain", domain)
        opset += field("OperatorSetIdProto", "version", 1 if domain else 21)
        content += field("FunctionProto", "opset_import", opset)
    number, own = field("GraphProto", "node", b"")[0], field("FunctionProto", "node", b"")[0]
    at = 0
    out = bytearray()
    for tag_, a, b in fields(nodes, 0, len(nodes)):
        assert tag_ == number
        out += bytes([own]) + encode_varint(b - a) + nodes[a:b]
        at = b
    assert at == len(nodes)
    return content + bytes(out)


X, Y = value("x", [1, 8]), value("y", [1, 8])
SCALAR, FLAG = value("i", [], 7), value("c", [], 9)


def until(nbytes: int, parts: Callable[[int], bytes]) -> tuple[bytes, int]:
    """Join `parts(0)`, `parts(1)`, ... up to a size; return them and how many there are."""
    joined: list[bytes] = []
    size = 0
    for at in count():
        part = parts(at)
        size += len(part)
        if size > nbytes and at:
            return b"".join(joined), at
        joined.append(part)
    raise AssertionError


# ---------------------------------------------------------------------------- shapes of a graph


def chain(nbytes: int, op_type: str = "Relu", name: str = "") -> bytes:
    def one(at: int) -> bytes:
        return node(op_type, [f"{at:x}"], [f"{at + 1:x}"], name=name and name.format(at))

    nodes, many = until(nbytes, one)
    return model(graph(nodes, [value("0", [1, 8])], [value(f"{many:x}", [1, 8])]))


def fan(nbytes: int) -> bytes:
    """One value that every node reads."""
    nodes, _ = until(nbytes, lambda at: node("Relu", ["x"], [f"{at:x}"]))
    return model(graph(nodes, [X], [value("0", [1, 8])]))


def stars(nbytes: int) -> bytes:
    """Nodes that read a hundred values each."""
    nodes, _ = until(nbytes, lambda at: node("Sum", ["x"] * 100, [f"{at:x}"]))
    return model(graph(nodes, [X], [value("0", [1, 8])]))


def wide(nbytes: int, op_type: str = "Concat", own: bool = False) -> bytes:
    """One node with as many inputs as there is room for."""
    names: list[str] = []
    size = 0
    while size < nbytes:
        names.append(f"{len(names):x}" if own else "x")
        size += 2 + len(names[-1])
    return model(graph(node(op_type, names, ["y"], attribute("axis", 0)), [X], [Y]))


def split(nbytes: int) -> bytes:
    """One node with as many outputs as there is room for."""
    names: list[str] = []
    size = 0
    while size < nbytes:
        names.append(f"{len(names):x}")
        size += 2 + len(names[-1])
    return model(graph(node("Split", ["x"], names, attribute("axis", 0)), [X], [value("0", [1])]))


def grid(nbytes: int) -> bytes:
    """A square of additions, each of the ones above and before it."""
    side = max(2, int((nbytes / 40) ** 0.5))

    def one(at: int) -> bytes:
        row, column = divmod(at, side)
        above = f"{row - 1:x}.{column:x}" if row else "x"
        before = f"{row:x}.{column - 1:x}" if column else "x"
        return node("Add", [above, before], [f"{row:x}.{column:x}"])

    nodes = b"".join(one(at) for at in range(side * side))
    return model(graph(nodes, [X], [value(f"{side - 1:x}.{side - 1:x}", [1, 8])]))


def ladder(nbytes: int, op_type: str = "MatMul") -> bytes:
    """Each node reads the two before it: paths double at every step."""

    def one(at: int) -> bytes:
        return node(op_type, [f"{max(0, at - 1):x}", f"{at:x}"], [f"{at + 1:x}"])

    nodes, many = until(nbytes, one)
    return model(graph(nodes, [value("0", [8, 8])], [value(f"{many:x}", [8, 8])]))


def weighted(nbytes: int) -> bytes:
    """MatMuls with a weight each, whose data are not there."""

    def one(at: int) -> bytes:
        weight = floats(f"w{at:x}", [8, 8])
        return node("MatMul", [f"{at:x}", f"w{at:x}"], [f"{at + 1:x}"]) + field(
            "GraphProto", "initializer", weight
        )

    parts, many = until(nbytes, one)
    return model(graph(parts, [value("0", [1, 8])], [value(f"{many:x}", [1, 8])]))


def convolutions(nbytes: int) -> bytes:
    """Convolutions of dynamic images, with attributes, names, metadata and declared results."""

    def one(at: int) -> bytes:
        weight = floats(f"layer.{at:x}.weight", [8, 8, 3, 3])
        return (
            node(
                "Conv",
                [f"{at:x}", f"layer.{at:x}.weight"],
                [f"{at + 1:x}"],
                attribute("pads", [1, 1, 1, 1]),
                attribute("strides", [1, 1]),
                name=f"/layer.{at:x}/Conv",
            )
            + field("GraphProto", "initializer", weight)
            + field("GraphProto", "value_info", value(f"{at + 1:x}", ["n", 8, "h", "w"]))
        )

    parts, many = until(nbytes, one)
    ends = [value("0", ["n", 8, "h", "w"])], [value(f"{many:x}", ["n", 8, "h", "w"])]
    return model(graph(parts, *ends))


def constants(nbytes: int) -> bytes:
    """Integer constants that are added, so that every value is worked out."""

    def one(at: int) -> bytes:
        held = attribute("value", tensor("", [at]), "t")
        return node("Constant", [], [f"c{at:x}"], held) + node(
            "Add", [f"c{at:x}", f"{at:x}"], [f"{at + 1:x}"]
        )

    nodes, many = until(nbytes, one)
    return model(graph(nodes, [value("0", [1], 7)], [value(f"{many:x}", [1], 7)]))


def folded(nbytes: int, op_type: str = "Mul") -> bytes:
    """Shape arithmetic on constants of thousands of elements."""
    start = tensor("0", [3] * 4096)

    def one(at: int) -> bytes:
        return node(op_type, [f"{at:x}", f"{at:x}"], [f"{at + 1:x}"])

    nodes, many = until(nbytes, one)
    return model(graph(nodes, [X], [value(f"{many:x}", [4096], 7)], [start]))


def doubled(nbytes: int) -> bytes:
    """Concat of a value with itself, again and again: it would have 2^n elements."""

    def one(at: int) -> bytes:
        return node("Concat", [f"{at:x}", f"{at:x}"], [f"{at + 1:x}"], attribute("axis", 0))

    nodes, many = until(nbytes, one)
    return model(graph(nodes, [value("0", ["n"])], [value(f"{many:x}", [1])]))


def flattened(nbytes: int) -> bytes:
    """Products of many dimensions with names: reshaped, joined, multiplied."""

    def one(at: int) -> bytes:
        flat = node("Flatten", [f"i{at % 50}"], [f"f{at:x}"], attribute("axis", at % 9))
        joined = node("Concat", [f"f{at:x}", f"f{at:x}"], [f"{at + 1:x}"], attribute("axis", 0))
        return (
            flat
            + joined
            + node("Gemm", [f"f{at:x}", f"f{at:x}"], [f"g{at:x}"], attribute("transB", 1))
        )

    nodes, many = until(nbytes, one)
    inputs = [value(f"i{at}", [f"d{at}_{axis}" for axis in range(12)]) for at in range(50)]
    return model(graph(nodes, inputs, [value(f"{many:x}", ["z", "z"])]))


def sums(nbytes: int) -> bytes:
    """Lengths that are sums of more and more names, squared."""

    def one(at: int) -> bytes:
        joined = node("Concat", [f"{at:x}", f"i{at % 60}"], [f"{at + 1:x}"], attribute("axis", 0))
        return joined + node("MatMul", [f"{at + 1:x}", f"t{at % 60}"], [f"m{at:x}"])

    nodes, many = until(nbytes, one)
    inputs = [value(f"i{at}", [f"d{at}", 8]) for at in range(60)]
    inputs += [value(f"t{at}", [8, f"e{at}"]) for at in range(60)]
    return model(graph(nodes, [value("0", ["n", 8]), *inputs], [value(f"{many:x}", ["z", 8])]))


def named_dims(nbytes: int, text: Callable[[int], str]) -> bytes:
    """Values whose dimensions have names like expressions."""
    values, _ = until(
        nbytes, lambda at: field("GraphProto", "input", value(f"i{at:x}", [text(at)]))
    )
    return model(graph(node("Relu", ["x"], ["y"]) + values, [X], [Y]))


def one_dim(nbytes: int, text: str) -> bytes:
    """One dimension with a very long name."""
    long = value("i", [(text * (nbytes // len(text)))[:-1]])
    return model(graph(node("Relu", ["i"], ["y"]), [long], [Y]))


def einsum(nbytes: int, equation: str = "ab,", many: int = 1) -> bytes:
    each = nbytes // many
    text = (equation * (each // len(equation))).rstrip(",").encode()
    terms = text.count(b",") + 1
    inputs = ["x"] * min(terms, each // 3)
    nodes = b"".join(
        node(
            "Einsum", inputs, [f"{at}"], attribute("equation", text[: each - 3 * len(inputs)], "s")
        )
        for at in range(many)
    )
    return model(graph(nodes, [X], [value("0", [1, 8])]))


def ranks(nbytes: int) -> bytes:
    """Values of 64 dimensions through operators that look at each."""

    def one(at: int) -> bytes:
        turned = node("Transpose", [f"{at:x}"], [f"{at + 1:x}"])
        return turned + node("Add", [f"{at:x}", f"{at + 1:x}"], [f"a{at:x}"])

    nodes, many = until(nbytes, one)
    start = value("0", [f"d{axis}" for axis in range(64)])
    return model(graph(nodes, [start], [value(f"{many:x}", ["z"])]))


def declared_ranks(nbytes: int) -> bytes:
    """Declared values of 64 dimensions."""

    def one(at: int) -> bytes:
        dims = [f"{at % 7}{axis}" for axis in range(64)]
        return node("Relu", ["x"], [f"{at:x}"]) + field(
            "GraphProto", "value_info", value(f"{at:x}", dims)
        )

    nodes, _ = until(nbytes, one)
    return model(graph(nodes, [X], [value("0", [1])]))


def products(nbytes: int) -> bytes:
    """Tensors of 64 huge dimensions: numbers of more than a thousand digits."""
    big = 2**62 + 1

    def one(at: int) -> bytes:
        return node("MatMul", ["b", "b"], [f"{at:x}"])

    nodes, _ = until(nbytes, one)
    return model(graph(nodes, [value("b", [big] * 64)], [value("0", [big] * 64)]))


def stored_products(nbytes: int) -> bytes:
    """Stored tensors that claim 64 huge dimensions."""
    claims = [2**62 + 1] * 64
    held, _ = until(
        nbytes, lambda at: field("GraphProto", "initializer", floats(f"{at:x}", claims))
    )
    return model(graph(node("Relu", ["x"], ["y"]) + held, [X], [Y]))


# ------------------------------------------------------------------------------- bodies, functions


def loop(body: bytes, name: str = "y", trips: str = "t") -> bytes:
    return node("Loop", [trips, "", "x"], [name], attribute("body", body, "g"))


def digits(nbytes: int) -> bytes:
    """Loops in loops in functions in functions, around a product of 64 huge dimensions."""
    big = 2**62 + 1
    trips = node("Constant", [], ["t"], attribute("value", tensor("", [big], [1]), "t"))

    def nested(core: bytes, depth: int) -> bytes:
        nodes = core
        for _ in range(depth):
            ends = [value("c", [], 9), value("y", [big] * 64)]
            body = graph(
                nodes + node("Identity", ["q"], ["c"]),
                [SCALAR, value("q", [], 9), value("x", [big] * 64)],
                ends,
            )
            nodes = trips + loop(body)
        return nodes

    functions = []
    core = node("MatMul", ["x", "x"], ["y"])
    for at in range(12):
        functions.append(function(f"f{at}", ["x"], ["y"], nested(core, 25)))
        core = node(f"f{at}", ["x"], ["y"], domain="l")
    main = graph(core, [value("x", [big] * 64)], [value("y", [big] * 64)])
    return model(main, *functions)


def nested_bodies(nbytes: int, depth: int = 30) -> bytes:
    """If in Loop in If, as deep as messages may be, again and again."""

    def deep() -> bytes:
        nodes = node("Relu", ["x"], ["y"])
        for level in range(depth):
            if level % 2:
                ends = [value("k", [], 9), Y]
                body = graph(
                    nodes + node("Identity", ["k0"], ["k"]), [SCALAR, value("k0", [], 9), X], ends
                )
                nodes = node("Loop", ["t", "k1", "x"], ["y"], attribute("body", body, "g"))
            else:
                branch = graph(nodes, [], [Y])
                nodes = node(
                    "If",
                    ["c"],
                    ["y"],
                    attribute("then_branch", branch, "g"),
                    attribute("else_branch", graph(node("Neg", ["x"], ["y"]), [], [Y]), "g"),
                )
        return nodes

    one = deep()
    main = one * max(1, nbytes // len(one))
    return model(graph(main, [X, FLAG, value("t", [], 7), value("k1", [], 9)], [Y]))


def branches(nbytes: int, nodes_in_each: int = 1) -> bytes:
    """Ifs with small branches, one after the other."""

    def one(at: int) -> bytes:
        inner = b"".join(
            node("Relu", [f"{at:x}"], ["y" if i == 0 else f"z{i}"]) for i in range(nodes_in_each)
        )
        then, other = graph(inner, [], [Y]), graph(node("Neg", [f"{at:x}"], ["y"]), [], [Y])
        bodies = attribute("then_branch", then, "g"), attribute("else_branch", other, "g")
        return node("If", ["c"], [f"{at + 1:x}"], *bodies)

    nodes, many = until(nbytes, one)
    return model(graph(nodes, [value("0", [1, 8]), FLAG], [value(f"{many:x}", [1, 8])]))


def loops(nbytes: int) -> bytes:
    """Loops with a state each, whose shape grows."""
    ends = [value("k", [], 9), value("y", ["n", 8])]
    core = node("Concat", ["x", "x"], ["y"], attribute("axis", 0)) + node("Identity", ["k0"], ["k"])
    body = graph(core, [SCALAR, value("k0", [], 9), value("x", ["n", 8])], ends)

    def one(at: int) -> bytes:
        return node("Loop", ["t", "c", f"{at:x}"], [f"{at + 1:x}"], attribute("body", body, "g"))

    nodes, many = until(nbytes, one)
    return model(
        graph(
            nodes, [value("0", ["n", 8]), FLAG, value("t", [], 7)], [value(f"{many:x}", ["n", 8])]
        )
    )


def calls_with_inputs(nbytes: int) -> bytes:
    """A function whose nodes have thousands of inputs, called thousands of times."""
    inputs = [f"i{at:x}" for at in range(max(1, nbytes // 20))]
    half = function("f", inputs, ["y"], node("Sum", inputs, ["y"]))
    calls, _ = until(nbytes - len(half), lambda at: node("f", ["x"], [f"{at:x}"], domain="l"))
    return model(graph(calls, [X], [value("0", [1, 8])]), half)


def calls_with_attributes(nbytes: int) -> bytes:
    """A function with nodes of a thousand attributes that refer to the call's."""
    reference = field("AttributeProto", "ref_attr_name", b"a") + field("AttributeProto", "type", 2)
    many = [
        reference + field("AttributeProto", "name", f"{at:x}".encode())
        for at in range(nbytes // 40)
    ]
    body = function("f", ["x"], ["y"], node("Relu", ["x"], ["y"], *many))
    calls, _ = until(nbytes - len(body), lambda at: node("f", ["x"], [f"{at:x}"], domain="l"))
    return model(graph(calls, [X], [value("0", [1, 8])]), body)


def calls_with_bodies(nbytes: int) -> bytes:
    """A function with Ifs that return a thousand values."""
    ends = [value(f"y{at:x}", [1]) for at in range(max(1, nbytes // 120))]
    branch = graph(b"", [], ends)
    bodies = attribute("then_branch", branch, "g"), attribute("else_branch", branch, "g")
    body = function("f", ["x"], ["y"], node("If", ["x"], ["y"], *bodies))
    calls, _ = until(nbytes - len(body), lambda at: node("f", ["x"], [f"{at:x}"], domain="l"))
    return model(graph(calls, [X], [value("0", [1, 8])]), body)


def doubling() -> list[bytes]:
    """Functions that each call the one before twice: 2 to 65,536 nodes."""
    functions = []
    for at in range(16):
        calls = [
            node(f"f{at - 1}" if at else "Relu", [taken], [made], domain="l" if at else "")
            for taken, made in (("x", "h"), ("h", "y"))
        ]
        functions.append(function(f"f{at}", ["x"], ["y"], b"".join(calls)))
    return functions


def bought(nbytes: int) -> bytes:
    """Scalars that nobody reads, and calls of functions that call functions."""
    scalars, _ = until(nbytes, lambda at: field("GraphProto", "initializer", floats(f"{at:x}", [])))
    calls = b"".join(node("f15", ["x"], [f"o{at:x}"], domain="l") for at in range(40))
    return model(graph(calls + scalars, [X], [value("o0", [1, 8])]), *doubling())


def used(nbytes: int) -> bytes:
    """The same with nodes in the place of scalars."""
    nodes, _ = until(nbytes, lambda at: node("Relu", ["x"], [f"{at:x}"]))
    calls = b"".join(node("f12", ["x"], [f"o{at:x}"], domain="l") for at in range(40))
    return model(graph(calls + nodes, [X], [value("o0", [1, 8])]), *doubling())


def function_chain(nbytes: int) -> bytes:
    """Functions of one node, each called by the next, up to the depth that is allowed; calls."""
    functions = []
    for at in range(90):
        inner = node(f"f{at - 1}", ["x"], ["y"], domain="l") if at else node("Relu", ["x"], ["y"])
        functions.append(function(f"f{at}", ["x"], ["y"], inner))
    calls, _ = until(nbytes, lambda at: node("f89", ["x"], [f"{at:x}"], domain="l"))
    return model(graph(calls, [X], [value("0", [1, 8])]), *functions)


def functions_with_tensors(nbytes: int) -> bytes:
    """A function with constants that is called again and again."""
    held = attribute("value", floats("", [1], bytes(4)), "t")
    nodes = b"".join(node("Constant", [], [f"c{at}"], held) for at in range(50))
    body = function("f", ["x"], ["y"], nodes + node("Relu", ["x"], ["y"]))
    calls, _ = until(nbytes, lambda at: node("f", ["x"], [f"{at:x}"], domain="l"))
    return model(graph(calls, [X], [value("0", [1, 8])]), body)


# ------------------------------------------------------------------------------- names, cycles


def ring(nbytes: int) -> bytes:
    """One cycle through all nodes."""
    nodes, many = until(nbytes - 50, lambda at: node("Relu", [f"{at:x}"], [f"{at + 1:x}"]))
    nodes += node("Relu", [f"{many:x}"], ["0"])
    return model(graph(nodes, [X], [value("0", [1, 8])]))


def knots(nbytes: int) -> bytes:
    """Cycles of two nodes."""
    nodes, _ = until(
        nbytes,
        lambda at: (
            node("Relu", [f"a{at:x}"], [f"b{at:x}"]) + node("Relu", [f"b{at:x}"], [f"a{at:x}"])
        ),
    )
    return model(graph(nodes, [X], [value("a0", [1, 8])]))


def tangle(nbytes: int) -> bytes:
    """A strongly connected component with many edges and no short cycle."""

    def one(at: int) -> bytes:
        return node("Sum", [f"{max(0, at - step):x}" for step in range(20)], [f"{at + 1:x}"])

    nodes, many = until(nbytes - 50, one)
    nodes += node("Relu", [f"{many:x}"], ["0"])
    return model(graph(nodes, [X], [value("0", [1, 8])]))


def backward(nbytes: int) -> bytes:
    """A chain in reverse order: each node before what it reads."""
    nodes, _ = until(nbytes, lambda at: node("Relu", [f"{at + 1:x}"], [f"{at:x}"]))
    return model(graph(nodes, [X], [value("0", [1, 8])]))


def same_names(nbytes: int) -> bytes:
    """Nodes of one name with outputs of one name."""
    one = node("Relu", ["x"], ["y"], name="n")
    return model(graph(one * (nbytes // len(one)), [X], [Y]))


def same_tensors(nbytes: int) -> bytes:
    """Tensors of one name."""
    one = field("GraphProto", "initializer", floats("w", [1], bytes(4)))
    return model(graph(node("Add", ["x", "w"], ["y"]) + one * (nbytes // len(one)), [X], [Y]))


def long_names(nbytes: int) -> bytes:
    """A body in a body under long names, with many nodes inside."""
    inner, _ = until(nbytes - 200_000, lambda at: node("Relu", ["x"], [f"{at:x}"]))
    branch = attribute("then_branch", graph(inner, [], [value("0", [1, 8])]), "g")
    outer = node("If", ["c"], ["y"], branch, name="n" * 100_000)
    return model(graph(outer, [X, FLAG], [Y]))


def module_paths(nbytes: int, many: int = 1) -> bytes:
    """Names that are paths of as many modules as there is room for."""
    each = nbytes // many
    nodes = b"".join(
        node("Relu", ["x"], [f"{at:x}"], name=f"/{at:x}" + "/a" * (each // 2)) for at in range(many)
    )
    return model(graph(nodes, [X], [value("0", [1, 8])]))


def module_tree(nbytes: int) -> bytes:
    """Nodes that have a module of 30 levels each to themselves."""

    def one(at: int) -> bytes:
        path = "/".join(f"{at:x}" for _ in range(30))
        return node("Relu", ["x"], [f"{at:x}"], name=f"/{path}/Relu")

    nodes, _ = until(nbytes, one)
    return model(graph(nodes, [X], [value("0", [1, 8])]))


# ---------------------------------------------------------------------------- tensors, texts


def external(nbytes: int, many_entries: int = 1) -> bytes:
    """Tensors with a file each, or with many ranges of one."""

    def one(at: int) -> bytes:
        entries = b""
        for number in range(many_entries):
            pair = field(
                "StringStringEntryProto", "key", b"location" if not number else b"k%d" % number
            )
            pair += field("StringStringEntryProto", "value", f"{at:x}".encode())
            entries += field("TensorProto", "external_data", pair)
        head = field("TensorProto", "dims", 1) + field("TensorProto", "data_type", 1)
        head += field("TensorProto", "name", f"{at:x}".encode())
        return field(
            "GraphProto", "initializer", head + entries + field("TensorProto", "data_location", 1)
        )

    held, _ = until(nbytes, one)
    return model(graph(node("Relu", ["x"], ["y"]) + held, [X], [Y]))


def ranges(nbytes: int) -> bytes:
    """Tensors that are overlapping ranges of one file."""

    def one(at: int) -> bytes:
        entries = b""
        for key, text in ((b"location", b"w"), (b"offset", b"%d" % at), (b"length", b"4")):
            pair = field("StringStringEntryProto", "key", key) + field(
                "StringStringEntryProto", "value", text
            )
            entries += field("TensorProto", "external_data", pair)
        head = field("TensorProto", "dims", 1) + field("TensorProto", "data_type", 1)
        head += field("TensorProto", "name", f"{at:x}".encode())
        return field(
            "GraphProto", "initializer", head + entries + field("TensorProto", "data_location", 1)
        )

    held, _ = until(nbytes, one)
    return model(graph(node("Relu", ["x"], ["y"]) + held, [X], [Y]))


def pieces(nbytes: int) -> bytes:
    """One tensor whose data is unpacked: an element a field."""
    one = field("TensorProto", "int64_data", 1)
    many = nbytes // len(one)
    head = field("TensorProto", "dims", many) + field("TensorProto", "data_type", 7)
    held = head + field("TensorProto", "name", b"w") + one * many
    return model(graph(node("Relu", ["x"], ["y"]), [X], [Y], [held]))


def scalars(nbytes: int) -> bytes:
    """Scalars that are added one by one."""

    def one(at: int) -> bytes:
        held = floats(f"w{at:x}", [], struct.pack("<f", at))
        return field("GraphProto", "initializer", held) + node(
            "Add", [f"{at:x}", f"w{at:x}"], [f"{at + 1:x}"]
        )

    nodes, many = until(nbytes, one)
    return model(graph(nodes, [value("0", [1, 8])], [value(f"{many:x}", [1, 8])]))


def lone_scalars(nbytes: int) -> bytes:
    """Scalars that nobody reads."""
    held, _ = until(
        nbytes, lambda at: field("GraphProto", "initializer", floats(f"{at:x}", [], bytes(4)))
    )
    return model(graph(node("Relu", ["x"], ["y"]) + held, [X], [Y]))


def weights(nbytes: int, many: int = 1, how: str = "random") -> bytes:
    """Tensors with data: random numbers, zeros, text, or bytes that look like many things."""
    generator = random.Random(1)
    each = nbytes // many // 4 * 4
    makers: dict[str, Callable[[], bytes]] = {
        "random": lambda: generator.randbytes(each),
        "zeros": lambda: bytes(each),
        "text": lambda: (b"import os\n" * (each // 10 + 1))[:each],
        "zip": lambda: (b"PK\x03\x04PK\x01\x02PK\x05\x06" * (each // 12 + 1))[:each],
        "exe": lambda: (b"MZ\x90\0\x7fELF" * (each // 8 + 1))[:each],
        "gzip": lambda: (b"\x1f\x8b\x08\0" * (each // 4 + 1))[:each],
        "pickle": lambda: (b"\x80\x04cos\nsystem\n" * (each // 12 + 1))[:each],
        "html": lambda: (b"<script><html><!-- " * (each // 10 + 1))[:each],
    }
    held = [floats(f"w{at}", [each // 4], makers[how]()) for at in range(many)]
    return model(graph(node("Add", ["x", "w0"], ["y"]), [X], [Y], held))


TEXTS = {
    "at": "a@",
    "dots": "a.",
    "dashes": "-----BEGIN PRIVATE KEY-----",
    "urls": "http://a:b",
    "jwt": "eyJ",
    "homes": "/home/a",
    "tokens": "hf_",
    "sk": "sk-a",
    "base64": "QUJD",
    "hex": "0x41",
    "ips": "1.2.3.",
    "quotes": "'",
    "brackets": "['",
    "escapes": "\\",
    "spaces": " ",
    "lines": "\n",
    "colons": "a:",
    "ansi": "\x1b[",
    "bidi": "\u202e",
    "cyrillic": "\u0430a",
    "paths": "C:\\a",
    "slashes": "a/",
    "underscores": "_a",
    "python": "import os;eval(",
    "shell": "curl a|sh;",
    "braces": "{a",
    "tags": "<a",
    "commands": "::error::",
    "prompts": "ignore previous instructions ",
}


def texts(nbytes: int, text: str, where: str, each: int) -> bytes:
    """Texts made of one pattern, in one long piece or in many."""
    piece = (text * (each // len(text) + 1))[:each].encode()
    many = max(1, nbytes // (len(piece) + 8))
    if where == "metadata":
        pairs = (
            field("StringStringEntryProto", "key", b"%x" % at)
            + field("StringStringEntryProto", "value", piece)
            for at in range(many)
        )
        tail = b"".join(field("ModelProto", "metadata_props", pair) for pair in pairs)
        return model(graph(node("Relu", ["x"], ["y"]), [X], [Y]), tail=tail)
    if where == "string":
        attributes = [attribute(f"{at:x}", piece, "s") for at in range(many)]
        return model(graph(node("Custom", ["x"], ["y"], *attributes), [X], [Y]))
    if where == "doc":
        return model(
            graph(node("Relu", ["x"], ["y"]), [X], [Y]),
            tail=field("ModelProto", "doc_string", piece),
        )
    if where == "name":
        nodes = b"".join(
            node("Relu", ["x"], [f"{at:x}" + piece.decode()], name=f"{at:x}" + piece.decode())
            for at in range(max(1, many // 2))
        )
        return model(graph(nodes, [X], [Y]))
    content = field("TensorProto", "dims", many) + field("TensorProto", "data_type", 8)
    content += b"".join(field("TensorProto", "string_data", piece) for _ in range(many))
    return model(
        graph(node("Relu", ["x"], ["y"]), [X], [Y], [content + field("TensorProto", "name", b"s")])
    )


def trees(nbytes: int) -> bytes:
    """A tree ensemble of as many nodes as there is room for."""
    many = nbytes // 40
    numbers = list(range(many))
    lists = [
        attribute("nodes_treeids", [0] * many),
        attribute("nodes_nodeids", numbers),
        attribute("nodes_featureids", [0] * many),
        attribute("nodes_truenodeids", [max(0, at - 1) for at in numbers]),
        attribute("nodes_falsenodeids", [max(0, at - 1) for at in numbers]),
        attribute("target_ids", [0] * many),
        attribute("target_nodeids", numbers),
        attribute("target_treeids", [0] * many),
    ]
    one = node("TreeEnsembleRegressor", ["x"], ["y"], *lists, domain="ai.onnx.ml")
    return model(graph(one, [X], [Y]))


def states(nbytes: int) -> bytes:
    """Inputs and outputs that look like key/value caches."""

    def one(at: int) -> bytes:
        past = value(f"past_key_values.{at}.key", ["batch", 8, f"past_{at}", 64])
        present = value(f"present.{at}.key", ["batch", 8, f"total_{at}", 64])
        joined = node(
            "Concat",
            [f"past_key_values.{at}.key", "x"],
            [f"present.{at}.key"],
            attribute("axis", 2),
        )
        return joined + field("GraphProto", "input", past) + field("GraphProto", "output", present)

    parts, _ = until(nbytes, one)
    return model(graph(parts, [value("x", ["batch", 8, "s", 64])], []))


def triggers(nbytes: int) -> bytes:
    """Comparisons with stored patterns, and choices by each: what rules on backdoors follow."""
    pattern = floats("p", [1, 8], bytes(32))

    def one(at: int) -> bytes:
        before = f"{at:x}"
        return (
            node("Equal", ["x", "p"], [f"e{before}"])
            + node("ReduceMin", [f"e{before}"], [f"r{before}"])
            + node("Where", [f"r{before}", before, "p"], [f"{at + 1:x}"])
        )

    nodes, many = until(nbytes, one)
    return model(graph(nodes, [X, value("0", [1, 8])], [value(f"{many:x}", [1, 8])], [pattern]))


def lookups(nbytes: int) -> bytes:
    """Gathers in each other's results, and slices with computed ends."""

    def one(at: int) -> bytes:
        return (
            node("Shape", [f"{at:x}"], [f"s{at:x}"])
            + node("Gather", [f"s{at:x}", "z"], [f"g{at:x}"])
            + node("Unsqueeze", [f"g{at:x}", "z1"], [f"u{at:x}"])
            + node("Concat", [f"u{at:x}", "m"], [f"c{at:x}"], attribute("axis", 0))
            + node("Reshape", [f"{at:x}", f"c{at:x}"], [f"{at + 1:x}"])
        )

    nodes, many = until(nbytes, one)
    held = [tensor("z", [0], []), tensor("z1", [0]), tensor("m", [2**64 - 1 - 2**64])]
    return model(graph(nodes, [value("0", ["n", "m"])], [value(f"{many:x}", ["a", "b"])], held))


# ---------------------------------------------------------------------------------- text forms


def onnx_text(nbytes: int, body: Callable[[int], str]) -> bytes:
    head = '<ir_version: 10, opset_import: ["" : 21]>\ng (float[1,8] x) => (float[1,8] y)\n'
    middle = body(nbytes)
    return (head + "{\n" + middle + "\n}\n").encode()


def escaped_quotes(nbytes: int) -> bytes:
    return onnx_text(nbytes, lambda size: 'y = Custom <s = "' + '\\"' * (size // 2) + '"> (x)')


def open_quote(nbytes: int) -> bytes:
    return onnx_text(nbytes, lambda size: 'y = Custom <s = "' + '\\"' * (size // 2))


def quotes(nbytes: int) -> bytes:
    return onnx_text(nbytes, lambda size: '"' * size)


def statements(nbytes: int) -> bytes:
    return onnx_text(nbytes, lambda size: "y = Relu (x)\n" * (size // 13))


def json_nodes(nbytes: int, item: str = '{"opType":"Relu","input":["x"],"output":["y"]}') -> bytes:
    items = ",".join([item] * (nbytes // (len(item) + 1)))
    return (
        '{"irVersion":"10","opsetImport":[{"version":"21"}],"graph":{"node":[' + items + "]}}"
    ).encode()


def json_other(nbytes: int) -> bytes:
    return ('{"graph":{"name":"' + "\\u0000" * (nbytes // 6) + '"}}').encode()


def json_floats(nbytes: int) -> bytes:
    return (
        json_nodes(nbytes=0)
        if nbytes < 100
        else (
            '{"irVersion":"10","graph":{"initializer":[{"name":"w","dataType":1,"floatData":['
            + ",".join(["1"] * (nbytes // 2))
            + "]}]}}"
        ).encode()
    )


def textproto(nbytes: int, item: str = "node{}") -> bytes:
    return ("ir_version: 10\ngraph {" + item * (nbytes // len(item)) + "}").encode()


def shape_floods() -> Iterator[Flood]:
    """Yield them."""
    for make in (
        *(
            chain,
            fan,
            stars,
            split,
            grid,
            ladder,
            weighted,
            convolutions,
            constants,
            folded,
            doubled,
        ),
        *(flattened, sums, ranks, declared_ranks, products, stored_products, digits, nested_bodies),
        *(
            branches,
            loops,
            calls_with_inputs,
            calls_with_attributes,
            calls_with_bodies,
            bought,
            used,
        ),
        *(function_chain, functions_with_tensors, ring, knots, tangle, backward, same_names),
        *(same_tensors, long_names, module_tree, external, ranges, pieces, scalars, lone_scalars),
        *(trees, states, triggers, lookups),
    ):
        yield Flood(make.__name__, make)
    for op_type in ("Concat", "Sum", "Einsum", "If", "Loop", "Scan", "Custom"):
        yield Flood(f"wide {op_type}", lambda size, op=op_type: wide(size, op))  # type: ignore[misc]
    yield Flood("wide own names", lambda size: wide(size, "Sum", own=True))
    for op_type in ("Sigmoid", "Softmax", "Shape", "Size", "NonZero", "Unique", "LSTM", "Conv"):
        yield Flood(f"chain {op_type}", lambda size, op=op_type: chain(size, op))  # type: ignore[misc]
    yield Flood("chain named", lambda size: chain(size, "Relu", "/layer.{0}/act/Relu"))
    yield Flood("folded Add", lambda size: folded(size, "Add"))
    yield Flood("names sums", lambda size: named_dims(size, lambda at: f"a{at}+b{at}*c"))
    yield Flood("names powers", lambda size: named_dims(size, lambda at: "(a+b)*(c+d)*(e+f)*(g+h)"))
    for name, text in (
        ("sum", "a+"),
        ("product", "a*"),
        ("brackets", "("),
        ("digits", "9"),
        ("many", "ab "),
    ):
        yield Flood(f"dim {name}", lambda size, text=text: one_dim(size, text))  # type: ignore[misc]
    yield Flood("einsum operands", einsum)
    yield Flood("einsum letters", lambda size: einsum(size, "abcdefgh"))
    yield Flood("einsum many", lambda size: einsum(size, "ab,", 10_000))
    yield Flood("branches of ten", lambda size: branches(size, 10))
    yield Flood("module path", module_paths)
    yield Flood("module paths", lambda size: module_paths(size, 5000))
    yield Flood("external entries", lambda size: external(size, 50))
    for how in ("random", "zeros", "text", "zip", "exe", "gzip", "pickle", "html"):
        yield Flood(f"weights {how}", lambda size, how=how: weights(size, 1, how))  # type: ignore[misc]
        yield Flood(f"weights of 2 kB {how}", lambda size, how=how: weights(size, 5000, how))  # type: ignore[misc]
    for word, text in TEXTS.items():
        for where in ("metadata", "string", "doc", "name", "data"):
            for each in (10**7 - 2000, 1000):
                if (where == "doc") > (each > 1000):
                    continue
                yield Flood(
                    f"text {word} {where} {'long' if each > 1000 else 'many'}",
                    lambda size, t=text, w=where, e=each: texts(size, t, w, min(size, e)),  # type: ignore[misc]
                )
    yield Flood("form escaped quotes", escaped_quotes, ".onnxtxt")
    yield Flood("form open quote", open_quote, ".onnxtxt")
    yield Flood("form quotes", quotes, ".onnxtxt")
    yield Flood("form statements", statements, ".onnxtxt")
    yield Flood("form json nodes", json_nodes, ".json")
    yield Flood("form json empty", lambda size: json_nodes(size, "{}"), ".json")
    yield Flood("form json brackets", lambda size: b'{"graph":' * (size // 9), ".json")
    yield Flood("form json escapes", json_other, ".json")
    yield Flood("form json floats", json_floats, ".json")
    yield Flood("form textproto nodes", textproto, ".textproto")
    yield Flood("form textproto names", lambda size: textproto(size, 'name:"a"'), ".textproto")
    yield Flood("form textproto open", lambda size: textproto(size, "node{"), ".textproto")
    yield Flood("form textproto unknown", lambda size: textproto(size, "q{}"), ".textproto")
