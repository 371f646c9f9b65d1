"""Real latency, next to what it should cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict, Unpack

from graphcount.api.arguments import elements, file_path, refuse_others, several, silent
from graphcount.api.auditing import audit
from graphcount.api.model import Counting, Operators, SizeOptions, count, load
from graphcount.api.sizes import given
from graphcount.errors import UsageError
from graphcount.loading.limits import DEFAULT_LIMITS, Limits
from graphcount.report.printable import PrintableResult

if TYPE_CHECKING:
    from graphcount.benchmarking.measure import BenchedModel, BenchOptions
    from graphcount.report.bench import BenchResult
    from graphcount.report.records import Report


class BenchWords(TypedDict, total=False):
    """What `bench` is given by name, beside dims, shapes and trust."""

    input_values: Mapping[str, float | Sequence[float]] | None
    inputs: Sequence[str]
    versus: str | None
    operators: Operators | None
    progress: Callable[[str], None]
    limits: Limits


def bench(
    path: str,
    options: BenchOptions | None = None,
    *,
    inputs: Sequence[str] = (),
    versus: str | None = None,
    trust: bool = False,
    operators: Operators | None = None,
    progress: Callable[[str], None] = silent,
    limits: Limits = DEFAULT_LIMITS,
    **sizes: Unpack[SizeOptions],
) -> BenchResult:
    """Run a model with onnxruntime and measure it; see `graphcount.benchmarking`.

    The model is executed, in a child process with limits. A structural audit comes first.

    Args:
        path: The model, an .onnx file.
        options: How to measure; None for the defaults.
        inputs: Files with inputs: `name=file.npy`, `file.npz`, a folder with `input_0.pb`.
        versus: Another model to take turns with.
        trust: Run although the audit has findings of high or critical severity.
        operators: Costs of custom operators; see `CountOptions`.
        progress: Called with what is being done.
        limits: What the file may ask of us.
        sizes: `dims`, `shapes` and `input_values`; see `SizeOptions`. With `versus` each applies
            where a model has what it is of, and to one of the two at least.

    Returns:
        Times in seconds, memory in bytes, and the time of each operator beside its cost.

    Raises:
        GraphcountError: The model is refused, or cannot be read, fed or run.
        TypeError: There is no such option; runs and the like are fields of `options`.
    """
    from graphcount.benchmarking.measure import BenchOptions, measure
    from graphcount.benchmarking.plan import refuse_unknown

    refuse_others(sizes, SizeOptions)
    how = options or BenchOptions()
    subjects: list[BenchedModel] = []
    names = given(sizes)
    if versus is not None:
        sizes = {**sizes, "where_present": names | frozenset(sizes.get("where_present", ()))}
    for one in (path, versus):
        if one is None:
            continue
        one = file_path(one, "a benchmark")
        if not trust:
            progress("audit")
            _refuse_findings(audit(one, deep=False, limits=limits))
        profiled = how.profile and not subjects
        subjects.append(_subject(one, profiled, several(inputs), operators, limits, sizes))
    refuse_unknown(sorted(names), [subject.plan for subject in subjects])
    return measure(subjects[0], how, progress, subjects[1] if versus is not None else None)


@dataclass(frozen=True, slots=True, repr=False)
class Benched(PrintableResult):
    """Results of a model for each combination of sizes; it prints as the command does."""

    results: tuple[BenchResult, ...]

    def __str__(self) -> str:
        """Return what the command prints, without colours."""
        from graphcount.api.results import written_benches

        return written_benches(self.results, "table").rstrip("\n")

    def to_json(self) -> str:
        """Return an object: the exit code, and the results."""
        from graphcount.report.bench import to_dict
        from graphcount.report.serial import dumps

        rows = [to_dict(row) for row in self.results]
        return dumps({"exit_code": self.exit_code, "results": rows})

    @property
    def exit_code(self) -> int:
        """Return the command's: 1 for slower than the other model may be, 2 for not decided, 0."""
        exceeded = any(row.versus and row.versus.verdict == "exceeded" for row in self.results)
        return 2 if self.undecided else int(exceeded)

    @property
    def undecided(self) -> tuple[BenchResult, ...]:
        """Comparisons of which nobody can say yet whether they keep the budget."""
        return tuple(
            row for row in self.results if row.versus and row.versus.verdict == "undecided"
        )


