"""Records of a plan, in the words of its JSON (`graphcount.plan/1`); numbers are exact integers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from graphcount.report.printable import PrintableResult

PLAN_SCHEMA = "graphcount.plan/1"

TargetDType = Literal["float16", "bfloat16", "int8", "int4"]
Optimizer = Literal["sgd", "momentum", "adam", "adamw"]

DTYPES: tuple[TargetDType, ...] = ("float16", "bfloat16", "int8", "int4")
OPTIMIZERS: tuple[Optimizer, ...] = ("sgd", "momentum", "adam", "adamw")


class PlanOptions(NamedTuple):
    """What is asked.

    Attributes:
        dtypes: Element types to store the weights in.
        block: Numbers that share a scale in int4: a power of two, at least 16.
        per_channel: One int8 scale for each output channel of a matrix, instead of one a tensor.
        asymmetric: int4 with zero points.
        optimizers: Optimizers to train with.
        mixed_precision: Train with float16 weights and gradients and float32 master weights.
        samples: Size of a data set to judge.
        layers: Hidden layers of networks of the same size; empty for those around the model's.
    """

    dtypes: tuple[TargetDType, ...] = DTYPES
    block: int = 32
    per_channel: bool = False
    asymmetric: bool = False
    optimizers: tuple[Optimizer, ...] = OPTIMIZERS
    mixed_precision: bool = False
    samples: int | None = None
    layers: tuple[int, ...] = ()


class TensorPlan(NamedTuple):
    """One stored tensor in another element type.

    Attributes:
        converted: It is written in the new type.
        reason: Why, or why not.
        nbytes: Bytes now.
        weight_nbytes: Bytes of its data in the new type, for each form that it is written in.
        scale_nbytes: Bytes of its scales and zero points then.
        kept_nbytes: Bytes that stay as they are; 0 too where nothing reads it and it is left out.
    """

    name: str
    converted: bool
    reason: str
    nbytes: int
    weight_nbytes: int
    scale_nbytes: int
    kept_nbytes: int


class SizePlan(NamedTuple):
    """The stored tensors of a model in another element type.

    Attributes:
        formula: How the bytes of a converted tensor follow from its shape.
        converted_tensors: Tensors that change.
        converted_elements: Their elements.
        weight_nbytes: Bytes of the changed tensors.
        scale_nbytes: Bytes of their scales and zero points.
        kept_nbytes: Bytes of everything that stays.
        added_nbytes: Bytes of tensors that the tool adds: shapes of biases.
        total_nbytes: The sum of the four.
        today_nbytes: Bytes of all tensors now.
        file_nbytes: The sum and the structure of the file as it is; nodes that the tool adds come
            on top. None where the model is no binary file.
        nbytes_by_dtype: The sum by element type.
        stops_at: A node at which the tool gives up, so that it writes nothing; empty for none.
    """

    dtype: TargetDType
    formula: str
    converted_tensors: int
    converted_elements: int
    weight_nbytes: int
    scale_nbytes: int
    kept_nbytes: int
    added_nbytes: int
    total_nbytes: int
    today_nbytes: int
    file_nbytes: int | None
    nbytes_by_dtype: dict[str, int]
    stops_at: str
    tensors: tuple[TensorPlan, ...]


class TrainingPlan(NamedTuple):
    """Memory of training.

    Attributes:
        formula: Bytes a parameter, part by part.
        nbytes_per_parameter: Their sum.
        master_nbytes: float32 copy of the weights that mixed precision keeps.
        state_nbytes: Weights, gradients, master copy and moments.
        activation_nbytes: All values of one forward pass at the file's types; None: not known.
        activation_expression: The same as a formula in dynamic dimensions.
        total_nbytes: State and activations; None where the activations are not known.
    """

    optimizer: Optimizer
    mixed_precision: bool
    formula: str
    nbytes_per_parameter: int
    weight_nbytes: int
    gradient_nbytes: int
    master_nbytes: int
    moment_nbytes: int
    state_nbytes: int
    activation_nbytes: int | None
    activation_expression: str | None
    total_nbytes: int | None


class DataPlan(NamedTuple):
    """How much data rules of thumb ask for.

    Attributes:
        low: Ten samples a parameter.
        high: A hundred samples a parameter.
        samples: The data set that was asked about.
        verdict: What the rules say about it; empty when nothing was asked.
    """

    low: int
    high: int
    samples: int | None
    verdict: str


class Neighbour(NamedTuple):
    """A network of one width: its layer sizes and exact total."""

    width: int
    layers: tuple[int, ...]
    parameters: int
    difference: int


class WidthPlan(NamedTuple):
    """The width that keeps the total, for some number of hidden layers.

    Attributes:
        formula: total = a·d² + b·d + c with its numbers.
        neighbours: The integer widths around the root; one when the root is an integer.
    """

    hidden_layers: int
    formula: str
    neighbours: tuple[Neighbour, ...]


class MlpPlan(NamedTuple):
    """Networks as large as the model's own multilayer perceptron.

    Attributes:
        layers: Sizes of the model's layers, input first; empty when it is no such network.
        biases: Its layers have biases.
        parameters: Its total.
        reason: Why the model is none; empty when it is.
    """

    layers: tuple[int, ...]
    biases: bool
    parameters: int
    reason: str
    widths: tuple[WidthPlan, ...]


class LeftOut(NamedTuple):
    """A part of the plan that makes no sense for the model.

    Attributes:
        part: An element type, `training`, `data` or `mlp`.
        reason: Why.
    """

    part: str
    reason: str


class MemoryFit(NamedTuple):
    """A step of a model at sizes, in bytes.

    Attributes:
        dims: The sizes, also those that were assumed.
        batch: Sequences.
        context: Tokens, those of the past and the new ones.
        weight_nbytes: All stored tensors.
        input_nbytes: All inputs, the states that are taken in among them.
        peak_nbytes: The largest sum of live activations, the states handed on among them.
        state_nbytes: States handed on.
        total_nbytes: Weights, inputs and peak.
        next_nbytes: The same with one token or sequence more, which does not fit; None where
            nothing that was tried does not.
    """

    dims: dict[str, int]
    batch: int
    context: int
    weight_nbytes: int
    input_nbytes: int
    peak_nbytes: int
    state_nbytes: int
    total_nbytes: int
    next_nbytes: int | None


class MemoryPlan(NamedTuple):
    """What fits in some memory.

    Attributes:
        memory_nbytes: What there is.
        formula: What is added up.
        states: Bytes of states handed on, as a formula.
        load_nbytes: What is made of weights at load and stays, in no sum here: a runtime may keep
            it beside the weights, in their place, or make it anew; None: not known.
        longest: The longest context, at the batch that was given or 1; None where none fits, or
            nothing grows.
        largest: The largest batch, at the context that was given or is assumed.
        reasons: Why there is no answer.
    """

    memory_nbytes: int
    formula: str
    states: int | str | None
    load_nbytes: int | None
    longest: MemoryFit | None
    largest: MemoryFit | None
    reasons: tuple[str, ...]


@dataclass(frozen=True, repr=False)
class Plan(PrintableResult):
    """What a model would take in other circumstances.

    Attributes:
        parameters: Learned elements the file holds.
        sizes: Element types that some tensor can have.
        training: Memory of training; empty where it is left out.
        data: Sizes of data; None where they are left out.
        mlp: Networks of the same size; None where they are left out.
        memory: What fits in some memory; None unless asked for.
        left_out: What makes no sense for this model.
        lower_bound: The counts it rests on are lower bounds: read every number as "at least".
        notes: What is not known or only assumed, in sentences.
    """

    path: str
    options: PlanOptions
    dims: dict[str, int]
    parameters: int
    lower_bound: bool
    sizes: tuple[SizePlan, ...]
    training: tuple[TrainingPlan, ...]
    data: DataPlan | None
    mlp: MlpPlan | None
    memory: MemoryPlan | None
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...]
