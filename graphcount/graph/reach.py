"""Reachability, paths and cycles over any `step`, which says where one node leads; no recursion."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Set
from heapq import heapify, heappop, heappush
from typing import TypeAlias, TypeVar

CYCLE_STEPS = 10_000
"""Edges looked at for the shortest cycle of a component: from each of its nodes if it is small,
else from as many as this allows, and from one at least."""

Id = TypeVar("Id", bound=Hashable)

Neighbours: TypeAlias = Callable[[str], Iterable[str]]


def reached(step: Callable[[Id], Iterable[Id]], starts: Iterable[Id]) -> set[Id]:
    """Return everything that can be reached from some nodes, these included."""
    reachable = set(starts)
    stack = list(reachable)
    while stack:
        for node in step(stack.pop()):
            if node not in reachable:
                reachable.add(node)
                stack.append(node)
    return reachable


def shortest_path(
    step: Neighbours, start: str, goal: str, within: Set[str] | None = None
) -> list[str]:
    """Return a shortest path from start to goal, both included; empty when there is none.

    Where start is goal it is a shortest cycle.
    """
    before: dict[str, str] = {}
    queue = deque([start])
    while queue:
        node = queue.popleft()
        for after in step(node):
            if after == goal:
                path = [goal, node]
                while path[-1] != start:
                    path.append(before[path[-1]])
                return path[::-1]
            if after not in before and after != start and (within is None or after in within):
                before[after] = node
                queue.append(after)
    return []


def shortest_cycle(step: Callable[[str], Collection[str]], component: Set[str]) -> list[str]:
    """Return a short cycle of a strongly connected component; its first node ends it."""
    edges = sum(len(step(node)) for node in component)
    best: list[str] = []
    for start in sorted(component)[: max(1, CYCLE_STEPS // edges)]:
        cycle = shortest_path(step, start, start, component)
        if cycle and (not best or len(cycle) < len(best)):
            best = cycle
        if len(best) == 2:
            break
    return best


def topological_order(nodes: Collection[str], before: Neighbours, after: Neighbours) -> list[str]:
    """Return nodes in an order of execution, as near to the given one as there is.

    Nodes on a cycle, and what depends on them, are left out.

    Args:
        nodes: All of them.
        before: What a node takes values from, once for each value.
        after: What takes values from a node, as often.
    """
    names = list(nodes)
    position = {node: index for index, node in enumerate(names)}
    waiting = [sum(1 for _ in before(node)) for node in names]
    ready = [index for index, count in enumerate(waiting) if count == 0]
    heapify(ready)
    order = []
    while ready:
        node = names[heappop(ready)]
        order.append(node)
        for reader in after(node):
            index = position[reader]
            waiting[index] -= 1
            if waiting[index] == 0:
                heappush(ready, index)
    return order


def components(nodes: Iterable[Id], step: Callable[[Id], Iterable[Id]]) -> Iterator[list[Id]]:
    """Yield the strongly connected components, each after all it leads to (Tarjan, iterative)."""
    index: dict[Id, int] = {}
    low: dict[Id, int] = {}
    stack: list[Id] = []
    on_stack: set[Id] = set()
    for root in nodes:
        if root in index:
            continue
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        work = [(root, iter(step(root)))]
        while work:
            node, rest = work[-1]
            after = next(rest, None)
            if after is None:
                work.pop()
                if work:
                    parent = work[-1][0]
                    low[parent] = min(low[parent], low[node])
                if low[node] == index[node]:
                    component = _popped(stack, node)
                    on_stack.difference_update(component)
                    yield component
            elif after not in index:
                index[after] = low[after] = len(index)
                stack.append(after)
                on_stack.add(after)
                work.append((after, iter(step(after))))
            elif after in on_stack:
                low[node] = min(low[node], index[after])


def cycles(nodes: Iterable[str], step: Callable[[str], Collection[str]]) -> Iterator[set[str]]:
    """Yield the strongly connected components that hold a cycle."""
    for component in components(nodes, step):
        if len(component) > 1 or component[0] in step(component[0]):
            yield set(component)


def _popped(stack: list[Id], last: Id) -> list[Id]:
    """Take what lies on a stack down to one node."""
    taken = [stack.pop()]
    while taken[-1] != last:
        taken.append(stack.pop())
    return taken
