"""Bytes that decoders of mobius-onnx hand from one step to the next, run and by formula.

    python -m tests.packages.mobius_models small FOLDER     # by a Python that has mobius-onnx
    python -m tests.packages.decoder_states build FOLDER [NAME ...]    # the same: hybrids
    python -m tests.packages.decoder_states check FOLDER [WORD ...]

Each model runs in onnxruntime after two pasts of different length, with a batch of `BATCH`. What is
compared: bytes of the inputs and outputs that mobius names as states (its own prefixes, see
`STATES`) and formulas of one count without sizes, evaluated. A decoder that onnxruntime cannot run
at these sizes is not counted. The table at the end goes to docs/cost.md.
"""

from __future__ import annotations

import importlib
import re
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

BATCH = 2
LENGTHS = (4, 7)
"""Tokens of the past in the two runs."""

STEPS = (1, 3, 16)
"""Tokens of the step: the first with which a model runs at both lengths."""

STATES = re.compile(r"(past|present|cache|states?)(_key_values|_states|_self|_cross)?[._]")
"""How mobius names what is kept: `past_key_values.0.key`, `present.0.conv_state`, `state.0`."""

TIMEOUT_S = 60

MAMBA2: Mapping[str, Any] = {
    "mamba_n_heads": 8,
    "mamba_d_head": 16,
    "mamba_d_state": 16,
    "mamba_n_groups": 1,
    "mamba_d_conv": 4,
    "mamba_expand": 2,
}

DELTA: Mapping[str, Any] = {
    "layer_types": ["linear_attention", "full_attention"],
    "linear_num_key_heads": 4,
    "linear_num_value_heads": 4,
    "linear_key_head_dim": 16,
    "linear_value_head_dim": 16,
    "linear_conv_kernel_dim": 4,
}

SLIDING: Mapping[str, Any] = {
    "layer_types": ["sliding_attention", "full_attention"],
    "sliding_window": 3,
    "query_pre_attn_scalar": 16,
    "rope_local_base_freq": 10_000.0,
}

EVERY_HEAD: Mapping[str, Any] = {"num_key_value_heads": 4}
"""For what has keys and values for each head of queries."""

HYBRIDS: Mapping[str, Mapping[str, Any]] = {
    "mamba2": {"num_heads": 8, "head_dim": 16, "state_size": 16, "n_groups": 1},
    "jamba": {"layer_types": ["mamba", "full_attention"], "mamba_dt_rank": 4, "mamba_d_state": 16},
    "bamba": {**MAMBA2, "layer_types": ["mamba2", "full_attention"]},
    "granitemoehybrid": {**MAMBA2, "layer_types": ["mamba2", "full_attention"]},
    "nemotron_h": {
        **MAMBA2,
        "num_hidden_layers": 4,
        "layer_types": ["mamba2", "full_attention", "mlp", "mamba2"],
    },
    "zamba2": {
        **MAMBA2,
        "num_hidden_layers": 3,
        "layer_types": ["mamba2", "full_attention", "mamba2"],
        "hybrid_layer_indices": [1],
        "attention_hidden_size": 128,
        "head_dim": 32,
        "adapter_rank": 8,
        "num_key_value_heads": 4,
    },
    "minimax": {"layer_types": ["lightning_attention", "full_attention"]},
    **dict.fromkeys(
        ("qwen3_5_text", "qwen3_next", "qwen3_5_moe", "qwen3_5_vl_text", "qwen3_5", "qwen3_5_vl"),
        DELTA,
    ),
    **dict.fromkeys(
        ("gemma2", "gemma3_text", "gemma3", "gemma3n_text", "mistral", "gpt_oss", "cohere2"),
        SLIDING,
    ),
    **dict.fromkeys(
        ("whisper", "gptj", "codegen", "gpt_neox", "gpt_neox_japanese", "mpt", "persimmon"),
        EVERY_HEAD,
    ),
    "fastconformer_rnnt": {
        "rnnt_pred_hidden": 16,
        "rnnt_pred_rnn_layers": 2,
        "rnnt_joint_hidden": 16,
        "fastconformer_feat_in": 80,
        "fastconformer_conv_kernel_size": 9,
        "fastconformer_subsampling_conv_channels": 16,
        "fastconformer_streaming_cache_size": 8,
    },
}
"""Architecture → what its small configuration has beside mobius's own for tests."""


def build(folder: Path, words: Sequence[str]) -> None:
    """Write small hybrids, weights left out, for each provider of `mobius_models`."""
    from tests.packages import mobius_models as models

    mobius = importlib.import_module("mobius")
    registry = importlib.import_module("mobius._registry").registry
    testing = importlib.import_module("mobius._testing")
    tasks = importlib.import_module("mobius._config_resolver")
    for provider in models.PROVIDERS:
        for name, wanted in HYBRIDS.items():
            if words and name not in words:
                continue
            module = registry.get(name)
            own = registry.get_config_class(name) or getattr(module, "config_class", None)
            base = testing.make_config()
            known = {**vars(base), **models.MORE, **wanted}
            if models.PROVIDERS[provider]:
                known["dtype"] = importlib.import_module("mobius._builder").resolve_dtype("f16")
            pictures = {**models.PICTURES, "model_type": name}
            configs = importlib.import_module("mobius._configs")
            known["vision"] = models._made(configs.VisionConfig, pictures)
            try:
                config = models._made(own or type(base), known)
                task = tasks._default_task_for_model(name)
                made = mobius.build_from_module(
                    module(config), config, task, execution_provider=provider
                )
                models._save(made, folder / provider / f"hybrid-{name}")
            except Exception as error:
                first = (str(error).splitlines() or [""])[0]
                print(f"not built: {provider} {name}: {type(error).__name__}: {first}"[:150])


