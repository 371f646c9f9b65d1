"""The reference implementation of OpenSSF Model Signing: the one place that imports it."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graphcount.errors import UsageError
from graphcount.signing.bundle import Bundle
from graphcount.signing.signer import Signer

ALGORITHMS = {"blake2b": "blake2"}
"""Names of digests that the reference implementation reads otherwise than it writes them."""


def verifier_of(signer: Signer) -> Any:
    """Return the reference implementation's verifier; with sigstore it fetches the roots of trust.

    Raises:
        UsageError: The package is not installed, or a key or chain cannot be used.
    """
    try:
        from model_signing import verifying
    except ImportError as error:
        raise UsageError(
            f"--signature needs {error.name}, which is not installed:"
            " pip install 'graphcount[signing]'"
        ) from None
    verifier = verifying.Config()
    try:
        if signer.public_key is not None:
            return verifier.use_elliptic_key_verifier(public_key=signer.public_key)
        if signer.certificate_chain:
            return verifier.use_certificate_verifier(certificate_chain=signer.certificate_chain)
        return verifier.use_sigstore_verifier(identity=signer.identity, oidc_issuer=signer.issuer)
    except Exception as error:
        raise UsageError(f"{signer.method}: cannot be used: {_reason(error)}") from None


def why_not(verifier: Any, bundle: Bundle, root: str, signature: str) -> str:
    """Verify a signature of a file, or of a folder and everything in it.

    Links in a folder are not followed. The same bytes are verified that were read: from a copy.

    Returns:
        Why it is not verified; empty where it is.
    """
    hashed: dict[str, str] = {}
    try:
        verifier.set_hashing_config(_hashing(bundle, root, signature, hashed))
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "model.sig"
            copy.write_bytes(bundle.data)
            with contextlib.redirect_stdout(io.StringIO()):  # it warns there
                verifier.verify(Path(os.path.realpath(root)), copy)
    except Exception as error:
        return (hashed and _difference(bundle.digests, hashed)) or _reason(error)
    return _difference(bundle.digests, hashed)


def _hashing(bundle: Bundle, root: str, signature: str, hashed: dict[str, str]) -> Any:
    """Return how the files were hashed; what the signature itself ignores is ignored, and itself.

    Args:
        bundle: The signature.
        root: What was signed.
        signature: File of the signature.
        hashed: Gets what was hashed, with digests.

    Raises:
        ValueError: The reference implementation knows no such way.
        KeyError: A part is missing.
    """
    from model_signing import hashing

    class Recording(hashing.Config):  # type: ignore[misc]  # the package may be missing
        def hash(self, *arguments: Any, **words: Any) -> Any:
            manifest = super().hash(*arguments, **words)
            rows = manifest.resource_descriptors()
            hashed.update({row.identifier: row.digest.digest_hex for row in rows})
            return manifest

    config = Recording()
    algorithm, _, _ = str(bundle.serialization["hash_type"]).partition("-sharded-")
    algorithm = ALGORITHMS.get(algorithm, algorithm)
    if bundle.serialization["method"] == "shards":
        size = int(bundle.serialization["shard_size"])  # a number of protobuf: a float
        config.use_shard_serialization(hashing_algorithm=algorithm, shard_size=size)
    else:
        config.use_file_serialization(hashing_algorithm=algorithm)
    folder, name = os.path.split(signature)
    whole = os.path.realpath(root)
    own = os.path.relpath(os.path.join(os.path.realpath(folder), name), whole)
    is_outside = own.split(os.sep)[0] == os.pardir
    return config.set_ignored_paths(paths=[] if is_outside else [own], ignore_git_paths=False)


def _difference(signed: Mapping[str, str], hashed: Mapping[str, str]) -> str:
    """Return how files differ from what was signed; empty where they do not."""
    parts = {
        "changed": [name for name in signed if hashed.get(name, signed[name]) != signed[name]],
        "missing": [name for name in signed if name not in hashed],
        "added": [name for name in hashed if name not in signed],
    }
    return "; ".join(
        f"{what}: {', '.join(sorted(names))}" for what, names in parts.items() if names
    )


def _reason(error: Exception) -> str:
    """Return an error in one sentence; those of cryptography have no text."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'a file'}: {error.strerror.lower()}"
    text = " ".join(str(error).split())
    kind = type(error).__name__
    if not text:
        return "the signature is not of this key" if kind == "InvalidSignature" else kind
    return text if isinstance(error, ValueError | OSError) else f"{kind}: {text}"
