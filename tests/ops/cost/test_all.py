"""Every operator has a cost, no formula raises, and symbols give what numbers give."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import defs

from graphcount.ops import Key, Operator, lookup, operators
from graphcount.ops.call import Call
from graphcount.ops.cost import Cost, CostRule, cost, explain
from graphcount.symbolic import Dim, evaluate, symbol

Make = Callable[..., Call]
MATRIX = (
    "Conv ConvTranspose DeformConv ConvInteger QLinearConv CausalConvWithState MatMul Gemm"
    " Einsum MatMulInteger QLinearMatMul LSTM GRU RNN Attention LinearAttention"
)
"""Operators of the default domain whose work is matrix work."""


def rules() -> dict[Key, CostRule]:
    return {key: row.cost for key, row in operators().items() if row.cost is not None}


def has_roles(row: Operator) -> bool:
    return bool(row.roles or row.rest or row.attributes)


def test_every_operator_with_roles_has_a_cost() -> None:
    assert {key for key, row in operators().items() if has_roles(row)} - set(rules()) == set()


def test_only_free_operators_have_nothing_to_say() -> None:
    for key, rule in rules().items():
        assert rule.words or rule == CostRule(""), key


def test_every_operator_of_onnx_has_a_cost() -> None:
    schemas = defs.get_all_schemas_with_history()
    known = {(s.domain, s.name) for s in schemas if not s.domain.startswith("ai.onnx.preview")}
    assert known - set(rules()) == set()


def test_what_multiplies_matrices_is_decided_on_purpose() -> None:
    matrix = {name for (domain, name), row in operators().items() if row.multiplies and not domain}
    assert matrix == set(MATRIX.split())


MATRICES = {"weight", "recurrent weight"}
"""Roles of what is learned and multiplied; a quantized weight may also be looked up or added."""


def roles(row: Operator) -> set[str | None]:
    return {*row.roles, row.rest, *row.attributes.values()}


def test_an_operator_with_a_weight_multiplies() -> None:
    weighted = {key for key, row in operators().items() if roles(row) & MATRICES}
    assert len(weighted) > 30
    assert {key for key in weighted if not operators()[key].multiplies} == set()


def test_an_operator_that_multiplies_has_a_weight_or_two_computed_operands() -> None:
    rest = {
        key: row
        for key, row in operators().items()
        if row.multiplies and not roles(row) & {*MATRICES, "quantized weight"}
    }
    assert {row.family for row in rest.values()} == {"attention", "linear"}


def test_convolutions_are_those_that_lay_filters(call: Make) -> None:
    """A filter of twice the width costs twice as much at as many positions."""
    data, out = (1, 6, 8, 8), (1, 4, 6, 6)
    for (domain, op_type), row in operators().items():
        if not row.is_convolution:
            continue
        index = row.roles.index("weight" if "weight" in row.roles else "quantized weight")
        one, two = (
            cost(
                call(
                    op_type,
                    [
                        data if at == 0 else (4, 6, 3, width) if at == index else None
                        for at in range(index + 1)
                    ],
                    [out],
                    domain=domain,
                )
            )
            for width in (3, 6)
        )
        assert one is not None
        assert two is not None
        assert one.macs, op_type
        assert two.macs == 2 * one.macs, op_type


def test_the_default_domain_has_two_names(call: Make) -> None:
    shapes = [(2, 3), (3, 5)]
    assert cost(call("MatMul", shapes, domain="ai.onnx")) == cost(call("MatMul", shapes))


def test_an_unknown_operator_has_none(call: Make) -> None:
    assert cost(call("Conv", [(1, 3, 8, 8)], domain="com.acme")) is None
    assert cost(call("Convolution", [])) is None


# ------------------------------------------------------------------------------- garbage

NUMBERS: list[Any] = [0, 1, 2, 3, 7, 64, -1, 2**31, 2**63 - 1, -(2**63), 2**70, 10**400]
DIMS: list[Any] = [
    *(0, 1, 1, 2, 3, 4, 8, 64, -1, 2**62, 2**63 - 1, 10**400, None),
    *(symbol("n"), symbol("n") + 1, 2 * symbol("m") - 3, symbol("n") // symbol("m")),
]
INTEGERS = (
    "group transA transB transBatchA transBatchB K N bits hidden_size layout num_heads k window"
    " kv_num_heads q_num_heads size sampling_ratio do_rotary rotary_embedding_dim channels_last"
    " past_present_share_buffer expert_weight_bits n_supports activation"
)
LISTS = (
    "kernel_shape qkv_hidden_sizes vectors_per_class tree_roots nodes_treeids nodes_nodeids"
    " nodes_truenodeids nodes_falsenodeids nodes_trueleafs nodes_falseleafs coefficients"
    " intercepts support_vectors rho"
)
TEXTS = {
    "equation": ["ij,jk->ik", "...i,i...", "->", ",", "i" * 5000, ",".join("ab" * 300), "..,.->"],
    "direction": ["bidirectional", "forward", ""],
    "update_rule": ["delta", "gated_delta", "x"],
    "mode": ["linear", "nearest"],
    "reduction": ["add", "none"],
    "activation": ["silu", ""],
    "kernel_type": ["RBF", "LINEAR"],
}


def garbage(make: Make, key: tuple[str, str], seed: int) -> Call:
    dice = random.Random(f"{key}{seed}")

    def shape() -> tuple[Any, ...] | None:
        rank = dice.choice([0, 1, 2, 2, 3, 3, 4, 4, 5, 6, 40])
        return None if dice.random() < 0.1 else tuple(dice.choices(DIMS, k=rank))

    attributes: dict[str, Any] = {
        name: dice.choice(NUMBERS) for name in INTEGERS.split() if dice.random() < 0.5
    }
    for name in LISTS.split():
        if dice.random() < 0.5:
            attributes[name] = dice.choices(NUMBERS, k=dice.choice([0, 1, 2, 3, 4, 50]))
    for name, texts in TEXTS.items():
        if dice.random() < 0.5:
            attributes[name] = dice.choice(texts)
    count = dice.choice([0, 1, 2, 3, 4, 8, 15])
    return make(
        key[1],
        [shape() for _ in range(count)],
        [shape() for _ in range(dice.choice([0, 1, 2]))],
        domain=key[0],
        values=[dice.choice([None, (), (1,), (-1,), (4, 5), (symbol("n"),)]) for _ in range(count)],
        left_out=[i for i in range(count) if dice.random() < 0.2],
        **attributes,
    )


def is_dim(found: object) -> bool:
    return found is None or not isinstance(found, int) or found >= 0


def test_garbage_never_raises(call: Make) -> None:
    for key in rules():
        start = time.process_time()
        for seed in range(40):
            one = garbage(call, key, seed)
            found = cost(one)
            assert found is not None
            assert all(is_dim(part) for part in found), key
            assert isinstance(explain(one), str)
        assert time.process_time() - start < 5, key


@pytest.mark.parametrize("rank", [10**4])
def test_a_huge_rank_is_refused_at_once(call: Make, rank: int) -> None:
    shape = (2,) * rank
    start = time.process_time()
    for domain, op_type in rules():
        found = cost(call(op_type, [shape] * 3, [shape], domain=domain))
        assert found is not None
        row = lookup(domain, op_type)
        assert row is not None
        if row.multiplies:
            assert found.macs is None, op_type
    assert time.process_time() - start < 20


@pytest.mark.parametrize(
    "equation",
    [
        ",".join(["ij"] * 10**5),
        "abcdefghijklmnopqrstuvwxyz" * 40_000,
        "->" * 10**5,
        "." * 10**6,
        ",".join("abcdefghijklmnopqrstuvwxyz" for _ in range(35)),
    ],
    ids=["operands", "labels", "arrows", "dots", "wide"],
)
def test_hostile_equations_cost_no_time(call: Make, equation: str) -> None:
    operands = min(equation.count(",") + 1, 10**5)
    start = time.process_time()
    for shape in ((2, 2), (2,) * 26):
        one = call("Einsum", [shape] * operands, equation=equation)
        assert cost(one) is not None
        assert explain(one)
    assert time.process_time() - start < 2


def test_many_trees_cost_linear_time(call: Make) -> None:
    count = 200_000
    chain = {
        "nodes_treeids": [0] * count,
        "nodes_nodeids": list(range(count)),
        "nodes_modes": ["BRANCH_LEQ"] * (count // 2) + ["LEAF"] * (count - count // 2),
        "nodes_truenodeids": [i + 1 for i in range(count)],
        "nodes_falsenodeids": [count // 2 + 1 + i for i in range(count // 2)]
        + [0] * (count - count // 2),
    }
    start = time.process_time()
    found = cost(call("TreeEnsembleClassifier", [(2, 3)], domain="ai.onnx.ml", **chain))
    assert found is not None
    assert time.process_time() - start < 5


# --------------------------------------------------------------------- symbols and numbers

S = symbol
CASES: list[tuple[str, list[Any], list[Any], dict[str, Any]]] = [
    ("Conv", [(S("n"), 6, S("h"), 8), (4, 3, 3, 3), (4,)], [(S("n"), 4, S("h"), 6)], {"group": 2}),
    ("ConvTranspose", [(S("n"), 6, S("h"), 8), (6, 2, 3, 3)], [], {}),
    ("MatMul", [(S("n"), S("h"), 8), (8, 5)], [], {}),
    ("MatMul", [(S("n"), S("h"), S("k")), (S("n"), S("k"), S("h"))], [], {}),
    ("Gemm", [(S("n"), 8), (5, 8), (5,)], [], {"transB": 1}),
    ("Einsum", [(S("n"), S("h"), 4), (S("n"), S("k"), 4)], [], {"equation": "bid,bjd->bij"}),
    ("LSTM", [(S("h"), S("n"), 5), None, (2, 28, 7)], [], {"direction": "bidirectional"}),
    ("Attention", [(S("n"), 4, S("h"), 8), *[(S("n"), 2, S("k"), 8)] * 2], [], {}),
    (
        "Attention",
        [(S("n"), S("h"), 8 * S("k")), *[(S("n"), S("h"), 4 * S("k"))] * 2],
        [],
        {"q_num_heads": 4, "kv_num_heads": 2},
    ),
    ("Add", [], [(S("n"), S("h"))], {}),
    ("MaxPool", [], [(S("n"), 3, S("h"), S("k"))], {"kernel_shape": [2, 2]}),
    ("ReduceSum", [(S("n"), S("h") + S("k"))], [], {}),
]


def put(shapes: list[Any], values: dict[str, Dim]) -> list[Any]:
    return [
        None if shape is None else tuple(evaluate(dim, values) for dim in shape) for shape in shapes
    ]


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 500), st.integers(1, 500), st.integers(1, 500))
@pytest.mark.parametrize(
    ("op_type", "inputs", "outputs", "attributes"), CASES, ids=[case[0] for case in CASES]
)
def test_symbols_give_what_numbers_give(
    call: Make,
    op_type: str,
    inputs: list[Any],
    outputs: list[Any],
    attributes: dict[str, Any],
    n: int,
    h: int,
    k: int,
) -> None:
    values: dict[str, Dim] = {"n": n, "h": h, "k": k}
    symbolic = cost(call(op_type, inputs, outputs, **attributes))
    numeric = cost(call(op_type, put(inputs, values), put(outputs, values), **attributes))
    assert symbolic is not None
    parts = [None if part is None else evaluate(part, values) for part in symbolic]
    assert Cost(*parts) == numeric
    assert numeric is not None
    assert None not in numeric
