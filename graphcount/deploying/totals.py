"""Sums of a deployment: files each once, tensors that components share once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from graphcount.deploying.steps import summed
from graphcount.loading.folder import Folder
from graphcount.report.deployment import DeployedFile, DeployedStates, DeploymentTotals, VariantRow

ALWAYS = ("configuration", "asset", "side")
"""Kinds of files that are needed whatever variants are chosen."""


def disk_nbytes(folder: Folder, names: Iterable[str]) -> int:
    """Return bytes of files that may be looked at, each once, whatever names it has."""
    files = (folder.by_name[name] for name in names if name in folder.by_name)
    return sum({file.place: file.nbytes or 0 for file in files}.values())


def largest(numbers: Iterable[int | None]) -> int | None:
    """Return the largest; None where one is not known, and where there is none."""
    every = list(numbers)
    known = [number for number in every if number is not None]
    return max(known) if known and len(known) == len(every) else None


def totals(
    folder: Folder,
    files: Sequence[DeployedFile],
    rows: Sequence[VariantRow],
    state_rows: Sequence[DeployedStates],
    handed_on: int | None,
) -> DeploymentTotals:
    """Return the sums of a deployment.

    Args:
        folder: The folder.
        files: Its files.
        rows: The variants that run.
        state_rows: Their states, of the context's length.
        handed_on: Bytes of states that they hand on in the pass that their peaks are of.
    """
    labels = {row.label for row in rows}
    wanted = (f.path for f in files if f.kind in ALWAYS or labels.intersection(f.components))
    parameters = sum(row.parameters or 0 for row in rows)
    nbytes = sum(row.nbytes or 0 for row in rows)
    own = parameters - sum(row.shared_parameters or 0 for row in rows)
    own_nbytes = nbytes - sum(row.shared_nbytes or 0 for row in rows)
    state = summed(row.nbytes for row in state_rows)
    shorter = bool(state) and (handed_on is None or handed_on < (state or 0))
    peak = largest(row.peak_nbytes for row in rows)
    return DeploymentTotals(
        files=len(files),
        disk_nbytes=disk_nbytes(folder, (file.path for file in files)),
        download_nbytes=disk_nbytes(folder, wanted),
        parameters=own,
        summed_parameters=parameters,
        likely_parameters=own - sum(row.likely_parameters or 0 for row in rows),
        nbytes=own_nbytes,
        summed_nbytes=nbytes,
        likely_nbytes=own_nbytes - sum(row.likely_nbytes or 0 for row in rows),
        state_nbytes=state,
        peak_nbytes=peak,
        resident_nbytes=None if peak is None or state is None else own_nbytes + state + peak,
        at_least=_at_least(folder, rows, shorter=shorter),
    )


def _at_least(folder: Folder, rows: Sequence[VariantRow], *, shorter: bool) -> tuple[str, ...]:
    """Return the sums that are lower bounds.

    Args:
        folder: The folder.
        rows: The variants that run.
        shorter: The pass that peaks are of is shorter than the context: its peak is lower.
    """
    missing = any(row.error or row.model is None for row in rows)
    counts = missing or any("parameters" in row.at_least for row in rows)
    peak = any("peak" in row.at_least for row in rows)
    sizes = {file.name: file.nbytes for file in folder.files}
    absent = missing or any(sizes.get(name) is None for row in rows for name in row.files)
    return (
        *(("download_nbytes",) if absent else ()),
        *(("parameters", "nbytes") if counts else ()),
        *(("peak_nbytes",) if peak else ()),
        *(("resident_nbytes",) if counts or peak or shorter else ()),
    )
