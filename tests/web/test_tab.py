"""graphcount in a browser tab: the same numbers as anywhere, and nothing leaves the tab."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

import graphcount
from graphcount.units import exact
from tests.conftest import Save
from tests.formats.page.conftest import HOSTILE
from tests.web.conftest import Tab, renderers

WITHOUT_NUMPY = """
import sys
sys.modules["numpy"] = None  # as in the browser
from graphcount.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


def written(folder: Path, *arguments: str, code: int = 0) -> bytes:
    """What the command line writes in a folder."""
    command = [sys.executable, "-c", WITHOUT_NUMPY, *arguments, "-o", "out"]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    assert done.returncode == code, done.stderr
    return (folder / "out").read_bytes()


# ---------------------------------------------------------------------------------- numbers


def test_numbers_are_those_of_the_package(tab: Tab, fixtures: Path) -> None:
    path = fixtures / "transformer_block.onnx"
    tab.take(path)
    report = graphcount.count(str(path), assume=True).in_numbers
    text = tab.report.inner_text("#stats")
    for number in (report.totals.parameters, report.totals.macs, report.totals.nbytes.total):
        assert isinstance(number, int)
        assert exact(number) in text
    assert tab.report.inner_text("h1") == "transformer_block.onnx"
    assert tab.page.inner_text("#result-title") == "transformer_block.onnx"


@pytest.mark.parametrize("form", ["json", "csv", "html"])
def test_downloads_are_what_the_command_line_writes(
    tab: Tab, fixtures: Path, tmp_path: Path, form: str
) -> None:
    shutil.copy(fixtures / "gpt2_like.onnx", tmp_path / "model.onnx")
    tab.take(tmp_path / "model.onnx")
    command = ["page"] if form == "html" else ["count", "--format", form]
    assert tab.downloaded(form) == written(tmp_path, *command, "model.onnx")


def test_sizes_are_filled_in_and_count_anew(tab: Tab, fixtures: Path, tmp_path: Path) -> None:
    shutil.copy(fixtures / "transformer_block.onnx", tmp_path / "model.onnx")
    tab.take(tmp_path / "model.onnx")
    tab.page.click("#open-sizes summary")
    fields = tab.page.locator("#sizes-fields input")
    assumed = graphcount.count(str(tmp_path / "model.onnx"), assume=True).assumed_sizes
    values = {field.get_attribute("name"): int(field.input_value()) for field in fields.all()}
    assert values == assumed == {"batch": 1, "sequence": 128}
    fields.nth(0).fill("16")
    tab.after(lambda: fields.nth(0).press("Enter"))
    report = graphcount.count(str(tmp_path / "model.onnx"), dims={"batch": 16}, assume=True)
    macs = report.in_numbers.totals.macs
    assert isinstance(macs, int)
    assert exact(macs) in tab.report.inner_text("#stats")
    expected = written(tmp_path, "count", "model.onnx", "--dim", "batch=16", "--format", "json")
    assert tab.downloaded("json") == expected


def test_a_folder_with_external_data(tab: Tab, fixtures: Path, tmp_path: Path) -> None:
    for name in ("mlp_external.onnx", "mlp_external.onnx.data"):
        shutil.copy(fixtures / name, tmp_path / name)
    tab.take(tmp_path, into="#folder")
    report = graphcount.count(str(fixtures / "mlp_external.onnx"))
    assert not report.unknown
    assert not tab.report.is_visible("#doubts")
    assert exact(report.totals.nbytes.total) in tab.report.inner_text("#stats")
    tab.page.click("#again")
    tab.take(tmp_path / "mlp_external.onnx")  # without its data
    assert "mlp_external.onnx.data is missing" in tab.report.inner_text("body")


def test_a_folder_is_dropped(tab: Tab, fixtures: Path, tmp_path: Path) -> None:
    folder = tmp_path / "dropped"
    folder.mkdir()
    for name in ("mlp_external.onnx", "mlp_external.onnx.data"):
        shutil.copy(fixtures / name, folder / name)
    session = tab.context.new_cdp_session(tab.page)
    data = {"items": [], "files": [str(folder)], "dragOperationsMask": 1}

    def drop() -> None:
        for kind in ("dragEnter", "dragOver", "drop"):
            session.send(
                "Input.dispatchDragEvent", {"type": kind, "x": 640, "y": 450, "data": data}
            )

    tab.after(drop)
    assert tab.error == ""
    assert tab.page.inner_text("#result-title") == "dropped/mlp_external.onnx"
    assert not tab.report.is_visible("#doubts")


