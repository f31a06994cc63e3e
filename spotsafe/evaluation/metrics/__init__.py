"""Metrics over numpy columns: each gives an :class:`~spotsafe.evaluation.metrics.estimate.Estimate`."""
