"""Whether runtimes load a model: one verdict for each runtime that is asked for."""

from __future__ import annotations

from typing import NamedTuple

from graphcount.gates.budgets import Origin, Standing
from graphcount.report.finding_rows import VerdictRow
from graphcount.report.loading import Ask
from graphcount.report.rows import UNKNOWN

REFUSED = "BUD014"


class RuntimeDemand(NamedTuple):
    """A runtime that has to load the model: `onnxruntime:1.32.0/cpu`."""

    name: str
    origin: Origin


def judge_runtime(ask: Ask, demand: RuntimeDemand, standing: Standing) -> VerdictRow:
    """Return whether a runtime loads a model; only what is known to load is kept."""
    answer = ask(demand.name)
    at = f" at {answer.node}" if answer.node else ""
    message = {
        "loads": f"{answer.runtime} loads it",
        "refused": f"{answer.runtime} refuses it{at}: {answer.why}",
        "not known": f"whether {answer.runtime} loads it is not known{at}: {answer.why}",
    }[answer.state]
    where: dict[str, object] = {
        "check": standing.check,
        "measure": "runtime",
        "limit": demand.origin.place,
    }
    if answer.cause:
        where["cause"] = answer.cause
    if answer.node:
        where["node"] = answer.node
    return VerdictRow(
        rule=UNKNOWN if answer.state == "not known" else REFUSED,
        measure="runtime",
        kept=answer.state == "loads",
        severity=standing.severity,
        value=None,
        unit="count",
        bound="allowed",
        limit=None,
        written=answer.runtime,
        message=message,
        note="",
        origin=demand.origin.text,
        where=where,
        contributors=(),
    )
