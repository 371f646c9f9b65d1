"""Budgets over reports: measures, limits, verdicts."""
