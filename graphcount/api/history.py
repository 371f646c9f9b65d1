"""Histories of latencies: read, held against a measurement, one line longer."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from graphcount.api.model import count
from graphcount.errors import DamagedError, not_writable
from graphcount.gates.baseline import relative
from graphcount.loading.limits import Limits
from graphcount.loading.source import open_regular
from graphcount.report.bench import LatencyChange, Trend
from graphcount.report.history import (
    HistoryRow,
    Machine,
    MeasuredModel,
    line_of,
    refuse_others,
    rows_of,
    same_sizes,
    trend,
)
from graphcount.units import nbytes

if TYPE_CHECKING:
    from graphcount.report.bench import BenchResult

MAX_NBYTES = 64 * 2**20
GIT_SECONDS = 10


def read_history(file: str) -> list[HistoryRow]:
    """Read a history.

    Raises:
        NotReadableError: There is no such file.
        DamagedError: It is no history; names the line.
    """
    with open_regular(file) as stream:
        data = stream.read(MAX_NBYTES + 1)
    if len(data) > MAX_NBYTES:
        raise DamagedError(f"more than {nbytes(MAX_NBYTES)} of history", file)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise DamagedError("not UTF-8 text", file) from None
    if text and not text.endswith("\n"):
        raise DamagedError(f"line {text.count(chr(10)) + 1} is cut: it has no end", file)
    return rows_of(text, file)


def measured_row(
    result: BenchResult, file: str, model: MeasuredModel, commit: str | None
) -> HistoryRow:
    """Return a measurement as a line of a history."""
    environment, options, versus = result.environment, result.options, result.versus
    low, high = result.latency.ci95 or (None, None)
    machine = Machine(
        environment.cpu,
        environment.cores,
        " ".join(environment.system.split()[::2]),  # without the release of the kernel
        environment.onnxruntime,
        result.provider.requested,
        options.threads,
        options.inter_threads,
        options.optimization,
        options.concurrency,
        options.sessions,
    )
    return HistoryRow(
        date=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        commit=commit,
        model=model,
        machine=machine,
        inputs={row.name: f"{row.dtype} {'x'.join(map(str, row.shape))}" for row in result.inputs},
        runs=result.runs,
        min=result.latency.min,
        p50=result.latency.p50,
        low=low,
        high=high,
        versus=None if versus is None else relative(file, versus.path),
        ratio=None if versus is None else versus.ratio,
    )


def measured_model(path: str, file: str, limits: Limits) -> MeasuredModel:
    """Return which model is measured: all of it is read, once.

    Raises:
        GraphcountError: It cannot be read.
    """
    report = count(path, limits=limits, hash_file=True, cost=False, deep=False)
    architecture = report.fingerprint.architecture if report.fingerprint else None
    return MeasuredModel(relative(file, path), report.model.sha256, architecture)


class History:
    """A history that measurements are added to.

    Args:
        file: Its path; it need not exist yet.
        changes: Find where it changed for good, too.

    Raises:
        NotReadableError: It cannot be read.
        DamagedError: It is no history.
        UsageError: ruptures, which finds changes, is not installed.
    """

    def __init__(self, file: str, changes: bool) -> None:
        if changes:
            changes_of(())
        self.file, self._changes = file, changes
        self.rows = read_history(file) if os.path.exists(file) else []

    def remember(
        self, results: Sequence[BenchResult], commit: str | None, limits: Limits
    ) -> list[BenchResult]:
        """Append measurements of one model; return them with how they stand beside those before.

        Args:
            results: Measurements, at one or several sizes.
            commit: Revision that they are of; None: that of git here, if there is one.
            limits: What the model's file may ask of us.

        Raises:
            UsageError: It is the history of another model or machine.
            NotReadableError: It cannot be written.
        """
        model = measured_model(results[0].path, self.file, limits)
        revision = commit or current_commit()
        lines = [measured_row(result, self.file, model, revision) for result in results]
        trends = [self._added(line) for line in lines]
        try:
            with open(self.file, "a", encoding="utf-8", newline="") as stream:
                stream.write("".join(map(line_of, lines)))
        except OSError as error:
            raise not_writable(self.file, error) from None
        pairs = zip(results, trends, strict=True)
        return [replace(result, history=stands) for result, stands in pairs]

    def _added(self, row: HistoryRow) -> Trend:
        refuse_others(self.rows, row, self.file)
        stands = trend(self.rows, row, self.file)
        self.rows.append(row)
        changes = changes_of(same_sizes(self.rows, row)) if self._changes else None
        return stands._replace(changes=changes)


def changes_of(rows: Sequence[HistoryRow]) -> tuple[LatencyChange, ...]:
    """Return where the latency became another one for good.

    Raises:
        UsageError: ruptures is not installed.
    """
    from graphcount.benchmarking.changes import change_points

    times = [row.p50 for row in rows]
    starts = change_points(times)
    if not starts:
        return ()
    levels = [median(times[start:end]) for start, end in pairwise([0, *starts, len(times)])]
    return tuple(
        LatencyChange(rows[start].date, rows[start].commit, after / before)
        for start, (before, after) in zip(starts, pairwise(levels), strict=True)
    )


def current_commit() -> str | None:
    """Return the revision that git has here; None where there is no repository, or no git."""
    command = ["git", "rev-parse", "--verify", "HEAD"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=GIT_SECONDS, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None
