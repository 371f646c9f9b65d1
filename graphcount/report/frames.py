"""Tables of a report as data frames of pandas, which is an extra and is imported here only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, get_args

from graphcount.errors import Unknown, UsageError
from graphcount.report.finding_rows import Finding
from graphcount.report.rows import DTypeRow, ModuleRow, NodeRow, OpTypeRow, TensorRow

if TYPE_CHECKING:
    import pandas

TableName = Literal["tensors", "nodes", "modules", "op_types", "dtypes", "findings", "unknown"]
"""Lists of a report whose rows are alike."""

COLUMNS: dict[TableName, tuple[str, ...]] = {
    "tensors": TensorRow._fields,
    "nodes": NodeRow._fields,
    "modules": ModuleRow._fields,
    "op_types": OpTypeRow._fields,
    "dtypes": DTypeRow._fields,
    "findings": Finding._fields,
    "unknown": Unknown._fields,
}


def frame(report: Mapping[str, object], table: TableName) -> pandas.DataFrame:
    """Return a list of a report's JSON object as a data frame; see `Report.to_pandas`."""
    if table not in COLUMNS:
        raise UsageError(f"table: {table!r} is none of {', '.join(get_args(TableName))}")
    try:
        import pandas
    except ImportError:
        install = "pip install 'graphcount[pandas]'"
        raise UsageError(f"data frames need pandas, which is not installed: {install}") from None
    return pandas.DataFrame(report[table], columns=list(COLUMNS[table]))
