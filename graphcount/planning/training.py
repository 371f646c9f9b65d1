"""Memory of training: weights, gradients, moments of the optimizer, activations."""

from __future__ import annotations

from graphcount.report.plan import DataPlan, Optimizer, TrainingPlan
from graphcount.report.rows import Totals
from graphcount.units import counted, exact

MOMENTS: dict[Optimizer, int] = {"sgd": 0, "momentum": 1, "adam": 2, "adamw": 2}
"""Numbers an optimizer keeps for each parameter.

SGD none, with momentum its velocity, Adam and AdamW a first and a second moment (Kingma and Ba
2015, algorithm 1; Loshchilov and Hutter 2019, algorithm 2).
"""

RULE_LOW, RULE_HIGH = 10, 100


def training_plan(
    totals: Totals, parameters: int, optimizer: Optimizer, mixed_precision: bool
) -> TrainingPlan:
    """Return bytes that training holds, with P parameters and m moments for each.

    float32: 4·P weights + 4·P gradients + 4·m·P moments. Mixed precision: 2·P + 2·P, and in float32
    a master copy and the moments, 4·P + 4·m·P; with Adam that is 2 + 2 + 12 = 16 bytes a parameter
    (Rajbhandari et al., ZeRO: Memory Optimizations Toward Training Trillion Parameter Models,
    2020, section 3.1). The activations are all values of one forward pass, at the types the file
    declares; frameworks keep some of them, and buffers of their own, so this is no upper bound.

    Args:
        totals: Of a report; with dynamic dimensions the activations stay a formula.
        parameters: P, what is trained.
        optimizer: Which one.
        mixed_precision: float16 weights and gradients.
    """
    half = 2 if mixed_precision else 4
    master, moments = (4 if mixed_precision else 0), 4 * MOMENTS[optimizer]
    each = half + half + master + moments
    activations = totals.activation_nbytes
    return TrainingPlan(
        optimizer=optimizer,
        mixed_precision=mixed_precision,
        formula=_formula(half, master, moments, parameters),
        nbytes_per_parameter=each,
        weight_nbytes=half * parameters,
        gradient_nbytes=half * parameters,
        master_nbytes=master * parameters,
        moment_nbytes=moments * parameters,
        state_nbytes=each * parameters,
        activation_nbytes=activations,
        activation_expression=totals.activation_expression,
        total_nbytes=None if activations is None else each * parameters + activations,
    )


def _formula(half: int, master: int, moments: int, parameters: int) -> str:
    parts = [f"{half} weights", f"{half} gradients"]
    parts += [f"{master} master"] if master else []
    parts += [f"{moments} moments"] if moments else []
    return f"({' + '.join(parts)}) x {counted(parameters, 'parameter')}"


def data_plan(parameters: int, samples: int | None) -> DataPlan:
    """Return sample counts for ten and a hundred samples a parameter, which are rules of thumb.

    Ten events a variable is the rule of Peduzzi et al. 1996 for logistic regression, carried over
    to networks by custom. Large networks are trained well with far fewer samples than parameters
    (regularization, transfer, augmentation), so the verdict is a hint.

    Args:
        parameters: Learned elements.
        samples: Size of the data set to judge, or None.
    """
    low, high = RULE_LOW * parameters, RULE_HIGH * parameters
    return DataPlan(low, high, samples, "" if samples is None else _verdict(samples, parameters))


def _verdict(samples: int, parameters: int) -> str:
    are = "is" if samples == 1 else "are"
    tenths = 10 * samples // parameters
    ratio = f"{counted(samples, 'sample')} {are} {exact(tenths // 10)}.{tenths % 10} a parameter"
    if samples < RULE_LOW * parameters:
        word = f"fewer than {RULE_LOW}"
    elif samples < RULE_HIGH * parameters:
        word = f"enough for the {RULE_LOW}x rule, not the {RULE_HIGH}x rule"
    else:
        word = f"enough for the {RULE_HIGH}x rule"
    return f"{ratio}: {word}; a rule of thumb"
