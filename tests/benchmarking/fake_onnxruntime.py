"""A stand-in for onnxruntime with a CUDA device, to walk the path that needs one.

FAKE_ACTIVE is the provider a session gets; FAKE_RAN the one its profile names.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

__version__ = "0.0.fake"
CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"


class GraphOptimizationLevel:
    ORT_DISABLE_ALL = ORT_ENABLE_BASIC = ORT_ENABLE_EXTENDED = ORT_ENABLE_ALL = 0


class SessionOptions:
    profile_file_prefix = ""

    def add_session_config_entry(self, key: str, value: str) -> None:
        pass


def get_available_providers() -> list[str]:
    return [CUDA, CPU]


class OrtValue:
    @staticmethod
    def ortvalue_from_numpy(array: Any, device: str, number: int) -> Any:
        assert (device, number) == ("cuda", 0)
        return array

    @staticmethod
    def ortvalue_from_shape_and_type(shape: Any, kind: Any, device: str, number: int) -> Any:
        return np.empty(shape, kind)


class Binding:
    def __init__(self) -> None:
        self.bound: list[tuple[str, str]] = []

    def bind_ortvalue_input(self, name: str, value: Any) -> None:
        self.bound.append((name, "input"))

    def bind_ortvalue_output(self, name: str, value: Any) -> None:
        self.bound.append((name, "output"))

    def bind_output(self, name: str, device: str, number: int) -> None:
        assert device == "cuda"
        self.bound.append((name, "output"))

    def synchronize_outputs(self) -> None:
        pass


class Value:
    def __init__(self, name: str) -> None:
        self.name = name
        self.type = "tensor(float)"


class InferenceSession:
    def __init__(self, model: Any, options: Any, providers: list[str], **rest: Any) -> None:
        assert providers[0] == CUDA
        self.prefix = options.profile_file_prefix
        self.runs = 0

    def get_providers(self) -> list[str]:
        return [os.environ["FAKE_ACTIVE"], CPU]

    def get_inputs(self) -> list[Value]:
        return [Value("x")]

    def get_outputs(self) -> list[Value]:
        return [Value("y")]

    def io_binding(self) -> Binding:
        return Binding()

    def run_with_iobinding(self, binding: Binding) -> None:
        assert [kind for _, kind in binding.bound] == ["input", "output"]
        self.runs += 1

    def end_profiling(self) -> str:
        args = {"op_name": "Relu", "node_index": "0", "provider": os.environ["FAKE_RAN"]}
        node = {"cat": "Node", "name": "r_kernel_time", "ts": 0, "dur": 5, "args": args}
        run = {"cat": "Session", "name": "model_run", "ts": 0, "dur": 6, "args": {}}
        path = Path(f"{self.prefix}.json")
        path.write_text(json.dumps([node, run] * self.runs), "utf-8")
        return str(path)
