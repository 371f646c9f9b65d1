"""Reachability and cycles in the graph's tables, without recursion."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping

from graphcount.graph import Tables

CYCLE_STEPS = 10_000
"""Edges looked at for the shortest cycle of a knot: from each of its nodes if it is small, from as
many as this allows if it is not, and from one at least."""


def reached(succ: Mapping[str, Iterable[str]], starts: Iterable[str]) -> set[str]:
    """Everything that can be reached from some nodes, these included."""
    found = set(starts)
    stack = list(found)
    while stack:
        for node in succ[stack.pop()]:
            if node not in found:
                found.add(node)
                stack.append(node)
    return found


def graph_inputs(tables: Tables) -> list[str]:
    """Ids of the inputs of the main graph."""
    return [
        node for node, data in tables.nodes.items() if data["kind"] == "input" and not data["scope"]
    ]


def graph_outputs(tables: Tables) -> list[str]:
    """Ids of the outputs of the main graph."""
    return [node for node, data in tables.nodes.items() if data["kind"] == "output"]


def shortest_path(
    succ: Mapping[str, Iterable[str]], start: str, goal: str, within: set[str] | None = None
) -> list[str]:
    """Nodes of a shortest path from start to goal, both included; empty when there is none.

    Where start is goal it is a shortest cycle.
    """
    before: dict[str, str] = {}
    queue = deque([start])
    while queue:
        node = queue.popleft()
        for after in succ[node]:
            if after == goal:
                path = [goal, node]
                while path[-1] != start:
                    path.append(before[path[-1]])
                return path[::-1]
            if after not in before and after != start and (within is None or after in within):
                before[after] = node
                queue.append(after)
    return []


def knots(succ: Mapping[str, Iterable[str]]) -> Iterator[set[str]]:
    """Strongly connected components that hold a cycle (Tarjan, iterative)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    on_stack: set[str] = set()
    for root in succ:
        if root in index:
            continue
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        work = [(root, iter(succ[root]))]
        while work:
            node, rest = work[-1]
            after = next(rest, None)
            if after is None:
                work.pop()
                if work:
                    parent = work[-1][0]
                    low[parent] = min(low[parent], low[node])
                if low[node] == index[node]:
                    component = set()
                    while node not in component:
                        component.add(stack.pop())
                    on_stack -= component
                    if len(component) > 1 or node in succ[node]:
                        yield component
            elif after not in index:
                index[after] = low[after] = len(index)
                stack.append(after)
                on_stack.add(after)
                work.append((after, iter(succ[after])))
            elif after in on_stack:
                low[node] = min(low[node], index[after])


def shortest_cycle(succ: Mapping[str, Collection[str]], knot: set[str]) -> list[str]:
    """Nodes of a short cycle inside a knot, the first repeated at the end."""
    edges = sum(len(succ[node]) for node in knot)
    best: list[str] = []
    for start in sorted(knot)[: max(1, CYCLE_STEPS // edges)]:
        cycle = shortest_path(succ, start, start, knot)
        if cycle and (not best or len(cycle) < len(best)):
            best = cycle
        if len(best) == 2:
            break
    return best