def test_two_models_are_compared(tab: Tab, fixtures: Path, tmp_path: Path) -> None:
    for name in ("cnn.onnx", "cnn_int8.onnx"):
        shutil.copy(fixtures / name, tmp_path / name)
    tab.take(tmp_path / "cnn.onnx", tmp_path / "cnn_int8.onnx")
    assert tab.page.inner_text("#result-title") == "cnn_int8.onnx"
    assert "against cnn.onnx" in tab.page.inner_text("#result-note")
    assert "−80.23 kB" in tab.report.inner_text("#stats")
    for form in ("json", "csv"):
        expected = written(tmp_path, "diff", "cnn.onnx", "cnn_int8.onnx", "--format", form)
        assert tab.downloaded(form) == expected


def test_a_file_of_the_same_name_is_compared(tab: Tab, fixtures: Path, tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    shutil.copy(fixtures / "cnn_int8.onnx", tmp_path / "model.onnx")
    shutil.copy(fixtures / "cnn.onnx", tmp_path / "old" / "model.onnx")
    tab.take(tmp_path / "model.onnx")
    tab.page.click("#chosen summary")
    tab.take(tmp_path / "old" / "model.onnx", into="#other")
    assert "against other/model.onnx" in tab.page.inner_text("#result-note")
    assert "−80.23 kB" in tab.report.inner_text("#stats")
    tab.page.click("#chosen summary")
    tab.after(lambda: tab.page.select_option("#against", ""))
    assert "−80.23 kB" not in tab.report.inner_text("#stats")


def test_a_deployment(tab: Tab, fixtures: Path, tmp_path: Path) -> None:
    shutil.copytree(fixtures / "vision_language", tmp_path / "vision")
    tab.take(tmp_path / "vision", into="#folder")
    text = tab.report.inner_text("#deployment")
    made = graphcount.deployment(str(tmp_path / "vision"))
    assert all(component.component in text for component in made.components)
    command = ("deploy", "vision", "--format", "json")
    assert tab.downloaded("json") == written(tmp_path, *command)
    tab.page.click("#open-sizes summary")
    field = tab.page.locator("#sizes-fields input[name=num_image_tokens]")
    field.fill("64")
    tab.after(lambda: field.press("Enter"))
    assert "num_image_tokens = 64" in tab.report.inner_text("#values")
    assert tab.downloaded("json") == written(tmp_path, *command, "--dim", "num_image_tokens=64")
    tab.page.click("#chosen summary")
    tab.after(lambda: tab.page.select_option("#model", "vision/text.onnx"))
    alone = graphcount.count(str(tmp_path / "vision" / "text.onnx"))
    assert exact(alone.totals.parameters) in tab.report.inner_text("#stats")


def test_the_audit_says_what_did_not_run(tab: Tab, fixtures: Path, tmp_path: Path) -> None:
    """There is no numpy in the browser, so the audit is not complete, and says so."""
    shutil.copy(fixtures / "cnn.onnx", tmp_path / "cnn.onnx")
    audit = json.loads(written(tmp_path, "audit", "cnn.onnx", "--format", "json", code=2))["audit"]
    rules = [row["rule"] for row in audit["skipped"]]
    assert {"TEN008", "TEN011", "TEN012"} <= set(rules)
    tab.take(tmp_path / "cnn.onnx")
    assert tab.page.inner_text("#skipped summary") == f"{len(rules)} rules did not run"
    tab.page.click("#skipped summary")
    why = f"{', '.join(rules)} (the package numpy is not installed)"
    assert why in tab.page.inner_text("#skipped")
    note = f"{len(rules)} rules did not; the audit is not complete"
    assert note in tab.report.inner_text("#findings .note")


def test_an_audit_finds_the_same(tab: Tab, save: Save) -> None:
    secret = "AKIA" + "Q3EGRIJK7XYZABCD"
    node = helper.make_node("Relu", ["x"], ["y"], doc_string=f"aws_access_key_id={secret}")
    path = save([node], inputs=[("x", [4])], outputs=["y"])
    expected = {row.rule for row in graphcount.audit(path).findings}
    assert expected
    tab.take(path)
    shown = tab.report.locator("#findings .finding b").all_inner_texts()
    assert set(shown) == expected


# ------------------------------------------------------------------------------ large, hostile


def varint(number: int) -> bytes:
    """An integer as protobuf writes it."""
    low, high = number & 127, number >> 7
    return bytes([low | 128]) + varint(high) if high else bytes([low])


def chunk(number: int, size: int) -> bytes:
    """The head of a field of so many bytes."""
    return varint(number << 3 | 2) + varint(size)


def with_a_hole(path: Path, nbytes: int) -> None:
    """Save a model whose first weight is a hole in the file; the second one is behind it."""
    dims = [nbytes // 4]
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=dims).SerializeToString()
    tensor += chunk(9, nbytes)
    last = helper.make_tensor("b", TensorProto.FLOAT, [3], [1.0, 2.0, 3.0])
    graph = helper.make_graph(
        [helper.make_node("Mul", ["w", "x"], ["y"])],
        "hole",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, dims)],
    ).SerializeToString()
    tail = chunk(5, last.ByteSize()) + last.SerializeToString()
    size = len(tensor) + nbytes
    head = graph + chunk(5, size) + tensor
    model = onnx.ModelProto(ir_version=10, opset_import=[helper.make_opsetid("", 20)])
    with path.open("wb") as file:
        file.write(model.SerializeToString())
        file.write(chunk(7, len(head) + nbytes + len(tail)) + head)
        file.truncate(file.tell() + nbytes)
        file.seek(0, 2)
        file.write(tail)


