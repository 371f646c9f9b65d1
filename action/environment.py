"""Names the virtual environment of the action, so that one from the cache is used where it fits.

It fits the same source of graphcount, Python, system and place. A month is in its name too, so that
no dependency grows old.
"""

from __future__ import annotations

import hashlib
import os
import platform
import sys
import time
from pathlib import Path


def source(root: Path) -> bytes:
    """Return the digest of what is installed."""
    digest = hashlib.sha256()
    for path in sorted([root / "pyproject.toml", *(root / "graphcount").rglob("*.*")]):
        if path.is_file() and path.suffix != ".pyc":
            digest.update(f"{path.relative_to(root).as_posix()}\n".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.digest()


def main() -> None:
    """Write `folder`, `python` and `key` to GITHUB_OUTPUT."""
    temp = os.environ["RUNNER_TEMP"]
    digest = hashlib.sha256(source(Path(__file__).resolve().parent.parent))
    digest.update("\n".join((sys.version, sys.executable, temp)).encode())
    name = digest.hexdigest()[:16]
    folder = os.path.join(temp, f"graphcount-{name}")
    python = ("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")
    key = f"graphcount-{platform.system()}-{platform.machine()}-{time.strftime('%Y-%m')}-{name}"
    with open(os.environ["GITHUB_OUTPUT"], "a", encoding="utf-8") as stream:
        stream.write(f"folder={folder}\npython={os.path.join(folder, *python)}\nkey={key}\n")


if __name__ == "__main__":
    main()
