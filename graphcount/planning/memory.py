"""What fits in memory: the longest context, and the most sequences at once.

A step of a model takes its weights, its inputs (the states of the step before among them), and the
peak of what it makes (the states that it hands on among them):

    weights + inputs + peak of activations

as `graphcount.analysis.memory` has them: nothing is done in place. What is made of weights at load
stands beside the sum: a runtime may keep it beside them or in their place. The model is counted
anew at each size that is tried; bytes grow with the size, so the answer is exact: one more does not
fit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, TypeAlias

from graphcount.errors import UsageError
from graphcount.report.pass_rows import StatesRow
from graphcount.report.plan import MemoryFit, MemoryPlan
from graphcount.report.records import Report
from graphcount.report.rows import Dim
from graphcount.symbolic import Expr, evaluate
from graphcount.symbolic.text import formula
from graphcount.units import nbytes as spelled

CONTEXT = 2048
"""Tokens at which the largest batch is sought, where no context is given."""

LARGEST = 1 << 40
"""Tokens, or sequences, that are tried at most: what fits then is not bounded by memory."""

FORMULA = "weights + inputs (states taken in among them) + peak (states handed on among them)"

CountAt: TypeAlias = Callable[[Mapping[str, int], Mapping[str, int]], Report]
"""Counts a model at sizes of dimensions, and at others that are taken before its own hints."""


class _Names(NamedTuple):
    """Dimensions of a model that is run step by step.

    Attributes:
        batch: Those of the sequences.
        past: Those that grow from step to step.
        step: By how much they do.
        tokens: Others of inputs of integers: of ids, positions and masks.
    """

    batch: tuple[str, ...]
    past: tuple[str, ...]
    step: Dim
    tokens: tuple[str, ...]


def memory_plan(report: Report, memory: int, dims: Mapping[str, int], count: CountAt) -> MemoryPlan:
    """Work out the longest context and the largest batch that fit.

    Args:
        report: The report without sizes, but those that are assumed.
        memory: Bytes that there are.
        dims: Sizes that were given; of the batch and the past, where one stays while the other
            grows.
        count: Counts the model.

    Raises:
        UsageError: The model has no states, or its bytes are not known.
    """
    if report.states is None:
        raise UsageError("--memory: the model hands nothing from one step to the next")
    names = _names(report, report.states)
    fitting = _Fitting(report, names, dims, count)
    longest, short = fitting.largest(memory, names.past, batch=False)
    most, few = fitting.largest(memory, names.batch, batch=True)
    reasons = []
    if longest is None:
        reasons.append(_reason("context", "no state grows with a dynamic dimension", short))
    if most is None:
        reasons.append(_reason("batch", "the model fixes it", few))
    load = report.in_numbers.totals.load_nbytes
    return MemoryPlan(memory, FORMULA, report.states.nbytes, load, longest, most, tuple(reasons))


def _reason(what: str, fixed: str, least: MemoryFit | None) -> str:
    if least is None:
        return f"{what}: {fixed}"
    sizes = ", ".join(f"{name} {size}" for name, size in least.dims.items())
    return f"{what}: not even the least fits: {spelled(least.total_nbytes)} at {sizes}"


def _names(report: Report, states: StatesRow) -> _Names:
    """Return the names of the batch and of what grows, and the growth of a step."""
    growing = [row for row in states.rows if row.axis is not None]
    batches = [row.shape[row.batch_axis] for row in states.rows if row.batch_axis is not None]
    pasts = [row.shape[row.axis] for row in growing if row.axis is not None]
    batch, past = (
        tuple(dict.fromkeys(dim for dim in dims if isinstance(dim, str)))
        for dims in (batches, pasts)
    )
    others = {row.name for row in report.dimensions} - {*batch, *past}
    integers = {
        name
        for value in report.model.inputs
        if value.dtype.startswith("int")
        for name in _symbols(value.shape or ())
    }
    tokens = tuple(sorted(integers & others))
    return _Names(batch, past, growing[0].step if growing else 0, tokens)


class _Fitting:
    """Counts one model at sizes, each once."""

    def __init__(
        self, report: Report, names: _Names, dims: Mapping[str, int], count: CountAt
    ) -> None:
        self.names, self.dims, self.count = names, dict(dims), count
        self.batch = next((dims[name] for name in names.batch if name in dims), 1)
        assumed = CONTEXT - 1 if names.past else 0
        self.past = next((dims[name] for name in names.past if name in dims), assumed)
        self.counted: dict[tuple[int, int], MemoryFit] = {}

    def at(self, batch: int, past: int) -> MemoryFit:
        """Return the bytes at a batch and a length of the past.

        Raises:
            UsageError: They are not known.
        """
        if (batch, past) not in self.counted:
            self.counted[batch, past] = self._counted(batch, past)
        return self.counted[batch, past]

    def _counted(self, batch: int, past: int) -> MemoryFit:
        names = self.names
        sizes = {**dict.fromkeys(names.past, past), **dict.fromkeys(names.batch, batch)}
        new, solved = self._new_tokens(sizes)
        proposed = {**{name: _length(name, past, new) for name in names.tokens}, **solved}
        report = self.count({**self.dims, **sizes}, proposed).in_numbers
        totals, states = report.totals, report.states
        inputs, peak = totals.input_nbytes, totals.peak_activation_nbytes
        handed_on = states.nbytes if states is not None else None
        lacking = {"activation", "peak"}.intersection(totals.at_least)
        if inputs is None or peak is None or not isinstance(handed_on, int) or lacking:
            raise UsageError("--memory: not all bytes of the model are known; see `unknown`")
        weights = totals.nbytes.total
        return MemoryFit(
            dims=dict(report.dims),
            batch=batch,
            context=past + new,
            weight_nbytes=weights,
            input_nbytes=inputs,
            peak_nbytes=peak,
            state_nbytes=handed_on,
            total_nbytes=weights + inputs + peak,
            next_nbytes=None,
        )

    def _new_tokens(self, sizes: Mapping[str, int]) -> tuple[int, dict[str, int]]:
        """Return the tokens of a step, those that were given or one, and what has to have a size.

        The growth of a step is a name, or a difference of the new length and the old one: the one
        name in it that is neither past nor batch has the size that makes it so many.
        """
        step = formula(self.names.step) if isinstance(self.names.step, str) else self.names.step
        if not isinstance(step, Expr):
            return step or 1, {}
        grown = evaluate(step, {**self.dims, **sizes})
        if isinstance(grown, int):
            return grown, {}
        rest = evaluate(grown, dict.fromkeys(grown.symbols(), 0)) if isinstance(grown, Expr) else 0
        (name, *more) = sorted(grown.symbols())
        if more or not isinstance(rest, int):
            return 1, {}
        return 1, {name: 1 - rest}

    def largest(
        self, memory: int, wanted: tuple[str, ...], *, batch: bool
    ) -> tuple[MemoryFit | None, MemoryFit | None]:
        """Return what is largest and fits; where nothing does, the least that was tried."""
        if not wanted:
            return None, None

        def at(size: int) -> MemoryFit:
            return self.at(size, self.past) if batch else self.at(self.batch, size)

        low, high = int(batch), 0
        least = at(low)
        if least.total_nbytes > memory:
            return None, least
        size = low + 1
        while not high and low < LARGEST:
            if at(size).total_nbytes > memory:
                high = size
            else:
                low, size = size, min(4 * size, LARGEST)
        while high - low > 1:
            middle = (low + high) // 2
            near = _crossing(at(low).total_nbytes, at(high).total_nbytes, memory, low, high)
            for guess in (near, near + 1, middle):
                if low < guess < high and at(guess).total_nbytes > memory:
                    high = guess
                elif low < guess < high:
                    low = guess
        return at(low)._replace(next_nbytes=at(high).total_nbytes if high else None), None


def _length(name: str, past: int, new: int) -> int:
    """Policy: what the name of a dimension of ids, positions and masks says of its length."""
    words = name.lower()
    return past + new if "total" in words else past if "past" in words else new


def _symbols(shape: Iterable[Dim]) -> set[str]:
    """Return the names in the dimensions of a shape."""
    dims = [formula(dim) for dim in shape if isinstance(dim, str)]
    return {name for dim in dims if isinstance(dim, Expr) for name in dim.symbols()}


def _crossing(below: int, above: int, memory: int, low: int, high: int) -> int:
    """Return where a line through two points reaches a number of bytes."""
    return low + (high - low) * (memory - below) // (above - below)
