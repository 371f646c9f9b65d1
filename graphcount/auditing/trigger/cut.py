"""What reaches an output only through one node: post-dominators of an acyclic graph.

A node of an acyclic graph is post-dominated by the nearest common ancestor, in the tree built so
far, of all it flows into. One pass from the output backwards finds the tree (Cooper, Harvey and
Kennedy, "A Simple, Fast Dominance Algorithm", 2001; without iteration, for lack of cycles).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from graphcount.auditing.trigger.flow import Flow
from graphcount.graph import Use


class PostDominators:
    """The tree of one output, where certain branches are taken.

    Args:
        flow: The graph.
        output: Id of the output.
        taken: Branch of each If that is looked into; its other branch is left out.

    Attributes:
        parent: The next node through which everything of a node has to go.
        weight: Weights that reach the output only through a node, its own included.
        total: Weights that reach the output.
    """

    def __init__(self, flow: Flow, output: str, taken: Mapping[str, str]) -> None:
        above = {output}
        stack = [output]
        while stack:
            at = stack.pop()
            for use in flow.graph.entering(at):
                node = use.producer
                if node not in above and not (at in taken and _elsewhere(use, taken[at])):
                    above.add(node)
                    stack.append(node)
        flow.budget.spend(len(above))
        self._budget = flow.budget
        self.parent: dict[str, str] = {}
        self._depth = {output: 0}
        for node in reversed(flow.order):
            if node in above and node != output:
                parent = self._common(
                    use.node
                    for use in flow.graph.readers(node)
                    if use.node in above
                    and not (use.node in taken and _elsewhere(use, taken[use.node]))
                )
                self.parent[node] = parent
                self._depth[node] = self._depth[parent] + 1
        self.weight = {output: 0}
        for node in flow.order:  # what flows through a node comes before it
            if node in self.parent:
                own = flow.weights.get(node, 0)
                self.weight[node] = total = self.weight.get(node, 0) + own
                parent = self.parent[node]
                self.weight[parent] = self.weight.get(parent, 0) + total
        self.total = self.weight[output]

    def _common(self, nodes: Iterable[str]) -> str:
        common = ""
        for node in nodes:
            if not common:
                common = node
                continue
            walked = 0
            while common != node:
                walked += 1
                if self._depth[common] >= self._depth[node]:
                    common = self.parent[common]
                else:
                    node = self.parent[node]
            self._budget.spend(walked)
        return common

    def above(self, node: str) -> bool:
        """Return whether the output depends on a node at all."""
        return node in self.parent

    def only_through(self, gate: str, nodes: Iterable[str]) -> set[str]:
        """Return those of some nodes from which every path to the output passes `gate`."""
        inside: dict[str, bool] = {gate: True}
        inside_only = set()
        for node in nodes:
            path = []
            at: str | None = node
            while at is not None and at not in inside:
                path.append(at)
                at = self.parent.get(at)
            passes = inside[at] if at is not None else False
            inside.update(dict.fromkeys(path, passes))
            if passes and node in self.parent:
                inside_only.add(node)
        return inside_only


def _elsewhere(use: Use, taken: str) -> bool:
    """Return whether a value enters an If as the result of a branch that is not taken."""
    return use.index is None and use.body != taken
