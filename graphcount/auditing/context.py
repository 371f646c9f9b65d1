"""What rules see of a model: its records, its graph, and facts worked out once when asked for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from math import prod
from typing import NamedTuple

from graphcount.analysis.counts import Counted, Row, count
from graphcount.analysis.generated import Generated, find_generated
from graphcount.analysis.operand_elements import OperandElements, operand_elements
from graphcount.analysis.shapes import ValueShapes, infer_shapes
from graphcount.analysis.stored import Stored
from graphcount.analysis.values import values_of
from graphcount.analysis.versions import version_notes, version_problems
from graphcount.auditing.bodies import OperatorUse, StoredBody, find_bodies, uses
from graphcount.auditing.elements import ElementFacts, ElementScan, scan
from graphcount.auditing.files import Files
from graphcount.auditing.texts import Texts
from graphcount.errors import Problem
from graphcount.graph import ModelGraph, bodies_below
from graphcount.loading import ModelFile, read_model
from graphcount.loading.external import ExternalData, Way, locate
from graphcount.loading.limits import DEFAULT_LIMITS, Limits
from graphcount.loading.model import Graph, ModelProto, Tensor
from graphcount.loading.strings import Strings, walk


class External(NamedTuple):
    """A tensor (or the values or indices of a sparse one) that lies in an external data file."""

    stored: Stored
    tensor: Tensor
    data: ExternalData

    @property
    def range(self) -> tuple[int, int]:
        """Bytes begin..end of the file: by its dims and type, else by the stated length."""
        tensor, data = self.tensor, self.data
        nbytes = data.length or 0
        if tensor.dtype is not None and all(dim >= 0 for dim in tensor.dims):
            nbytes = tensor.dtype.nbytes(prod(tensor.dims))
        return data.offset, data.offset + nbytes


class Context:
    """One model under audit. Everything here is read-only.

    Attributes:
        file: The model that was read.
        graph: Its graph: subgraphs and functions included.
        deep: Rules may read tensor data.
        unasked: They do because it is little, not because somebody asked for it.
        whole_files_nbytes: Bytes of whole external data files that may be read, all together.
        limits: What the file may ask of us.
        progress: Told what is being done when it takes long.
        files: The model file and its external data files, for reads by position.
        values: Numbers of small tensors.
    """

    def __init__(
        self,
        file: ModelFile,
        model_graph: ModelGraph,
        *,
        deep: bool,
        counted: Counted | None = None,
        limits: Limits = DEFAULT_LIMITS,
        progress: Callable[[str], None] = lambda text: None,
        unasked: bool = False,
        whole_files_nbytes: int = 1 << 62,
    ) -> None:
        if file.thin is None:
            file = read_model(file.path, limits, keep_thin=True)
        self.file = file
        self.graph = model_graph
        self.deep = deep
        self.unasked = unasked
        self.whole_files_nbytes = whole_files_nbytes
        self.limits = limits
        self.progress = progress
        self.files = Files(file)
        self.values = values_of(file, (1 << 62) if deep else 0)
        if counted is not None:
            self.counted = counted

    @property
    def proto(self) -> ModelProto:
        """The ONNX messages without tensor data."""
        return self.file.proto

    @cached_property
    def counted(self) -> Counted:
        """The stored tensors, as the report has them where there is one."""
        return count(self.file, self.graph, self.values)

    @property
    def stored(self) -> tuple[Stored, ...]:
        """Every stored tensor of the file: initializers, Constants, attributes, functions."""
        return self.counted.stored

    @property
    def rows(self) -> tuple[Row, ...]:
        """Every stored tensor with its uses, kind and role."""
        return self.counted.rows

    @cached_property
    def graphs(self) -> tuple[Graph, ...]:
        """Every graph of the file: main graph, subgraphs, of functions and training too."""
        graphs = [self.proto.graph, *self.proto.training_graphs]
        bodies = [function.nodes for function in self.proto.functions]
        bodies += [graph.nodes for graph in graphs]
        return (*graphs, *(graph for nodes in bodies for graph in bodies_below(nodes)))

    @cached_property
    def versions(self) -> tuple[Problem, ...]:
        """What is wrong with the versions that the file states, or newer than what is known."""
        return (*version_problems(self.proto), *version_notes(self.proto))

    @cached_property
    def strings(self) -> Strings:
        """Every string of the file with its place, and every field that should not be there."""
        thin = self.file.thin
        assert thin is not None  # see __init__
        return walk(thin, self.limits)

    @cached_property
    def texts(self) -> Texts:
        """The different strings of the file."""
        return Texts(self.strings)

    @cached_property
    def scanned(self) -> ElementScan:
        """One pass over the numbers; only in a deep audit."""
        return scan(self.stored, self.files, self.progress) if self.deep else ElementScan({}, {})

    @property
    def facts(self) -> Mapping[int, ElementFacts]:
        """What the pass over the elements says, by `Stored.key`."""
        return self.scanned.facts

    @cached_property
    def bodies(self) -> tuple[StoredBody, ...]:
        """Main graph, subgraphs and functions as the file stores them."""
        return tuple(find_bodies(self.proto))

    @cached_property
    def uses(self) -> tuple[OperatorUse, ...]:
        """Every stored node that calls an operator and no local function."""
        return tuple(uses(self.proto, self.bodies))

    @cached_property
    def by_operator(self) -> Mapping[tuple[str, str], Sequence[OperatorUse]]:
        """`uses` by domain and operator, in the order of the first of each."""
        groups: dict[tuple[str, str], list[OperatorUse]] = {}
        for use in self.uses:
            groups.setdefault((use.node.domain, use.node.op_type), []).append(use)
        return groups

    @cached_property
    def dependent(self) -> set[str]:
        """Ids of the nodes that an input of the model reaches."""
        return self.graph.descendants(node.id for node in self.graph.inputs)

    @cached_property
    def generated(self) -> tuple[Generated, ...]:
        """Nodes that make numbers from constants alone."""
        return find_generated(self.graph, self.rows, self.values)

    @cached_property
    def operands(self) -> OperandElements:
        """What reaches the outputs through numbers, and which of it depends on no input."""
        return operand_elements(self.graph, self.rows, self.generated)

    @cached_property
    def inference(self) -> ValueShapes | Exception:
        """Shapes, types and small values of everything; or why the inference failed."""
        try:
            return infer_shapes(self.proto, self.graph, self.rows, self.values)
        except (Exception, RecursionError) as error:
            return error

    @property
    def shapes(self) -> ValueShapes | None:
        """The inference, where it came to an end."""
        return self.inference if isinstance(self.inference, ValueShapes) else None

    @cached_property
    def external(self) -> tuple[External, ...]:
        """Tensors that lie in external data files, and where (parts of sparse ones too)."""
        external = []
        looked_at: dict[str, ExternalData] = {}
        way = Way(self.file.path)
        for stored in self.stored:
            if stored.tensor is not None and stored.external is not None:
                external.append(External(stored, stored.tensor, stored.external))
            parts = (stored.sparse.values, stored.sparse.indices) if stored.sparse else ()
            for tensor in parts:
                if tensor.is_external:
                    data = locate(tensor, self.file.path, looked_at, way)
                    external.append(External(stored, tensor, data))
        return tuple(external)

    @cached_property
    def external_files(self) -> Mapping[str, list[External]]:
        """Tensors by the external data file they lie in; files not to be touched are left out."""
        by_path: defaultdict[str, list[External]] = defaultdict(list)
        for external in self.external:
            if external.data.path is not None:
                by_path[external.data.path].append(external)
        return by_path

    def close(self) -> None:
        """Close what was opened."""
        self.values.close()
        self.files.close()
