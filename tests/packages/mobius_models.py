"""Graphs of every architecture that mobius-onnx knows, without weights, and what is unknown.

    python -m tests.packages.mobius_models build FOLDER    # by a Python that has mobius-onnx
    python -m tests.packages.mobius_models small FOLDER    # the same
    python -m tests.packages.mobius_models count FOLDER    # by one that has graphcount

Configurations are the defaults of transformers, with `LAYERS` layers, so nothing is downloaded;
what transformers does not know gets mobius's own small one. Weights stand in the files as external
data that is not there: their shapes are what counts. `small` has mobius's small configuration for
all, so that `mobius_runs.py` can run them.
"""

from __future__ import annotations

import collections
import importlib
import re
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

LAYERS = 2

SECONDS = 60
"""For one architecture."""

PROVIDERS = {"default": None, "cpu": None, "cuda": "f16", "webgpu": None}
"""Element type for each execution provider: together they decide what mobius fuses."""

PICTURES = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "image_size": 56,
    "patch_size": 14,
    "head_dim": 16,
    "norm_eps": 1e-6,
    "out_hidden_size": 64,
    "num_position_embeddings": 16,
    "mm_tokens_per_image": 4,
    "image_token_id": 9,
    "image_crop_size": 56,
    "position_embedding_size": 64,
    "pooling_kernel_size": 2,
    "mrope_section": [2, 3, 3],
    "fullatt_block_indexes": [1],
    "window_size": 28,
    "deepstack_visual_indexes": [0, 1],
}
"""Of the encoder of pictures, where a configuration must have one."""

SOUNDS = {
    "attention_dim": 64,
    "attention_heads": 4,
    "num_blocks": 2,
    "linear_units": 128,
    "d_model": 64,
    "encoder_layers": 2,
    "encoder_attention_heads": 4,
    "encoder_ffn_dim": 128,
    "num_mel_bins": 80,
    "max_source_positions": 100,
    "output_dim": 64,
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "kernel_size": 3,
    "intermediate_size": 128,
    "num_attention_heads": 4,
    "input_size": 80,
    "audio_token_id": 8,
}
"""The same, of sound."""

MORE = {
    "num_local_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 32,
    "shared_expert_intermediate_size": 64,
    "num_decoder_layers": 2,
    "linear_num_key_heads": 4,
    "linear_num_value_heads": 4,
    "linear_key_head_dim": 16,
    "linear_value_head_dim": 16,
    "draft_vocab_size": 50,
    "target_layer_ids": [0, 1],
    "image_token_id": 9,
    "audio_token_id": 8,
    "mrope_section": [2, 3, 3],
    "rnnt_num_classes": 50,
}
"""The same, of mixtures of experts, linear attention, drafts."""


Road = Callable[[str, str], Any]
"""Makes a package of an architecture for a provider."""


class Late(Exception):
    """An architecture took too long."""


def _late(_signal: int, _frame: FrameType | None) -> None:
    raise Late


# ---------------------------------------------------------------------------------------- build


def small(folder: Path) -> None:
    """Write the same at small sizes."""
    build(folder, roads=(_small, _everything))


def build(folder: Path, roads: Sequence[Road] | None = None) -> None:
    """Write FOLDER/PROVIDER/ARCHITECTURE/COMPONENT.onnx; what is there already is kept."""
    registry = importlib.import_module("mobius._registry").registry
    importlib.import_module("mobius._diffusers_builder")._init_diffusers_class_map()
    classes = importlib.import_module("mobius._diffusers_builder")._DIFFUSERS_CLASS_MAP
    signal.signal(signal.SIGALRM, _late)
    failures: collections.Counter[str] = collections.Counter()
    for provider in PROVIDERS:
        for name in [*registry.architectures(), *sorted(classes)]:
            if (folder / provider / name).is_dir():
                continue
            signal.alarm(SECONDS)
            try:
                if name in classes and roads:
                    continue
                made = _package(name, provider, classes.get(name), roads)
                _save(made, folder / provider / name)
            except Exception as error:
                failures[name] += 1
                first = (str(error).splitlines() or [""])[0]
                print(f"not built: {provider} {name}: {type(error).__name__}: {first}"[:150])
            finally:
                signal.alarm(0)
    print(f"{len(failures)} architectures failed for a provider")


def _package(name: str, provider: str, diffusers: Any, roads: Sequence[Road] | None = None) -> Any:
    """Return mobius's package of components of one architecture.

    With the configuration of transformers, else a small one, else a small one with everything.
    """
    mobius = importlib.import_module("mobius")
    if diffusers is not None:
        module, config, task = diffusers
        return mobius.build_from_module(
            module(config()), config(), task, execution_provider=provider
        )
    first: Exception | None = None
    for road in roads or (_of_transformers, _small, _everything):
        try:
            return road(name, provider)
        except Late:
            raise
        except Exception as error:
            first = first or error
    assert first is not None
    raise first


