"""Signatures of models (OpenSSF Model Signing): verified, and held against the files of a model.

The reference implementation verifies (package `model-signing`); it is imported when a signature is
asked for. Nothing is fetched unless sigstore is asked for.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from graphcount.errors import NotReadableError
from graphcount.report.finding_rows import Finding
from graphcount.report.signature import SignatureRow
from graphcount.signing.rules import finding
from graphcount.signing.signer import Signer

NAMES = ("model.sig", "{}.sig")
"""Names of a signature beside a model: that of the reference implementation, and by the model."""

NAMED = 10
"""Files that a finding names."""


def verify(path: str, files: Iterable[str], signature: str, signer: Signer) -> SignatureRow:
    """Verify a signature of a model or a folder.

    Args:
        path: The model, or the folder of a deployment.
        files: Paths of all files that it consists of.
        signature: File of the signature.
        signer: Whose it must be.

    Returns:
        Whether it is verified and why not, the files that it covers, and those of `files` that it
        does not.

    Raises:
        UsageError: The package is missing, or a key, chain or identity cannot be used.
        NotReadableError: There is no such signature.
    """
    from graphcount.signing.bundle import read_bundle, root_of
    from graphcount.signing.reference import verifier_of, why_not

    method = signer.method
    verifier = verifier_of(signer)
    if not os.path.isfile(signature):
        raise NotReadableError("no such file", signature)
    bundle = read_bundle(signature)
    root = None if bundle.problem else root_of(path, bundle.names)
    why = bundle.problem
    if not why and root is None:
        why = "the model is not one of the files that it covers"
    if not why and root is not None:
        why = why_not(verifier, bundle, root, signature)
    if why or root is None:
        return SignatureRow(signature, method, False, why, (), ())
    uncovered = [file for file in files if _name(file, root) not in bundle.names]
    base = os.path.dirname(os.path.abspath(path)) if os.path.isfile(path) else root
    outside = tuple(dict.fromkeys(os.path.relpath(file, base) for file in uncovered))
    covered = [os.path.basename(root)] if bundle.names == {"."} else sorted(bundle.names)
    return SignatureRow(signature, method, True, "", tuple(covered), outside)


def beside(path: str) -> SignatureRow | None:
    """Return the signature that lies beside a model, or in a folder, and was not verified."""
    is_folder = os.path.isdir(path)
    folder = path if is_folder else os.path.dirname(path)
    name = os.path.basename(path)
    for known in NAMES[:1] if is_folder else NAMES:
        for stem in dict.fromkeys((name, os.path.splitext(name)[0])):
            signature = os.path.join(folder, known.format(stem))
            if os.path.isfile(signature):
                return SignatureRow(signature, "", None, "", (), ())
    return None


def findings(row: SignatureRow) -> Iterator[Finding]:
    """Yield what is wrong with a signature that was asked for."""
    if not row.verified:
        yield finding("SIG001", f"not verified: {row.why}", row, method=row.method)
    if row.uncovered:
        count, named = len(row.uncovered), row.uncovered[:NAMED]
        more = f" and {count - NAMED} more" if count > NAMED else ""
        message = f"of the model's files {count} not signed: {', '.join(named)}{more}"
        yield finding("SIG002", message, row, files=list(named), count=count)


def _name(file: str, root: str) -> str:
    """Return the name that a signature of a root has for a file, whatever links there are."""
    name = os.path.relpath(os.path.abspath(file), root)
    return name.replace(os.sep, "/")
