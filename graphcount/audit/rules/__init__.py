"""Every rule, one file each; a new one is a file here and a line in `RULES`."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from graphcount.audit.rule import RuleModule

RULES = (
    "ext002_traversal",
    "int001_rule_failed",
)
"""Modules of this package, in the order of their ids; they run in this order."""


def load_rules() -> tuple[RuleModule, ...]:
    """Import every rule."""
    return tuple(cast(RuleModule, import_module(f"{__name__}.{name}")) for name in RULES)
