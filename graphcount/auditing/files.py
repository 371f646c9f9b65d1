"""The files of a model under audit: data of tensors, whole external files, unexpected fields."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from graphcount.analysis.stored import Stored
from graphcount.loading import ModelFile, open_source
from graphcount.loading.external import ExternalData
from graphcount.loading.model import Tensor
from graphcount.loading.source import BytesSource, Source
from graphcount.loading.strings import UnexpectedField
from graphcount.loading.tensor_data import MOST_PIECES, Part, TensorReader, UnreadError


class Files:
    """The model file and its external data files, for reads by position.

    Attributes:
        reader: Reads the data of tensors.
    """

    def __init__(self, model: ModelFile) -> None:
        thin = self._thin = model.thin
        opening: Callable[[], Source] | None = None
        if model.is_at_hand:
            opening = partial(open_source, model.path)
        if thin is not None and not thin.starts:  # taken whole
            opening = partial(BytesSource, thin.data, model.path)
        self.reader = TensorReader(model.path, opening, MOST_PIECES)

    def part(self, stored: Stored) -> Part | None:
        """Return the bytes of a tensor (the values of a sparse one); None if it has none."""
        tensor = dense_of(stored)
        try:
            return self.reader.part(tensor, located(stored)) if tensor is not None else None
        except UnreadError as error:
            if is_fatal(error):
                raise
            return None

    def whole(self, data: ExternalData) -> Part | None:
        """Return a whole external data file, or None when it must not be read."""
        return self.reader.external_file(data)

    def field(self, field: UnexpectedField) -> Part:
        """Return the content of a field that should not be there."""
        thin = self._thin
        if thin is None or field.at < 0:
            return Part(self.reader.model_bytes, field.offset, field.nbytes)
        return Part(BytesSource(thin.data, "").read, field.at, field.nbytes)

    def close(self) -> None:
        """Close what was opened."""
        self.reader.close()


def dense_of(stored: Stored) -> Tensor | None:
    """Return the dense tensor that holds the data of a stored one: the values of a sparse one."""
    return stored.sparse.values if stored.sparse is not None else stored.tensor


def located(stored: Stored) -> ExternalData | None:
    """Return the external data of `dense_of`, as far as it is known already."""
    return stored.external if stored.sparse is None else None


def is_fatal(error: UnreadError) -> bool:
    """Return whether an audit ends here: files change, or data that it has to read is gone."""
    return error.cause in ("changed", "unkept")


def in_too_many_pieces(stored: Stored) -> bool:
    """Return whether the data of a tensor is not read because it lies in too many pieces."""
    tensor = dense_of(stored)
    return tensor is not None and any(
        field.occurrences > MOST_PIECES and field.data is None
        for field in tensor.data_fields
        if field.field not in ("raw_data", "string_data")
    )
