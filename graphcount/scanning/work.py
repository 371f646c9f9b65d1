"""What is done with one model of a scan, in whatever process does it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from graphcount.errors import GraphcountError, NotReadableError
from graphcount.loading.limits import DEFAULT_LIMITS, Limits
from graphcount.loading.source import is_remote, public_path
from graphcount.loading.stamp import external_stamps, sha256, stamp
from graphcount.report.records import Report
from graphcount.scanning.row import InventoryRow, error_row, report_row
from graphcount.scanning.timebox import OutOfTime, timebox
from graphcount.version import __version__

BUG = "bug"
"""Slug of an error that is ours."""


@dataclass(frozen=True)
class Analysis:
    """What to find out about each model: the options of count, audit and check together.

    Attributes:
        cost: Work out shapes, MACs and activations; None: up to a number of nodes.
        deep: Read tensor data to find copies; None: up to a number of bytes.
        hash_file: Compute the SHA-256 of the file, and fingerprints of its content.
        dims: Sizes of dynamic dimensions, by name; each applies where a model has it.
        optional_dims: Those of `dims` that no model needs to have.
        operators: Costs of operators that have no formula: `{"com.acme::Foo": {"macs": "..."}}`.
        assume: Report the cost at assumed sizes, too, where dimensions are dynamic; an inventory
            always has it.
        audit: Run the rules of an audit too.
        select: Rules of the audit, or families of them; empty for all.
        ignore: Rules whose findings are suppressed, each with the reason.
        maxima: Largest allowed values as written (`parameters=30M`).
        minima: Smallest allowed values as written.
        fail_on: Severity from which a finding makes a model fail; None: what `asked` says, or high.
        asked: What is asked of the audit of the model at a path, beside `select` and `ignore`: has
            `fail_on`, `select`, `ignore`. It can be pickled, and prints the same for the same.
        timeout_s: Seconds for one model, or None.
        limits: What a file may ask of us.
    """

    cost: bool | None = None
    deep: bool | None = None
    hash_file: bool = False
    dims: Mapping[str, int] = field(default_factory=dict)
    optional_dims: frozenset[str] = frozenset()
    operators: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    assume: bool = False
    audit: bool = False
    select: tuple[str, ...] = ()
    ignore: Mapping[str, str] = field(default_factory=dict)
    maxima: tuple[str, ...] = ()
    minima: tuple[str, ...] = ()
    fail_on: str | None = None
    asked: Callable[[str], Any] | None = None
    timeout_s: float | None = 300.0
    limits: Limits = DEFAULT_LIMITS

    def of(self, path: str) -> Analysis:
        """Return it for the model at a path."""
        if self.asked is None or not self.audit:
            return replace(self, fail_on=self.fail_on or "high")
        asked = self.asked(path)
        return replace(
            self,
            fail_on=self.fail_on or asked.fail_on or "high",
            select=self.select or asked.select,
            ignore={**asked.ignore, **self.ignore},
        )

    def fingerprint(self) -> str:
        """Return a short text that differs when an answer could: options and version."""
        text = f"{__version__} {self!r}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]


Examine = Callable[[str, Analysis], Report]


class Task(NamedTuple):
    """One model to look at.

    Attributes:
        ordinal: Its place in the order of targets.
        path: Where it is.
        problem: Why there is nothing to read; empty for a model.
        known: Stamp and digest of what the inventory holds, as `Known` in JSON, or empty.
    """

    ordinal: int
    path: str
    problem: str = ""
    known: str = ""


class Known(NamedTuple):
    """What tells whether an entry is still true."""

    stamp: str
    sides: Mapping[str, str]
    sha256: str | None


class Done(NamedTuple):
    """What became of a task: a row, or None when the inventory's is still true.

    Attributes:
        known: `Known` in JSON; empty when the model has to be looked at again next time.
    """

    ordinal: int
    row: InventoryRow | None
    known: str


Outcome = Report | GraphcountError


def look_at(path: str, examine: Examine, analysis: Analysis) -> Outcome:
    """Return examine one model; whatever goes wrong becomes an outcome."""
    public = public_path(path)
    try:
        with timebox(analysis.timeout_s):
            return examine(path, analysis)
    except GraphcountError as error:
        return error if error.path is not None else error.at(public)
    except OutOfTime:
        return TookTooLong(f"not done after {analysis.timeout_s:g} s", public)
    except MemoryError:
        return TookTooLong("out of memory", public)
    except Exception as error:
        return InternalError(
            f"internal error, please report: {type(error).__name__}: {error}", public
        )


class TookTooLong(GraphcountError):
    """More time or memory than a model may take in a scan."""

    slug = "resources"


class InternalError(GraphcountError):
    """An error of ours."""

    slug = BUG


class ProcessLost(GraphcountError):
    """The process that looked at the model ended twice."""

    slug = "lost"


PASSING = frozenset({BUG, ProcessLost.slug, TookTooLong.slug, NotReadableError.slug})
"""Slugs of errors that are not remembered: the next scan tries again."""


def do(task: Task, examine: Examine, analysis: Analysis) -> Done:
    """Do one task of a scan with an inventory."""
    if task.problem:
        error = NotReadableError(task.problem, public_path(task.path))
        return Done(task.ordinal, error_row(error), "")
    try:
        slow = analysis.hash_file or is_remote(task.path)
        with timebox(analysis.timeout_s if slow else None):  # a timer costs more than a stat
            now = _now(task, analysis)
    except OutOfTime:
        now = None
    if now is not None and now == _known(task.known):
        return Done(task.ordinal, None, task.known)
    outcome = look_at(task.path, examine, analysis)
    if isinstance(outcome, GraphcountError):
        kept = outcome.slug not in PASSING and not is_remote(task.path)
        known = _remember(now._replace(sides={})) if kept and now is not None else ""
        return Done(task.ordinal, error_row(outcome), known)
    return Done(
        task.ordinal,
        report_row(outcome, analysis.of(task.path).fail_on or "high"),
        _learn(task, now, outcome),
    )


def _now(task: Task, analysis: Analysis) -> Known | None:
    """Return current stamps; of external data files only of those the inventory lists."""
    before = _known(task.known)
    try:
        current = stamp(task.path)
        sides = external_stamps(task.path, before.sides) if before and before.sides else {}
        digest = None
        if before is not None and analysis.hash_file:
            digest = sha256(task.path)
            if digest == before.sha256:  # the content decides, not the time
                current = before.stamp
    except GraphcountError:
        return None
    return Known(current, sides or {}, digest)


def _learn(task: Task, now: Known | None, report: Report) -> str:
    """Return what to remember of a model; its stamp was taken before it was read."""
    sides = external_stamps(task.path, (file.location for file in report.model.side_files))
    if now is None or sides is None:
        return ""
    return _remember(Known(now.stamp, sides, report.model.sha256))


def _remember(known: Known) -> str:
    return json.dumps(known, sort_keys=True)


def _known(text: str) -> Known | None:
    if not text:
        return None
    fields: Any = json.loads(text)
    return Known(*fields)
