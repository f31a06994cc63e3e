"""Evaluation: data sets, metrics with intervals, policies over data, gates and reports."""
