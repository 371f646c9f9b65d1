"""A model that was read, and how it is counted."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Literal, NamedTuple, TypedDict, Unpack, get_args

from graphcount.api.arguments import elements, model_path, plain, refuse_others, silent
from graphcount.errors import GraphcountError, UsageError
from graphcount.loading import ModelFile, read_model, reopen
from graphcount.loading.limits import DEFAULT_LIMITS, Limits
from graphcount.loading.model import ModelProto
from graphcount.loading.source import is_remote, public_path
from graphcount.verbose import note

if TYPE_CHECKING:
    import networkx as nx

    from graphcount.analysis.counts import Counted
    from graphcount.analysis.fingerprint import Hashes
    from graphcount.analysis.forward import CostOptions
    from graphcount.api.arguments import ModelLike
    from graphcount.graph import ModelGraph
    from graphcount.report.drawing import Drawing, FlowRow
    from graphcount.report.records import Report
    from graphcount.report.sparsity import SparsityRow

MacsConvention = Literal["graphcount", "torchinfo"]

Operators = Mapping[str, Mapping[str, str]]
"""`domain::op_type` → `macs` or `elementwise` → expression."""

COST_NODES = 50_000
"""Shapes and costs are worked out by default up to so many nodes; beyond, when asked for."""

DEEP_BUDGET_NBYTES = 64 * 2**20
"""Tensor data compared by default; `deep=True` lifts it, `deep=False` makes it zero."""


class SizeOptions(TypedDict, total=False):
    """Sizes of what is dynamic in a model.

    Attributes:
        dims: Sizes of dimensions: `{"batch": 8}`. An axis without a name is `x[2]`, every
            dimension without a size is `*`.
        shapes: Shapes of graph inputs: `{"input": (1, 3, 224, 224)}`. They replace those of the
            file, fixed sizes too.
        input_values: Elements of small graph inputs that decide what is computed: `{"sr": 16000}`.
        where_present: Names in these three that the model may lack.
    """

    dims: Mapping[str, int] | None
    shapes: Mapping[str, Sequence[int | str | None]] | None
    input_values: Mapping[str, float | Sequence[float]] | None
    where_present: Iterable[str]


class CountOptions(SizeOptions, total=False):
    """How a model is counted.

    Attributes:
        deep: Read tensor data to compare it (copies of tied weights, duplicates): True all of it,
            False none, None up to 64 MiB, and none of a remote model.
        hash_file: Put the SHA-256 of the model and its external data files, and the fingerprints
            of its content, into the report: all of it is read.
        sparsity: Count the zeros of stored tensors, and the MACs without them: all data is read. A
            function is called with how far that is.
        cost: Work out shapes, MACs and activations: None up to 50,000 nodes.
        macs_convention: `torchinfo` counts additions of biases too.
        in_place: Let results take over the memory of inputs, as onnxruntime does, in the peak of
            activations; see `graphcount.analysis.memory`.
        ranges: Least and most size of dimensions: `{"batch": (1, 8)}`. The report has the least and
            the most of each measure over them; `*` is every dimension without a size.
        assume: Where dimensions are dynamic, report the cost at assumed sizes, too; see
            `graphcount.analysis.assumed`. Sizes by name are taken before those of the table there.
        arena: Report a place for every activation in one block, with its lower bound, the peak.
        timeline: Report the activations alive over the run; no dimension may be dynamic then.
        operators: Costs of custom operators as expressions in a node's shapes and attributes:
            `{"com.acme::Foo": {"macs": "prod(outputs[0]) * inputs[1][0]"}}`; see
            `graphcount.ops.user`.
    """

    deep: bool | None
    hash_file: bool
    sparsity: bool | Callable[[str], None]
    cost: bool | None
    macs_convention: MacsConvention
    in_place: bool
    ranges: Mapping[str, tuple[int, int]] | None
    assume: bool | Mapping[str, int]
    arena: bool
    timeline: bool
    operators: Operators | None


class Counting(CountOptions, total=False):
    """How a model is counted, and what its file may ask of us."""

    limits: Limits


SIZED = ("dims", "shapes", "input_values", "ranges", "in_place", "arena")
"""Options that ask for a cost, however large the model is."""


class CountedReport(NamedTuple):
    """A report, and the stored tensors that it was made of."""

    report: Report
    counted: Counted


class Model:
    """A model that was read: its records, its graph, its reports.

    It remembers nothing that changes an answer: any order of calls gives what a new one gives.

    Example:
        >>> import networkx as nx
        >>> model = graphcount.load("fixtures/cnn.onnx")         # doctest: +SKIP
        >>> nx.ancestors(model.graph, "output:linear_1")         # doctest: +SKIP

    Attributes:
        file: The records, and where they are from.
    """

    def __init__(self, file: ModelFile, limits: Limits = DEFAULT_LIMITS) -> None:
        self.file = file
        self._limits = limits
        self._model_graph: ModelGraph | None = None
        self._graph: nx.MultiDiGraph[str] | None = None
        self._hashes: Hashes | None = None

    @property
    def path(self) -> str:
        """Path as given."""
        return self.file.path

    @property
    def proto(self) -> ModelProto:
        """The ONNX messages, without tensor data."""
        return self.file.proto

    @property
    def model_graph(self) -> ModelGraph:
        """The graph with what the file leaves undefined; built once.

        Raises:
            LimitError: Its names would take far more room than the file.
        """
        if self._model_graph is None:
            from graphcount.graph import build_graph

            try:
                with gc_paused():
                    self._model_graph = build_graph(self.file.proto, self._limits)
            except GraphcountError as error:
                raise error.at(public_path(self.path)) from None
        return self._model_graph

    @property
    def graph(self) -> nx.MultiDiGraph[str]:
        """The networkx graph: operators as nodes, values as edges; see `graphcount.graph`.

        Operators also carry what was counted: `module`, `parameters`, `buffers`, `nbytes`,
        `output_shapes` (declared ones) and `macs`. It is made once, and is the caller's: reports
        are of the file, whatever becomes of it.
        """
        if self._graph is None:
            with gc_paused():
                graph = self.model_graph.to_networkx()
            for row in self.report(deep=False).nodes:
                graph.nodes[row.id].update(
                    module=row.module,
                    parameters=row.parameters,
                    buffers=row.buffers,
                    nbytes=row.nbytes,
                    output_shapes=row.output_shapes,
                    macs=row.macs,
                )
            self._graph = graph
        return self._graph

    def report(self, **options: Unpack[CountOptions]) -> Report:
        """Count the model; see `CountOptions`.

        Raises:
            TypeError: There is no such option.
            ShapeError: `dims` or `shapes` do not fit the model.
            UsageError: A formula in `operators` is none, or for an operator that is known, or
                there is no such convention.
        """
        return self.measured(**options).report

    def measured(self, **options: Unpack[CountOptions]) -> CountedReport:
        """Count the model, and return what the report was made of, too; see `report`."""
        refuse_others(options, CountOptions)
        from graphcount.analysis.counts import count
        from graphcount.analysis.summary import summarize
        from graphcount.analysis.values import values_of

        started = perf_counter()
        hash_file = options.get("hash_file", False)
        by_default = 0 if is_remote(self.path) else DEEP_BUDGET_NBYTES
        budget = {None: by_default, True: 1 << 62, False: 0}[options.get("deep")]
        values = values_of(self.file, budget)
        try:
            digest = _sha256(self.path) if hash_file else None
            cost = self._cost_options(options)
            with gc_paused():
                counted = count(self.file, self.model_graph, values)
                report = summarize(self.file, self.model_graph, counted, values, digest, cost)
        finally:
            values.close()
        if hash_file:
            report = replace(report, fingerprint=self.hashes().fingerprint)
        if options.get("sparsity"):
            report = replace(report, sparsity=self._sparsity(report, counted, options))
        how = "with" if cost is not None else "without"
        text = "%s: counted in %.3f s, %s shapes and costs"
        note(text, public_path(self.path), perf_counter() - started, how)
        return CountedReport(report, counted)

    def _sparsity(self, report: Report, counted: Counted, options: CountOptions) -> SparsityRow:
        """Return the zeros of the stored tensors: all data is read, once.

        Raises:
            UsageError: MACs are to have additions, which no weight does.
        """
        if options.get("macs_convention") == "torchinfo":
            raise UsageError("sparsity is of MACs as graphcount counts them, not as torchinfo does")
        from graphcount.analysis.sparsity import sparsity
        from graphcount.loading.tensor_data import TensorReader

        progress = options.get("sparsity")
        again = None if self.path == "-" else partial(reopen, self.file, self._limits)
        with closing(TensorReader(self.path, again, most_pieces=1 << 62)) as reader:
            say = progress if callable(progress) else silent
            return sparsity(self.proto, self.model_graph, counted, report, reader, say)

    def _cost_options(self, options: CountOptions) -> CostOptions | None:
        """Return how to measure a forward pass; None: not at all."""
        wanted = options.get("cost")
        small = self.model_graph.node_count <= COST_NODES
        asked = wanted or any(options.get(key) for key in SIZED)
        made = _cost_options(options) if asked or small or options.get("operators") else None
        return made if asked or (wanted is None and small) else None

    def drawing(self, report: Report, depth: int | None = None) -> Drawing:
        """Return the graph as it is drawn: operators, or modules folded at a depth."""
        from graphcount.analysis.drawing import draw

        return draw(self.model_graph, report, depth)

    def flows(self, report: Report) -> tuple[FlowRow, ...]:
        """Return what flows between the nodes of a report of this model."""
        from graphcount.analysis.drawing import flows

        return flows(self.model_graph, report)

    def hashes(self) -> Hashes:
        """Return fingerprints of the content and digests of all stored tensors: all is read, once.

        Raises:
            NotReadableError: It cannot be read a second time (standard input).
        """
        if self._hashes is None:
            from graphcount.analysis.fingerprint import fingerprint

            source = reopen(self.file, self._limits)
            try:
                self._hashes = fingerprint(self.file, self.model_graph, source)
            finally:
                source.close()
        return self._hashes

    @property
    def stored_keys(self) -> tuple[int, ...]:
        """Identities of the stored tensors, in the report's order; see `Stored.key`."""
        from graphcount.analysis.stored import find_stored

        return tuple(tensor.key for tensor in find_stored(self.file.proto, self.file.path))

    def _repr_html_(self) -> str:
        """Return the model's report as HTML for a notebook."""
        return self.report(assume=True)._repr_html_()

    def __repr__(self) -> str:
        return f"<graphcount.Model {public_path(self.path)!r}>"


