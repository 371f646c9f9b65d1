"""Rules of signatures: what can be wrong with one that was asked for."""

from __future__ import annotations

from graphcount.report.finding_rows import Finding, RuleInfo
from graphcount.report.signature import SignatureRow

RULES: dict[str, RuleInfo] = {
    rule.id: rule._replace(tags=("security",))
    for rule in (
        RuleInfo.of(
            "SIG001",
            "signature-not-verified",
            "critical",
            "The signature is not verified",
            "With --signature, has the reference implementation of OpenSSF Model Signing verify"
            " that the signature is of the key, certificate or identity that is named, and that"
            " every file it covers is there and has its digest. Where a folder was signed, a file"
            " that was added to it is a difference, too. Links are not followed.",
            "What was signed is not what is here, or somebody else signed it.",
            "A byte of the external data file was changed after the folder was signed.",
            "Do not use the model. Get it, the signature and the key again, each from where it was"
            " published.",
        ),
        RuleInfo.of(
            "SIG002",
            "file-not-signed",
            "high",
            "The signature does not cover a file of the model",
            "With --signature, compares the files that a verified signature covers with those that"
            " the model consists of: its own, external data, all models of a deployment.",
            "Weights that nobody signed can be exchanged, and the signature is still verified.",
            "`model.onnx` was signed as a file, and its weights lie in `model.onnx.data`.",
            "Ask for a signature of the whole folder.",
        ),
    )
}
"""Rules by id."""


def finding(id: str, message: str, row: SignatureRow, **evidence: object) -> Finding:
    """Return a finding of a rule about a signature."""
    return Finding(id, RULES[id].severity, message, {"signature": row.path}, dict(evidence))
