"""The graph makes tensors far larger than the file.

What it does:
    Reports operators whose result has more than 2^40 elements, inputs that are declared so large,
    sparse tensors of so many cells, and elements made from constants alone (ConstantOfShape,
    Expand, Tile, Range, EyeLike, Resize, Pad and what follows) that take 1 GiB and a hundred times
    the file.

Why it matters:
    A few bytes ask for terabytes. Runtimes fold constants when they load a model, so memory ends
    before a single input is seen.

Example:
    `ConstantOfShape` of [1000000, 1000000, 1000000] in a file of 160 bytes.

What to do:
    Do not load the model without a limit on memory.

References:
    onnxruntime pull 28055 (size limit of constant folding).
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.rule import Rule
from graphcount.auditing.sizes import largest_results, made_nbytes
from graphcount.report.finding_rows import Finding

RULE = Rule("RES002", "tensor-bomb", "medium")
MOST_ELEMENTS = 1 << 40
MOST_NBYTES = 1 << 30
MOST_TIMES = 100
HOW = {"operator": "makes", "input": "is declared as"}


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding for single results that are too large, one for the sum of what is made."""
    large = largest_results(context, MOST_ELEMENTS)
    if large:
        node, elements = max(large.items(), key=lambda item: item[1])
        how = HOW.get(context.graph.nodes[node].kind, "is")
        yield RULE.finding(
            f"{node} {how} a tensor of {elements:,} elements"
            + (f"; {len(large) - 1} more are as large" if len(large) > 1 else ""),
            {"node": node},
            elements=elements,
            expected=MOST_ELEMENTS,
            nodes=len(large),
        )
        return
    total, makers = made_nbytes(context)
    external = sum(tensors[0].data.nbytes or 0 for tensors in context.external_files.values())
    file_nbytes = max(1, context.file.file_nbytes + external)
    if total >= MOST_NBYTES and total >= MOST_TIMES * file_nbytes:
        yield RULE.finding(
            f"the graph makes {total:,} bytes of constants from a model of {file_nbytes:,} bytes",
            {"node": makers[0]},
            nbytes=total,
            file_nbytes=file_nbytes,
            nodes=len(makers),
        )
