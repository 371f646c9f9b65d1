"""Signatures that the reference implementation makes, verified; and ways to tamper with them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from graphcount import api
from graphcount import signing as signing_room
from graphcount.cli.main import main
from graphcount.errors import GraphcountError, UsageError
from graphcount.formats import AUDIT_FORMATS, render
from graphcount.formats.view import View
from graphcount.report.records import Report
from graphcount.report.serial import loads, report_text, to_dict
from graphcount.report.signature import SignatureRow

pytest.importorskip(
    "model_signing", reason="model-signing is not installed: pip install .[signing]"
)

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from model_signing import hashing, signing

MODEL, DATA = "mlp_external.onnx", "mlp_external.onnx.data"


class Keys:
    """A new key in a folder: `key.pem` and `key.pub`."""

    def __init__(self, folder: Path) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.private, self.public = folder / "key.pem", folder / "key.pub"
        self.private.write_bytes(private_bytes(self.key))
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        self.public.write_bytes(
            self.key.public_key().public_bytes(serialization.Encoding.PEM, form)
        )


def private_bytes(key: ec.EllipticCurvePrivateKey) -> bytes:
    none = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, none)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return Keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def folder(tmp_path: Path, fixtures: Path) -> Path:
    """A model with external data, and a tokenizer."""
    place = tmp_path / "model"
    place.mkdir()
    for name in (MODEL, DATA):
        shutil.copy(fixtures / name, place)
    (place / "tokenizer.json").write_text("{}")
    return place


@pytest.fixture
def sign(keys: Keys) -> Callable[..., Path]:
    """Signs a file or folder with the reference implementation."""

    def call(path: Path, signature: Path, config: Any = None) -> Path:
        signer = signing.Config().use_elliptic_key_signer(private_key=keys.private)
        signer.set_hashing_config(config or hashing.Config()).sign(path, signature)
        return signature

    return call


def audit(path: Path, signature: Path, public_key: Path, **words: Any) -> Report:
    return api.audit(
        str(path), signature=str(signature), public_key=str(public_key), select=["EXT"], **words
    )


def rules(report: Report) -> list[str]:
    return [finding.rule for finding in report.findings if finding.rule.startswith("SIG")]


def why(report: Report) -> str:
    assert rules(report) == ["SIG001"]
    assert report.findings[0].severity == "critical"
    row = report.signature
    assert row is not None
    assert row.verified is False
    assert row.files == ()
    return row.why


# ------------------------------------------------------------------------------------ verified


@pytest.mark.parametrize("part", ["", MODEL])
@pytest.mark.parametrize("place", ["inside", "beside"])
def test_a_folder_is_verified(
    folder: Path, sign: Callable[..., Path], keys: Keys, part: str, place: str
) -> None:
    signature = (folder if place == "inside" else folder.parent) / "model.sig"
    report = audit(folder / part, sign(folder, signature), keys.public)
    assert rules(report) == []
    row = report.signature
    assert row is not None
    assert (row.verified, row.method, row.uncovered) == (True, "key", ())
    assert row.files == (MODEL, DATA, "tokenizer.json")
    assert loads(report_text(to_dict(report))).signature == row
    assert {"SIG001", "SIG002"} <= set(report.audit.rules if report.audit else ())


def test_the_nearest_folder_that_was_signed(
    folder: Path, sign: Callable[..., Path], keys: Keys
) -> None:
    signature = sign(folder.parent, folder.parent / "all.sig")
    row = audit(folder / MODEL, signature, keys.public).signature
    assert row is not None
    assert row.verified
    assert row.files == (f"model/{MODEL}", f"model/{DATA}", "model/tokenizer.json")


@pytest.mark.parametrize("algorithm", ["sha256", "blake2", "blake3"])
def test_other_digests_and_shards(
    folder: Path, sign: Callable[..., Path], keys: Keys, algorithm: Any
) -> None:
    for config in (
        hashing.Config().use_file_serialization(hashing_algorithm=algorithm),
        hashing.Config().use_shard_serialization(hashing_algorithm=algorithm, shard_size=1000),
    ):
        signature = sign(folder, folder.parent / "model.sig", config)
        row = audit(folder / MODEL, signature, keys.public).signature
        assert row is not None
        assert row.verified, row.why
        assert row.files == (MODEL, DATA, "tokenizer.json")
        flip(folder / DATA, -1)
        assert "changed" in why(audit(folder / MODEL, signature, keys.public))
        flip(folder / DATA, -1)


def test_a_file_that_is_not_signed_is_named(
    folder: Path, sign: Callable[..., Path], keys: Keys, fixtures: Path
) -> None:
    """A signature of one file, and one of a folder that leaves a file out."""
    one = sign(folder / MODEL, folder.parent / "one.sig")
    ignoring = hashing.Config().set_ignored_paths(paths=[DATA])
    rest = sign(folder, folder.parent / "rest.sig", ignoring)
    for signature in (one, rest):
        report = audit(folder / MODEL, signature, keys.public)
        assert rules(report) == ["SIG002"]
        assert report.findings[0].severity == "high"
        assert DATA in report.findings[0].message
        assert report.signature is not None
        assert report.signature.verified
        assert report.signature.uncovered == (DATA,)
    assert rules(audit(folder, rest, keys.public)) == ["SIG002"]
    shutil.copy(fixtures / "cnn.onnx", folder.parent)
    signature = sign(folder.parent / "cnn.onnx", folder.parent / "cnn.sig")
    assert rules(audit(folder.parent / "cnn.onnx", signature, keys.public)) == []


def test_many_files_that_are_not_signed_are_one_finding() -> None:
    row = SignatureRow("model.sig", "key", True, "", (".",), tuple(f"w{n}" for n in range(5000)))
    (finding,) = signing_room.findings(row)
    assert finding.message.endswith("w9 and 4990 more")
    assert finding.evidence == {"files": [f"w{n}" for n in range(10)], "count": 5000}


# ------------------------------------------------------------------------------------ tampered


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def test_one_byte_anywhere(folder: Path, sign: Callable[..., Path], keys: Keys) -> None:
    """The last bits of metadata, of tensors, of a file that is no part of the graph."""
    signature = sign(folder, folder / "model.sig")
    (folder / "readme.md").write_text("")
    assert "added: readme.md" in why(audit(folder / MODEL, signature, keys.public))
    (folder / "readme.md").unlink()
    producer = (folder / MODEL).read_bytes().index(b"pytorch")
    for name, at in ((DATA, 0), (DATA, 1000), (DATA, -1), (MODEL, producer), ("tokenizer.json", 0)):
        flip(folder / name, at)
        assert why(audit(folder / MODEL, signature, keys.public)) == f"changed: {name}"
        flip(folder / name, at)
    assert rules(audit(folder / MODEL, signature, keys.public)) == []


def test_files_added_removed_replaced_by_links(
    folder: Path, sign: Callable[..., Path], keys: Keys
) -> None:
    signature = sign(folder, folder / "model.sig")
    (folder / "tokenizer.json").unlink()
    assert why(audit(folder / MODEL, signature, keys.public)) == "missing: tokenizer.json"
    (folder / "tokenizer.json").symlink_to(folder.parent / "elsewhere.json")
    (folder.parent / "elsewhere.json").write_text("{}")
    assert "symlink" in why(audit(folder / MODEL, signature, keys.public))


def test_another_key(folder: Path, sign: Callable[..., Path], keys: Keys, tmp_path: Path) -> None:
    signature = sign(folder, folder / "model.sig")
    other = Keys(tmp_path)
    assert "Key mismatch" in why(audit(folder / MODEL, signature, other.public))
    bundle = json.loads(signature.read_text())
    bundle["verificationMaterial"]["publicKey"] = {}  # no hint of the key: an older form
    signature.write_text(json.dumps(bundle))
    assert "not of this key" in why(audit(folder / MODEL, signature, other.public))


def altered(bundle: dict[str, Any]) -> Iterator[str]:
    """Other signatures: another statement, an envelope of another form, no signature at all."""
    envelope = bundle["dsseEnvelope"]
    statement = json.loads(b64decode(envelope["payload"]))
    statement["predicate"]["resources"].pop()
    payload = b64encode(json.dumps(statement).encode()).decode()
    yield json.dumps({**bundle, "dsseEnvelope": {**envelope, "payload": payload}})
    yield json.dumps({**bundle, "dsseEnvelope": {**envelope, "signatures": []}})
    yield json.dumps({**bundle, "dsseEnvelope": {**envelope, "payloadType": "text/plain"}})
    yield json.dumps({**bundle, "mediaType": "x"})
    for part in bundle:
        yield json.dumps({key: value for key, value in bundle.items() if key != part})
    yield from ("", "{}", "[]", "null", "[" * 100_000, '{"dsseEnvelope": {"payload": 7}}', "\0")
    yield json.dumps(bundle).replace('"mediaType"', '"mediaType": "x", "mediaType"', 1)


def test_altered_signatures(folder: Path, sign: Callable[..., Path], keys: Keys) -> None:
    signature = sign(folder, folder / "model.sig")
    texts = list(altered(json.loads(signature.read_text())))
    for text in texts:
        signature.write_text(text)
        assert why(audit(folder / MODEL, signature, keys.public))


def test_any_byte_of_a_signature(folder: Path, sign: Callable[..., Path], keys: Keys) -> None:
    """A changed byte is found, or changes nothing that is verified (a name of an empty field)."""
    signature = sign(folder, folder / "model.sig")
    whole = signature.read_bytes()
    verified = audit(folder / MODEL, signature, keys.public).signature
    for at in range(0, len(whole), 37):
        signature.write_bytes(whole)
        flip(signature, at)
        row = audit(folder / MODEL, signature, keys.public).signature
        assert row is not None
        assert row == verified or not row.verified


def test_a_signature_of_another_model(
    folder: Path, sign: Callable[..., Path], keys: Keys, fixtures: Path
) -> None:
    other = folder.parent / "other"
    other.mkdir()
    shutil.copy(fixtures / "cnn.onnx", other)
    signature = sign(other, folder.parent / "model.sig")
    assert "not one of the files" in why(audit(folder / MODEL, signature, keys.public))
    shutil.copy(fixtures / "cnn.onnx", folder / MODEL)
    one = sign(other / "cnn.onnx", folder.parent / "one.sig")
    assert rules(audit(folder / MODEL, one, keys.public)) == []  # the same bytes, another name


# -------------------------------------------------------------------------------- certificates


def certificate(
    name: str, key: Any, issuer: x509.Certificate | None, issuer_key: Any
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    is_authority = issuer is None
    usage = x509.KeyUsage(
        digital_signature=not is_authority,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(usage, critical=True)
    )
    return builder.sign(issuer_key, hashes.SHA256())


def test_a_certificate(folder: Path, tmp_path: Path) -> None:
    """Signed by a certificate of an authority: verified with it, and with no other."""
    roots = []
    for name in ("ours", "theirs"):
        key = ec.generate_private_key(ec.SECP256R1())
        root = certificate(name, key, None, key)
        (tmp_path / f"{name}.crt").write_bytes(root.public_bytes(serialization.Encoding.PEM))
        roots.append((key, root))
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = certificate("signer", key, roots[0][1], roots[0][0])
    (tmp_path / "leaf.crt").write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
    (tmp_path / "leaf.pem").write_bytes(private_bytes(key))
    signature = tmp_path / "model.sig"
    signing.Config().use_certificate_signer(
        private_key=tmp_path / "leaf.pem",
        signing_certificate=tmp_path / "leaf.crt",
        certificate_chain=[tmp_path / "ours.crt"],
    ).sign(folder, signature)

    def audited(chain: str) -> Report:
        where = [str(tmp_path / chain)]
        return api.audit(
            str(folder / MODEL), signature=str(signature), certificate_chain=where, select=["EXT"]
        )

    row = audited("ours.crt").signature
    assert row is not None
    assert (row.verified, row.method, row.why) == (True, "certificate", "")
    assert why(audited("theirs.crt"))
    flip(folder / DATA, 7)
    assert why(audited("ours.crt")) == f"changed: {DATA}"


# ------------------------------------------------------------------------------------ on the way


def test_exit_codes_and_lines(
    folder: Path,
    sign: Callable[..., Path],
    keys: Keys,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    signature = sign(folder, folder / "model.sig")
    line = ["audit", str(folder / MODEL), "--select", "EXT"]
    asked = [*line, "--signature", str(signature)]
    assert main([*asked, "--public-key", str(keys.public)]) == 0
    out = " ".join(capfd.readouterr()[0].split())
    assert f"is verified (key); it covers {MODEL}, {DATA}, tokenizer.json" in out
    assert main(line) == 0
    assert "model.sig lies there and was not verified" in " ".join(capfd.readouterr()[0].split())
    flip(folder / DATA, 0)
    assert main([*asked, "--public-key", str(keys.public)]) == 1
    assert "critical  SIG001" in capfd.readouterr()[0]
    (tmp_path / "no.pub").write_text("no key")
    none = str(tmp_path / "none")
    for wrong in (
        asked,
        [*line, "--public-key", str(keys.public)],
        [*asked, "--public-key", none],
        [*asked, "--public-key", str(tmp_path / "no.pub")],
        [*asked, "--certificate-chain", none],
        [*asked, "--identity", "me@example.org"],
        [*asked, "--public-key", str(keys.public), "--certificate-chain", none],
        [*line, "--signature", none, "--public-key", str(keys.public)],
    ):
        assert main(wrong) == 2, wrong
        out, err = capfd.readouterr()
        assert out == ""
        assert err.count("\n") == 1, err


def test_every_format_says_it(folder: Path, sign: Callable[..., Path], keys: Keys) -> None:
    signature = sign(folder, folder / "model.sig")
    flip(folder / DATA, 0)
    report = audit(folder / MODEL, signature, keys.public)
    view = View(rules={rule.id: rule for rule in api.rules()})
    for name in AUDIT_FORMATS:
        if name != "csv":
            assert "SIG001" in render(name, [report], view, AUDIT_FORMATS), name


def test_sigstore_is_asked_only_with_an_identity(
    folder: Path, sign: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its roots of trust come over the network; here nothing answers."""
    asked: list[dict[str, Any]] = []

    def offline(config: Any, **words: Any) -> Any:
        asked.append(words)
        raise OSError("no network")

    monkeypatch.setattr("model_signing.verifying.Config.use_sigstore_verifier", offline)
    signature = str(sign(folder, folder / "model.sig"))
    words: dict[str, Any] = {"identity": "me@example.org", "issuer": "https://example.org"}
    with pytest.raises(UsageError, match="sigstore: cannot be used: no network"):
        api.audit(str(folder / MODEL), signature=signature, **words)
    assert asked == [{"identity": "me@example.org", "oidc_issuer": "https://example.org"}]


def test_what_is_not_here_cannot_be_verified(keys: Keys, tmp_path: Path) -> None:
    with pytest.raises(GraphcountError):
        api.audit("-", signature=str(tmp_path), public_key=str(keys.public))


def test_nothing_is_imported_unless_asked(folder: Path) -> None:
    code = (
        "import sys; from graphcount.cli.main import main; "
        f"main(['audit', {str(folder / MODEL)!r}, '--select', 'EXT']); "
        "assert not {'model_signing', 'cryptography', 'sigstore'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_without_the_package(
    folder: Path, sign: Callable[..., Path], keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    signature = sign(folder, folder / "model.sig")
    monkeypatch.setitem(sys.modules, "model_signing", None)
    with pytest.raises(UsageError, match=r"graphcount\[signing\]"):
        audit(folder / MODEL, signature, keys.public)


def test_links_on_the_way_to_a_folder_are_no_matter(
    folder: Path, sign: Callable[..., Path], keys: Keys
) -> None:
    signature = sign(folder, folder / "model.sig")
    link = folder.parent / "link"
    os.symlink(folder, link)
    assert rules(audit(link / MODEL, signature, keys.public)) == []
    assert rules(audit(link / MODEL, link / "model.sig", keys.public)) == []
