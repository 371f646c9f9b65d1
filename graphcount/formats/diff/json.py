"""JSON: the whole diff, as `graphcount/report/diff.schema.json` says."""

from __future__ import annotations

from graphcount.formats.diff.view import DiffView
from graphcount.report.diff import Diff, diff_dict
from graphcount.report.serial import dumps


def render(diff: Diff, view: DiffView) -> str:
    """Render the diff as one object; the view changes nothing."""
    return f"{dumps(diff_dict(diff))}\n"
