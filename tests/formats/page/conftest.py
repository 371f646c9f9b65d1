"""Pages of models, opened in a browser that tells what they do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from onnx import TensorProto, helper, numpy_helper

import graphcount

HOSTILE = (
    "</script><script>window.hacked=1;alert(1)</script>",
    "<img src=x onerror=alert(2)>",
    "<!--<script>",
    "--></script><svg/onload=alert(3)>",
    "'\"><iframe src=//example.invalid>",
    "javascript:alert(4)",
    "${alert(5)}{{7*7}}`",
    "\u2028\u2029 line\nbreak\r\x1b[31mred",
    "\u202eevil\u202c\u200b",
    "__proto__",
    "constructor",
    "&lt;b&gt;&amp;",
    "",
)
"""Names that try to become markup, script, prototypes or control characters."""


def scripts(*names: str) -> str:
    """Text of parts of the page's script."""
    folder = resources.files("graphcount.formats.page").joinpath("assets")
    return "\n".join(folder.joinpath(name).read_text("utf-8") for name in names)


class Watched:
    """A page in the browser, and everything it did besides being drawn."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.events: list[str] = []
        page.on("console", lambda message: self.events.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: self.events.append(f"error: {error}"))
        page.on("popup", lambda popup: self.events.append("popup"))
        page.on("dialog", self._dialog)
        page.on("request", self._request)

    def _dialog(self, dialog: Any) -> None:
        self.events.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _request(self, request: Any) -> None:
        if not request.is_navigation_request() or request.frame != self.page.main_frame:
            self.events.append(f"request: {request.url}")

    def text(self, selector: str) -> str:
        """Text of the first element that matches."""
        found: str = self.page.locator(selector).first.inner_text()
        return found


Open = Callable[..., Watched]


@pytest.fixture
def opened(chromium: Any, tmp_path: Path) -> Iterator[Open]:
    """Open the text of a page: `opened(html, width=390, dark=True)`."""
    contexts: list[Any] = []

    def show(html: str, *, width: int = 1280, dark: bool = False, ready: bool = True) -> Watched:
        path = tmp_path / f"page{len(contexts)}.html"
        path.write_text(html, "utf-8")
        scheme = "dark" if dark else "light"
        size = {"width": width, "height": 900}
        context = chromium.new_context(viewport=size, color_scheme=scheme)
        contexts.append(context)
        watched = Watched(context.new_page())
        watched.page.set_default_timeout(8_000)
        watched.page.goto(path.as_uri())
        if ready:
            watched.page.wait_for_selector("html[data-ready=true]")
        return watched

    yield show
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def transformer(fixtures: Path) -> graphcount.Report:
    """A model with modules and dynamic dimensions, at assumed sizes too."""
    path = str(fixtures / "transformer_block.onnx")
    return graphcount.count(path, timeline=True, assume=True)


@pytest.fixture(scope="session")
def bound(fixtures: Path) -> graphcount.Report:
    """A model without dynamic dimensions."""
    path = str(fixtures / "cnn.onnx")
    return graphcount.count(path, dims={"batch": 16}, timeline=True)


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> graphcount.Report:
    """A model in which everything that can have a name has a hostile one."""
    nodes, weights = [], []
    for at, name in enumerate(HOSTILE):
        weight = numpy_helper.from_array(_numbers(), f"{name}.weight{at}")
        weights.append(weight)
        domain = name if at % 2 else ""
        nodes.append(
            helper.make_node(
                name or "Add",
                [f"x{at}", weight.name],
                [f"x{at + 1}"],
                f"{name}/{name}/n",
                None,
                domain,
            )
        )
    domains = {node.domain for node in nodes} | {""}
    model = helper.make_model(
        helper.make_graph(
            nodes,
            HOSTILE[0],
            [helper.make_tensor_value_info("x0", TensorProto.FLOAT, [HOSTILE[1], 4])],
            [helper.make_tensor_value_info(f"x{len(HOSTILE)}", TensorProto.FLOAT, None)],
            weights,
        ),
        opset_imports=[helper.make_opsetid(domain, 20) for domain in sorted(domains)],
        producer_name=HOSTILE[0],
        ir_version=10,
    )
    for key in HOSTILE:
        model.metadata_props.add(key=key, value=key)
    path = tmp_path_factory.mktemp("hostile") / "a<b>&'c\".onnx"
    path.write_bytes(model.SerializeToString())
    return graphcount.count(str(path), timeline=True, assume=True)


def _numbers() -> Any:
    import numpy as np

    return np.ones((4,), np.float32)


@pytest.fixture(scope="session")
def data_of() -> Callable[[str], Any]:
    """The data that a page carries, read as a stranger would: by an HTML parser."""
    import html5lib

    from graphcount.formats.page.data import read

    def find(html: str) -> Any:
        tree = html5lib.parse(html, namespaceHTMLElements=False)
        (element,) = [item for item in tree.iter("script") if item.get("id") == "data"]
        return read(element.text, element.get("data-encoding"))

    return find