@pytest.mark.parametrize("gigabytes", [3, 5])
def test_a_file_larger_than_memory(tab: Tab, tmp_path: Path, gigabytes: int) -> None:
    nbytes = gigabytes << 30
    with_a_hole(tmp_path / "big.onnx", nbytes)
    before = renderers()
    tab.take(tmp_path / "big.onnx")
    (tmp_path / "big.onnx").unlink()
    text = tab.report.inner_text("body")
    assert f"{exact(nbytes + 12)} bytes" in text
    assert tab.memory < 100e6
    assert before > 0
    assert renderers() - before < 100e6


def test_ten_thousand_nodes(tab: Tab, save: Save) -> None:
    count = 10_000
    nodes = [helper.make_node("Relu", [f"x{n}"], [f"x{n + 1}"]) for n in range(count)]
    seconds = tab.take(save(nodes, inputs=[("x0", [2, 64])], outputs=[f"x{count}"]))
    assert f"{exact(count)} nodes" in tab.report.inner_text("#facts")
    assert exact(count * 2 * 64) in tab.report.inner_text("#stats")
    assert seconds < 60  # 2 on a quiet machine
    assert tab.memory < 300e6


def test_damaged_bytes_are_one_line(tab: Tab, fixtures: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.onnx"
    path.write_bytes((fixtures / "cnn.onnx").read_bytes()[:5_000])
    with pytest.raises(graphcount.GraphcountError) as caught:
        graphcount.count(str(path))
    tab.take(path)
    assert tab.error == f"cut.onnx: {caught.value.message}"
    tab.take(fixtures / "cnn.onnx")  # the next one works
    assert tab.error == ""
    tab.take(path)  # and stays when another one does not
    assert "cut.onnx" in tab.error
    assert tab.page.inner_text("#result-title") == "cnn.onnx"
    assert json.loads(tab.downloaded("json"))["model"]["path"] == "cnn.onnx"


def test_hostile_names_do_nothing(tab: Tab, tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Relu", [f"{name}{at}"], [f"{name}y{at}"], f"{name}/{name}")
        for at, name in enumerate(HOSTILE)
    ]
    inputs = [
        helper.make_tensor_value_info(f"{name}{at}", TensorProto.FLOAT, [name or "n", 4])
        for at, name in enumerate(HOSTILE)
    ]
    graph = helper.make_graph(nodes, HOSTILE[0], inputs, [])
    path = tmp_path / "<img src=x onerror=alert(1)>&amp;.onnx"
    path.write_bytes(helper.make_model(graph, producer_name=HOSTILE[0]).SerializeToString())
    tab.take(path)
    assert tab.page.inner_text("#result-title") == path.name
    assert tab.page.title().startswith(path.name)
    tab.page.click("#open-sizes summary")
    labels = tab.page.locator("#sizes-fields code").all_inner_texts()
    assert {"__proto__", "constructor"} <= set(labels)
    assert tab.page.locator("img, svg, iframe, script").count() == 2  # ours: frame and script
    assert tab.page.evaluate("window.hacked") is None
    assert tab.report.evaluate("window.hacked") is None
    assert tab.report.evaluate("window.origin") == "null"


# --------------------------------------------------------------------------------- people


@pytest.mark.parametrize("width", [390, 820, 1280])
def test_nothing_scrolls_sideways(tab: Tab, fixtures: Path, width: int) -> None:
    tab.page.set_viewport_size({"width": width, "height": 844})
    sideways = "document.documentElement.scrollWidth > innerWidth"
    assert not tab.page.evaluate(sideways)
    tab.take(fixtures / "cnn.onnx", fixtures / "cnn_int8.onnx")
    assert not tab.page.evaluate(sideways)
    assert not tab.report.evaluate(sideways)
    for menu in ("#skipped", "#chosen", "#open-sizes", "#downloads"):
        tab.page.click(f"{menu} summary")
        assert not tab.page.evaluate(sideways)
        box = tab.page.locator(f"{menu} .menu-body").bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        tab.page.keyboard.press("Escape")
    frame = tab.page.locator("iframe").bounding_box()
    assert frame["y"] < 100
    assert frame["y"] + frame["height"] == 844


def test_by_keyboard_alone(tab: Tab) -> None:
    """Every step is a key; the focus goes to what came, which is also said."""
    tab.page.evaluate("document.activeElement.blur()")
    focused = "document.activeElement.id || document.activeElement.textContent"
    seen: list[str] = []
    while not seen or seen[-1] != "example":
        tab.page.keyboard.press("Tab")
        seen.append(tab.page.evaluate(focused))
        assert len(seen) < 9
    assert {"files", "folder"} <= set(seen)
    tab.after(lambda: tab.page.keyboard.press("Enter"))
    assert tab.page.evaluate(focused) == "result-title"
    assert "example.onnx" in tab.page.inner_text("#status")
    while "Sizes" not in tab.page.evaluate(focused):
        tab.page.keyboard.press("Tab")
    tab.page.keyboard.press("Enter")
    tab.page.keyboard.press("Tab")
    tab.page.keyboard.type("8")
    tab.after(lambda: tab.page.keyboard.press("Enter"))
    assert "batch = 8" in tab.report.inner_text("#values")
    tab.page.focus("#again")
    tab.page.keyboard.press("Enter")
    assert tab.page.evaluate(focused) == "start-title"


def test_parts_have_names_and_roles(tab: Tab, fixtures: Path) -> None:
    tab.take(fixtures / "cnn.onnx")
    page = tab.page
    assert page.get_by_role("main").count() == 1
    assert page.get_by_role("heading", level=1).inner_text() == "cnn.onnx"
    assert page.locator("iframe").get_attribute("title") == "Report of cnn.onnx"
    for field in page.locator("input, select, button").all():
        name = field.evaluate(
            "e => e.ariaLabel || [...(e.labels ?? [])].map(l => l.textContent).join('')"
            " || e.textContent"
        )
        assert name.strip()
    assert page.locator("[role=status]").count() >= 1
    assert page.locator("#error[role=alert]").count() == 1


def test_links_in_the_report_work(tab: Tab, fixtures: Path) -> None:
    tab.take(fixtures / "cnn.onnx")
    tab.report.click("#sections a >> text=Tensors")
    top = tab.report.locator("#tensors")
    tab.report.wait_for_function("() => scrollY > 100")
    assert top.is_visible()
