"""Compare graphcount's MACs with the figures that torchvision publishes.

    python tests/benchmarks/torchvision_macs.py --out tests/benchmarks/torchvision_macs.json

Every architecture gets random weights (nothing is downloaded), goes through PyTorch's legacy
exporter in inference mode to a temporary folder, and is counted there by a fresh
`python -m graphcount`. Parameters that begin as constants become random too: the exporter merges
equal tensors, and a trained model has none.

The figures to meet: the GFLOPS of torchvision's documentation (`weights.meta["_ops"]`, which are
GMACs, to three decimals), and exactly half of what `torch.utils.flop_counter` counts when the model
runs. The parameters that torch counts are compared with those graphcount ascribes to the framework.
Exits 1 when MACs differ, or parameters without a reason in `ARCHITECTURES`. Needs torch, onnx and
torchvision, whose compiled operators may be missing.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

REPOSITORY = Path(__file__).resolve().parents[2]
OPSET = 17
PACKAGES = ("torch", "torchvision", "onnx")
KEPT: list[Any] = []
"""Operators that `import_torchvision` declares live as long as their library."""


class Architecture(NamedTuple):
    """A model of torchvision.

    Attributes:
        weights: Member of its weights enum, which holds the published figures.
        shape: The input they are for, batch 1.
        options: Further arguments of the builder.
        note: What must be known to compare.
        parameters_reason: Why the parameters differ, if they do.
    """

    weights: str = "IMAGENET1K_V1"
    shape: tuple[int, ...] = (1, 3, 224, 224)
    options: tuple[tuple[str, Any], ...] = ()
    note: str = ""
    parameters_reason: str = ""


WITHOUT_AUX = (("aux_logits", False), ("init_weights", False))
CLIP = (1, 3, 16, 112, 112)

ARCHITECTURES = {
    "alexnet": Architecture(),
    "vgg16": Architecture(),
    "resnet18": Architecture(),
    "resnet34": Architecture(),
    "resnet50": Architecture(),
    "resnet101": Architecture(),
    "resnext50_32x4d": Architecture(note="grouped convolutions"),
    "wide_resnet50_2": Architecture(),
    "densenet121": Architecture(),
    "squeezenet1_0": Architecture(),
    "squeezenet1_1": Architecture(),
    "googlenet": Architecture(
        options=WITHOUT_AUX, note="without auxiliary classifiers, as the published parameters"
    ),
    "inception_v3": Architecture(
        shape=(1, 3, 299, 299),
        options=WITHOUT_AUX,
        note="without the auxiliary classifier, which the published parameters hold",
    ),
    "mobilenet_v2": Architecture(note="depthwise convolutions"),
    "mobilenet_v3_large": Architecture(note="depthwise convolutions, squeeze and excitation"),
    "mnasnet1_0": Architecture(note="depthwise convolutions"),
    "shufflenet_v2_x1_0": Architecture(note="depthwise convolutions, channel shuffles"),
    "efficientnet_b0": Architecture(note="depthwise convolutions, squeeze and excitation"),
    "regnet_y_400mf": Architecture(note="grouped convolutions, squeeze and excitation"),
    "convnext_tiny": Architecture(note="depthwise convolutions, linear layers on 4-D tensors"),
    "vit_b_16": Architecture(note="attention"),
    "swin_t": Architecture(
        note="attention in shifted windows",
        parameters_reason="12 tables of relative position biases, 169 x 138 heads = 23,322 "
        "numbers: the exporter looks them up and stores the result as constants",
    ),
    "r3d_18": Architecture("KINETICS400_V1", CLIP, note="3-D convolutions"),
    "r2plus1d_18": Architecture("KINETICS400_V1", CLIP, note="3-D convolutions, factorized"),
    "s3d": Architecture("KINETICS400_V1", (1, 3, 16, 224, 224), note="3-D convolutions"),
}


def import_torchvision() -> Any:
    """Import torchvision, also where its compiled operators cannot be loaded.

    Its Python modules describe two compiled operators to torch and fail where these do not exist.
    No model here uses them: their signatures are enough.
    """
    import torch  # type: ignore[import-not-found, unused-ignore]

    try:
        return importlib.import_module("torchvision")
    except RuntimeError:
        libraries: Any = torch.library  # typed in parts
        library = libraries.Library("torchvision", "FRAGMENT")
        for operator in ("nms", "qnms"):
            library.define(f"{operator}(Tensor dets, Tensor scores, float threshold) -> Tensor")
        KEPT.append(library)
        return importlib.import_module("torchvision")


def build(name: str) -> Any:
    """An architecture for inference, all its parameters and statistics drawn at random."""
    import torch

    torch.backends.mha.set_fastpath_enabled(False)  # neither counted nor exported
    torch.manual_seed(0)
    options = dict(ARCHITECTURES[name].options)
    model = import_torchvision().models.get_model(name, weights=None, **options).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.min() == parameter.max():
                parameter.uniform_(0.5, 1.5)
        for module in model.modules():
            if getattr(module, "running_mean", None) is not None:
                module.running_mean.uniform_(-0.5, 0.5)
                module.running_var.uniform_(0.5, 1.5)
    return model


def macs_by_torch(model: Any, example: Any) -> int:
    """Half the FLOPs that torch counts while the model runs.

    Attention runs as the matrix products it is made of: torch counts no fused attention on CPU.
    """
    import torch
    from torch.nn.attention import (  # type: ignore[import-not-found, unused-ignore]
        SDPBackend,
        sdpa_kernel,
    )
    from torch.utils.flop_counter import (  # type: ignore[import-not-found, unused-ignore]
        FlopCounterMode,
    )

    counter = FlopCounterMode(display=False)
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counter:
        model(example)
    flops = int(counter.get_total_flops())
    if flops % 2:
        raise ValueError(f"torch counts an odd number of FLOPs: {flops}")
    return flops // 2


def export(model: Any, example: Any, path: Path) -> None:
    """Write a model by the TorchScript exporter, constants folded."""
    import torch

    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            (example,),
            str(path),
            dynamo=False,
            opset_version=OPSET,
            do_constant_folding=True,
        )


def report_of(path: Path) -> dict[str, Any]:
    """What graphcount, in a process of its own, says about a file."""
    command = [sys.executable, "-m", "graphcount", path.name, "--format", "json"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        command, cwd=path.parent, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"graphcount exits {done.returncode}: {done.stderr.strip()}")
    return dict(json.loads(done.stdout))


def compare(name: str, folder: Path) -> dict[str, Any]:
    """Build, run, export and count one architecture: its row of the record."""
    import torch

    what = ARCHITECTURES[name]
    published = import_torchvision().models.get_model_weights(name)[what.weights].meta
    model = build(name)
    example = torch.zeros(what.shape)
    by_torch = macs_by_torch(model, example)
    path = folder / f"{name}.onnx"
    try:
        export(model, example, path)
        report = report_of(path)
    finally:
        path.unlink(missing_ok=True)
    macs, framework = report["totals"]["macs"], report["framework"]
    parameters = sum(parameter.numel() for parameter in model.parameters())
    same = parameters == framework["parameters"]
    return {
        "architecture": name,
        "weights": what.weights,
        "input": "x".join(map(str, what.shape)),
        "note": what.note,
        "macs_published_g": published["_ops"],
        "macs_torch": by_torch,
        "macs_graphcount": macs,
        "macs_equal": macs == by_torch and round(macs / 1e9, 3) == published["_ops"],
        "parameters_published": published["num_params"],
        "parameters_torch": parameters,
        "parameters_framework": framework["parameters"],
        "parameters_framework_low": framework["low"],
        "parameters_equal": same,
        "parameters_reason": "" if same else what.parameters_reason,
        "parameters_file": report["totals"]["parameters"],
        "unknown": len(report["unknown"]),
    }


def lines(rows: list[dict[str, Any]]) -> Iterator[str]:
    """The comparison as a Markdown table."""
    yield (
        "| architecture | published GMACs | MACs, torch | MACs, graphcount | "
        "| parameters, torch | parameters, graphcount | |"
    )
    yield "|---|--:|--:|--:|---|--:|--:|---|"
    for row in rows:
        cells = [row["architecture"], f"{row['macs_published_g']:.3f}"]
        for what, framework in (("macs", "graphcount"), ("parameters", "framework")):
            cells += [f"{row[f'{what}_{by}']:,}" for by in ("torch", framework)]
            cells.append("equal" if row[f"{what}_equal"] else "differ")
        yield f"| {' | '.join(cells)} |"


def versions() -> dict[str, str]:
    """What the comparison ran with."""
    sys.path.insert(0, str(REPOSITORY))
    found = {"graphcount": str(importlib.import_module("graphcount").__version__)}
    found |= {package: version(package) for package in PACKAGES}
    return found | {"python": platform.python_version(), "opset": str(OPSET)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare all architectures, or some."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", nargs="+", choices=ARCHITECTURES, default=list(ARCHITECTURES))
    parser.add_argument("--out", type=Path, help="write the record here, as JSON")
    options = parser.parse_args(arguments)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name in options.models:
            print(name, file=sys.stderr)
            rows.append(compare(name, Path(folder)))
    print(*lines(rows), sep="\n")
    if options.out:
        record = {"versions": versions(), "rows": rows}
        options.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    unexplained = [
        row["architecture"]
        for row in rows
        if not row["macs_equal"] or not (row["parameters_equal"] or row["parameters_reason"])
    ]
    if unexplained:
        print("differ:", *unexplained, file=sys.stderr)
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
