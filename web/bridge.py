"""What the browser's worker calls: the package's functions, with arguments and results as JSON.

Files of a drop stand in one folder, which is the current one, so that paths are those that people
see and results are those of the command line there.
"""

from __future__ import annotations

import json
import logging
import os
import pkgutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import graphcount
from graphcount.errors import GraphcountError, bug_line
from graphcount.formats.text import one_line
from graphcount.verbose import LOGGER

ANY_FILES = 20
"""Files of which none is named as a model, and that are offered all the same."""


class Job(NamedTuple):
    """What is asked of the files.

    Attributes:
        model: Path of the model, or of a folder of models that run as one.
        against: Path of the model that it is compared with; None: with none.
        dims: Sizes of dynamic dimensions.
    """

    model: str
    against: str | None = None
    dims: Mapping[str, int] = {}


def run(name: str, arguments: str, note: Callable[[str], object]) -> str:
    """Call a function of `CALLS`, and return its result, or why there is none.

    Args:
        name: Name of the function.
        arguments: Its arguments by name, a JSON object.
        note: Called with what is done along the way.

    Returns:
        A JSON object: `result`; or `error`, one line, and `bug` where the error is one of ours.
    """
    logger = logging.getLogger(LOGGER)
    logger.setLevel(logging.DEBUG)
    handler = logging.Handler()
    handler.emit = lambda record: note(record.getMessage())  # type: ignore[method-assign,assignment]
    logger.addHandler(handler)
    try:
        return json.dumps({"result": CALLS[name](**json.loads(arguments))})
    except GraphcountError as error:
        return _failed(str(error))
    except MemoryError:
        return _failed("out of memory")
    except Exception as error:
        return _failed(bug_line(error), bug=True)
    finally:
        logger.removeHandler(handler)


def _failed(line: str, bug: bool = False) -> str:
    return json.dumps({"error": one_line(line, 400), "bug": bug})


def listing(paths: Sequence[str]) -> dict[str, list[str]]:
    """Return what of some files can be looked at: models, and folders of models that run as one."""
    models = [path for path in paths if path.lower().endswith(".onnx")]
    folders = dict.fromkeys(path.partition("/")[0] for path in paths if "/" in path)
    whole = [folder for folder in folders if _runs_as_one(folder)]
    return {"models": sorted(models) or sorted(paths)[:ANY_FILES], "folders": sorted(whole)}


def _runs_as_one(folder: str) -> bool:
    """Return whether a folder is laid out as a deployment, or holds several models."""
    from graphcount.deploying.layouts import recognise
    from graphcount.loading.folder import list_folder

    try:
        made = recognise(list_folder(folder))
    except GraphcountError:
        return False
    return made.layout != "folder" or len(made.parts) > 1


def report(job: dict[str, Any]) -> dict[str, Any]:
    """Return the page of a model, and what stands around it.

    Returns:
        `html`; `sizes`, assumed for dynamic dimensions, by name; `skipped`, rules of the audit that
        did not run, with why.
    """
    from graphcount.api.drawing import paged

    asked = Job(**job)
    made = paged(asked.model, against=asked.against, dims=asked.dims)
    audit = made.report.audit
    sizes = made.report.dims if os.path.isdir(asked.model) else made.report.assumed_sizes
    return {
        "html": made.text,
        "sizes": sizes,
        "skipped": [list(row) for row in audit.skipped] if audit is not None else [],
    }


def text(job: dict[str, Any], form: str) -> str:
    """Return what the command line writes: `count`, `diff` or `deploy`, in a format."""
    asked = Job(**job)
    if asked.against is not None:
        from graphcount.formats.diff import render as render_diff

        return render_diff(form, graphcount.diff(asked.against, asked.model, dims=asked.dims))
    if os.path.isdir(asked.model):
        from graphcount.formats.deployment import render as render_deployment

        return render_deployment(form, graphcount.deployment(asked.model, dims=asked.dims))
    from graphcount.api import counts
    from graphcount.formats import render
    from graphcount.formats.view import DEFAULT_VIEW

    return render(form, counts(asked.model, assume=True, dims=asked.dims).outcomes, DEFAULT_VIEW)


def warm() -> None:
    """Do once what a report takes, so that the first one need not load it."""
    data = pkgutil.get_data(__name__, "warm.onnx")
    assert data is not None
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "warm.onnx")
        with open(path, "wb") as file:
            file.write(data)
        report({"model": path})


CALLS: dict[str, Callable[..., Any]] = {
    "listing": listing,
    "report": report,
    "text": text,
    "warm": warm,
}
"""What the worker may call."""
