"""Records of a deployment, in the words of its JSON (`graphcount.deployment/1`).

A deployment is several models that are run as one: its components. A component may come in
variants, of which one is chosen. Numbers are exact integers; None is what is not known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from graphcount.errors import Unknown
from graphcount.report.finding_rows import Finding
from graphcount.report.printable import PrintableResult
from graphcount.report.rows import ValueRow

DEPLOYMENT_SCHEMA = "graphcount.deployment/1"

DeployedKind = Literal["model", "data", "configuration", "asset", "side", "unknown"]
"""What a file is: a model, its external data, what says how models go together, a shared asset, a
file that is known to lie beside models (a tokenizer, a licence), or nothing that is known."""

JoinedBy = Literal["configuration", "name", "convention", "shape"]
"""Why an output is taken to feed an input, surest first; `shape` is a guess."""


class DeployedFile(NamedTuple):
    """A file of the folder.

    Attributes:
        path: From the folder.
        nbytes: Its size; None where it must not be looked at.
        kind: What it is.
        components: Components that need it: `decoder`, or `decoder/int4` of a variant.
    """

    path: str
    nbytes: int | None
    kind: DeployedKind
    components: tuple[str, ...]


class VariantRow(NamedTuple):
    """One form of a component.

    Attributes:
        component: Name of the component.
        name: Name of the variant; empty where it has no name.
        chosen: It is the form that the totals are of.
        used: It runs in the deployment; others of the layout take its place where it does not.
        model: The model file, from the folder; None where nothing names it.
        why: What names it.
        ep: Execution provider it is for; empty for any.
        device: Kind of device it is for; empty for any.
        files: Files it needs, the model first.
        parameters: Learned elements of it, each stored tensor once.
        shared_parameters: Of these, how many a component before it surely holds, too.
        likely_parameters: Of the others, how many one before it has under the same name, type and
            shape.
        nbytes: Bytes of its stored tensors.
        shared_nbytes: Of these, what a component before it surely holds, too.
        likely_nbytes: The same of those that are only likely to be shared.
        disk_nbytes: Its files, each once.
        dims: Sizes of its dynamic dimensions that one pass is worked out at: given, else assumed.
        macs: MACs of one pass.
        peak_nbytes: Most bytes of activations alive in it.
        at_least: Measures that are lower bounds; see `Totals.at_least`.
        inputs: What it takes, dynamic dimensions by name.
        outputs: What it returns.
        error: Why the model cannot be read; empty when it can.
    """

    component: str
    name: str
    chosen: bool
    used: bool
    model: str | None
    why: str
    ep: str
    device: str
    files: tuple[str, ...]
    parameters: int | None
    shared_parameters: int | None
    likely_parameters: int | None
    nbytes: int | None
    shared_nbytes: int | None
    likely_nbytes: int | None
    disk_nbytes: int
    dims: dict[str, int]
    macs: int | None
    peak_nbytes: int | None
    at_least: tuple[str, ...]
    inputs: tuple[ValueRow, ...]
    outputs: tuple[ValueRow, ...]
    error: str

    @property
    def label(self) -> str:
        """Its name in the deployment: `decoder`, or `decoder/int4`."""
        return f"{self.component}/{self.name}" if self.name else self.component


class JoinRow(NamedTuple):
    """An output of a component that feeds an input of another.

    Attributes:
        producer: Component with the output.
        output: Name of the output.
        consumer: Component with the input.
        input: Name of the input.
        by: Why they are taken to belong together.
        mismatch: How type or shape do not fit; empty when they do.
    """

    producer: str
    output: str
    consumer: str
    input: str
    by: JoinedBy
    mismatch: str


class DeployedStates(NamedTuple):
    """What a component hands from one step to the next.

    Attributes:
        kind: What it holds; see `STATE_KINDS` of `graphcount.report.rows`.
        inputs: Graph inputs that take it.
        nbytes_per_token: Bytes that a token of a sequence adds; None when that is not known.
        nbytes: Bytes that the step after the context takes in.
    """

    component: str
    kind: str
    inputs: tuple[str, ...]
    nbytes_per_token: int | None
    nbytes: int | None


class StepRow(NamedTuple):
    """What a step of generation costs.

    Attributes:
        name: `prefill` reads the whole context at once, `generate` makes one token after it.
        component: What runs.
        dims: Sizes it was worked out at.
        tokens: Tokens of the step.
        macs: MACs of the step.
        macs_per_token: MACs / tokens, rounded up.
        weight_nbytes: Bytes of the weights that the step reads: each once, of lookup tables a row
            a token.
        state_nbytes: Bytes of the states that it reads.
        nbytes_per_token: (weights + states) / tokens, rounded up.
        why: Why something of it is not known; empty when all is.
    """

    name: Literal["prefill", "generate"]
    component: str
    dims: dict[str, int]
    tokens: int
    macs: int | None
    macs_per_token: int | None
    weight_nbytes: int | None
    state_nbytes: int | None
    nbytes_per_token: int | None
    why: str


class AssetRow(NamedTuple):
    """A shared asset of a package: a folder that is named after its content.

    Attributes:
        uri: `sha256:` and the digest that names it.
        path: The folder, from that of the package; None where it must not be looked at.
        nbytes: Its files.
        files: How many.
        digest: Whether its content is what the name says; None: not compared.
    """

    uri: str
    path: str | None
    nbytes: int
    files: int
    digest: bool | None


class DeploymentTotals(NamedTuple):
    """Sums; what is of components is of the chosen variants that run.

    Attributes:
        files: Files of the folder.
        disk_nbytes: All of them, each once.
        download_nbytes: Those that the chosen variants need, with configurations and side files.
        parameters: Learned elements; what several surely share counts once.
        summed_parameters: The same without sharing: the sum over components.
        likely_parameters: What `parameters` would be if all that is likely shared is shared.
        nbytes: Bytes of stored tensors; what several surely share counts once.
        summed_nbytes: The same without sharing.
        likely_nbytes: As for parameters.
        state_nbytes: States of one sequence of the context's length.
        peak_nbytes: The largest peak of activations of a component.
        resident_nbytes: Weights, states and that peak: what must be in memory at once, if weights
            are kept in their stored types and components run one after the other. At least, where
            the pass that peaks are of is shorter than the context.
        at_least: Names of sums here that are lower bounds.
    """

    files: int
    disk_nbytes: int
    download_nbytes: int
    parameters: int
    summed_parameters: int
    likely_parameters: int
    nbytes: int
    summed_nbytes: int
    likely_nbytes: int
    state_nbytes: int | None
    peak_nbytes: int | None
    resident_nbytes: int | None
    at_least: tuple[str, ...]


@dataclass(frozen=True, repr=False)
class Deployment(PrintableResult):
    """Several models that are run as one.

    Attributes:
        path: The folder.
        layout: How its parts are recognised: a name of docs/deploy.md.
        name: What it calls itself; empty where it does not.
        variant: The variant that was asked for; empty: the first of each component, or the usual.
        context: Tokens that states and steps are worked out for.
        deep: Tensor data was compared, and digests of assets.
        totals: Sums.
        variants: Forms of components, in the order of the layout.
        steps: What a step of generation costs, where something hands states on.
        states: What is handed from step to step.
        joins: What feeds what.
        files: Files of the folder.
        assets: Shared assets of a package.
        findings: What should not be so.
        unknown: What could not be known.
    """

    path: str
    layout: str
    name: str
    variant: str
    context: int
    deep: bool
    totals: DeploymentTotals
    variants: tuple[VariantRow, ...]
    steps: tuple[StepRow, ...]
    states: tuple[DeployedStates, ...]
    joins: tuple[JoinRow, ...]
    files: tuple[DeployedFile, ...]
    assets: tuple[AssetRow, ...]
    findings: tuple[Finding, ...]
    unknown: tuple[Unknown, ...]

    @property
    def components(self) -> tuple[VariantRow, ...]:
        """The chosen variant of each component."""
        return tuple(row for row in self.variants if row.chosen)

    @property
    def running(self) -> tuple[VariantRow, ...]:
        """The chosen variants that run."""
        return tuple(row for row in self.components if row.used)
