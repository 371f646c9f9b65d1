"""The documentation builds as a site, without a warning, and says what the code says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import graphcount
from graphcount.cli.main import COMMANDS
from graphcount.gates.measures import MEASURES

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built by the README's command."""
    pytest.importorskip("mkdocs", reason="mkdocs is not installed: pip install '.[docs]'")
    pytest.importorskip("material", reason="mkdocs-material is not installed")
    pytest.importorskip("mkdocstrings", reason="mkdocstrings is not installed")
    folder = tmp_path_factory.mktemp("site")
    assert "mkdocs build --strict" in (ROOT / "README.md").read_text("utf-8")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]
    return folder


def text_of(page: Path) -> str:
    return re.sub(r"<[^>]+>", " ", page.read_text("utf-8"))


@pytest.mark.long
def test_the_reference_is_made_from_the_code(site: Path) -> None:
    for rule in graphcount.rules():
        page = text_of(site / "rules" / f"{rule.id}.html")
        assert rule.name in page
        assert "What to do" in page
    commands = text_of(site / "reference" / "commands.html")
    assert all(f"graphcount {name} " in commands for name in COMMANDS)
    assert all(name in text_of(site / "reference" / "measures.html") for name in MEASURES)
    python = text_of(site / "reference" / "python.html")
    assert all(name in python for name in graphcount.__all__ if name[0] != "_")


@pytest.mark.long
def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    loading = re.compile(r'<(?:script|img|iframe)[^>]+src="(https?:)?//|<link[^>]+href="https?://')
    for page in site.rglob("*.html"):
        found = [match[0] for match in loading.finditer(page.read_text("utf-8"))]
        assert not [tag for tag in found if "canonical" not in tag], page


@pytest.mark.long
def test_links_lead_somewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        for target in re.findall(r'href="([^":#]+\.html)', page.read_text("utf-8")):
            assert page.name == "404.html" or (page.parent / target).exists(), (page, target)
