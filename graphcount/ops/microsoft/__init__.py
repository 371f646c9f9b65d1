"""com.microsoft and com.microsoft.nchwc: operators of onnxruntime, one file a family."""

from __future__ import annotations

from graphcount.ops.microsoft import attention, conv, elementwise, linear, norm, other, quant
from graphcount.ops.operator import merge

TABLE = merge(module.TABLE for module in (linear, conv, attention, elementwise, norm, quant, other))
