"""Recipes become arrays. Runs in the child."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from graphcount.benchmarking.files import FileInput, load
from graphcount.benchmarking.messages import FedInput

Array: TypeAlias = npt.NDArray[np.generic]
Type: TypeAlias = np.dtype[np.generic]
Rng = np.random.Generator

WORDS = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta")

NUMPY: dict[str, str] = {"bfloat16": "uint16", "float8_e4m3fn": "uint8", "float8_e5m2": "uint8"}
"""Element types numpy lacks, and what carries their bits."""

NATIVE = frozenset(
    (
        *("bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"),
        *("float16", "float32", "float64", "complex64", "complex128"),
    )
)
"""Element types numpy has itself."""

ONE_BITS: dict[str, int] = {"bfloat16": 0x3F80, "float8_e4m3fn": 0x38, "float8_e5m2": 0x3C}
"""1.0 in these types."""

POSITIONS = re.compile(r"(indices|positions) < (\d+)\Z")
SEQUENCE_LENGTH = 3


def array(dtype: str, shape: tuple[int, ...], fill: str, rng: Rng) -> Array:
    """Make the numbers of one tensor input.

    Raises:
        ValueError: An element type that cannot be fed.
    """
    if fill == "words":
        return np.array(WORDS, dtype=object)[rng.integers(0, len(WORDS), shape)]
    if dtype in NUMPY:
        return np.full(shape, ONE_BITS[dtype], NUMPY[dtype])
    if dtype not in NATIVE:
        raise ValueError(f"element type {dtype} cannot be fed")
    kind = np.dtype(dtype)
    bounded = POSITIONS.match(fill)
    if bounded and bounded.group(1) == "indices":
        return np.asarray(rng.integers(0, _fits(int(bounded.group(2)), kind), shape), kind)
    if fill.startswith("positions"):
        last = np.arange(shape[-1] if shape else 1)
        if bounded:
            last %= int(bounded.group(2))
        return np.asarray(np.broadcast_to(last.astype(kind), shape or (1,)).reshape(shape)).copy()
    return RECIPES[fill](kind, shape, rng)


def _fits(bound: int, kind: Type) -> int:
    return min(bound, int(np.iinfo(str(kind)).max) + 1)


def _normal(kind: Type, shape: tuple[int, ...], rng: Rng) -> Array:
    """Return standard normal numbers, drawn as float32 where that is enough."""
    if kind == np.float64:
        return np.asarray(rng.standard_normal(shape))
    if kind.kind == "c":
        return np.asarray(rng.standard_normal(shape) + 1j * rng.standard_normal(shape), kind)
    return np.asarray(rng.standard_normal(shape, dtype=np.float32), kind)


def _bytes(kind: Type, shape: tuple[int, ...], rng: Rng) -> Array:
    limits = np.iinfo(str(kind))
    return np.asarray(rng.integers(limits.min, limits.max, shape, kind, endpoint=True))


RECIPES: dict[str, Callable[[Type, tuple[int, ...], Rng], Array]] = {
    "normal": _normal,
    "bytes": _bytes,
    "ones": lambda kind, shape, rng: np.ones(shape, kind),
    "zeros": lambda kind, shape, rng: np.zeros(shape, kind),
}
"""Recipe → function of element type, shape and random numbers."""


ORT_TYPES = {"float": "float32", "double": "float64"}
_NESTED = re.compile(r"(seq|optional|map)\((.*)\)\Z")


def value(ort_type: str, shape: tuple[int, ...], rng: Rng) -> object:
    """Return a value of a type, as onnxruntime writes it: `map(int64,tensor(float))`.

    Raises:
        ValueError: A type that cannot be fed.
    """
    nested = _NESTED.match(ort_type)
    if nested is None:
        name = ort_type.removeprefix("tensor(").removesuffix(")")
        dtype = ORT_TYPES.get(name, name)
        recipe = "words" if dtype == "string" else "normal" if "float" in dtype else "ones"
        return array(dtype, shape, recipe, rng)
    outer, inner = nested.groups()
    if outer == "optional":
        return value(inner, shape, rng)
    if outer == "seq":
        return [value(inner, shape, rng) for _ in range(SEQUENCE_LENGTH)]
    key, _, element = inner.partition(",")
    numbers = np.asarray(value(element, (1,), rng))
    keys = WORDS if key == "string" else range(len(WORDS))
    return {key: numbers[0].item() for key in keys}


def given(dtype: str, shape: tuple[int, ...], elements: Sequence[int | float]) -> Array:
    """Make a tensor of its elements.

    Raises:
        ValueError: An element type that numpy lacks.
    """
    if dtype not in NATIVE:
        raise ValueError(f"element type {dtype} cannot be given by --value")
    return np.array(elements, dtype).reshape(shape)


def make(item: FedInput, ort_type: str, seed: int, position: int) -> object:
    """Return the value of one input of a job."""
    if item["file"] is not None:
        stored = load(FileInput(*item["file"]))
        return stored.astype(object) if stored.dtype.kind in "SU" else np.ascontiguousarray(stored)
    rng = np.random.default_rng([seed, position])
    shape = tuple(item["shape"])
    if item["fill"] == "values":
        return given(item["dtype"], shape, item["elements"] or ())
    if item["code"] == 0:
        return value(ort_type, shape, rng)
    return array(item["dtype"], shape, item["fill"], rng)
