"""Whose signature is wanted."""

from __future__ import annotations

from typing import NamedTuple

from graphcount.errors import UsageError


class Signer(NamedTuple):
    """Whose signature it must be: exactly one of a key, a chain of certificates, an identity.

    Attributes:
        public_key: File of an elliptic-curve key (PEM).
        certificate_chain: Files of the certificates that are trusted (PEM).
        identity: Who signed, as sigstore's certificate names them.
        issuer: The OpenID Connect provider that vouches for the identity.
    """

    public_key: str | None = None
    certificate_chain: tuple[str, ...] = ()
    identity: str | None = None
    issuer: str | None = None

    @property
    def method(self) -> str:
        """How it is verified: `key`, `certificate` or `sigstore`.

        Raises:
            UsageError: None of them is given, or several.
        """
        given = {
            "key": self.public_key is not None,
            "certificate": bool(self.certificate_chain),
            "sigstore": self.identity is not None or self.issuer is not None,
        }
        methods = [name for name, asked in given.items() if asked]
        if len(methods) != 1:
            raise UsageError(
                "signature: name whose it must be, by one of: a public key, a certificate chain,"
                " an identity with its issuer"
            )
        if methods == ["sigstore"] and not (self.identity and self.issuer):
            raise UsageError("signature: identity and issuer are given together")
        return methods[0]
