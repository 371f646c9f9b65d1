"""`graphcount rules [RULE...]`: what each rule looks for, why, and what to do."""

from __future__ import annotations

import click

from graphcount.cli.command import RULE, Command
from graphcount.cli.options import output_options
from graphcount.cli.output import make_view, write


@click.command(
    "rules",
    cls=Command,
    examples=("rules", "rules EXT002 BUD001", "rules EXT TEN --format markdown -o rules.md"),
)
@click.argument("names", nargs=-1, metavar="[RULE]...", type=RULE)
@output_options(("text", "json", "markdown"), sizes=False)
def command(
    names: tuple[str, ...], format_name: str, output: str | None, quiet: bool, no_color: bool
) -> int:
    """List the rules of audits and checks, or document some: EXT002, or all of EXT."""
    from graphcount.api import rules
    from graphcount.formats import rules as pages

    known = rules()
    chosen = [rule for rule in known if rule.id.startswith(names)] if names else known
    view = make_view(output, no_color, False)
    if format_name == "text" and not names:
        write(pages.listing(chosen, view), output)
    else:
        write(pages.RENDERERS[format_name](chosen, view), output)
    return 0
