"""The pages: what they refer to exists; docs/ci.md: its examples work, its lists are complete."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from graphcount.config import read_config
from graphcount.config.keys import CheckKeys
from graphcount.formats import CHECK_FORMATS

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "docs" / "ci.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def test_the_configuration_is_one_and_shows_every_key() -> None:
    text, audit = blocks("toml")
    (check,) = read_config(text, "graphcount.toml").checks
    assert len(check.budgets) == 10
    for key in CheckKeys.__struct_fields__:
        assert re.search(rf"^(# )?{key} =|^\[checks\.{key}\]", text, re.MULTILINE) or key == "min"
    settings = read_config(audit, "graphcount.toml").audit
    assert settings is not None
    assert (settings.fail_on, len(settings.ignore), list(settings.models)) == (
        "medium", 2, ["vendor/*"]
    )  # fmt: skip


def test_every_format_is_named() -> None:
    for name in CHECK_FORMATS:
        assert f"`{name}`" in TEXT


def test_the_pytest_example_works(monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = blocks("python")
    names: dict[str, Any] = {}
    exec(code, names)
    monkeypatch.chdir(ROOT)
    names["test_the_model_is_small_enough"]("fixtures/cnn.onnx")


# ----------------------------------------------------------------------------------- references

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
CODE = sorted(
    path
    for folder in ("graphcount", "tests")
    for path in (ROOT / folder).rglob("*.py")
    if path != Path(__file__).resolve()
)
PAGE = re.compile(r"(?<![\w/.])((?:docs/)[\w-]+\.md|[A-Z]+\.md)\b(?:,? \"([^\"]+)\")?")
PYTHON = re.compile(r"(?<![\w/.-])((?:[a-z_0-9]+/)*[a-z_0-9]+\.py)\b(?:::?([A-Za-z_]\w*))?")
ELSEWHERE = ("onnx/", "onnxruntime/", "torchinfo/")
LINK = re.compile(r"\]\(([^)\s:]*?)(?:#([^)\s]+))?\)")
DOTTED = re.compile(r"`(graphcount(?!\.toml\b)(?:\.\w+)+)")
LOST = re.compile(r"\b(COUNTING|PRODUCT|ARCHITECTURE|SAFETY|HOUSE)(\.md\b|:| [0-9]|, [\"0-9])")


def texts(path: Path) -> Iterator[str]:
    """Yield what people read of a file: a page without its examples, a module's docstrings."""
    text = path.read_text("utf-8")
    if path.suffix == ".md":
        yield re.sub(r"^```.*?^```|<!--.*?-->", "", text, flags=re.DOTALL | re.MULTILINE)
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield str(node.value.value)


def headings(path: Path) -> list[str]:
    return re.findall(r"^#+ (.+)$", path.read_text("utf-8"), re.MULTILINE)


def slug(heading: str) -> str:
    """Return the anchor that GitHub makes of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def defined(path: Path) -> set[str]:
    """Return every name that a module binds, in classes too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
    return names


def missing_python(name: str, wanted: str, near: Path) -> bool:
    """Return whether no file has that path, from the root, the package or the page's folder."""
    places = [ROOT / name, ROOT / "graphcount" / name, near.parent / name]
    if "/" not in name:
        places += (ROOT / "graphcount").rglob(name)
    files = [place for place in places if place.is_file()]
    return not files or (bool(wanted) and not any(wanted in defined(file) for file in files))


def missing_dotted(dotted: str) -> bool:
    """Return whether a dotted name of the package leads to no module and no name in one."""
    parts, place = dotted.split("."), ROOT
    while parts and (place / parts[0]).is_dir():
        place /= parts.pop(0)
    if parts and (place / f"{parts[0]}.py").is_file():
        place /= f"{parts.pop(0)}.py"
    else:
        place /= "__init__.py"
    return bool(parts) and parts[0] not in defined(place)


def lost(path: Path) -> Iterator[str]:
    """Yield every reference of a file that leads nowhere."""
    for text in texts(path):
        yield from (match[0] for match in LOST.finditer(text))
        for name, section in PAGE.findall(text):
            if not (ROOT / name).is_file() or (section and section not in headings(ROOT / name)):
                yield f"{name} {section}"
        for name, wanted in PYTHON.findall(text):
            if not name.startswith(ELSEWHERE) and missing_python(name, wanted, path):
                yield f"{name}:{wanted}"
        yield from (name for name in DOTTED.findall(text) if missing_dotted(name))
        for name, anchor in LINK.findall(text) if path.suffix == ".md" else ():
            target = path.parent / name if name else path
            if name.startswith("../../"):  # an address of GitHub's own
                continue
            if not target.exists() or (anchor and anchor not in map(slug, headings(target))):
                yield f"{name}#{anchor}"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_what_a_page_refers_to_exists(path: Path) -> None:
    assert not list(lost(path))


def test_what_docstrings_refer_to_exists() -> None:
    nowhere = {str(path.relative_to(ROOT)): list(lost(path)) for path in CODE}
    assert not {path: names for path, names in nowhere.items() if names}


@pytest.mark.parametrize(
    "text",
    [
        "see docs/memory.md",
        'docs/cost.md, "The KV of a cache"',
        "as `graphcount/loading/nothing.py` has it",
        "as `loading/wire.py:nothing` has it",
        "see `graphcount.loading.nothing`",
        "COUNTING 2.6",
        "PRODUCT: words",
        "[it](docs/cost.md#nothing)",
    ],
)
def test_a_reference_that_leads_nowhere_is_seen(text: str, tmp_path: Path) -> None:
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    (tmp_path / "page.md").write_text(text, "utf-8")
    assert list(lost(tmp_path / "page.md"))
