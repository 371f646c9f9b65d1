"""Where a series of latencies changed for good, by ruptures (the extra `history`).

Killick, Fearnhead and Eckley, "Optimal Detection of Changepoints with a Linear Computational Cost",
2012 (PELT); Truong, Oudre and Vayatis, "Selective Review of Offline Change Point Detection
Methods", 2020 (ruptures).
"""

from __future__ import annotations

from collections.abc import Sequence

from graphcount.errors import UsageError

SMALLEST = 4
"""Measurements on each side of a change: fewer are outliers."""

PENALTY = 6.0
"""What a change costs, in variances of the noise times the logarithm of the length."""

NEIGHBOURS, CLIP = 3, 1.0
"""A measurement counts as no further from the median of so many neighbours on each side and itself
than so many deviations of the noise: the rest of an outlier is left out."""


def change_points(values: Sequence[float]) -> list[int]:
    """Return the index of the first measurement after each change.

    The noise is the median absolute difference of neighbours, which a change does not move; what
    lies far beside the median of its neighbours is brought nearer, and PELT explains the rest by
    as many levels as pay for themselves.

    Raises:
        UsageError: ruptures is not installed.
    """
    try:
        import ruptures
    except ImportError:
        install = "pip install 'graphcount[history]'"
        raise UsageError(f"change points need ruptures: {install}") from None
    import numpy as np

    if len(values) < 2 * SMALLEST:
        return []
    logs = np.log(np.asarray(values, dtype=float))
    noise = max(float(np.median(np.abs(np.diff(logs)))) / (0.6745 * 2**0.5), 1e-9)
    sides = [(max(0, at - NEIGHBOURS), at + NEIGHBOURS + 1) for at in range(len(logs))]
    near = np.array([np.median(logs[first:end]) for first, end in sides])
    tame = np.clip(logs, near - CLIP * noise, near + CLIP * noise)[:, None] / noise
    penalty = PENALTY * float(np.log(len(logs)))
    ends = ruptures.Pelt(model="l2", min_size=SMALLEST, jump=1).fit(tame).predict(pen=penalty)
    return [int(end) for end in ends[:-1]]
