"""Which labels the service does not give: asked when the client starts, kept beside the outbox.

Without this a process that starts in an outage knows of no gap, must take every label that the service
never gives for one that failed, and holds everything.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from spotsafe.client.http import Exchange
from spotsafe.client.remote import failure_of, parsed
from spotsafe.client.sources import Source
from spotsafe.core.errors import SpotsafeError
from spotsafe.core.labels import LABELS
from spotsafe.guard.steps import Failed

PATH = "v1/labels"
PATIENCE = 1.0
"""Seconds that a start waits for the answer."""

MOST_BYTES = 256 * 1024
"""Of the file; a longer one is not ours."""


class Reach:
    """What is known of the reach of *source*, the service at *url*; *outbox* names the file beside which
    it is kept, None keeps it in memory. Nothing here raises: what cannot be had is not known."""

    def __init__(self, source: Source, exchange: Exchange, url: str, outbox: Path | None) -> None:
        self._source = source
        self._exchange = exchange
        self._key = sha256(url.encode()).hexdigest()  # an address can carry a password
        self.path = None if outbox is None else outbox.with_name(outbox.name + ".reach.json")

    def recall(self) -> None:
        """Take up what an earlier process learnt; it holds until the service answers."""
        entry = self._stored().get(self._key)
        if not isinstance(entry, dict):
            return
        engine, without = entry.get("engine"), entry.get("without")
        if isinstance(engine, str) and isinstance(without, list):
            self._source.reaches(LABELS.keys() & {code for code in without if isinstance(code, str)}, engine)

    def ask(self, timeout: float = PATIENCE) -> None:
        """Ask the service which labels it gives, at most *timeout* seconds, and keep the answer."""
        try:
            answer = self._exchange.post(PATH, b"", timeout, method="GET")
        except SpotsafeError:  # no live calls are allowed here
            return
        if isinstance(answer, Failed) or failure_of(answer) is not None:
            return
        found = _read(parsed(answer.body))
        if found is not None:
            self._source.reaches(*found)
            self.keep()

    def keep(self) -> None:
        """Write what is known, for the next process: replaced as a whole, for the owner's eyes alone."""
        if self.path is None:
            return
        entry = {"engine": self._source.reach_of, "without": sorted(self._source.beyond)}
        stored = self._stored()
        if stored.get(self._key) == entry:
            return
        near = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        with suppress(OSError):
            raw = json.dumps({**stored, self._key: entry}).encode()
            with open(os.open(near, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(raw)
            os.replace(near, self.path)

    def _stored(self) -> dict[str, Any]:
        if self.path is None:
            return {}
        try:
            with self.path.open("rb") as file:
                found = parsed(file.read(MOST_BYTES))
        except OSError:
            return {}
        return found if isinstance(found, dict) else {}


def _read(body: Any) -> tuple[set[str], str] | None:
    """The labels that are not given and the engine's version; None where the answer says nothing (an
    engine that is not up yet gives no label at all)."""
    listed = body.get("labels") if isinstance(body, dict) else None
    engine = body.get("engine") if isinstance(body, dict) else None
    if not isinstance(listed, list) or not isinstance(engine, str) or not engine:
        return None
    rows = [row for row in listed if isinstance(row, dict)]
    given = {row.get("label") for row in rows if isinstance(row.get("label"), str) and row.get("languages")}
    return (set(LABELS) - given, engine) if given else None
