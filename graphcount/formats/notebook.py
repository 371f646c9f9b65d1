"""A report in a notebook: numbers, a treemap and a table as HTML without script.

Notebooks strip scripts of documents they do not trust, so there is none: the treemap is laid out
here. Styles are scoped to one class, and follow the notebook's own colours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import NamedTuple

from graphcount.formats.sentences import (
    cause_words,
    causes,
    framework_sentence,
    headline,
    mismatch_words,
)
from graphcount.formats.text import one_line, safe
from graphcount.report.records import Report
from graphcount.report.rollup import By, Group, arrange, groups, has_modules, total
from graphcount.units import counted, exact, nbytes, percent

WIDTH, HEIGHT = 720, 300
TILES = 60
ROWS = 12
CAUSES = 3
"""Causes of what is not known that are named."""

COLORS = ("#77aadd", "#ee8866", "#44bb99", "#eedd88", "#ffaabb", "#bbcc33", "#99ddff", "#c5a5dd")
"""Fills for black text that people with other colour vision tell apart (Paul Tol's "light")."""

STYLE = (
    ".graphcount{font-family:system-ui,sans-serif;max-width:45rem}"
    ".graphcount svg{width:100%;height:auto;display:block;margin:.5rem 0}"
    ".graphcount table{border-collapse:collapse;font-size:.9em}"
    ".graphcount td,.graphcount th{padding:.15rem .8rem .15rem 0;text-align:left!important}"
    ".graphcount .n{text-align:right!important;font-variant-numeric:tabular-nums}"
)


class Box(NamedTuple):
    """A rectangle."""

    x: float
    y: float
    width: float
    height: float


def render(report: Report) -> str:
    """Return the report as an HTML fragment, at assumed sizes where it has some."""
    facts = [f"{label} <b>{_text(text)}</b>" for label, text in headline(report)]
    notes = [text for text in (framework_sentence(report), mismatch_words(report)) if text]
    unknown = causes(report.in_numbers)
    notes += [cause_words(cause) for cause in unknown[:CAUSES]]
    if len(unknown) > CAUSES:
        left = len(unknown) - CAUSES
        notes.append(f"unknown: {counted(left, 'more cause')}")
    return "".join(
        (
            f'<div class="graphcount"><style>{STYLE}</style>',
            f"<div><strong>{_text(report.model.path)}</strong></div>",
            f"<div>{' · '.join(facts)}</div>",
            *(f"<div>{escape(one_line(note, 600))}</div>" for note in notes),
            _treemap(report),
            _table(report),
            "</div>",
        )
    )


def squarify(values: Sequence[float], box: Box) -> list[Box]:
    """Return rectangles of the given areas, each as square as can be.

    Args:
        values: Positive, largest first.
        box: What they fill.

    Source: Bruls, Huizing, van Wijk, "Squarified Treemaps" (2000).
    """
    whole = sum(values)
    areas = [value * box.width * box.height / whole for value in values] if whole else []
    boxes: list[Box] = []
    start = 0
    while start < len(areas):
        side = min(box.width, box.height)
        end = start + 1
        while end < len(areas) and _worst(areas[start : end + 1], side) <= _worst(
            areas[start:end], side
        ):
            end += 1
        box = _lay(areas[start:end], box, boxes)
        start = end
    return boxes


def _worst(row: Sequence[float], side: float) -> float:
    """Return the ratio of the sides of the least square rectangle in a row along `side`."""
    total_area = sum(row)
    if not total_area or not side:
        return float("inf")
    return max(
        side * side * max(row) / total_area**2, total_area**2 / (side * side * max(min(row), 1e-9))
    )


def _lay(row: Sequence[float], box: Box, boxes: list[Box]) -> Box:
    """Put a row along the shorter side, and return what is left."""
    area = sum(row)
    if box.width >= box.height:
        width = area / box.height if box.height else 0.0
        y = box.y
        for part in row:
            height = part / width if width else 0.0
            boxes.append(Box(box.x, y, width, height))
            y += height
        return Box(box.x + width, box.y, max(0.0, box.width - width), box.height)
    height = area / box.width if box.width else 0.0
    x = box.x
    for part in row:
        width = part / height if height else 0.0
        boxes.append(Box(x, box.y, width, height))
        x += width
    return Box(box.x, box.y + height, box.width, max(0.0, box.height - height))


# ------------------------------------------------------------------------------------- pieces


def _treemap(report: Report) -> str:
    """Return bytes by module, or by node where names carry no modules."""
    by: By = "module" if has_modules(report) else "node"
    rows = arrange(groups(report, by), "nbytes", TILES)
    rows = [row for row in rows if row.nbytes]
    rows.sort(key=lambda row: -row.nbytes)
    boxes = squarify([row.nbytes for row in rows], Box(0, 0, WIDTH, HEIGHT))
    colors: dict[str, str] = {}
    tiles = []
    for row, box in zip(rows, boxes, strict=True):
        top = ".".join(row.label.split(".")[:2])
        color = colors.setdefault(top, COLORS[len(colors) % len(COLORS)])
        tiles.append(_tile(row.label or "(no module)", nbytes(row.nbytes), box, color))
    if not tiles:
        return ""
    label = f"Treemap of bytes by {by}; the table has the numbers"
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">'
        f"{''.join(tiles)}</svg>"
    )


def _tile(name: str, size: str, box: Box, color: str) -> str:
    x, y, width, height = (round(number, 1) for number in box)
    label = _text(name)
    parts = [
        f'<g><title>{label}: {size}</title><rect x="{x}" y="{y}" width="{width}"'
        f' height="{height}" fill="{color}" stroke="#fff" stroke-width="1"/>'
    ]
    letters = int((width - 8) / 6.6)
    if letters >= 4 and height >= 16:
        text = safe(name)
        cut = text if len(text) <= letters else f"..{text[2 - letters :]}"
        parts.append(_label(x + 4, y + 13, escape(cut)))
        if height >= 32 and len(size) <= letters:
            parts.append(_label(x + 4, y + 28, size))
    return "".join([*parts, "</g>"])


def _label(x: float, y: float, text: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="11" fill="#111">{text}</text>'


def _table(report: Report) -> str:
    by: By = "module" if has_modules(report) else "node"
    rows = groups(report, by, 2 if by == "module" else None)
    whole = total(rows, "total")
    top = [*arrange(rows, "nbytes", ROWS), whole]
    head = "".join(
        f'<th scope="col"{_align(place)}>{title}</th>'
        for place, title in enumerate((by, "nodes", "parameters", "size", "share"))
    )
    body = "".join(f"<tr>{''.join(_cells(row, whole))}</tr>" for row in top)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cells(row: Group, whole: Group) -> Iterator[str]:
    texts = (
        _text(row.label) or "(no module)",
        exact(row.nodes),
        exact(row.parameters),
        nbytes(row.nbytes),
        percent(row.nbytes, whole.nbytes),
    )
    for place, text in enumerate(texts):
        yield f"<td{_align(place)}>{text}</td>"


def _align(place: int) -> str:
    return ' class="n"' if place else ""


def _text(text: str) -> str:
    """Return a name or a number, harmless in HTML."""
    return escape(safe(text))
