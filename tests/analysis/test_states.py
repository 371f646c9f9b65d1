"""States of every kind: by what the graph does with them, under names that say nothing, and not.

Sizes are sums over the shapes that stand in the models, and over tensors of onnxruntime's runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from onnx import NodeProto, TensorProto, helper

import graphcount
from graphcount.analysis.states.names import paired, words_of
from graphcount.cli.main import main
from graphcount.report import serial
from graphcount.report.rows import STATE_KINDS

Save = Callable[..., str]

INT64 = TensorProto.INT64
CHANNELS, WIDTH = 6, 3


def info(name: str, shape: list[Any], dtype: int = TensorProto.FLOAT) -> Any:
    return helper.make_tensor_value_info(name, dtype, shape)


def node(op_type: str, inputs: str, outputs: str, **attributes: Any) -> NodeProto:
    """Return a node; a dot leaves an input or output out."""
    taken, made = (
        ["" if name == "." else name for name in names.split()] for names in (inputs, outputs)
    )
    return helper.make_node(op_type, taken, made, f"{op_type}_{made[-1]}", **attributes)


def weight(name: str, *dims: int) -> TensorProto:
    numbers = np.linspace(-1, 1, int(np.prod(dims)), dtype=np.float32)
    return helper.make_tensor(name, TensorProto.FLOAT, dims, numbers)


def integers(name: str, *numbers: int) -> TensorProto:
    return helper.make_tensor(name, INT64, [len(numbers)], numbers)


def kinds(path: str, **dims: int) -> dict[str, tuple[str | None, str]]:
    """Return output and kind of each state by its input."""
    states = graphcount.count(path, dims=dims).states
    rows = states.rows if states is not None else ()
    assert {row.kind for row in rows} <= STATE_KINDS.keys()
    return {row.input: (row.output, row.kind) for row in rows}


# ------------------------------------------------------------------------------------- models


def convolution(save: Save, state: str = "a", new: str = "b") -> str:
    """The last positions and the new one are convolved; the last of both are handed on."""
    nodes = [
        node("MatMul", "x w", "h"),
        node("Transpose", "h", "t", perm=[0, 2, 1]),
        node("Concat", f"{state} t", "all", axis=2),
        node("Slice", "all from to two", new),
        node("Conv", "all k", "y", group=CHANNELS),
    ]
    stored = [weight("w", 4, CHANNELS), weight("k", CHANNELS, 1, WIDTH + 1)]
    stored += [integers("from", -WIDTH), integers("to", 2**40), integers("two", 2)]
    inputs = [info("x", ["n", 1, 4]), info(state, ["n", CHANNELS, WIDTH])]
    return save(nodes, stored, inputs=inputs, outputs=["y", info(new, [None] * 3)])


def lstm(save: Save, h: str = "a", c: str = "b", direct: bool = True) -> str:
    nodes = [node("LSTM", f"x w r . . {h} {c}", "y p q", hidden_size=5)]
    if not direct:
        nodes.append(node("Identity", "p", "p2"))
    stored = [weight("w", 1, 20, 4), weight("r", 1, 20, 5)]
    inputs = [info("x", ["s", "n", 4]), info(h, [1, "n", 5]), info(c, [1, "n", 5])]
    return save(nodes, stored, inputs=inputs, outputs=["y", "p" if direct else "p2", "q"])


def recurrence(save: Save, state: str = "a", new: str = "b") -> str:
    """A state is scaled by what the input decides and added to; it is read by a product."""
    nodes = [
        node("MatMul", "x w", "d"),
        node("Sigmoid", "d", "decay"),
        node("Mul", "x x", "u"),
        node("Unsqueeze", "decay two", "d4"),
        node("Unsqueeze", "u two", "u4"),
        node("Mul", f"{state} d4", "kept"),
        node("Add", "kept u4", new),
        node("ReduceSum", f"{new} two", "y"),
    ]
    inputs = [info("x", ["n", 4, 4]), info(state, ["n", 4, 7, 4])]
    return save(
        nodes,
        [weight("w", 4, 4), integers("two", 2)],
        inputs=inputs,
        outputs=["y", info(new, [None] * 4)],
    )


def attention(
    save: Save, past: str, present: str, *, keep: int | None = None, scatter: bool = False
) -> str:
    """Queries meet keys that are joined to the past, the last of both, or written among them."""
    nodes = [node("Relu", "x", "k")]
    stored = []
    if scatter:
        nodes += [node("ScatterElements", f"{past} at k", present, axis=2)]
        whole = present
    else:
        nodes += [node("Concat", f"{past} k", "whole" if keep else present, axis=2)]
        whole = "whole" if keep else present
    if keep:
        nodes.append(node("Slice", "whole from to two", present))
        stored += [integers("from", -keep), integers("to", 2**40), integers("two", 2)]
    nodes += [node("Transpose", whole, "t", perm=[0, 1, 3, 2]), node("MatMul", "x t", "y")]
    length: int | str = 9 if scatter else keep or "past"
    inputs = [info("x", ["n", 2, 1, 4]), info(past, ["n", 2, length, 4])]
    if scatter:
        inputs.append(info("at", ["n", 2, 1, 4], INT64))
    return save(nodes, stored, inputs=inputs, outputs=["y", info(present, [None] * 4)])


def cross(save: Save, key: str, after: str) -> str:
    """Keys of an encoder, of some length, are used and handed through."""
    nodes = [
        node("MatMul", "x w", "q"),
        node("Transpose", key, "t", perm=[0, 1, 3, 2]),
        node("MatMul", "q t", "y"),
        node("Identity", key, after),
    ]
    inputs = [info("x", ["n", 2, 1, 4]), info(key, ["n", 2, "source", 4])]
    return save(nodes, [weight("w", 4, 4)], inputs=inputs, outputs=["y", after])


# -------------------------------------------------------------------------------------- kinds


@pytest.mark.parametrize(("state", "new"), [("a", "b"), ("past_0", "present_0")])
@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (convolution, "convolution"),
        (recurrence, "ssm"),
        (attention, "keys-values"),
        (lambda save, one, two: attention(save, one, two, keep=9), "window"),
        (lambda save, one, two: attention(save, one, two, scatter=True), "buffer"),
        (cross, "cross-attention"),
    ],
)
def test_structure_decides_whatever_the_names(
    save: Save, make: Callable[..., str], kind: str, state: str, new: str
) -> None:
    assert kinds(make(save, state, new)) == {state: (new, kind)}


@pytest.mark.parametrize("direct", [True, False])
def test_recurrent_layers_hand_on_what_they_begin_with(save: Save, direct: bool) -> None:
    path = lstm(save, direct=direct)
    assert kinds(path) == {
        "a": ("p" if direct else "p2", "recurrent"),
        "b": ("q", "recurrent"),
    }
    states = graphcount.count(path).states
    assert states is not None
    assert {(row.batch_axis, row.axis, row.step) for row in states.rows} == {(1, None, 0)}
    assert states.nbytes == "40*n"
    assert (states.nbytes_per_sequence, states.nbytes_per_token) == (2 * 5 * 4, 0)


@pytest.mark.parametrize("op_type", ["GRU", "RNN"])
def test_other_recurrent_layers(save: Save, op_type: str) -> None:
    gates = 3 if op_type == "GRU" else 1
    path = save(
        [node(op_type, "x w r . . a", "y p", hidden_size=5)],
        [weight("w", 1, 5 * gates, 4), weight("r", 1, 5 * gates, 5)],
        inputs=[info("x", ["s", "n", 4]), info("a", [1, "n", 5])],
        outputs=["y", "p"],
    )
    assert kinds(path) == {"a": ("p", "recurrent")}


@pytest.mark.parametrize(
    ("op_type", "inputs", "state", "shape", "attributes", "kind"),
    [
        ("CausalConvWithState", "x k . a", "a", ["n", 6, 3], {}, "convolution"),
        (
            *("LinearAttention", "q q q a g", "a", ["n", 2, 4, 4]),
            *({"q_num_heads": 2, "kv_num_heads": 2, "update_rule": "gated"}, "ssm"),
        ),
    ],
)
def test_operators_with_a_state(
    save: Save,
    op_type: str,
    inputs: str,
    state: str,
    shape: list[Any],
    attributes: dict[str, Any],
    kind: str,
) -> None:
    shapes = {"x": ["n", 6, 1], "q": ["n", 1, 8], "g": ["n", 1, 2], state: shape}
    path = save(
        [node(op_type, inputs, "y b", domain="com.microsoft", **attributes)],
        [weight("k", 6, 1, 4)],
        inputs=[
            info(name, shapes[name]) for name in dict.fromkeys(inputs.split()) if name in shapes
        ],
        outputs=["y", "b"],
        opsets=[("", 20), ("com.microsoft", 1)],
    )
    assert kinds(path) == {"a": ("b", kind)}


def test_pages_are_shared_by_sequences(save: Save) -> None:
    """Of a pool of pages no part is one sequence's; a token takes heads x size of both."""
    pages = ["pages", 16, 2, 8]
    inputs = [info(name, ["t", 16]) for name in "qkv"]
    inputs += [info("a", pages), info("b", pages)]
    inputs += [
        info(name, shape, TensorProto.INT32)
        for name, shape in (("ends", ["n1"]), ("past", ["n"]), ("rows", ["n", "m"]))
    ]
    path = save(
        [
            node(
                "PagedAttention", "q k v a b ends past rows", "y c d",
                domain="com.microsoft", num_heads=2, kv_num_heads=2,
            )
        ],
        inputs=inputs,
        outputs=["y", "c", "d"],
        opsets=[("", 20), ("com.microsoft", 1)],
    )  # fmt: skip
    assert kinds(path) == {"a": ("c", "paged"), "b": ("d", "paged")}
    states = graphcount.count(path).states
    assert states is not None
    assert (states.nbytes_per_token, states.nbytes_per_sequence) == (2 * 2 * 8 * 4, 0)
    assert states.nbytes == f"{2 * 16 * 2 * 8 * 4}*pages"


