"""Every rule, one file each; a new one is a file here and a line in `RULES`."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from graphcount.audit.rule import RuleModule

RULES = (
    "ext001_absolute",
    "ext002_traversal",
    "ext003_link",
    "ext004_hard_link",
    "ext005_irregular",
    "ext006_missing",
    "ext007_beyond_end",
    "ext008_no_number",
    "ext009_bad_location",
    "ext010_checksum",
    "ext011_no_checksum",
    "ext012_overlap",
    "ext013_keys",
    "ext014_length",
    "ext015_unused_bytes",
    "ext016_memory_marker",
    "ext017_unusual_holder",
    "ext018_not_declared",
    "ext019_itself",
    "fmt001_not_onnx",
    "fmt002_damaged",
    "fmt003_nested",
    "fmt004_two_gigabytes",
    "fmt005_unknown_fields",
    "fmt006_appended",
    "fmt007_repeated_fields",
    "fmt009_not_utf8",
    "fmt010_no_graph",
    "fmt011_not_a_file",
    "fmt012_duplicate_metadata",
    "hid001_program",
    "hid002_blob",
    "hid003_unknown_payload",
    "hid005_script",
    "int001_rule_failed",
    "prv001_credentials",
    "prv002_paths_hosts",
    "prv003_addresses",
    "ten001_negative_dim",
    "ten002_overflow",
    "ten003_payload_size",
    "ten004_dtype",
    "ten005_two_payloads",
    "ten006_wrong_field",
    "ten007_no_payload",
    "ten008_not_finite",
    "ten009_sparse",
    "ten010_duplicate_name",
    "ten011_constant",
    "ten012_identical",
    "ten013_pad_bits",
    "ten014_segment",
    "ten015_unnamed",
    "txt001_control",
    "txt002_invisible",
    "txt003_long_name",
    "txt005_lookalike",
    "ver001_ir_version",
    "ver002_opset",
    "ver003_newer",
    "ver004_twice",
)
"""Modules of this package, in the order of their ids; they run in this order."""


def load_rules() -> tuple[RuleModule, ...]:
    """Import every rule."""
    return tuple(cast(RuleModule, import_module(f"{__name__}.{name}")) for name in RULES)
