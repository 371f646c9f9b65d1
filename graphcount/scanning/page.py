"""An inventory as one HTML page: a table to sort and filter, without anything from elsewhere.

It has the style and the policy of the page of a model. Every text of a model is escaped for HTML
after it was made harmless for people.
"""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterable
from itertools import islice
from typing import IO, NamedTuple

from graphcount.formats.page import page_style, policy
from graphcount.formats.text import safe
from graphcount.scanning.numbers import ABSURD, short, size
from graphcount.scanning.row import ERROR, FAILED, OK, InventoryRow
from graphcount.units import counted, exact
from graphcount.version import __version__

MOST_ROWS = 20_000
"""Rows a browser sorts without waiting; the page says how many more there are."""

_STYLE = """
.inventory { border: 1px solid var(--line); border-radius: 10px; background: var(--card);
  overflow: auto; max-height: 80vh; }
.inventory table { border-collapse: collapse; width: 100%; font-size: 0.87rem; }
.inventory th, .inventory td { padding: .3rem .7rem; border-bottom: 1px solid var(--line);
  vertical-align: top; text-align: left; }
.inventory th { position: sticky; top: 0; z-index: 1; background: var(--card); color: var(--soft);
  cursor: pointer; white-space: nowrap; font-weight: 500; font-size: 0.82rem; }
.inventory tbody tr:hover { background: var(--hover); }
.inventory td.n, .inventory th.n { text-align: right; white-space: nowrap;
  font-variant-numeric: tabular-nums; }
.inventory td.path { overflow-wrap: anywhere; min-width: 17rem; font: 0.82rem/1.6 var(--mono); }
.inventory :is(th, td):first-child { position: sticky; left: 0; background: var(--card); }
.inventory th:first-child { z-index: 2; }
.inventory td.why { max-width: 14rem; color: var(--soft); }
.inventory td.why, .inventory td.types { white-space: nowrap; overflow: hidden;
  text-overflow: ellipsis; }
.inventory td.types { max-width: 9rem; }
th[aria-sort=ascending]::after { content: " \\25B2"; font-size: 0.7em; }
th[aria-sort=descending]::after { content: " \\25BC"; font-size: 0.7em; }
.inventory .ok { color: var(--soft); }
.inventory .error { color: light-dark(#b3261e, #ff8f85); font-weight: 600; }
.inventory .failed { color: light-dark(#8a5a00, #f0c24a); font-weight: 600; }
@media (max-width: 760px) { .inventory td.path { min-width: 10rem; } }
#filter { width: min(30rem, 100%); margin: 0.6rem 0; }
"""
"""What the table needs beside the style of every page."""

_SCRIPT = """
const body = document.querySelector("tbody"), heads = [...document.querySelectorAll("th")];
const value = (row, i) => row.cells[i].dataset.v ?? row.cells[i].textContent;
heads.forEach((head, i) => {
  const number = head.classList.contains("n");
  const sort = () => {
    const down = head.ariaSort ? head.ariaSort === "ascending" : number;
    heads.forEach(other => other.removeAttribute("aria-sort"));
    head.ariaSort = down ? "descending" : "ascending";
    const rows = [...body.rows].map(row => [value(row, i), row]);
    const sign = down ? -1 : 1;
    rows.sort(([a], [b]) => number
      ? (a === "" ? 1 : b === "" ? -1 : sign * (Number(a) - Number(b)))
      : sign * a.localeCompare(b));
    body.append(...rows.map(([, row]) => row));
  };
  if (head.textContent === "weights") sort();
  head.tabIndex = 0;
  head.addEventListener("click", sort);
  head.addEventListener("keydown", event => { if (event.key === "Enter") sort(); });
});
document.querySelector("input").addEventListener("input", event => {
  const words = event.target.value.toLowerCase().split(/\\s+/);
  for (const row of body.rows) {
    const text = row.textContent.toLowerCase();
    row.hidden = !words.every(word => text.includes(word));
  }
});
"""


class Cell(NamedTuple):
    """A cell: its text, its sort key when that differs, its class and its hint."""

    text: str
    value: str | None = None
    kind: str = ""
    hint: str = ""


HEADS = (
    ("model", ""),
    ("status", ""),
    ("parameters", "n"),
    ("weights", "n"),
    ("file", "n"),
    ("MACs", "n"),
    ("nodes", "n"),
    ("types", ""),
    ("opset", "n"),
    ("findings", ""),
    ("same architecture", "n"),
    ("remarks", ""),
)


