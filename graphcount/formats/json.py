"""One JSON object for one model, an array for several."""

from __future__ import annotations

from collections.abc import Sequence

from graphcount.errors import GraphcountError
from graphcount.formats.view import View
from graphcount.report.records import Report
from graphcount.report.serial import error_dict, report_text, to_dict


def render(outcomes: Sequence[Report | GraphcountError], view: View) -> str:
    """Render as strict JSON (ASCII, no NaN)."""
    objects = [to_dict(item) if isinstance(item, Report) else error_dict(item) for item in outcomes]
    return report_text(objects[0] if len(objects) == 1 else objects) + "\n"
