"""Evaluation: data sets, metrics, policies measured on data, gates and reports (extra ``eval``)."""
