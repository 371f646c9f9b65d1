"""A deployment as one report: what pages, budgets, audits and diffs make of it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import onnx
import pytest

import graphcount
from graphcount.api.deploying import whole_report
from graphcount.cli.main import main
from graphcount.deploying.sharing import SharedTensors
from graphcount.deploying.whole import WholePart
from graphcount.deploying.whole import whole as put_together
from graphcount.formats.page.data import read, unpack
from graphcount.loading.limits import DEFAULT_LIMITS
from graphcount.report.records import Report
from graphcount.report.rows import NBytes, Totals
from tests.deploying import builders
from tests.deploying.test_deployment import DECODER, ENCODER, on_disk


def whole(folder: Path, **options: object) -> Report:
    """The report of a deployment."""
    return whole_report(str(folder), DEFAULT_LIMITS, options)  # type: ignore[arg-type]


def test_one_component_has_its_own_totals(tmp_path: Path) -> None:
    builders.decoder(tmp_path / "decoder.onnx", cross=False, data="weights.data")
    own = graphcount.count(str(tmp_path / "decoder.onnx"), assume=True).in_numbers
    report = whole(tmp_path)
    expected = own.totals._replace(
        macs_expression=None, elementwise_expression=None, activation_expression=None
    )
    assert report.totals == expected
    assert report.model.disk_nbytes == own.model.disk_nbytes
    assert [row.nbytes for row in report.tensors] == [row.nbytes for row in own.tensors]
    assert len(report.nodes) == len(own.nodes)


def test_what_is_shared_counts_once(tmp_path: Path) -> None:
    folder = builders.vision_language(tmp_path)
    report, made = whole(folder), graphcount.deployment(str(folder))
    assert report.totals.parameters == made.totals.parameters
    assert report.totals.nbytes.total == made.totals.nbytes
    assert sum(row.parameters for row in report.nodes) == made.totals.parameters
    assert report.modules[0].nbytes == made.totals.nbytes
    assert {row.name for row in report.modules if row.depth == 1} == {
        "vision", "embedding", "decoder"
    }  # fmt: skip
    assert {value.name for value in report.model.inputs if "past" not in value.name} == {
        "vision/pixel_values", "embedding/input_ids"
    }  # fmt: skip
    assert report.model.disk_nbytes == made.totals.disk_nbytes - sum(
        (folder / name).stat().st_size
        for name in ("genai_config.json", "processor_config.json", "tokenizer.json")
    )


def embedded(page: str) -> dict[str, object]:
    """What a page carries."""
    match = re.search(r'id="data" data-encoding="(\w+)">(.*?)</script>', page, re.DOTALL)
    assert match is not None
    data: dict[str, object] = read(match[2], match[1])
    return data


def test_a_page_has_all_components(tmp_path: Path) -> None:
    folder = builders.vision_language(tmp_path)
    data = embedded(graphcount.page(str(folder)))
    report = unpack(data["report"])  # type: ignore[arg-type]
    assert report["totals"]["parameters"] == graphcount.deployment(str(folder)).totals.parameters
    tables = data["deployment"]["tables"]  # type: ignore[index]
    assert [table["title"] for table in tables] == ["Components", "What feeds what", "Files"]
    assert [row[0] for row in tables[0]["rows"]] == ["vision", "embedding", "decoder"]


def test_names_of_files_stay_text_on_a_page(tmp_path: Path) -> None:
    builders.vision(tmp_path / "<img src=x onerror=alert(1)>.onnx")
    page = graphcount.page(str(tmp_path))
    assert "<img" not in page
    assert "onerror" in page  # it is there, escaped


CONFIG = """
[[checks]]
name = "edge"
deployment = "model"
max = {{parameters = {parameters}, disk_nbytes = "1MB", macs = "1G"}}
{dims}
"""


def test_budgets_take_a_deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    builders.whisper_like(tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    config = tmp_path / "graphcount.toml"
    dims = 'dims = {"*" = 4}'
    config.write_text(CONFIG.format(parameters=ENCODER + DECODER, dims=dims))
    kept = graphcount.check(config=str(config))
    assert kept.exit_code == 0
    assert [report.model.path for report in kept.reports] == ["model"]
    config.write_text(CONFIG.format(parameters=ENCODER + DECODER - 1, dims=dims))
    broken = graphcount.check(config=str(config))
    assert broken.exit_code == 1
    assert [row.rule for row in broken.findings] == ["BUD001"]
    config.write_text(CONFIG.format(parameters=ENCODER + DECODER, dims=""))
    unknown = graphcount.check(config=str(config))  # assumed sizes keep no budget
    assert [(row.rule, row.where["measure"]) for row in unknown.findings] == [("BUD002", "macs")]
    (tmp_path / "model" / "encoder_model.onnx").write_bytes(b"?")
    config.write_text(CONFIG.format(parameters=10**9, dims=dims))
    unread = graphcount.check(config=str(config))
    assert "BUD002" in [row.rule for row in unread.findings]


def test_a_deployment_and_paths_exclude_each_other(tmp_path: Path) -> None:
    config = tmp_path / "graphcount.toml"
    config.write_text(CONFIG.format(parameters=1, dims='paths = ["a.onnx"]'))
    with pytest.raises(graphcount.ConfigError, match="neither paths nor ranges"):
        graphcount.load_config(str(config))


def test_a_diff_of_deployments(tmp_path: Path) -> None:
    old = builders.whisper_like(tmp_path / "old")
    new = builders.whisper_like(tmp_path / "new")
    same = graphcount.diff(str(old), str(new))
    assert same.empty
    builders.encoder(new / "encoder_model.onnx", width=12)
    changed = graphcount.diff(str(old), str(new))
    totals = {row.name: row for row in changed.totals}
    assert totals["parameters"].delta == -4 * builders.WIDTH
    assert changed.old.source == changed.new.source == "deployment"
    assert not [note for note in changed.notes if "saved" in note]
    sized = graphcount.diff(str(old), str(new), dims={"batch": 3})
    assert sized.old.dims["batch"] == 3


def test_an_audit_looks_at_every_file(tmp_path: Path) -> None:
    folder = builders.vision_language(tmp_path)
    builders.text_file(folder / "extra.bin")
    report = graphcount.audit(str(folder))
    assert report.audit is not None
    assert report.audit.complete
    assert {row.rule for row in report.findings} == {"DEP006", "EXT011"}
    assert {row.where.get("model") for row in report.findings if row.rule == "EXT011"} == {
        "text.onnx", "embedding.onnx"
    }  # fmt: skip
    (folder / "vision.onnx").write_bytes(b"?")
    broken = graphcount.audits(str(folder))
    assert broken.exit_code == 2


@pytest.mark.parametrize("name", ["table", "json", "markdown"])
def test_the_command(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = builders.merged(tmp_path)
    assert main(["deploy", str(folder), "--variant", "fp16", "--format", name]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    if name == "json":
        data = json.loads(out)
        assert data["schema"] == "graphcount.deployment/1"
        assert data["totals"]["disk_nbytes"] == on_disk(folder)
    else:
        assert "7,296" in out or "6,144" in out
    assert out.count("\n") <= 40 or name == "json"


def test_a_screen_is_at_most_forty_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(50):
        builders.vision(tmp_path / f"part{number}" / "net.onnx")
        builders.text_file(tmp_path / f"part{number}" / "data.bin")
        (tmp_path / f"broken{number}.onnx").write_bytes(b"?")
    assert main(["deploy", str(tmp_path)]) == 2
    out, err = capsys.readouterr()
    assert out.count("\n") <= 40
    assert err == ""  # progress is for terminals


def test_a_bad_package_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "manifest.json").write_text('{"schema_version": "1.0"}')
    assert main(["deploy", str(tmp_path)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == f"graphcount: {tmp_path}: manifest: 'components' is missing\n"


def test_every_total_is_of_all_components(tmp_path: Path) -> None:
    files = [
        builders.encoder(tmp_path / "encoder_model.onnx"),
        builders.decoder(tmp_path / "decoder_model_merged.onnx", tied=True),
    ]
    own = [graphcount.count(str(file), assume=True).in_numbers.totals for file in files]
    made = whole(tmp_path).totals
    assert made.load_nbytes  # the tied table is turned once
    for name in set(Totals._fields) - {"nbytes", "precision", "at_least", "lower_bound"}:
        numbers = [getattr(totals, name) for totals in own]
        if name.endswith(("_expression", "_at_most")):
            expected = None
        else:
            expected = max(numbers) if name == "peak_activation_nbytes" else sum(numbers)
        assert (name, getattr(made, name)) == (name, expected)
    for name in NBytes._fields:
        numbers = [getattr(totals.nbytes, name) for totals in own]
        assert (name, getattr(made.nbytes, name)) == (name, sum(numbers))
    assert made.at_least == ()
    assert not made.lower_bound


@pytest.mark.parametrize(
    ("name", "measure"),
    [("load_nbytes", None), ("output_nbytes", None), ("macs", "macs"), ("read_nbytes", "traffic")],
)
def test_what_is_not_known_of_one_component_is_no_zero(
    tmp_path: Path, name: str, measure: str | None
) -> None:
    folder = builders.whisper_like(tmp_path)
    first, second = (
        graphcount.count(str(folder / f"{file}.onnx"), assume=True).in_numbers
        for file in ("encoder_model", "decoder_model_merged")
    )
    unknown = first.totals._replace(**{name: None})  # type: ignore[arg-type]
    lost = replace(first, totals=unknown)
    nothing = SharedTensors(frozenset(), frozenset())
    parts = [WholePart("encoder", lost, nothing), WholePart("decoder", second, nothing)]
    totals = put_together(graphcount.deployment(str(folder)), parts).totals
    if measure is None:
        assert getattr(totals, name) is None
    else:
        assert getattr(totals, name) == getattr(second.totals, name)
        assert measure in totals.at_least


def test_states_and_mismatches_are_of_all_components(tmp_path: Path) -> None:
    folder = builders.whisper_like(tmp_path)
    (wrong := onnx.load(folder / "encoder_model.onnx")).graph.output[0].CopyFrom(
        builders.value("last_hidden_state", ["batch", "frames", builders.WIDTH + 1])
    )
    onnx.save(wrong, folder / "encoder_model.onnx")
    report = whole(folder, dims={"batch": 3, "past_sequence_length": 5, "sequence_length": 2})
    assert [(row.node.partition("/")[0], row.value) for row in report.mismatches] == [
        ("encoder_model", "encoder_model/last_hidden_state")
    ]
    states = report.states
    assert states is not None
    assert [(row.input, row.output) for row in states.rows] == [
        (
            f"decoder_model_merged/past_key_values.{layer}.{word}",
            f"decoder_model_merged/present.{layer}.{word}",
        )
        for layer in range(builders.LAYERS)
        for word in ("key", "value")
    ]
    token = 2 * builders.LAYERS * builders.WIDTH * 4  # keys and values of float32
    assert states.nbytes_in == 3 * 5 * token
    assert states.nbytes == 3 * (5 + 2) * token
    assert states.nbytes_per_token == token
    assert whole(builders.package(tmp_path / "p", {"vision": {"cpu": {}}})).states is None
