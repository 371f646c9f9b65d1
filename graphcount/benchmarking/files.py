"""Inputs that the caller gives: `.npy`, `.npz`, or a folder of TensorProtos as ONNX tests have it.

Everything is checked before anything runs. Objects are never unpickled.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from graphcount.dtypes import BY_NAME
from graphcount.errors import GraphcountError, NotReadableError, UsageError
from graphcount.loading.model import ValueInfo
from graphcount.loading.source import open_regular

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

MAX_PROTO_NBYTES = 2**31 - 1
_NUMBERED = re.compile(r"input_(\d{1,6})\.pb\Z")


class FileInput(NamedTuple):
    """An input from a file.

    Attributes:
        name: Graph input.
        path: Absolute path.
        member: Name within an `.npz`, else None.
    """

    name: str
    path: str
    member: str | None


class Given(NamedTuple):
    """What a file holds: where, its element type and shape."""

    file: FileInput
    dtype: str
    shape: tuple[int, ...]


def find(texts: Sequence[str], infos: Mapping[str, ValueInfo]) -> dict[str, Given]:
    """Read the options `--input`: `name=file.npy`, `file.npz`, or a folder with `input_0.pb`.

    Raises:
        UsageError: A file fits no input, or an input of another type.
        NotReadableError: A file cannot be read.
    """
    given: dict[str, Given] = {}
    for text in texts:
        for file in _files(text, list(infos)):
            if file.name not in infos:
                known = ", ".join(infos) or "none"
                raise UsageError(f"the model has no input {file.name}; it has {known}", file.path)
            if file.name in given:
                raise UsageError(f"input {file.name} is given twice", file.path)
            array = load(file)
            dtype = _dtype_name(array, infos[file.name])
            declared = infos[file.name]
            wanted = next((n for n, row in BY_NAME.items() if row.code == declared.data_type), "")
            if declared.type == "tensor" and dtype != wanted:
                why = f"input {file.name} takes {wanted}, the file holds {dtype}"
                raise UsageError(why, file.path)
            shape = tuple(int(size) for size in array.shape)
            if declared.shape is not None and len(declared.shape) != len(shape):
                why = f"input {file.name} has {len(declared.shape)} dimensions, the file"
                raise UsageError(f"{why} {len(shape)}: {list(shape)}", file.path)
            given[file.name] = Given(file, dtype, shape)
    return given


def load(file: FileInput) -> npt.NDArray[np.generic]:
    """Return the array of an input file.

    Raises:
        NotReadableError: Missing, damaged, or it would have to be unpickled.
    """
    import numpy as np

    try:
        with open_regular(file.path) as stream:
            if file.path.endswith(".pb"):
                return _tensor(stream.read(MAX_PROTO_NBYTES))
            loaded = np.load(stream, allow_pickle=False)
            return np.asarray(loaded[file.member] if file.member is not None else loaded)
    except GraphcountError:
        raise
    except Exception as error:
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        if "pickle" in why:
            why = "not an .npy file; objects are never unpickled"
        raise NotReadableError(f"no array can be read: {why}", file.path) from None


def _tensor(data: bytes) -> npt.NDArray[np.generic]:
    from onnx import TensorProto, numpy_helper

    tensor = TensorProto()
    tensor.ParseFromString(data)
    if tensor.external_data:
        raise ValueError("a TensorProto with external data")
    return numpy_helper.to_array(tensor)


def _files(text: str, names: list[str]) -> Iterator[FileInput]:
    """Yield the files that one option names."""
    if os.path.isdir(text):
        yield from _folder(text, names)
        return
    name, equals, path = text.partition("=")
    if text.endswith(".npz") and not (equals and not os.path.exists(text)):
        yield from _archive(text)
    elif not equals or not name or not path:
        raise UsageError(f"--input {text}: write name=file.npy, file.npz or a folder of .pb files")
    else:
        yield FileInput(name, os.path.abspath(path), None)


def _archive(path: str) -> Iterator[FileInput]:
    import numpy as np

    try:
        with open_regular(path) as stream:
            members = list(np.load(stream, allow_pickle=False).files)
    except GraphcountError:
        raise
    except Exception as error:
        raise NotReadableError(f"no .npz archive: {error}", path) from None
    yield from (FileInput(member, os.path.abspath(path), member) for member in members)


def _folder(path: str, names: list[str]) -> Iterator[FileInput]:
    """Yield `input_0.pb`, `input_1.pb`, … in the order of the graph's inputs."""
    numbers = sorted(
        int(match.group(1)) for entry in os.listdir(path) if (match := _NUMBERED.match(entry))
    )
    if not numbers:
        raise UsageError("no input_0.pb in this folder", path)
    for number in numbers:
        file = os.path.abspath(os.path.join(path, f"input_{number}.pb"))
        if number >= len(names):
            raise UsageError(f"the model has {len(names)} inputs", file)
        yield FileInput(names[number], file, None)


def _dtype_name(array: npt.NDArray[np.generic], info: ValueInfo) -> str:
    """Return the name of an array's element type in ONNX's words."""
    if array.dtype.kind in "OSUT":
        return "string"
    return str(array.dtype.name)
