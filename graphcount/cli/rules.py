"""`graphcount rules [RULE...]`: what each rule looks for, why, and what to do."""

from __future__ import annotations

import click

from graphcount.cli.options import write
from graphcount.errors import UsageError


@click.command("rules")
@click.argument("names", nargs=-1, metavar="[RULE]...")
def command(names: tuple[str, ...]) -> int:
    """List the rules of an audit, or print the documentation of some: EXT002, or all of EXT."""
    from graphcount.api import rules

    known = rules()
    chosen = [rule for rule in known if rule.id.startswith(tuple(name.upper() for name in names))]
    if not names:
        lines = [f"{rule.id}  {rule.severity:8}  {rule.summary}" for rule in known]
        write("\n".join(lines) + "\n", None)
        return 0
    if not chosen:
        raise UsageError(f"{names[0]!r} is no rule; graphcount rules lists them")
    texts = [f"{rule.id} {rule.name} ({rule.severity})\n\n{rule.help}\n" for rule in chosen]
    write("\n".join(texts), None)
    return 0