def test_a_loop_carries_a_state(save: Save) -> None:
    """A Scan over the steps of the input: what its body makes of the state is no sum."""
    body = helper.make_graph(
        [node("MatMul", "h r", "m"), node("Add", "m e", "s"), node("Tanh", "s", "h2"),
         node("Identity", "h2", "o")],
        "body",
        [info("h", [None, 4]), info("e", [None, 4])],
        [info("h2", [None, 4]), info("o", [None, 4])],
    )  # fmt: skip
    path = save(
        [helper.make_node("Scan", ["a", "x"], ["b", "y"], "scan", body=body, num_scan_inputs=1)],
        [weight("r", 4, 4)],
        inputs=[info("x", ["s", "n", 4]), info("a", ["n", 4])],
        outputs=["b", "y"],
    )
    assert kinds(path) == {"a": ("b", "recurrent")}


def test_a_branch_that_hands_through_what_the_other_makes(save: Save) -> None:
    """A merged decoder: keys of the encoder are made in the first step only."""
    made = helper.make_graph([node("MatMul", "e w", "k1")], "made", [], [info("k1", [None] * 4)])
    kept = helper.make_graph(
        [node("Identity", "past.0.encoder.key", "k2")], "kept", [], [info("k2", [None] * 4)]
    )
    nodes = [
        helper.make_node("If", ["first"], ["present.0.encoder.key"], "if", then_branch=made,
                         else_branch=kept),
        node("Transpose", "present.0.encoder.key", "t", perm=[0, 1, 3, 2]),
        node("MatMul", "q t", "y"),
    ]  # fmt: skip
    inputs = [
        info("first", [1], TensorProto.BOOL),
        info("e", ["n", 2, "source", 4]),
        info("q", ["n", 2, 1, 4]),
        info("past.0.encoder.key", ["n", 2, "source", 4]),
    ]
    path = save(nodes, [weight("w", 4, 4)], inputs=inputs, outputs=["y", "present.0.encoder.key"])
    assert kinds(path) == {
        "past.0.encoder.key": ("present.0.encoder.key", "cross-attention"),
    }


