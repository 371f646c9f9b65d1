"""What a layout says of a folder, before any model is read."""

from __future__ import annotations

from typing import NamedTuple

from graphcount.report.finding_rows import Finding


class DeployedPart(NamedTuple):
    """A model of a deployment.

    Attributes:
        component: Name of the component.
        variant: Name of the form; empty where it has none.
        model: The model file, from the folder; None: nothing names it.
        why: What names it.
        ep: Execution provider it is for.
        device: Kind of device it is for.
        others: Other files it needs, external data left out.
        weights: Folder of its external data, where that is not the model's own.
    """

    component: str
    variant: str = ""
    model: str | None = None
    why: str = ""
    ep: str = ""
    device: str = ""
    others: tuple[str, ...] = ()
    weights: str | None = None

    @property
    def label(self) -> str:
        """Its name in messages: `decoder`, or `decoder/int4`."""
        return f"{self.component}/{self.variant}" if self.variant else self.component


class SharedAsset(NamedTuple):
    """A shared asset: the digest that names it, and its folder; None: it must not be read."""

    uri: str
    path: str | None


class RecognisedFolder(NamedTuple):
    """What a layout makes of a folder.

    Attributes:
        layout: Its name.
        parts: Models, variants of a component beside each other.
        name: What the deployment calls itself.
        configurations: Files that say so.
        assets: Shared assets.
        usual: Variants that are chosen when nobody says otherwise, by component.
        replaces: Components that do not run, and the one that takes their place.
        prefill: Component that makes the first step, by the one that makes the others.
        joins: Names of outputs, each with that of an input that it feeds, as configured; `%d`
            stands for a number.
        findings: What should not be so.
    """

    layout: str
    parts: tuple[DeployedPart, ...]
    name: str = ""
    configurations: tuple[str, ...] = ()
    assets: tuple[SharedAsset, ...] = ()
    usual: dict[str, str] = {}  # noqa: RUF012 (never changed)
    replaces: dict[str, str] = {}  # noqa: RUF012
    prefill: dict[str, str] = {}  # noqa: RUF012
    joins: tuple[tuple[str, str], ...] = ()
    findings: tuple[Finding, ...] = ()
