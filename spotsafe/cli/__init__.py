"""Thin commands; each imports the rooms it needs when it runs."""
