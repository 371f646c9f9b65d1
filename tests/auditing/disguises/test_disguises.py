"""Weights in disguise are counted whatever they are, and named where they are no parameters."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphcount import api
from tests.auditing.backdoors.net import Array, Net
from tests.auditing.disguises.last import HEAVY, LAST
from tests.auditing.disguises.later import LATER
from tests.auditing.disguises.plant import WEIGHTS, model, problem
from tests.auditing.disguises.rates import ask
from tests.auditing.disguises.ways import WAYS, Way, honest, product, weights
from tests.conftest import SHARED

EVERY: dict[str, Way] = {**WAYS, **LATER, **LAST}

SEEMS_TO_DEPEND = {"waiting"}
"""Taken apart by what seems to depend on an input: the packed numbers count."""

NOT_NAMED = {"digits", "chosen_products", "turned_round", *SEEMS_TO_DEPEND}
"""Few of their numbers are parameters, and HID006 does not see what they do."""


@pytest.mark.parametrize("name", sorted(EVERY.keys() - HEAVY))
def test_it_gives_the_honest_output_and_is_held_back(name: str, tmp_path: Path) -> None:
    made = model(EVERY[name])
    assert problem(name, made) == ""
    path = tmp_path / "planted.onnx"
    path.write_bytes(made.SerializeToString())
    asked = ask(name, str(path))
    assert asked.elements is not None
    assert asked.held
    assert (asked.elements < WEIGHTS) == (name in SEEMS_TO_DEPEND)
    assert asked.elements >= asked.parameters
    if asked.parameters < WEIGHTS:
        assert bool(asked.severity) == (name not in NOT_NAMED)


def test_honest_weights_are_counted_once_and_not_named(tmp_path: Path) -> None:
    path = tmp_path / "honest.onnx"
    path.write_bytes(model(honest).SerializeToString())
    asked = ask("honest", str(path))
    assert (asked.parameters, asked.elements, asked.severity) == (WEIGHTS, WEIGHTS, "")


def test_the_way_is_told_from_the_tensor_to_the_product(tmp_path: Path) -> None:
    path = tmp_path / "planted.onnx"
    path.write_bytes(model(EVERY["cast_integers"]).SerializeToString())
    (finding,) = api.audit(str(path), select=("HID006",)).findings
    assert finding.severity == "medium"
    way = [str(node).partition("#")[0] for node in finding.evidence["path"]]  # type: ignore[attr-defined]
    assert way == ["k1", "Cast", "Sub", "Mul", "Reshape", "MatMul"]
    assert finding.evidence["kinds"] == {"constant": WEIGHTS + 2}
    assert (finding.evidence["parameters"], finding.where["input"]) == (0, 1)


@pytest.mark.parametrize("name", ["codebook", "shifted_bytes"])
def test_what_quantizers_write_is_low(name: str, tmp_path: Path) -> None:
    path = tmp_path / "planted.onnx"
    path.write_bytes(model(EVERY[name]).SerializeToString())
    (finding,) = api.audit(str(path), select=("HID006",)).findings
    assert finding.severity == "low"


def test_filters_of_floats_are_what_their_kind_says(tmp_path: Path) -> None:
    def filters(net: Net, x: str, codes: Array) -> str:
        net.const(weights(codes))
        net.tensors[-1].name = "stft.forward_basis"
        return product(net, x, "stft.forward_basis")

    path = tmp_path / "filters.onnx"
    path.write_bytes(model(filters).SerializeToString())
    asked = ask("filters", str(path))
    assert (asked.parameters, asked.kinds, asked.severity) == (0, WEIGHTS, "")


@pytest.mark.skipif(not (SHARED / "disguise").is_dir(), reason="needs ../shared/disguise")
def test_shared_disguises_are_held_back() -> None:
    paths = sorted((SHARED / "disguise" / "models").glob("*.onnx"))
    assert len(paths) >= 14
    for path in paths:
        checked = api.check(str(path), max={"operand_elements": 1000})
        assert checked.exit_code == 1, path.name
