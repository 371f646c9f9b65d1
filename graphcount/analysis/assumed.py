"""Sizes assumed for dynamic dimensions where people want a number and gave none.

They follow from hints of the model itself, the first that answers: its weights, its metadata, the
name of the dimension, the axis it is of. `HINTS` and `AXES` are the whole of it. They are for
reading: no gate uses them unless a configuration says them, as `graphcount init` writes it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from graphcount.analysis.shapes import ValueShapes
from graphcount.analysis.shapes.declared import DimPlace
from graphcount.graph import ModelGraph
from graphcount.loading.model import ModelProto
from graphcount.ops.call import Shape
from graphcount.report.pass_rows import DimensionRow
from graphcount.symbolic import Dim, evaluate

PICTURE, SEQUENCE, CHANNELS = 224, 128, 3

DECIDES, DECIDED = "the data decide it", 100
"""What is said of a size that follows from data, and how large it is where an operator bounds it.

Without a bound it is 1."""

WHOLE = frozenset({"If", "Slice"})
"""Policy: results of these are assumed to be as large as they can be, others `DECIDED` at most."""

PAST = 127
"""Earlier tokens, where a model takes one token at a time."""


class Hint(NamedTuple):
    """A size for dimensions whose name has one of some words.

    Attributes:
        words: Parts of a name, in lower case: `batch_size` has `batch` and `size`.
        size: The size.
        why: What the name says.
    """

    words: frozenset[str]
    size: int
    why: str


def _hint(words: str, size: int, why: str) -> Hint:
    return Hint(frozenset(words.split()), size, why)


HINTS = (
    _hint("past cache cached history memory", 0, "nothing is cached yet"),
    _hint("batch batchsize bs b nbatch", 1, "a batch"),
    _hint("height h width w img image imgsz rows cols", PICTURE, "a picture"),
    _hint("channel channels c", CHANNELS, "channels of a picture"),
    _hint("audio samples wave waveform pcm", 16_000, "a second of sound"),
    _hint("seq seqlen sequence tokens token len length text prompt total", SEQUENCE, "a sequence"),
    _hint("time t frame frames steps s l", SEQUENCE, "a sequence"),
)
"""Sizes by the words of a name, in the order in which they are asked."""

AXES: Mapping[int, tuple[tuple[int, str], ...]] = {
    1: ((1, "one element"),),
    2: ((1, "a batch"), (SEQUENCE, "a sequence")),
    3: ((1, "a batch"), (SEQUENCE, "a sequence"), (SEQUENCE, "a sequence")),
    4: ((1, "a batch"), (CHANNELS, "channels"), (PICTURE, "a picture"), (PICTURE, "a picture")),
    5: (
        (1, "a batch"),
        (CHANNELS, "channels"),
        (16, "frames"),
        (PICTURE, "a picture"),
        (PICTURE, "a picture"),
    ),
}
"""Sizes by the rank of an input and the axis, channels first."""

WANTED = "wanted"
"""Why a dimension has a size that the caller proposes."""

WEIGHTS = "weights have this size"
"""Why a dimension can have no other size."""

METADATA = ("imgsz", "image_size", "img_size", "input_size", "input_shape")
"""Keys under which exporters write the size of a picture: `[640, 640]`, `640`, `1,3,640,640`."""


def assumed_sizes(
    rows: Iterable[DimensionRow],
    proto: ModelProto,
    graph: ModelGraph,
    shapes: ValueShapes,
    wanted: Mapping[str, int],
    ranges: Mapping[str, tuple[int, int]],
    others: Mapping[str, int] | None = None,
) -> tuple[DimensionRow, ...]:
    """Return dimensions with the size that the model's hints give each.

    Args:
        rows: The dimensions.
        proto: The model.
        graph: Its graph.
        shapes: Its shapes.
        wanted: Sizes that are taken before hints, but not before what weights say.
        ranges: Least and most size by name; `*` is every other dimension.
        others: Sizes of other dimensions.
    """
    picture = _picture(proto.metadata)
    rows = list(rows)
    tokens = any(
        not place.maker and _named(name) in HINTS[5:7] for name, place in shapes.places.items()
    )
    sized = []
    for row in rows:
        size, why = _assumed(row.name, shapes.places[row.name], graph, shapes, picture)
        if why == HINTS[0].why and not tokens:
            size, why = PAST, "one token after others"
        if row.name in wanted and why != WEIGHTS:
            size, why = wanted[row.name], WANTED
        sized.append(row._replace(assumed=size, why=why))
    return bounded(sized, shapes.places, others, ranges)


def _in_range(row: DimensionRow, ranges: Mapping[str, tuple[int, int]]) -> DimensionRow:
    """Return a dimension whose assumed size is one of its range, if it has one."""
    ends = ranges.get(row.name, ranges.get("*"))
    if ends is None or row.assumed is None or ends[0] <= row.assumed <= ends[1]:
        return row
    nearest = min(max(row.assumed, ends[0]), ends[1])
    return row._replace(assumed=nearest, why="the nearest size of its range")


def bounded(
    rows: Iterable[DimensionRow],
    places: Mapping[str, DimPlace],
    others: Mapping[str, int] | None,
    ranges: Mapping[str, tuple[int, int]],
) -> tuple[DimensionRow, ...]:
    """Return dimensions with sizes that the data decide as large as `DECIDED`, if they can be.

    Args:
        rows: Dimensions with a size each.
        places: Where each stands, with its bound.
        others: Sizes of others.
        ranges: Least and most size by name.
    """
    own = {row.name: row.assumed for row in rows if row.assumed is not None}
    sizes = {**(others or {}), **own}
    return tuple([_in_range(_bounded(row, places[row.name], sizes), ranges) for row in rows])


def _bounded(row: DimensionRow, place: DimPlace, sizes: Mapping[str, int]) -> DimensionRow:
    if place.most is None or row.why == WANTED:
        return row
    try:
        bound = evaluate(place.most, sizes)
    except ArithmeticError:
        return row
    if not isinstance(bound, int) or bound < 0:
        return row
    size = bound if place.maker in WHOLE else min(bound, DECIDED)
    return row._replace(assumed=size, why=f"{DECIDES}, at most {bound:,}")


def _assumed(
    name: str,
    place: DimPlace,
    graph: ModelGraph,
    shapes: ValueShapes,
    picture: tuple[int, int] | None,
) -> tuple[int, str]:
    if place.maker:
        return 1, DECIDES
    shape = shapes.shapes.get((f"input:{place.value}", place.value), ())
    wanted = _by_weights(place, graph, shapes)
    if wanted is not None:
        return wanted, WEIGHTS
    hint = _named(name)
    axis, size, why = place.axis, 1, "no hint"
    if hint is not None:
        size, why = hint.size, hint.why
    elif len(shape) in AXES and place.axis < len(shape):  # another input may have the same name
        axis = _channels_first(shape, place.axis)
        size, why = AXES[len(shape)][axis]
    if picture is not None and size == PICTURE:
        down = "height" in name.lower() or (axis == len(shape) - 2 and "width" not in name.lower())
        return picture[0 if down else 1], "metadata"
    return size, why


def _channels_first(shape: Shape, axis: int) -> int:
    """Return the axis that it would be with channels first: few in the last place are channels."""
    if len(shape) < 4 or shape[-1] not in (1, 3, 4) or axis == 0:
        return axis
    return axis + 1


def _named(name: str) -> Hint | None:
    """Return the first hint whose words a name has."""
    split = re.sub(r"([a-z])([A-Z])", r"\1_\2", name)
    words = set(re.split(r"[^a-z]+", split.lower()))
    if name.endswith("]"):  # called by its value and axis: no name of its own
        return None
    if name in ("N", "n", "unk__0"):
        return HINTS[1]
    return next((hint for hint in HINTS if not words.isdisjoint(hint.words)), None)


def _picture(metadata: Mapping[str, str]) -> tuple[int, int] | None:
    """Return height and width that the metadata say."""
    for key, text in metadata.items():
        if key in METADATA and len(text) <= 200:
            numbers = [int(number) for number in re.findall(r"\d{1,5}", text)]
            if 1 <= len(numbers) <= 5 and min(numbers[-2:]) > 0:
                return (numbers * 2)[-2], numbers[-1]
    return None


def _by_weights(place: DimPlace, graph: ModelGraph, shapes: ValueShapes) -> int | None:
    """Return the size that the weights of a reader of the input want on this axis."""
    for use in graph.readers(f"input:{place.value}"):
        node = graph.nodes[use.node]
        if node.kind != "operator" or node.operator is None or use.index != 0:
            continue
        call = shapes.calls(node.id)
        given, weight = call.input(0), call.input(1)
        if given is None or weight is None or len(weight) < 2:
            continue
        wanted: Dim | None = None
        if node.operator.is_convolution and place.axis == 1:
            group = node.record.integer("group", 1)
            wanted = weight[1] * group if weight[1] is not None else None
        elif node.operator.is_matrix_product and place.axis == len(given) - 1:
            wanted = weight[1 if node.record.integer("transB", 0) else -2]
        if isinstance(wanted, int) and wanted > 0:
            return wanted
    return None
