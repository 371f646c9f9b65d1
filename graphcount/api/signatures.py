"""Signatures of models, joined to the report of an audit."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from graphcount.api.arguments import several
from graphcount.errors import UsageError
from graphcount.loading.source import is_remote
from graphcount.report.finding_rows import SEVERITIES
from graphcount.report.records import Report

if TYPE_CHECKING:
    from graphcount.signing.signer import Signer


class SignatureOptions(NamedTuple):
    """A signature to verify, and whose it must be.

    Attributes:
        signature: Its file; None: none is verified.
        signer: Whose it must be; None without a signature.
    """

    signature: str | None = None
    signer: Signer | None = None


def asked_signature(
    signature: str | None,
    public_key: str | None = None,
    certificate_chain: Sequence[str] = (),
    identity: str | None = None,
    issuer: str | None = None,
) -> SignatureOptions:
    """Return which signature is verified, and how.

    Raises:
        UsageError: It is not said whose it must be, or said in two ways, or of no signature.
    """
    if signature is None:
        if public_key or certificate_chain or identity or issuer:
            raise UsageError("a key, certificate or identity is for a signature, and none is given")
        return SignatureOptions()
    from graphcount.signing.signer import Signer

    chain = tuple(os.fspath(file) for file in several(certificate_chain))
    signer = Signer(public_key, chain, identity, issuer)
    assert signer.method
    return SignatureOptions(signature, signer)


def with_signature(report: Report, files: Sequence[str], asked: SignatureOptions) -> Report:
    """Return a report of an audit with what becomes of the signature of its model.

    Args:
        report: The report; its path is a model or a folder.
        files: Paths of all files that the model consists of.
        asked: The signature; where none is to be verified, one that lies beside is named.

    Raises:
        UsageError: The model is not a file here, or see `graphcount.signing.verify`.
        NotReadableError: There is no such signature.
    """
    from graphcount import signing
    from graphcount.signing.rules import RULES

    path = report.model.path
    is_here = not is_remote(path) and os.path.exists(path)
    if asked.signature is None or asked.signer is None:
        return replace(report, signature=signing.beside(path) if is_here else None)
    if not is_here:
        raise UsageError(f"{path}: a signature is verified of files on this machine")
    row = signing.verify(path, files, asked.signature, asked.signer)
    findings = sorted(
        (*report.findings, *signing.findings(row)), key=lambda f: -SEVERITIES.index(f.severity)
    )
    audit = report.audit
    ran = audit and audit._replace(rules=(*audit.rules, *RULES))
    return replace(report, findings=tuple(findings), audit=ran, signature=row)


def files_of(report: Report) -> tuple[str, ...]:
    """Return the paths of a model and of its external data files."""
    path = report.model.path
    folder = os.path.dirname(path)
    return (path, *(os.path.join(folder, file.location) for file in report.model.side_files))
