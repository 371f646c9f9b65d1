"""`graphcount rules [RULE...]`: what each rule looks for, why, and what to do."""

from __future__ import annotations

import click

from graphcount.cli.command import RULE, Command
from graphcount.cli.options import output_options
from graphcount.cli.output import OutputOptions
from graphcount.formats.view import View


@click.command(
    "rules",
    cls=Command,
    examples=("rules", "rules EXT002 BUD001", "rules EXT TEN --format markdown -o rules.md"),
)
@click.argument("names", nargs=-1, metavar="[RULE]...", type=RULE)
@output_options(("text", "json", "markdown"), sizes=False)
def command(names: tuple[str, ...], output: OutputOptions) -> int:
    """List the rules of audits and checks, or document some: EXT002, or all of EXT."""
    from graphcount.api import rules
    from graphcount.formats import rules as pages

    rows = rules(names)

    def render_as(name: str, view: View) -> str:
        render = pages.listing if name == "text" and not names else pages.RENDERERS[name]
        return render(rows, view)

    output.write_formats(render_as, output.view())
    return 0
