"""Runs: one detector's scores for one data set, as columns on disk."""