# --------------------------------------------------------------------------------------- names


def cell(save: Save, before: str, after: str) -> str:
    """A cell of its own: what comes out is no element of what went in."""
    nodes = [
        node("MatMul", "x w", "e"),
        node("MatMul", f"{before} r", "m"),
        node("Add", "e m", "s"),
        node("Tanh", "s", after),
        node("MatMul", f"{after} w", "y"),
    ]
    inputs = [info("x", ["n", 4]), info(before, ["n", 4])]
    stored = [weight("w", 4, 4), weight("r", 4, 4)]
    return save(nodes, stored, inputs=inputs, outputs=["y", after])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("h0", "hn"),
        ("h_in", "h_out"),
        ("state", "stateN"),
        ("state_0", "new_state_0"),
        ("prev_hidden", "next_hidden"),
        ("pastState", "presentState"),
        ("in_cache0", "out_cache0"),
        ("past_key_values.0.recurrent_state", "present.0.recurrent_state"),
    ],
)
def test_names_decide_where_the_structure_does_not(save: Save, before: str, after: str) -> None:
    assert kinds(cell(save, before, after)) == {before: (after, kinds_of_cell(before))}


def kinds_of_cell(name: str) -> str:
    return "ssm" if "recurrent" in name else "recurrent"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a", "b"),
        ("image_in", "image_out"),
        ("state_0", "new_state_1"),
        ("past.0.key", "present.0.value"),
        ("input", "output"),
        ("prev_frame", "next_frame"),
    ],
)
def test_names_that_pair_nothing(save: Save, before: str, after: str) -> None:
    assert not paired(before, after)
    assert kinds(cell(save, before, after)) == {}


