"""What the registry's tests measure on."""

from __future__ import annotations

MAPPING = """\
mapping: 1
name: fixture
files: rows.jsonl
source: {title: Made here, licence: CC0-1.0, licence_class: permissive}
content: {text: text}
language: {constant: en}
labels:
  tone.toxic: {column: toxic, at_least: 1, below: 1}
"""
"""Of ``rows.jsonl`` with ``text`` and ``toxic``."""
