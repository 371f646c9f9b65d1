"""Graph → what it holds: stored tensors, their uses, roles and kinds, counts and roll-ups."""
