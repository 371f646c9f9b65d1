"""What is done along the way, for whoever listens: records of Python's `logging`.

`graphcount -v` listens, and so may a program: `logging.getLogger("graphcount")`. Who does not, does
not load `logging` for it.
"""

from __future__ import annotations

import sys

LOGGER = "graphcount"


def note(text: str, *values: object) -> None:
    """Log what was done, where somebody listens."""
    logging = sys.modules.get("logging")
    if logging is not None:
        logging.getLogger(LOGGER).debug(text, *values)
