"""Policies: manifest text → validated model → frozen policy → :func:`evaluate`; no I/O but reading files."""
