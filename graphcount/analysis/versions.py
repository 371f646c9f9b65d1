"""Versions a model states: missing, impossible, or newer than this program was compared with."""

from __future__ import annotations

from collections import Counter

from graphcount.domains import STANDARD, canonical
from graphcount.errors import Problem
from graphcount.loading.model import ModelProto
from graphcount.ops import NEWEST_IR, NEWEST_OPSET

NEAR = 10
"""IR versions beyond the newest that some release may really have."""


def version_problems(proto: ModelProto) -> tuple[Problem, ...]:
    """What makes numbers doubtful: versions that are missing, impossible or newer than known."""
    found = []
    if proto.ir_version < 1:
        why = (
            f"IR version {proto.ir_version} does not exist" if proto.ir_version else "no IR version"
        )
        found.append(Problem("VER001", "ir_version", why))
    if proto.ir_version > NEWEST_IR:
        why = f"IR version {proto.ir_version} is newer than {NEWEST_IR}; new fields are not read"
        near = proto.ir_version <= NEWEST_IR + NEAR
        evidence = {"found": proto.ir_version, "newest": NEWEST_IR, "near": near}
        found.append(Problem("VER001", "ir_version", why, evidence))
    if not proto.opset_imports and proto.ir_version >= 3:
        found.append(Problem("VER002", "opset", "no opset is imported: the file may be cut"))
    for domain, newest in NEWEST_OPSET.items():
        version = proto.opset(domain)
        if version is not None and version > newest:
            name = domain or STANDARD
            why = f"opset {name} {version} is newer than {newest}; operators may have changed"
            evidence = {"found": version, "newest": newest}
            found.append(Problem("VER003", "opset", why, evidence))
    return tuple(found)


def version_notes(proto: ModelProto) -> tuple[Problem, ...]:
    """What is wrong with versions although the count does not depend on it."""
    found = []
    for domain, version in proto.opset_imports:
        if version < 1:
            why = f"opset {domain or 'ai.onnx'} {version} does not exist"
            found.append(Problem("VER002", "opset", why, {"version": version}))
    imported = Counter(canonical(name) for name, _ in proto.opset_imports)
    for domain, times in imported.items():
        if times > 1:
            name = domain or STANDARD
            versions = sorted(v for d, v in proto.opset_imports if (d or STANDARD) == name)
            why = f"opset {name} is imported {times} times: {', '.join(map(str, versions))}"
            evidence = {"versions": versions}
            found.append(Problem("VER004", "opset", why, evidence))
    return tuple(found)
