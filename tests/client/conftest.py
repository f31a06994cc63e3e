"""A manifest with one surface, and clients that are closed when the test is over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from spotsafe.client.client import Client

SPAM = {"id": "spam", "label": "integrity.spam", "at": 0.8, "then": "block"}


@pytest.fixture
def declare(tmp_path: Path) -> Callable[..., Path]:
    """Writes the manifest of one surface, ``s``, for comments in English: its *rules* (default: spam is
    blocked) and other *fields* than the usual ones. Written again, it is the same file."""

    def write(*rules: dict[str, Any], **fields: Any) -> Path:
        surface = {
            "about": "Comments", "direction": "input", "audience": "public", "content": {"body": "text"},
            "languages": ["en"], "deadline": "5s", "cache": {"ttl": "10m", "stale": "1h"},
            "rules": list(rules) or [SPAM],
        }  # fmt: skip
        whole = {
            "spotsafe": 1, "team": "t", "owner": "t@example.com", "surfaces": {"s": {**surface, **fields}},
        }  # fmt: skip
        path = tmp_path / "s.yaml"
        path.write_text(yaml.safe_dump(whole, sort_keys=False))
        return path

    return write


@pytest.fixture
def client_for() -> Iterator[Callable[..., Client]]:
    """Makes clients of the manifests in a place, without environment or fallback where nothing else is said,
    and closes them."""
    made: list[Client] = []

    def make(manifests: Path, *, start: bool = True, **options: Any) -> Client:
        client = Client(manifests=manifests, **{"fallback": None, "environ": {}, **options})
        made.append(client)
        if start:
            client.start()
        return client

    yield make
    for client in made:
        client.close(1.0)