@pytest.mark.parametrize(
    ("name", "holds"),
    [
        ("past_key_values.3.key", "keys-values"),
        ("past_key_values.3.conv_state", "convolution"),
        ("past_states.0.ssm_state", "ssm"),
        ("cached_conv_1", "convolution"),
        ("h0", "recurrent"),
        ("cache_5", ""),
    ],
)
def test_what_a_name_says_that_is_kept(name: str, holds: str) -> None:
    assert words_of(name).holds == holds


# ----------------------------------------------------------------------------------- no states


def test_what_comes_out_as_large_as_it_went_in_is_no_state(save: Save) -> None:
    residual = [node("Conv", "x k", "f", pads=[1, 1, 1, 1]), node("Add", "x f", "y")]
    stored = [weight("k", 3, 3, 3, 3), weight("w", 3, 3), weight("b", 1, 3, 1, 1)]
    image = info("x", ["n", 3, 8, 8])
    assert kinds(save(residual, stored[:1], inputs=[image], outputs=["y"])) == {}
    noise = [*residual, node("Mul", "y t", "z"), node("ReduceMean", "z", "m", keepdims=0)]
    inputs = [info("x", ["n", 3, "h", "w"]), info("t", ["n", 1, 1, 1])]
    assert kinds(save(noise, stored[:1], inputs=inputs, outputs=["z", "m", "y"])) == {}
    masked = [node("Mul", "x mask", "m"), node("Add", "m b", "y"), node("ReduceMean", "y", "z")]
    both = [info("x", ["n", 3, "h", "w"]), info("mask", ["n", 1, "h", "w"])]
    assert kinds(save(masked, stored[2:], inputs=both, outputs=["y", "z"])) == {}


def test_hidden_states_between_parts_of_a_model_are_no_states(save: Save) -> None:
    nodes = [
        node("MatMul", "hidden_states w", "f"),
        node("Mul", "f mask", "g"),
        node("Add", "hidden_states g", "hidden_states_out"),
        node("ReduceMean", "hidden_states_out", "pooled"),
    ]
    inputs = [info("hidden_states", ["n", "s", 4]), info("mask", ["n", "s", 1])]
    path = save(nodes, [weight("w", 4, 4)], inputs=inputs, outputs=["hidden_states_out", "pooled"])
    assert kinds(path) == {}


def test_boxes_that_are_clipped_in_place_are_no_states(save: Save) -> None:
    nodes = [
        node("Slice", "boxes zero one one", "left"),
        node("Relu", "left", "right"),
        node("ScatterElements", "boxes at right", "out", axis=1),
        node("Mul", "out scores", "y"),
    ]
    inputs = [info("boxes", ["n", 4]), info("scores", ["n", 1]), info("at", ["n", 1], INT64)]
    path = save(
        nodes, [integers("zero", 0), integers("one", 1)], inputs=inputs, outputs=["out", "y"]
    )
    assert kinds(path) == {}


def test_an_encoder_has_none_but_its_final_state_may_begin_a_decoder(save: Save) -> None:
    path = save(
        [node("GRU", "x w r", "y p", hidden_size=5)],
        [weight("w", 1, 15, 4), weight("r", 1, 15, 5)],
        inputs=[info("x", ["s", "n", 4])],
        outputs=["y", "p"],
    )
    assert kinds(path) == {}


def test_shipped_models_have_no_states(fixtures: Any) -> None:
    for name in ("cnn", "transformer", "tied"):
        path = fixtures / f"{name}.onnx"
        if path.exists():
            assert graphcount.count(str(path)).states is None


