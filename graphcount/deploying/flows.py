"""What flows between the nodes of a whole deployment, through outputs that feed inputs, too."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import NamedTuple

from graphcount.report.deployment import Deployment
from graphcount.report.drawing import FlowRow
from graphcount.report.records import Report


class PartFlows(NamedTuple):
    """A component that runs, and what flows between the nodes of its report."""

    component: str
    report: Report
    flows: tuple[FlowRow, ...]


def whole_flows(deployment: Deployment, parts: Sequence[PartFlows]) -> tuple[FlowRow, ...]:
    """Return what flows between the nodes of `whole`, through outputs that feed inputs, too.

    Args:
        deployment: The deployment.
        parts: The parts that `whole` was made of, in the same order.
    """
    place = _places(deployment, parts)
    after: dict[_Place, list[tuple[_Place, FlowRow]]] = {}
    for part in parts:
        keys = list(_keys(part))
        for flow in part.flows:
            after.setdefault(keys[flow.source], []).append((keys[flow.target], flow))
    for row in deployment.joins:
        ends = ("output", row.producer, row.output), ("input", row.consumer, row.input)
        after.setdefault(ends[0], []).append((ends[1], FlowRow(0, 0, 0, 1)))
    return tuple(
        flow._replace(source=at, target=place[end])
        for source, at in place.items()
        for target, flow in after.get(source, ())
        for end in _ends(target, after, place)
    )


_Place = tuple[str, str, str]
"""What a place of a report is: `node`, `input` or `output`, its component, its name."""


def _keys(part: PartFlows) -> Iterable[_Place]:
    """Yield what each place of the report of a part is; see `FlowRow`."""
    model = part.report.model
    yield from (("node", part.component, row.id) for row in part.report.nodes)
    yield from (("input", part.component, row.name) for row in model.inputs)
    yield from (("output", part.component, row.name) for row in model.outputs)


def _places(deployment: Deployment, parts: Sequence[PartFlows]) -> dict[_Place, int]:
    """Return where each node, input and output that `whole` keeps stands in its report."""
    joined = {("input", row.consumer, row.input) for row in deployment.joins}
    joined |= {("output", row.producer, row.output) for row in deployment.joins}
    keys = [key for part in parts for key in _keys(part) if key not in joined]
    order = ("node", "input", "output")
    keys.sort(key=lambda key: order.index(key[0]))
    return {key: at for at, key in enumerate(keys)}


def _ends(
    place: _Place,
    after: Mapping[_Place, Sequence[tuple[_Place, FlowRow]]],
    kept: Container[_Place],
) -> Iterable[_Place]:
    """Yield the kept places that a value reaches through joins."""
    ahead, seen = [place], {place}
    while ahead:
        at = ahead.pop()
        if at in kept:
            yield at
            continue
        following = [target for target, _ in after.get(at, ()) if target not in seen]
        seen.update(following)
        ahead += following