def _of_transformers(name: str, provider: str) -> Any:
    """Return the architecture as the defaults of transformers configure it."""
    mobius = importlib.import_module("mobius")
    transformers = importlib.import_module("transformers")
    known = transformers.AutoConfig.for_model(name)
    _shrink(known)
    transformers.AutoConfig.from_pretrained = lambda *_args, **_options: known
    return mobius.build(
        name, load_weights=False, execution_provider=provider, dtype=PROVIDERS[provider]
    )


DEPTHS = (
    *("num_hidden_layers", "n_layer", "num_layers", "encoder_layers", "decoder_layers"),
    *("n_layers", "num_encoder_layers", "num_decoder_layers", "depth"),
)


def _shrink(config: Any, depth: int = 0) -> None:
    """Keep few layers of a configuration and of those inside it, where it lets us."""
    for key in DEPTHS:
        try:
            if isinstance(getattr(config, key, None), int) and getattr(config, key) > LAYERS:
                setattr(config, key, LAYERS)
                types = getattr(config, "layer_types", None)
                if isinstance(types, list):
                    config.layer_types = types[:LAYERS]
        except (AttributeError, NotImplementedError):
            continue
    for value in list(vars(config).values()):
        if depth < 3 and hasattr(value, "to_dict"):
            _shrink(value, depth + 1)


def _small(name: str, provider: str, *, everything: bool = False) -> Any:
    """Return the architecture at mobius's own test size."""
    mobius = importlib.import_module("mobius")
    configs = importlib.import_module("mobius._configs")
    registry = importlib.import_module("mobius._registry").registry
    module = registry.get(name)
    config = importlib.import_module("mobius._testing").make_config()
    wanted = registry.get_config_class(name) or getattr(module, "config_class", None)
    wanted = wanted or type(config)
    known = dict(vars(config))
    if everything:
        vision = _made(configs.VisionConfig, {**PICTURES, "model_type": name})
        known |= {**MORE, "vision": vision, "audio": _made(configs.AudioConfig, SOUNDS)}
    if PROVIDERS[provider]:
        known["dtype"] = importlib.import_module("mobius._builder").resolve_dtype("f16")
    made = _made(wanted, known)
    task = importlib.import_module("mobius._config_resolver")._default_task_for_model(name)
    return mobius.build_from_module(module(made), made, task, execution_provider=provider)


def _everything(name: str, provider: str) -> Any:
    return _small(name, provider, everything=True)


def _made(wanted: Any, known: Mapping[str, Any]) -> Any:
    """Return a configuration with what it has a field for."""
    return wanted(**{key: known[key] for key in wanted.__dataclass_fields__ if key in known})


def _save(package: Any, folder: Path) -> None:
    """Write each component; a weight without data is external data that is not there."""
    ir = importlib.import_module("onnx_ir")
    folder.mkdir(parents=True, exist_ok=True)
    for component, model in package.items():
        for value in model.graph.initializers.values():
            if value.const_value is None and value.shape is not None:
                nbytes = value.dtype.bitwidth * _elements(value.shape) // 8
                value.const_value = ir.ExternalTensor(
                    "weights.data", 0, nbytes, value.dtype,
                    shape=value.shape, name=value.name, base_dir=str(folder),
                )  # fmt: skip
        ir.save(model, folder / f"{component}.onnx")


def _elements(shape: Any) -> int:
    product = 1
    for size in shape:
        product *= int(size)
    return product


# ---------------------------------------------------------------------------------------- count


def count(folder: Path) -> None:
    """Print a line for each model, and unknowns by cause."""
    causes: collections.Counter[str] = collections.Counter()
    where: dict[str, str] = {}
    totals: collections.Counter[str] = collections.Counter()
    for path in sorted(folder.rglob("*.onnx")):
        name = str(path.relative_to(folder).with_suffix(""))
        begin = time.perf_counter()
        state, unknowns = _counted(path)
        seconds = time.perf_counter() - begin
        totals[state] += 1
        for cause in unknowns:
            causes[cause] += 1
            where.setdefault(cause, name)
        if state != "exact" or seconds > 3:
            print(f"{state:10} {seconds:5.1f} s {len(unknowns):4} unknown  {name}")
    print(dict(totals))
    for cause, times in causes.most_common():
        print(f"{times:6} {cause}  ({where[cause]})")


def _counted(path: Path) -> tuple[str, list[str]]:
    """Return how the count of one file ends, and the causes of what is unknown of its cost."""
    import graphcount

    try:
        report = graphcount.count(str(path), cost=True)
    except graphcount.GraphcountError as error:
        return "refused", [str(error)[:150]]
    except Exception as error:
        return "TRACEBACK", [f"{type(error).__name__}: {error}"[:150]]
    lost = [one for one in report.unknown if one.affects == "cost"]
    op_types = {row.id: row.op_type for row in report.nodes}
    causes = [
        f"{op_types.get(one.where, '')}: {one.what}: {re.sub(r'[0-9]+', 'N', str(one.why))}"
        for one in lost
    ]
    return ("at least" if lost else "exact"), causes


if __name__ == "__main__":
    {"build": build, "small": small, "count": count}[sys.argv[1]](Path(sys.argv[2]))