def benches(
    path: str,
    options: BenchOptions | None = None,
    *,
    dims: Mapping[str, int | Sequence[int]] | None = None,
    shapes: Mapping[str, Sequence[int | str | None]] | None = None,
    trust: bool = False,
    history: str | None = None,
    commit: str | None = None,
    changes: bool = False,
    **words: Unpack[BenchWords],
) -> Benched:
    """Measure a model with several sizes; the words are those of `graphcount bench`.

    Args:
        path: The model, an .onnx file.
        options: How to measure; None for the defaults.
        dims: Sizes of dimensions, one or several: `{"batch": (1, 8)}`; every combination is
            measured.
        shapes: Shapes of graph inputs.
        trust: Run although the audit has findings of high or critical severity.
        history: File of JSON lines that becomes one longer for each result, which then says how it
            stands beside those before (`BenchResult.history`).
        commit: Revision that the line is of; None: that of the repository here, if there is one.
        changes: Find where the history changed for good; needs the extra `history`.
        words: The others of `bench`.

    Returns:
        One result for each combination of sizes, and the exit code of `graphcount bench`.

    Raises:
        GraphcountError: The model is refused, or cannot be read, fed or run; or the history is
            damaged, or of another model or machine.
    """
    from graphcount.benchmarking.measure import BenchOptions
    from graphcount.benchmarking.plan import cases

    if history is None and (changes or commit is not None):
        raise UsageError("--commit and --changes need --history")
    how = options or BenchOptions()
    asked = (dims or {}).items()
    combinations = cases(
        {name: (size,) if isinstance(size, int) else tuple(size) for name, size in asked}
    )
    if len(combinations) > 1 and how.save_inputs:
        raise UsageError("--save-inputs and --format report take one size of each --dim")
    kept = None
    if history is not None:
        from graphcount.api.history import History

        kept = History(history, changes)  # what is no history is refused before anything runs
    results = [
        bench(path, how, dims=sizes, shapes=shapes, trust=trust or number > 0, **words)
        for number, sizes in enumerate(combinations)
    ]
    if kept is not None:
        results = kept.remember(results, commit, words.get("limits", DEFAULT_LIMITS))
    return Benched(tuple(results))


def bench_report(result: BenchResult, **options: Unpack[Counting]) -> str:
    """Return the JSON of a model's report with a key `bench`: its count at the measured sizes."""
    from graphcount.dtypes import BY_NAME
    from graphcount.report.bench import to_dict
    from graphcount.report.serial import dumps
    from graphcount.report.serial import to_dict as report_dict

    fed = {row.name: row.shape for row in result.inputs if row.dtype in BY_NAME}
    known = {row.name: row.elements for row in result.inputs if row.elements is not None}
    lacking = frozenset(options.get("dims") or ())
    sized: Counting = {**options, "shapes": fed, "input_values": known, "where_present": lacking}
    return f"{dumps({**report_dict(count(result.path, **sized)), 'bench': to_dict(result)})}\n"


def _refuse_findings(report: Report) -> None:
    """Refuse to run what the audit warns of.

    Raises:
        UsageError: A finding of high or critical severity, or an audit that is not complete.
    """
    bad = [finding for finding in report.findings if finding.severity in ("critical", "high")]
    if bad:
        more = f" ({len(bad) - 1} more)" if len(bad) > 1 else ""
        first = f"{bad[0].rule} {bad[0].severity}: {bad[0].message}{more}"
        raise UsageError(f"not run, the audit found {first}; --trust runs it", report.model.path)
    if report.audit is not None and not report.audit.complete:
        why = "not run, the audit could not be completed; --trust runs it"
        raise UsageError(why, report.model.path)


def _subject(
    path: str,
    with_cost: bool,
    inputs: Sequence[str],
    operators: Operators | None,
    limits: Limits,
    sizes: SizeOptions,
) -> BenchedModel:
    """Return a model, what it is fed, and what its nodes should cost at these sizes."""
    from graphcount.benchmarking.given import FedSizes
    from graphcount.benchmarking.measure import BenchedModel
    from graphcount.benchmarking.plan import plan_inputs

    model = load(path, limits=limits)
    if model.file.format != "onnx" or path == "-":
        raise UsageError("onnxruntime runs .onnx files only", path)
    lacking = frozenset(sizes.get("where_present", ()))
    values = {name: elements(row) for name, row in (sizes.get("input_values") or {}).items()}
    dims, shapes = sizes.get("dims") or {}, sizes.get("shapes") or {}
    plan = None
    try:
        plan = plan_inputs(
            model.file, model.model_graph, FedSizes(dims, shapes, values, inputs, lacking)
        )
        report = model.report(
            deep=False,
            cost=with_cost,
            dims={**dims, **plan.assumed},
            shapes={**shapes, **plan.shapes},
            input_values=plan.elements,
            where_present=lacking,
            operators=operators,
        )
    except UsageError as error:
        sizes_taken = f"{plan.assumptions}: " if plan is not None and plan.assumptions else ""
        raise type(error)(f"{sizes_taken}{error.message}", error.path or path) from None
    rows = {row.id: row for row in report.nodes}
    return BenchedModel(path, plan, model.model_graph, rows, report.totals.nbytes.total)
