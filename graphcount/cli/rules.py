"""`graphcount rules [RULE...]`: what each rule looks for, why, and what to do."""

from __future__ import annotations

import click

from graphcount.cli.options import make_view, write
from graphcount.errors import UsageError


@click.command("rules")
@click.argument("names", nargs=-1, metavar="[RULE]...")
@click.option(
    "--format",
    "format_name",
    type=click.Choice(["text", "json", "markdown"]),
    default="text",
    show_default=True,
    help="How to print them.",
)
@click.option("-o", "--output", metavar="FILE", help="Write to FILE instead of stdout.")
@click.option("--no-color", is_flag=True, help="No colours (NO_COLOR does the same).")
def command(names: tuple[str, ...], format_name: str, output: str | None, no_color: bool) -> int:
    """List the rules of an audit, or print the documentation of some: EXT002, or all of EXT."""
    from graphcount.api import rules
    from graphcount.formats import rules as pages

    known = rules()
    wanted = tuple(name.upper() for name in names)
    for name in wanted:
        if not name or not any(rule.id.startswith(name) for rule in known):
            raise UsageError(f"{name!r} is no rule; graphcount rules lists them")
    chosen = [rule for rule in known if rule.id.startswith(wanted)] if wanted else known
    view = make_view(output, no_color, False)
    if format_name == "text" and not names:
        write(pages.listing(chosen, view), output)
    else:
        write(pages.RENDERERS[format_name](chosen, view), output)
    return 0