# ------------------------------------------------------------------------------------- totals


def together(save: Save) -> str:
    """A step with keys that grow and a state of one size, for a batch of any size."""
    nodes = [
        node("Relu", "x", "k"),
        node("Concat", "past_key k", "present_key", axis=2),
        node("Transpose", "present_key", "t", perm=[0, 1, 3, 2]),
        node("MatMul", "x t", "y"),
        node("Mul", "past_ssm x", "d"),
        node("Add", "d x", "present_ssm"),
    ]
    inputs = [
        info("x", ["n", 2, "s", 4]),
        info("past_key", ["n", 2, "past", 4]),
        info("past_ssm", ["n", 2, 1, 4], TensorProto.FLOAT),
    ]
    return save(nodes, inputs=inputs, outputs=["y", "present_key", "present_ssm"])


def test_totals_are_those_of_tensors(save: Save) -> None:
    """Keys: 2 heads x 4 x 4 bytes a token; the other state: 2 x 4 x 4 bytes a sequence."""
    path = together(save)
    report = graphcount.count(path, dims={"s": 1})
    states = report.states
    assert states is not None
    assert (states.nbytes_per_token, states.nbytes_per_sequence) == (32, 32)
    assert (states.nbytes, states.nbytes_in) == ("32*n*past + 64*n", "32*n*past + 32*n")
    assert report.state_nbytes(n=3, past=9) == 3 * 32 * 10 + 3 * 32
    assert serial.loads(serial.dumps(serial.to_dict(report))) == report


@pytest.mark.parametrize("make", [convolution, lstm, recurrence, together])
@pytest.mark.parametrize("length", [4, 7])
def test_bytes_are_those_of_onnxruntime(save: Save, make: Any, length: int) -> None:
    onnxruntime = pytest.importorskip(
        "onnxruntime", reason="onnxruntime is not installed (extra bench)"
    )
    path = make(save)
    sizes = {"n": 2, "past": length, "s": 1}
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    feeds = {
        one.name: np.zeros([sizes.get(dim, dim) for dim in one.shape], np.float32)
        for one in session.get_inputs()
    }
    names = [one.name for one in session.get_outputs()]
    results = dict(zip(names, session.run(None, feeds), strict=True))
    report = graphcount.count(path)
    assert report.states is not None
    handed_on = sum(results[row.output].nbytes for row in report.states.rows)
    given = {name: size for name, size in sizes.items() if name in str(report.states)}
    assert report.state_nbytes(**given) == handed_on
    bound = graphcount.count(path, dims={row.name: sizes[row.name] for row in report.dimensions})
    assert bound.states is not None
    assert bound.states.nbytes == handed_on
    assert bound.states.nbytes_in == sum(feeds[row.input].nbytes for row in bound.states.rows)


def test_too_many_ways_leave_the_sums_unknown(save: Save, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphcount.analysis.states.ways.STEPS", 3)
    states = graphcount.count(together(save)).states
    assert states is None or states.nbytes is states.nbytes_per_token is None
    monkeypatch.undo()
    assert graphcount.count(together(save)).states is not None


@pytest.mark.long
def test_thousands_of_names_that_fit_each_other_end(save: Save) -> None:
    """Every input fits every output; no pair but one each is kept, and none twice."""
    names = [f"past{'.' * at}" for at in range(1_000)]
    afters = [f"present{'.' * at}" for at in range(1_000)]
    nodes = [node("Add", f"{a} x", b) for a, b in zip(names, afters, strict=True)]
    inputs = [info(name, ["n", 4]) for name in ("x", *names)]
    outputs = [info(name, ["n", 4]) for name in afters]
    begin = time.perf_counter()
    states = graphcount.count(save(nodes, inputs=inputs, outputs=outputs)).states
    assert time.perf_counter() - begin < 60
    rows = states.rows if states is not None else ()
    assert len({row.output for row in rows}) == len({row.input for row in rows}) == len(rows)


def test_explain_says_the_state_of_a_node(save: Save, capsys: pytest.CaptureFixture[str]) -> None:
    path = attention(save, "a", "b")
    assert main(["explain", path, "Concat_b", "--dim", "n=1", "--dim", "past=9"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "state keys-values from a [1, 2, 9, 4] to b [1, 2, 10, 4], 1 a step along axis 2" in out
