"""The external data files of a model, each once, with digests when they are asked for."""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.analysis.stored import Stored
from graphcount.loading.external import open_external_file
from graphcount.loading.source import sha256_of
from graphcount.report.rows import FileRow


def external_files(tensors: Iterable[Stored], *, hashed: bool) -> tuple[FileRow, ...]:
    """The files in the order of their locations; only contained ones are read for a digest."""
    found: dict[str, FileRow] = {}
    for stored in tensors:
        data = stored.external
        if data is None or data.location in found:
            continue
        digest = None
        file = open_external_file(data._replace(problems=())) if hashed else None
        if file is not None:
            with file:
                digest = sha256_of(file)
        found[data.location] = FileRow(data.location, data.nbytes, digest)
    return tuple(found[location] for location in sorted(found))
