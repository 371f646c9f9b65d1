"""Input-triggered ways: what a few elements decide past the layers that hold the weights.

The road: `flow` says what depends on input elements and where the weights are, `widths` through how
few elements, `facts` what happens to them on the way, and `judge` where they meet the trunk. All of
it is one pass over the graph each, and structure: nothing is run, and no name decides.

References: HiddenLayer, "ShadowLogic" (2024); arXiv 2511.00664.
"""

from graphcount.auditing.trigger.judge import Trigger, find_triggers

__all__ = ["Trigger", "find_triggers"]
