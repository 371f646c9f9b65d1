"""What rules see of a model: its records, its graph, and facts worked out once when asked for."""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property

from graphcount.analysis.counts import Row, count
from graphcount.analysis.stored import Stored, find_stored
from graphcount.analysis.values import Values
from graphcount.graph import ModelGraph, Tables
from graphcount.loading import ModelFile
from graphcount.loading.model import ModelProto, Tensor


class Context:
    """One model under audit. Everything here is read-only; payload is read by `Context.payload`.

    Attributes:
        file: The model that was read.
        model_graph: Its graph: subgraphs and functions included.
        deep: Rules may read payload.
    """

    def __init__(self, file: ModelFile, model_graph: ModelGraph, *, deep: bool) -> None:
        self.file = file
        self.model_graph = model_graph
        self.deep = deep
        self.values = Values(file.path, (1 << 62) if deep else 0)

    @property
    def proto(self) -> ModelProto:
        """The ONNX messages without their payload."""
        return self.file.proto

    @property
    def tables(self) -> Tables:
        """Nodes and edges of the graph."""
        return self.model_graph.tables

    @cached_property
    def stored(self) -> tuple[Stored, ...]:
        """Every stored tensor of the file: initializers, Constants, attributes, functions."""
        return tuple(find_stored(self.proto, self.file.path))

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """Every stored tensor with its uses, kind and role."""
        return count(self.file, self.model_graph, self.values)[0]

    @cached_property
    def external_tensors(self) -> tuple[tuple[Stored, Tensor], ...]:
        """Tensors that lie in side files, with what they belong to (parts of sparse ones too)."""
        found = []
        for stored in self.stored:
            parts = (stored.sparse.values, stored.sparse.indices) if stored.sparse else ()
            for tensor in (stored.tensor, *parts):
                if tensor is not None and tensor.is_external:
                    found.append((stored, tensor))
        return tuple(found)

    @cached_property
    def locations(self) -> dict[str, list[Stored]]:
        """Locations of external data as stated, with the tensors that name them."""
        found: defaultdict[str, dict[int, Stored]] = defaultdict(dict)
        for stored, tensor in self.external_tensors:
            for key, value in tensor.external:
                if key == "location":
                    found[value][stored.key] = stored
        return {location: list(tensors.values()) for location, tensors in found.items()}

    def close(self) -> None:
        """Close what was opened."""
        self.values.close()
