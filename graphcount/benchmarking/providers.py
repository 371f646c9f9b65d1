"""Execution providers of onnxruntime, by the name people use.

Names: onnxruntime/core/graph/constants.h; packages: onnxruntime.ai, "Install ONNX Runtime".
"""

from __future__ import annotations

from typing import NamedTuple

from graphcount.errors import UsageError


class ProviderInfo(NamedTuple):
    """One provider.

    Attributes:
        ort_name: onnxruntime's name.
        package: What to install to have it.
        device: Name of its device for IO binding; None where host memory is used.
    """

    ort_name: str
    package: str
    device: str | None = None


CPU = "CPUExecutionProvider"

PROVIDERS: dict[str, ProviderInfo] = {
    "cpu": ProviderInfo(CPU, "graphcount[bench]"),
    "cuda": ProviderInfo("CUDAExecutionProvider", "graphcount[bench-gpu]", "cuda"),
    "tensorrt": ProviderInfo("TensorrtExecutionProvider", "graphcount[bench-gpu]", "cuda"),
    "rocm": ProviderInfo("ROCMExecutionProvider", "onnxruntime-rocm", "cuda"),
    "migraphx": ProviderInfo("MIGraphXExecutionProvider", "onnxruntime-migraphx"),
    "dml": ProviderInfo("DmlExecutionProvider", "onnxruntime-directml"),
    "openvino": ProviderInfo("OpenVINOExecutionProvider", "onnxruntime-openvino"),
    "coreml": ProviderInfo("CoreMLExecutionProvider", "onnxruntime"),
    "xnnpack": ProviderInfo("XnnpackExecutionProvider", "a build of onnxruntime with XNNPACK"),
    "qnn": ProviderInfo("QNNExecutionProvider", "onnxruntime-qnn"),
    "dnnl": ProviderInfo("DnnlExecutionProvider", "a build of onnxruntime with oneDNN"),
    "webgpu": ProviderInfo("WebGpuExecutionProvider", "onnxruntime-webgpu"),
}


def provider(name: str) -> ProviderInfo:
    """Return the row of a provider.

    Raises:
        UsageError: No such provider.
    """
    row = PROVIDERS.get(name)
    if row is None:
        raise UsageError(f"no provider {name!r}; known: {', '.join(PROVIDERS)}")
    return row