def load(path: ModelLike, *, limits: Limits = DEFAULT_LIMITS) -> Model:
    """Read a model without its tensor data.

    Args:
        path: `.onnx` file, ONNX text or JSON, or `-` for standard input; or the bytes of a model,
            an open file, or an `onnx.ModelProto`.
        limits: What the file may ask of us.

    Raises:
        GraphcountError: No model, not readable, not ONNX, damaged, or beyond the limits.
    """
    with gc_paused():
        return Model(read_model(model_path(path), limits), limits)


def count(
    path: ModelLike, *, limits: Limits = DEFAULT_LIMITS, **options: Unpack[CountOptions]
) -> Report:
    """Count a model: `load(path).report(...)`.

    Args:
        path: What `load` takes.
        limits: What the file may ask of us.
        options: Fields of `CountOptions`: sizes of dynamic dimensions, what is computed and read.

    Returns:
        Counts and costs as exact integers. What each counts is in docs/counting.md.

    Raises:
        GraphcountError: No model, not readable, not ONNX, damaged, or beyond the limits; or an
            option makes no sense.
    """
    with gc_paused():
        return load(path, limits=limits).report(**options)


def _sha256(path: str) -> str:
    from graphcount.loading.stamp import sha256

    return sha256(path)


def _cost_options(options: CountOptions) -> CostOptions:
    from graphcount.analysis.forward import CostOptions
    from graphcount.analysis.shapes import Bindings
    from graphcount.ops.cost import NO_RULES, user_rules

    dims = {name: plain(size) for name, size in dict(options.get("dims") or {}).items()}
    ranges = {name: _range(name, ends) for name, ends in (options.get("ranges") or {}).items()}
    given = (options.get("shapes") or {}).items()
    shapes = {name: tuple(map(plain, shape)) for name, shape in given}
    values = {name: elements(given) for name, given in (options.get("input_values") or {}).items()}
    operators = options.get("operators")
    convention = options.get("macs_convention", "graphcount")
    if convention not in get_args(MacsConvention):
        known = ", ".join(get_args(MacsConvention))
        raise UsageError(f"macs_convention: {convention!r} is none of {known}")
    return CostOptions(
        Bindings(dims, shapes, values, frozenset(options.get("where_present", ()))),
        ranges=ranges,
        with_bias=convention == "torchinfo",
        in_place=options.get("in_place", False),
        arena=options.get("arena", False),
        timeline=options.get("timeline", False),
        operators=user_rules(operators) if operators else NO_RULES,
        assume=_assumed(options.get("assume", False)),
    )


def _assumed(given: bool | Mapping[str, int]) -> dict[str, int] | None:
    """Return sizes that are assumed before others; None: none at all."""
    if isinstance(given, Mapping):
        return {name: plain(size) for name, size in given.items()}
    return {} if given else None


def _range(name: str, ends: object) -> tuple[int, int]:
    """Return the ends of a range.

    Raises:
        UsageError: It is none.
    """
    pair = tuple(map(plain, ends)) if isinstance(ends, list | tuple) else ()
    low, high = pair if len(pair) == 2 else (1, 0)
    if not (type(low) is int and type(high) is int and 0 <= low <= high < 2**63):
        raise UsageError(f"dimension {name}: {ends!r} is no range of sizes like (1, 8)")
    return low, high


@contextmanager
def gc_paused() -> Iterator[None]:
    """Pause the cycle collector while many records are made: they form no cycles.

    With 100,000 nodes the collector would go through all of them again and again.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
