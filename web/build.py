"""Build graphcount's browser tab: a folder of static files for any web server.

    $ python web/build.py OUT

It needs Python's standard library alone. Pyodide comes from the npm registry, once, as a tarball
whose digest is stated here; the package comes from this checkout. Nothing is loaded from elsewhere
later.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import io
import json
import os
import sys
import tarfile
import urllib.request
import zipfile
from collections.abc import Mapping
from pathlib import Path
from string import Template

WEB = Path(__file__).resolve().parent
ROOT = WEB.parent

PYODIDE = "314.0.8"
PYODIDE_URL = f"https://registry.npmjs.org/pyodide/-/pyodide-{PYODIDE}.tgz"
PYODIDE_INTEGRITY = (
    "sha512-74Wq1kXOC+CCEzAfxuRAO701nAcCMLjf8NrwvWpu8S4"
    "1dVMXwXmLQ05dYB+F4e46AdnGo0oq7YHSVUpHsoarLQ=="
)
"""As the registry states it, and package-lock.json has it."""

PYODIDE_FILES = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip")
"""What a site needs of it; its list of packages is made anew, without any."""

WARM = ROOT / "fixtures" / "mlp_4_5_3.onnx"
"""The model that a worker counts before any other, so that what it takes is loaded."""

EXAMPLE = ROOT / "fixtures" / "transformer_block.onnx"
"""The model to try."""

TIME = (1980, 1, 1, 0, 0, 0)
"""Time of every file of the package, so that the same checkout makes the same bytes."""

LOADED = ("pyodide/pyodide.asm.wasm", "pyodide/python_stdlib.zip", "graphcount.zip")
"""What a worker fetches before it is ready, and tells the progress of."""

TIMEOUT = 120  # seconds without a byte


def pyodide_tarball(kept: Path | None) -> bytes:
    """Return Pyodide's tarball: the kept one, or that of the registry, which is kept.

    Args:
        kept: Where it is looked for, and kept; None: nowhere.

    Raises:
        OSError: It cannot be read, fetched or kept.
        ValueError: It is another one than this was written for.
    """
    if kept is not None and kept.is_file():
        data = kept.read_bytes()
    else:
        with urllib.request.urlopen(PYODIDE_URL, timeout=TIMEOUT) as response:
            data = response.read()
    if digest(data, "sha512") != PYODIDE_INTEGRITY:
        raise ValueError(f"{kept or PYODIDE_URL}: not the file that was expected, by its digest")
    if kept is not None and not kept.is_file():
        kept.parent.mkdir(parents=True, exist_ok=True)
        part = kept.with_suffix(f".{os.getpid()}")  # whole or not at all, whoever else fetches it
        part.write_bytes(data)
        part.replace(kept)
    return data


def pyodide_files(tarball: bytes) -> dict[str, bytes]:
    """Return the files of Pyodide that the site has, by their places in it."""
    files = {}
    with tarfile.open(fileobj=io.BytesIO(tarball)) as archive:
        for name in (*PYODIDE_FILES, "pyodide-lock.json"):
            member = archive.extractfile(f"package/{name}")
            assert member is not None, name
            files[f"pyodide/{name}"] = member.read()
    lock = json.loads(files["pyodide/pyodide-lock.json"])
    files["pyodide/pyodide-lock.json"] = json.dumps({**lock, "packages": {}}).encode()
    return files


def package_zip() -> bytes:
    """Return the package, and what the worker calls of it, as one zip that Python imports from."""
    sources = [path for path in sorted((ROOT / "graphcount").rglob("*")) if path.is_file()]
    places = {path.relative_to(ROOT).as_posix(): path for path in sources if path.suffix != ".pyc"}
    places |= {"bridge.py": WEB / "bridge.py", "warm.onnx": WARM}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in places.items():
            archive.writestr(zipfile.ZipInfo(name, TIME), path.read_bytes(), zipfile.ZIP_DEFLATED)
    return out.getvalue()


def digest(data: bytes, algorithm: str = "sha256") -> str:
    """Return a digest as policies, registries and integrity attributes write it."""
    encoded = base64.b64encode(hashlib.new(algorithm, data).digest())
    return f"{algorithm}-{encoded.decode('ascii')}"


def policy(program: str, style: str) -> str:
    """Return the site's Content Security Policy.

    A report is shown in a sandboxed frame, which inherits this policy beside its own: so it names
    the script and the style of reports by their digests. WebAssembly is Python.
    """
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' 'wasm-unsafe-eval' '{digest(program.encode())}'",
            f"style-src 'self' '{digest(style.encode())}'",
            "img-src 'self'",
            "connect-src 'self'",
            "worker-src 'self'",
            "frame-src blob:",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types graphcount",
        )
    )


def site(tarball: bytes) -> dict[str, bytes]:
    """Return every file of the site by its place."""
    sys.path.insert(0, str(ROOT))
    from graphcount.formats.page import page_parts
    from graphcount.version import __version__

    style, program = page_parts()
    files = pyodide_files(tarball)
    files["graphcount.zip"] = package_zip()
    files["example.onnx"] = EXAMPLE.read_bytes()
    files["page.css"] = style.encode()
    nbytes = sum(len(files[name]) for name in LOADED)
    words = {"policy": policy(program, style), "version": __version__, "nbytes": str(nbytes)}
    for path in sorted((WEB / "site").iterdir()):
        if path.suffix == ".html":
            files[path.name] = Template(path.read_text("utf-8")).substitute(words).encode()
        else:
            files[path.name] = path.read_bytes()
    files["worker.js"] = files["worker.js"].replace(b"'LOAD_NBYTES'", words["nbytes"].encode())
    manifest = {name: digest(data) for name, data in sorted(files.items()) if name != "sw.js"}
    listed = json.dumps(manifest, indent=2).encode()
    files["sw.js"] = files["sw.js"].replace(b"'MANIFEST'", listed)
    return files


def write(files: Mapping[str, bytes], out: Path) -> None:
    """Write the files of a site to a folder."""
    for name, data in files.items():
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def main() -> int:
    """Build the site; return the exit code."""
    parser = argparse.ArgumentParser(description="Build graphcount's browser tab.")
    parser.add_argument("out", metavar="OUT", type=Path, help="folder that is written")
    parser.add_argument(
        "--pyodide",
        metavar="FILE",
        type=Path,
        help=f"tarball of pyodide {PYODIDE}: fetched to it, unless it is there",
    )
    arguments = parser.parse_args()
    try:
        files = site(pyodide_tarball(arguments.pyodide))
        write(files, arguments.out)
    except (OSError, ValueError) as error:
        print(f"build.py: {error}", file=sys.stderr)
        return 2
    total = sum(map(len, files.values()))
    print(f"{arguments.out}: {len(files)} files, {total / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
