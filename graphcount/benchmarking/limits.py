"""Limits of the child process; what only POSIX systems have is behind one guard."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def apply(memory_nbytes: int | None) -> None:
    """Allow no core dump, and at most so much private memory.

    RLIMIT_DATA counts private writable memory (Linux 4.7 and later), so weights mapped from a file
    are free; where it does not exist RLIMIT_AS serves.
    """
    if os.name != "posix":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if memory_nbytes is not None:
        kind = resource.RLIMIT_DATA if sys.platform == "linux" else resource.RLIMIT_AS
        try:
            resource.setrlimit(kind, (memory_nbytes, memory_nbytes))
        except (OSError, ValueError):
            pass  # macOS refuses limits below what is mapped already


def peak_rss() -> int | None:
    """Return bytes of resident memory at the peak so far; None where nobody says."""
    try:
        for line in Path("/proc/self/status").read_text("ascii", "replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    if os.name != "posix":
        return None
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
