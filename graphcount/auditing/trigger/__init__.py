"""Input-triggered branches: an answer that a comparison of input numbers puts in place.

The road: `flow` says what depends on input numbers and where the weights are, `predicates` follows
comparisons, `selects` finds what they choose, `cut` what an output gets only through a choice, and
`judge` weighs all of it. Everything is structure: nothing is run, and no name decides.

References: HiddenLayer, "ShadowLogic" (2024); arXiv 2511.00664.
"""

from graphcount.auditing.trigger.judge import Branch, find_branches

__all__ = ["Branch", "find_branches"]
