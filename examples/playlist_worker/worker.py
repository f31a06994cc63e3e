"""A worker that applies edits of collaborative playlists from a queue, each one checked first.

Run it with ``python worker.py < edits.jsonl`` (``pip install 'spotsafe[local]'``).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import spotsafe
from spotsafe import Client, SurfaceBlocked, SurfaceHeld, Text, safe_surface


@dataclass(frozen=True)
class Edit:
    playlist: str
    editor: str
    title: Annotated[str, Text]
    description: Annotated[str, Text] = ""


playlists: dict[str, Edit] = {}


@safe_surface("playlists.edit", actor="edit.editor", item="edit.playlist")
def apply(edit: Edit) -> None:
    playlists[edit.playlist] = edit


def work(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Applies one edit per JSON line; yields (playlist, what happened)."""
    for line in lines:
        edit = Edit(**json.loads(line))
        try:
            apply(edit)
        except SurfaceBlocked:
            yield edit.playlist, "refused"
        except SurfaceHeld as held:
            yield edit.playlist, f"held until {held.receipt.expires:.0f}"
        else:
            yield edit.playlist, "applied"


if __name__ == "__main__":
    with Client(manifests=Path(__file__).parent / "safety", app="playlist-worker") as client:
        spotsafe.configure(client)
        for playlist, outcome in work(sys.stdin):
            print(playlist, outcome)
