"""Redirects: to other hosts where one can see it, without secrets, and never further in."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from onnx import TensorProto, helper
from yarl import URL

import graphcount
from graphcount.cli.main import main
from graphcount.errors import NotReadableError
from graphcount.loading import redirects

Save = Callable[..., str]


@pytest.fixture
def model(double: Any, save: Save) -> str:
    """The address of a model whose weight lies beside it, in w.bin."""
    weight = TensorProto(name="w", data_type=1, dims=[2, 3], data_location=TensorProto.EXTERNAL)
    weight.external_data.add(key="location", value="w.bin")
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    path = save([node], [weight], inputs=[("x", [1, 2])], outputs=[("y", [1, 3])])
    return f"{double.url}/plain/{Path(path).name}"


def host_of(server: Any) -> str:
    return str(server.url.removeprefix("http://"))


def test_a_model_is_followed_to_another_host(
    double: Any, elsewhere: Any, fixtures: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copy(fixtures / "cnn.onnx", elsewhere.folder / "blob")
    double.redirects["a.onnx"] = f"{elsewhere.url}/plain/blob"
    with caplog.at_level(logging.DEBUG, "graphcount"):
        report = graphcount.count(f"{double.url}/plain/a.onnx")
    assert report.totals.parameters == 26_926
    assert f"/plain/a.onnx: its server redirects to {host_of(elsewhere)}" in caplog.text


def test_external_data_from_another_host_is_said_to_be(
    double: Any, elsewhere: Any, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (elsewhere.folder / "blob").write_bytes(bytes(24))
    double.redirects["w.bin"] = f"{elsewhere.url}/plain/blob?key=5ecre7"
    host = host_of(elsewhere)
    assert main([model]) == 0
    assert f"24 B external data from {host}" in capsys.readouterr().out
    report = graphcount.audit(model)
    assert [(file.nbytes, file.host) for file in report.model.side_files] == [(24, host)]
    [finding] = [row for row in report.findings if row.rule == "EXT003"]
    assert finding.severity == "info"
    assert finding.message == f"w: w.bin comes from {host}, by a redirect"
    near = graphcount.count(model.replace("/plain/", "/redirect/"))  # to the model's own host
    assert [file.host for file in near.model.side_files] == [host]  # of w.bin there
    assert "5ecre7" not in str(report)


def test_external_data_of_the_same_host_is_not_spoken_of(double: Any, model: str) -> None:
    (double.folder / "blob").write_bytes(bytes(24))
    for location in ("/plain/blob", f"{double.url}/plain/blob"):
        double.redirects["w.bin"] = location
        report = graphcount.audit(model)
        assert [(file.nbytes, file.host) for file in report.model.side_files] == [(24, "")]
        assert "EXT003" not in {finding.rule for finding in report.findings}


SECRET = "5ecre7"


def test_another_host_learns_nothing_of_the_user(
    double: Any, elsewhere: Any, fixtures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Secrets of the address, of requests and of the session are for the host that was named."""
    from fsspec.config import conf

    secrets = {
        "headers": {"X-Api-Key": SECRET, "Cookie": SECRET},
        "cookies": {"session": SECRET},
        "client_kwargs": {"headers": {"X-Token": SECRET}},
    }
    monkeypatch.setitem(conf, "http", secrets)
    shutil.copy(fixtures / "cnn.onnx", elsewhere.folder / "blob")
    shutil.copy(fixtures / "cnn.onnx", double.folder / "near")
    named = double.url.replace("http://", f"http://user:{SECRET}@")
    double.redirects["near.onnx"] = f"{double.url}/plain/near"
    assert graphcount.count(f"{named}/plain/near.onnx").totals.parameters == 26_926
    for headers in double.headers[-2:]:
        assert {"Authorization", "X-Api-Key", "X-Token", "Cookie"} <= headers.keys()
    double.redirects["a.onnx"] = f"{elsewhere.url.replace('://', '://me:there@')}/plain/blob"
    assert graphcount.count(f"{named}/plain/a.onnx").totals.parameters == 26_926
    assert elsewhere.headers
    for headers in elsewhere.headers:
        assert headers.keys() <= {"Host", "Range", "Accept", "Accept-Encoding", "User-Agent"}


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("file:///etc/passwd", "redirects to file: not followed"),
        ("ftp://127.0.0.1/w.bin", "redirects to ftp: not followed"),
        ("http://[::1/w.bin", "redirects to what is no address: not followed"),
        ("http://169.254.169.254/latest/meta-data", "redirects to 169.254.169.254, a private"),
        ("http://[fe80::1]/w.bin", "a private address: not followed"),
        ("http://[::ffff:169.254.169.254]/w.bin", "a private address: not followed"),
        ("/plain/w.bin", "more than 10 redirects"),
    ],
)
def test_what_is_not_followed(double: Any, model: str, location: str, words: str) -> None:
    double.redirects["w.bin"] = location
    report = graphcount.count(model)
    assert not report.exact
    assert any(words in row.why for row in report.unknown), report.unknown
    name = model.rpartition("/")[2]
    double.redirects[name] = location.replace("w.bin", name)
    with pytest.raises(NotReadableError) as caught:
        graphcount.count(model)
    assert words in caught.value.message