def write_page(rows: Iterable[InventoryRow], file: IO[str], binary: bool) -> None:
    """Write the page."""
    kept = list(islice(iter(rows := iter(rows)), MOST_ROWS))
    more = Counter(row["status"] for row in rows)
    status = more + Counter(row["status"] for row in kept)
    architectures = Counter(row["architecture"] for row in kept if row["architecture"])
    file.write(_head(status, sum(more.values())))
    for row in kept:
        file.write(f"<tr>{''.join(map(_cell, _cells(row, architectures, binary)))}</tr>\n")
    file.write(f"</tbody></table></div></main>\n<script>{_SCRIPT}</script>\n</body></html>\n")


def _head(status: Counter[str], left_out: int) -> str:
    total = sum(status.values())
    cards = (("ok", OK), ("failed", FAILED), ("not read", ERROR))
    stats = "".join(
        f'<div class="stat{" warn" if key != OK and status[key] else ""}"><dt>{label}</dt>'
        f"<dd><strong>{exact(status[key])}</strong></dd></div>"
        for label, key in cards
    )
    more = f" {exact(left_out)} are not on this page; other formats have all." if left_out else ""
    heads = "".join(f'<th class="{kind}" scope="col">{name}</th>' for name, kind in HEADS)
    style = page_style() + _STYLE
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy(style, _SCRIPT)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{counted(total, 'model')} - graphcount</title>\n<style>{style}</style></head>\n"
        f'<body><header><div class="brand"><span>graphcount {__version__}</span></div>\n'
        f'<h1>{counted(total, "model")}</h1><dl id="stats">{stats}</dl></header>\n<main>\n'
        f'<p class="note">A click on a heading sorts.{more}</p>\n'
        '<input id="filter" type="search" placeholder="Search models" aria-label="Search models">'
        '\n<div class="inventory" tabindex="0" role="region" aria-label="Models, scrollable">\n'
        f"<table><thead><tr>{heads}</tr></thead><tbody>\n"
    )


def _cells(row: InventoryRow, architectures: Counter[str], binary: bool) -> list[Cell]:
    same = architectures[row["architecture"]] if row["architecture"] else 0
    types = " ".join(row["dtypes"] or ())
    findings = f"{row['findings']} {row['severity']}" if row["findings"] else ""
    rules = ", ".join(f"{rule} {times}" for rule, times in (row["rules"] or {}).items())
    why = "; ".join(row["finding_messages"] or ()) or row["message"] or ""
    at_least = "\N{GREATER-THAN OR EQUAL TO}" if row["lower_bound"] else ""
    macs = _number(row["macs"]) if row["macs"] is not None else Cell("", "", "n")
    if row["macs"] is None and row["macs_expression"]:
        macs = _assumed(row)
    return [
        Cell(safe(row["path"], 300), kind="path"),
        Cell(row["status"], kind=row["status"]),
        _number(row["parameters"], at_least),
        _size(row["nbytes"], binary),
        _size(row["file_nbytes"], binary),
        macs,
        _number(row["nodes"]),
        Cell(types, kind="types", hint=types),
        Cell(str(row["opset"] or ""), str(row["opset"] or ""), "n"),
        Cell(findings, hint=rules),
        Cell(exact(same) if same > 1 else "", str(same) if same > 1 else "", "n"),
        Cell(safe(why, 200), kind="why", hint=safe(why, 1000)),
    ]


def _assumed(row: InventoryRow) -> Cell:
    """Return MACs of a model with dynamic dimensions: at assumed sizes, which the hint says."""
    formula, number = safe(row["macs_expression"], 300), row["macs_assumed"]
    if number is None:
        return Cell("formula", "", "n", formula)
    sizes = ", ".join(f"{name} {size}" for name, size in (row["sizes_assumed"] or {}).items())
    hint = f"sizes assumed: {safe(sizes, 300)}; {formula}"
    return Cell(f"{short(number)} (assumed)", str(number), "n", hint)


def _number(value: int | None, before: str = "") -> Cell:
    if value is None:
        return Cell("", "", "n")
    text = exact(value) if value < 10**7 else short(value)
    return Cell(before + text, str(value), "n", exact(value) if value < ABSURD else "")


def _size(value: int | None, binary: bool) -> Cell:
    return Cell("", "", "n") if value is None else Cell(size(value, binary), str(value), "n")


def _cell(cell: Cell) -> str:
    kind = f' class="{cell.kind}"' if cell.kind else ""
    value = f' data-v="{html.escape(cell.value)}"' if cell.value is not None else ""
    hint = f' title="{html.escape(cell.hint)}"' if cell.hint else ""
    text = html.escape(cell.text)
    if cell.kind == "path":
        text = text.replace("/", "/<wbr>")  # long paths break there first
    return f"<td{kind}{value}{hint}>{text}</td>"
