"""The child process that asks onnx's inference functions: `python -m graphcount.runtimes.worker`.

They are C++ and end the process on some files of strangers. A line of standard input is a question
(`{"path": ..., "runtime": [...], "limits": {...}}`), a line of standard output the answer.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from graphcount.errors import GraphcountError
from graphcount.loading import read_model
from graphcount.loading.limits import Limits
from graphcount.report.loading import Answer
from graphcount.runtimes.tables import RuntimeName, read_table
from graphcount.runtimes.verdict import answer

MEMORY_NBYTES = 8 * 2**30
"""Private memory that a question may take."""


def reply(question: dict[str, Any]) -> Answer:
    """Answer a question."""
    target = RuntimeName(*question["runtime"])
    try:
        model = read_model(question["path"], Limits(**question["limits"]), keep_thin=True)
        return answer(model, read_table(target))
    except GraphcountError as error:
        return Answer("not known", target.text, "file", "", str(error))
    except (MemoryError, RecursionError) as error:
        return Answer("not known", target.text, "limit", "", f"too large: {error}")


def limit_memory() -> None:
    """Allow no core dump, and at most so much private memory, where the system can."""
    if os.name != "posix":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    kind = resource.RLIMIT_DATA if sys.platform == "linux" else resource.RLIMIT_AS
    try:
        resource.setrlimit(kind, (MEMORY_NBYTES, MEMORY_NBYTES))
    except (OSError, ValueError):
        pass  # macOS refuses limits below what is mapped already


def main() -> None:
    """Answer every line of standard input."""
    limit_memory()
    for line in sys.stdin:
        print(json.dumps(reply(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