# --------------------------------------------------------------------------------------- check


class Outcome(NamedTuple):
    """A decoder, run twice.

    Attributes:
        architecture: Its name in mobius's registry.
        kinds: Kinds of its states, as graphcount names them.
        differences: Bytes by formula less bytes in onnxruntime: handed on and taken in, both runs.
        missed: States by their names that graphcount does not have, or has and are none.
    """

    architecture: str
    kinds: tuple[str, ...]
    differences: tuple[int, ...]
    missed: tuple[str, ...]


def check(folder: Path, words: Sequence[str]) -> None:
    """Print what differs, and the table of kinds."""
    from tests.packages.truth import NotRun

    outcomes: list[Outcome] = []
    refusals = 0
    signal.signal(signal.SIGALRM, _late)
    for path in sorted(folder.rglob("*.onnx")):
        name = str(path.relative_to(folder).with_suffix(""))
        if words and not any(word in name for word in words):
            continue
        signal.alarm(TIMEOUT_S)
        try:
            outcome = _checked(path)
        except NotRun as error:
            refusals += 1
            print(f"not run {name}: {error}"[:200])
            continue
        finally:
            signal.alarm(0)
        if outcome is None:
            continue
        outcomes.append(outcome)
        if any(outcome.differences) or outcome.missed:
            print(f"DIFFERS {name}: {outcome.differences} {outcome.missed[:4]}")
    print(f"{len(outcomes)} decoders, {sum(any(one.differences) for one in outcomes)} differ,")
    print(f"{sum(bool(one.missed) for one in outcomes)} with states missed, {refusals} not run")
    table: dict[str, list[Outcome]] = {}
    for one in outcomes:
        table.setdefault(", ".join(one.kinds) or "none", []).append(one)
    table["all"] = outcomes
    for kinds, rows in sorted(table.items(), key=lambda item: len(item[1])):
        names = {one.architecture for one in rows}
        same = sum(not any(one.differences) for one in rows)
        print(f"| {kinds} | {len(names)} | {len(rows)} | {same} |")


def _late(*_: object) -> None:
    from tests.packages.truth import NotRun

    raise NotRun("too late")


def _checked(path: Path) -> Outcome | None:
    """Return what came of one model; None of one without states, by its names and by graphcount."""
    import onnx

    import graphcount
    from tests.packages.mobius_runs import with_weights
    from tests.packages.truth import NotRun

    bare = onnx.load(path, load_external_data=False)
    named = {one.name for one in (*bare.graph.input, *bare.graph.output) if STATES.match(one.name)}
    report = graphcount.count(str(path), cost=True)
    rows = report.states.rows if report.states is not None else ()
    if not rows and not any(one.name in named for one in bare.graph.output):
        return None
    ours = {name for row in rows for name in (row.input, row.output) if name}
    unread = {one.name for one in bare.graph.input} - {
        name for node in bare.graph.node for name in node.input
    }
    missed = sorted((named - unread) ^ (ours - unread))
    model = with_weights(path)
    for step in STEPS:
        try:
            differences = [_difference(model, report, rows, past, step) for past in LENGTHS]
            break
        except NotRun as error:
            last = error
    else:
        raise last
    kinds = tuple(sorted({row.kind for row in rows}))
    return Outcome(
        path.parent.name.removeprefix("hybrid-"),
        kinds,
        tuple(each for pair in differences for each in pair),
        tuple(missed),
    )


def _difference(
    model: Any, report: Any, rows: Sequence[Any], past: int, step: int
) -> tuple[int, int]:
    """Return bytes by formula less bytes of tensors, handed on and taken in."""
    feeds, results = _run(model, past, step)
    dims = {
        dim.dim_param: size
        for one in model.graph.input
        if one.name in feeds
        for dim, size in zip(one.type.tensor_type.shape.dim, feeds[one.name].shape, strict=True)
        if dim.dim_param
    }
    out = sum(results.get(row.output, feeds[row.input].nbytes) for row in rows)
    taken = sum(feeds[row.input].nbytes for row in rows)
    states = report.states
    if states is None:
        return 0, 0
    return _number(states.nbytes, dims) - out, _number(states.nbytes_in, dims) - taken


def _number(dim: int | str | None, dims: Mapping[str, int]) -> int:
    from graphcount.symbolic import evaluate
    from graphcount.symbolic.text import formula

    if not isinstance(dim, str):
        return -1 if dim is None else dim
    read = formula(dim)
    result = evaluate(read, dims) if read is not None else None
    return result if isinstance(result, int) else -1


def _run(model: Any, past: int, step: int) -> tuple[dict[str, Any], dict[str, int]]:
    """Return feeds, and the bytes of each output."""
    import onnxruntime

    from tests.packages import mobius_runs
    from tests.packages.truth import NotRun

    mobius_runs.BATCH, mobius_runs.PAST = BATCH, past
    feeds = mobius_runs.feeds_of(model, step)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        made = session.run(None, feeds)
    except Exception as error:
        raise NotRun((str(error).splitlines() or [""])[0][:200]) from None
    names = [one.name for one in session.get_outputs()]
    return feeds, {name: array.nbytes for name, array in zip(names, made, strict=True)}


if __name__ == "__main__":
    if sys.argv[1] == "build":
        build(Path(sys.argv[2]), sys.argv[3:])
    else:
        check(Path(sys.argv[2]), sys.argv[3:])
