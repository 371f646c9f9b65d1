"""What click complains about, in the grammar of all errors: where, what is wrong, what to do."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

import click

WORDS = {
    "a valid integer range": "a whole number",
    "a valid integer": "a whole number",
    "a valid float range": "a number",
}
"""What click calls its types, and what they are."""


def usage_message(error: click.ClickException) -> str:
    """Return one line about wrong usage: `--by: 'colour' is not one of 'module', 'node', …`."""
    if not isinstance(error, click.UsageError):
        return error.format_message()
    text = _plain(error.message)
    manual = f"see {error.ctx.command_path} --help" if error.ctx is not None else ""
    if isinstance(error, click.NoSuchOption):
        near = nearest(error.option_name, _options(error.ctx))
        return f"{error.option_name}: no such option; {near or manual}"
    if isinstance(error, click.BadOptionUsage):
        needed = "needs a value" if "requires" in text else "takes no value"
        return f"{error.option_name}: {needed}"
    if isinstance(error, click.MissingParameter):
        return f"{_name(error.param)} is missing; {manual}"
    if isinstance(error, click.BadParameter):
        return f"{_name(error.param)}: {text}"
    return f"{text}; {manual}" if text.startswith("got unexpected") else text


def nearest(name: str, known: Iterable[str]) -> str:
    """Return `did you mean --format?`, or nothing."""
    near = get_close_matches(name, list(known), 1, 0.7)
    return f"did you mean {near[0]}?" if near else ""


def _plain(text: str) -> str:
    """Return a sentence of click's with our beginning and end."""
    text = text.removesuffix(".")
    for theirs, ours in WORDS.items():
        text = text.replace(theirs, ours)
    return text[:1].lower() + text[1:] if text.startswith(("Got ", "Missing ")) else text


def _name(parameter: click.Parameter | None) -> str:
    """Return `--top`, or `MODEL`."""
    if isinstance(parameter, click.Option):
        return max(parameter.opts, key=len)
    metavar = parameter.metavar or parameter.name or "" if parameter is not None else ""
    return metavar.strip("[].")


def _options(context: click.Context | None) -> list[str]:
    if context is None:
        return []
    parameters = context.command.get_params(context)
    return [name for item in parameters for name in (*item.opts, *item.secondary_opts)]