NAMES = {
    "public.test": "93.184.216.34",
    "other.test": "2606:2800:220:1::1",
    "mapped.test": "::ffff:10.1.2.3",
    "office.test": "192.168.1.7",
    "shared.test": "100.64.0.1",
    "local.test": "127.0.0.1",
    "zero.test": "0.0.0.0",
    "metadata.test": "169.254.169.254",
}


class Resolving:
    """A loop that knows some names."""

    async def getaddrinfo(self, host: str, port: int, type: int) -> list[Any]:
        addresses = [NAMES[name] for name in host.split("+") if name in NAMES]
        if not addresses:
            raise OSError("unknown name")
        return [(0, 0, 0, "", (address, port)) for address in addresses]


@pytest.mark.parametrize(
    ("named", "led", "followed"),
    [
        ("public.test", "other.test", True),
        ("public.test", "office.test", False),
        ("public.test", "mapped.test", False),
        ("public.test", "shared.test", False),
        ("public.test", "local.test", False),
        ("public.test", "zero.test", False),
        ("public.test", "metadata.test", False),
        ("public.test", "other.test+local.test", False),
        ("public.test+office.test", "office.test", False),
        ("office.test", "public.test", True),
        ("office.test", "mapped.test", True),
        ("office.test", "local.test", False),
        ("local.test", "office.test", True),
        ("local.test", "zero.test", True),
        ("local.test", "metadata.test", False),
        ("nobody.test", "office.test", False),
        ("public.test", "nobody.test", True),
    ],
)
def test_never_further_in(named: str, led: str, followed: bool) -> None:
    """`nobody.test` has no address: what follows cannot be connected to."""
    loop: Any = Resolving()
    asked = redirects.refuse_inward(loop, URL(f"https://{named}/m"), URL(f"https://{led}/m"))
    if followed:
        asyncio.run(asked)
        return
    with pytest.raises(NotReadableError, match=r"a private address: not followed"):
        asyncio.run(asked)


def test_never_from_https_to_http() -> None:
    url = URL("https://user:word@host.test/a/m.onnx?x=1#part", encoded=True)
    with pytest.raises(NotReadableError, match="from https to http"):
        redirects.target(url, "http://host.test/m.onnx")
    assert str(redirects.target(url, "../b?s=%2F#f")) == "https://user:word@host.test/b?s=%2F"
    assert str(redirects.target(url, "//o.test/b")) == "https://o.test/b"
    plain = URL("http://host.test/m.onnx")
    assert str(redirects.target(plain, "https://host.test/m.onnx")) == "https://host.test/m.onnx"
