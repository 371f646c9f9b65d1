"""Names visible in one body of a graph, and where each is defined (onnx/docs/IR.md, "Names")."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Scope:
    """Names visible in one graph or function body, and where each is defined.

    A value maps to the id of its producer, or to (scope, name) when it is another value's alias:
    a formal parameter of a function, or an output of a call.

    Attributes:
        path: What ids in it begin with.
        parent: The scope around it whose names it sees.
        body: Path of the innermost body it stands in; empty for the main graph.
        values: What each name stands for.
    """

    path: str
    parent: Scope | None
    body: str = ""
    values: dict[str, str | tuple[Scope, str]] = field(default_factory=dict)

    def resolve(self, name: str) -> tuple[str, str] | None:
        """Id of the node that produces a value and the value's name there, or None.

        Both are empty for an optional argument that a call leaves out. The aliases on the way lead
        to the end from then on, so that a chain of calls is followed once.
        """
        followed: dict[tuple[int, str], Scope] = {}
        scope: Scope = self
        made: str | tuple[Scope, str] | None = None
        while name:
            at = scope.defining(name)
            made = at.values[name] if at is not None else None
            if at is None or not isinstance(made, tuple) or (id(at), name) in followed:
                break  # an end, or a circle of aliases, which has no producer
            followed[id(at), name] = at
            scope, name = made
        for (_, alias), at in followed.items():
            at.values[alias] = scope, name
        if not name:
            return "", ""
        return (made, name) if isinstance(made, str) else None

    def defining(self, name: str) -> Scope | None:
        """This scope, or the nearest one around it, that has the name."""
        scope: Scope | None = self
        while scope is not None and name not in scope.values:
            scope = scope.parent
        return scope
