"""Graphs in which each thing asks for all others: the work stays proportional to their number."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import graphcount
from graphcount.analysis.counts import SIGNATURE
from tests.conftest import Save

N = helper.make_node
COUNT = 4_000


def many_operands(save: Save) -> str:
    """No standard Mul takes more than two; a file can say so."""
    names = [f"w{index}" for index in range(COUNT)]
    stored = [numpy_helper.from_array(np.arange(4, dtype=np.float32), name) for name in names]
    return save([N("Mul", ["x", *names], ["y"])], stored, inputs=[("x", [4])], outputs=["y"])


def many_pasts(save: Save) -> str:
    """Inputs that might hold past keys, all joined by one node, to nothing new."""
    pasts = [(f"past{index}", [1, 2, 3]) for index in range(COUNT)]
    nodes = [
        N("Concat", [name for name, _ in pasts], ["k"], axis=1),
        N("MatMul", ["k", "k"], ["y"]),
    ]
    return save(nodes, inputs=pasts, outputs=["y"])


def a_chain_of_pasts(save: Save) -> str:
    """Each is joined to what all before it became."""
    pasts = [(f"past{index}", [1, 2, 3]) for index in range(COUNT)]
    nodes = [N("Relu", ["past0"], ["k0"])]
    nodes += [N("Concat", [f"past{i}", f"k{i - 1}"], [f"k{i}"], axis=1) for i in range(1, COUNT)]
    return save(nodes, inputs=pasts, outputs=[f"k{COUNT - 1}"])


def many_declared_weights(save: Save) -> str:
    """Inputs named like weights, all behind one node that many others read."""
    weights = [(f"layer.{index}.weight", [2, 3]) for index in range(COUNT // 2)]
    nodes = [N("Concat", [name for name, _ in weights], ["c"], axis=0)]
    nodes += [N("Relu", ["c"], [f"r{index}"]) for index in range(COUNT * 2)]
    return save(nodes, inputs=weights, outputs=["r0"])


def many_tables_and_products(save: Save) -> str:
    """Any product could share the numbers of any table; torch.export names them all."""
    half, shape = COUNT // 2, (2, 3)
    names = [f"{kind}.{index}.weight" for kind in ("emb", "fc") for index in range(half)]
    stored = [
        numpy_helper.from_array(np.full(shape, i, np.float32), n) for i, n in enumerate(names)
    ]
    nodes = [N("Gather", [name, "i"], [f"e{k}"]) for k, name in enumerate(names[:half])]
    nodes += [N("MatMul", [f"e{k}", name], [f"p{k}"]) for k, name in enumerate(names[half:])]
    nodes.append(N("Sum", [f"p{k}" for k in range(half)], ["y"]))
    lines = [f"p_{k}: PARAMETER target='{name}'" for k, name in enumerate(names)]

    def sign(model: onnx.ModelProto) -> None:
        model.graph.metadata_props.add(key=SIGNATURE, value="\n".join([*lines, "# outputs"]))

    index = helper.make_tensor_value_info("i", onnx.TensorProto.INT64, [2])
    return save(nodes, stored, inputs=[index], outputs=["y"], change=sign)


MODELS = [
    many_operands,
    many_pasts,
    a_chain_of_pasts,
    many_declared_weights,
    many_tables_and_products,
]


@pytest.mark.parametrize("make", MODELS, ids=[make.__name__ for make in MODELS])
def test_work_is_linear(make: Callable[[Save], str], save: Save) -> None:
    path = make(save)
    started = time.process_time()
    graphcount.count(path, cost=True)
    assert time.process_time() - started < 6
