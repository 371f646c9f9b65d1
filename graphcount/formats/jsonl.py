"""One line of JSON a model, in the order given; an error object for one that was not read."""

from __future__ import annotations

from collections.abc import Sequence

from graphcount.errors import GraphcountError
from graphcount.formats.view import View
from graphcount.report.records import Report
from graphcount.report.serial import dumps, error_dict, to_dict


def render(outcomes: Sequence[Report | GraphcountError], view: View) -> str:
    """Render as JSON lines."""
    objects = (to_dict(item) if isinstance(item, Report) else error_dict(item) for item in outcomes)
    return "".join(dumps(item, indent=None) + "\n" for item in objects)
