"""A plan as JSON (`graphcount.plan/1`) or as text; rich is only loaded for text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphcount.formats.text import ascii_only, one_line, safe
from graphcount.formats.view import DEFAULT_VIEW, View
from graphcount.report.plan import (
    PLAN_SCHEMA,
    DataPlan,
    LeftOut,
    MemoryFit,
    MemoryPlan,
    MlpPlan,
    Plan,
    SizePlan,
    WidthPlan,
)
from graphcount.report.serial import dumps, plain
from graphcount.units import counted, exact, nbytes, percent

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

FORMATS = ("table", "json")


def render(name: str, plan: Plan, view: View = DEFAULT_VIEW) -> str:
    """Render a plan in one of `FORMATS`."""
    if name == "json":
        return f"{dumps(to_dict(plan))}\n"
    text = _text(plan, view)
    return ascii_only(text) if view.ascii else text


def to_dict(plan: Plan) -> dict[str, Any]:
    """Return the plan as a JSON object."""
    from graphcount.version import __version__

    return {
        "schema": PLAN_SCHEMA,
        "graphcount": __version__,
        "model": {"path": plan.path},
        "options": plain(plan.options),
        "dims": dict(plan.dims),
        "parameters": plan.parameters,
        "lower_bound": plan.lower_bound,
        "sizes": plain(plan.sizes),
        "training": plain(plan.training),
        "data": plain(plan.data),
        "mlp": plain(plan.mlp),
        "memory": plain(plan.memory),
        "left_out": plain(plan.left_out),
        "notes": plain(plan.notes),
    }


def _text(plan: Plan, view: View) -> str:
    from rich.text import Text

    from graphcount.formats.screen import paragraph, to_text

    at_least = "at least " if plan.lower_bound else ""
    parts: list[RenderableType] = [Text(safe(plan.path), style="bold")]
    given = "".join(f", {safe(name, 40)} = {exact(size)}" for name, size in plan.dims.items())
    parts.append(Text(f"  {at_least}{counted(plan.parameters, 'parameter')}{given}", style="dim"))
    parts += [_memory(plan.memory, view)] if plan.memory is not None else []
    parts += [_sizes(plan, view)] if plan.sizes else []
    parts += [_training(plan, view)] if plan.training else []
    parts += [*_data(plan.data), *_mlp(plan.mlp, view), *_left_out(plan.left_out)]
    parts += [paragraph(f"note: {one_line(note)}", "yellow") for note in plan.notes]
    return to_text(parts, view.width, view.color)


def _memory(memory: MemoryPlan, view: View) -> RenderableType:
    """Return what fits, then what is added up, at which sizes, and what does not fit any more."""
    from rich.console import Group

    from graphcount.formats.screen import keep_numbers, new_table, paragraph

    fits = {"longest context": memory.longest, "largest batch": memory.largest}
    whole = nbytes(memory.memory_nbytes, view.binary)
    columns = ("tokens", "batch", "weights", "inputs", "peak", "total")
    table = new_table((f"in {whole}",), columns)
    lines = [memory.formula, f"states handed on: {safe(str(memory.states), 300)} bytes"]
    if memory.load_nbytes != 0:
        load = memory.load_nbytes
        size = "not known" if load is None else nbytes(load, view.binary)
        lines.append(f"at load, in no sum: {size} made of weights, which a runtime may keep, too")
    for label, fit in fits.items():
        if fit is not None:
            parts = (fit.weight_nbytes, fit.input_nbytes, fit.peak_nbytes, fit.total_nbytes)
            numbers = [nbytes(part, view.binary) for part in parts]
            table.add_row(label, exact(fit.context), exact(fit.batch), *numbers)
            lines.append(f"{label}: {_fit_words(fit, view)}")
    lines += [one_line(reason) for reason in memory.reasons]
    rows = [keep_numbers(table, view.width)] if table.row_count else []
    return Group(*rows, *(paragraph(line, "dim") for line in lines))


def _fit_words(fit: MemoryFit, view: View) -> str:
    """Return the sizes of a step, what of it is states, and what one more takes."""
    sizes = ", ".join(f"{safe(name, 40)} {exact(size)}" for name, size in fit.dims.items())
    more = "no size that was tried is too large"
    if fit.next_nbytes is not None:
        more = f"one more takes {nbytes(fit.next_nbytes, view.binary)}"
    return f"at {sizes}; {nbytes(fit.state_nbytes, view.binary)} of states; {more}"


def _sizes(plan: Plan, view: View) -> RenderableType:
    """Return one line an element type, then the formulas."""
    from rich.console import Group

    from graphcount.formats.screen import keep_numbers, new_table, paragraph

    adds = any(row.added_nbytes for row in plan.sizes)
    parts = ("weights", "scales", "kept", *(("added",) if adds else ()), "total")
    table = new_table(("stored as",), ("tensors", *parts, "of now"))
    for row in plan.sizes:
        sizes = [row.weight_nbytes, row.scale_nbytes, row.kept_nbytes, row.total_nbytes]
        if adds:
            sizes.insert(3, row.added_nbytes)
        table.add_row(
            row.dtype,
            exact(row.converted_tensors),
            *(nbytes(size, view.binary) for size in sizes),
            percent(row.total_nbytes, row.today_nbytes),
        )
    lines = [f"  {row.dtype}: {row.formula}" for row in plan.sizes]
    if any(row.dtype == "int4" for row in plan.sizes):
        lines.append(f"  b = {plan.options.block}; embeddings in rows, not padded")
    lines += _structure(plan.sizes, view)
    return Group(
        keep_numbers(table, view.width), *(paragraph(line.strip(), "dim") for line in lines)
    )


def _structure(sizes: tuple[SizePlan, ...], view: View) -> list[str]:
    """Say what a file takes beside its tensors, where that is a hundredth of it or more."""
    if any(size.file_nbytes is None for size in sizes):
        return []
    structure = max((size.file_nbytes or 0) - size.total_nbytes for size in sizes)
    if 100 * structure < min(size.total_nbytes for size in sizes):
        return []
    beside = nbytes(structure, view.binary)
    return [f"files are larger by their structure: {beside} now, and what a tool adds"]


def _training(plan: Plan, view: View) -> RenderableType:
    """Return one line an optimizer, then where the bytes come from."""
    from rich.console import Group

    from graphcount.formats.screen import keep_numbers, new_table, paragraph

    master = plan.options.mixed_precision
    parts = ["weights", "gradients", *(["master"] if master else []), "moments"]
    table = new_table(("training",), (*parts, "activations", "total"))
    for row in plan.training:
        sizes = [row.weight_nbytes, row.gradient_nbytes, row.moment_nbytes]
        if master:
            sizes.insert(2, row.master_nbytes)
        known = row.total_nbytes is not None
        table.add_row(
            row.optimizer,
            *(nbytes(size, view.binary) for size in sizes),
            "?" if row.activation_nbytes is None else nbytes(row.activation_nbytes, view.binary),
            nbytes(row.total_nbytes or 0, view.binary)
            if known
            else f"{nbytes(row.state_nbytes, view.binary)} + ?",
        )
    lines = [f"  {row.optimizer}: bytes of {row.formula}" for row in plan.training]
    expression = next((row.activation_expression for row in plan.training), None)
    if expression:
        lines.append(f"  activations: {safe(expression, 300)} bytes")
    return Group(
        keep_numbers(table, view.width), *(paragraph(line.strip(), "dim") for line in lines)
    )


def _data(data: DataPlan | None) -> list[RenderableType]:
    from rich.text import Text

    if data is None:
        return []
    text = f"10 samples a parameter: {exact(data.low)}; 100: {exact(data.high)} (rules of thumb)"
    return [Text(), _fact("data", text), *([_fact("", data.verdict)] if data.verdict else [])]


def _mlp(mlp: MlpPlan | None, view: View) -> list[RenderableType]:
    """Return widths of the same size, or why there are none."""
    from rich.text import Text

    from graphcount.formats.screen import keep_numbers, new_table

    if mlp is None:
        return []
    if mlp.reason:
        why = f"not a plain multilayer perceptron: {one_line(mlp.reason)}"
        return [Text(), _fact("same size", why)]
    table = new_table(("hidden layers", "total for width d"), ("d", "parameters", "difference"))
    for width in mlp.widths:
        _add_widths(table, width)
    text = f"as {_chain(mlp.layers)}: {counted(mlp.parameters, 'parameter')}"
    return [Text(), _fact("same size", text), keep_numbers(table, view.width)]


PARTS = {"data": "rules of thumb for data", "mlp": "networks of the same size"}
"""How a part that is left out is called; the others have the word of the JSON."""


def _left_out(parts: tuple[LeftOut, ...]) -> list[RenderableType]:
    """Return a line for each reason: what is left out for it."""
    from rich.text import Text

    by_reason: dict[str, list[str]] = {}
    for part in parts:
        by_reason.setdefault(part.reason, []).append(PARTS.get(part.part, part.part))
    lines = [f"{', '.join(names)}: {one_line(why)}" for why, names in by_reason.items()]
    labels = ("left out", *[""] * (len(lines) - 1))
    rows = [_fact(label, line) for label, line in zip(labels, lines, strict=False)]
    return [Text(), *rows] if rows else []


def _fact(label: str, text: str) -> RenderableType:
    """Return a word, and the text about it wrapped beside it."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    table.add_column(min_width=11, no_wrap=True)
    table.add_column()
    table.add_row(f"  {label}", Text(text))
    return table


def _add_widths(table: Table, width: WidthPlan) -> None:
    label, formula = exact(width.hidden_layers), width.formula
    for row in width.neighbours:
        difference = f"{row.difference:+,}" if row.difference else "0"
        table.add_row(label, formula, exact(row.width), exact(row.parameters), difference)
        label = formula = ""
    if not width.neighbours:
        table.add_row(label, formula, "none", "", "")


def _chain(layers: tuple[int, ...]) -> str:
    if len(layers) > 12:
        return f"{'-'.join(map(str, layers[:6]))}-...-{layers[-1]}"
    return "-".join(map(str, layers))
