"""What each file of a deployment is for."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from graphcount.deploying.layouts import is_side
from graphcount.deploying.records import RecognisedFolder, SharedAsset
from graphcount.errors import DamagedError
from graphcount.loading import open_again
from graphcount.loading.folder import Folder
from graphcount.loading.source import public_path, sha256_of
from graphcount.report.deployment import AssetRow, DeployedFile, DeployedKind, VariantRow


def deployed_files(
    folder: Folder,
    recognised: RecognisedFolder,
    variants: Sequence[VariantRow],
    assets: Sequence[AssetRow],
) -> tuple[DeployedFile, ...]:
    """Return every file of the folder with what it is, and who needs it."""
    users: dict[str, list[str]] = {}
    kinds: dict[str, DeployedKind] = {}
    for row in variants:
        for name in row.files:
            users.setdefault(name, []).append(row.label)
            kinds.setdefault(name, "model" if name == row.model else "data")
    kinds.update(dict.fromkeys(recognised.configurations, "configuration"))
    for part in recognised.parts:
        kinds.update(dict.fromkeys(part.others, "configuration"))
    roots = tuple(f"{asset.path}/" for asset in assets if asset.path)
    return tuple(
        DeployedFile(
            file.name,
            file.nbytes,
            kinds.get(file.name) or _other(file.name, roots),
            tuple(dict.fromkeys(users.get(file.name, ()))),
        )
        for file in folder.files
    )


def _other(name: str, assets: tuple[str, ...]) -> DeployedKind:
    """Return what a file is that nobody names."""
    if name.startswith(assets):
        return "asset"
    return "side" if is_side(name) else "unknown"


def asset_rows(
    folder: Folder, assets: Sequence[SharedAsset], digests: Mapping[str, str]
) -> tuple[AssetRow, ...]:
    """Return shared assets with their sizes, and whether they are what their names say."""
    rows = []
    for asset in assets:
        files = folder.inside(asset.path) if asset.path else ()
        same = digests[asset.uri] == asset.uri if asset.uri in digests else None
        nbytes = sum(file.nbytes or 0 for file in files)
        rows.append(AssetRow(asset.uri, asset.path, nbytes, len(files), same))
    return tuple(rows)


def asset_uri(folder: Folder, path: str) -> str:
    """Return the digest that names a shared asset by its content: all of it is read.

    It is the SHA-256 of the lines `<SHA-256 of a file>  <path>`, by path (onnxruntime,
    model_package/src/asset_hasher.cc).

    Raises:
        DamagedError: It has a link or no file at all.
        GraphcountError: A file of it cannot be read.
    """
    lines = []
    for file in folder.inside(path):
        name = file.name.removeprefix(f"{path}/")
        if file.problem or file.place != file.name:
            raise DamagedError(f"{name} is a link", public_path(folder.path_of(path)))
        with open_again(folder.path_of(file.name)) as stream:
            lines.append((name.encode(), sha256_of(stream)))
    text = b"".join(digest.encode() + b"  " + name + b"\n" for name, digest in sorted(lines))
    return f"sha256:{hashlib.sha256(text).hexdigest()}"
