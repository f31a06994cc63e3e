"""Episodes of a podcast: held when uploaded, heard in the background, published when nothing was found.

Run it with ``python publish.py episode.mp3 "Episode 12: garden birds"`` in this folder (``pip install
'spotsafe[media]'``). The episode is heard by this process, or by the central service when
``SPOTSAFE_SERVICE`` holds its address; with a service the second half may run in another process, or
tomorrow: all it needs is the receipt and the draft.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import spotsafe
from spotsafe import Audio, Client, SurfaceBlocked, SurfaceHeld, Text, safe_surface

client = Client(
    manifests=Path(__file__).parent / "safety", service=os.environ.get("SPOTSAFE_SERVICE"), app="episodes"
)
spotsafe.configure(client)

published: list[str] = []
drafts: dict[str, tuple[str, str, Path]] = {}


@safe_surface("episodes.publish", item="episode_id")
def publish(episode_id: str, title: Annotated[str, Text], episode: Annotated[Path, Audio]) -> None:
    published.append(episode_id)


def upload(episode_id: str, title: str, episode: Path) -> str:
    """Take an episode in: it is held, and the draft is kept with its receipt."""
    try:
        publish(episode_id, title, episode)
    except SurfaceHeld as held:
        drafts[episode_id] = (client.token(held.receipt), title, episode)
        return "held"
    return "published"


def settle(episode_id: str, *, wait: float = 0.0) -> str:
    """Ask what became of a held episode: ``pending``, or it is published or dropped now."""
    token, title, episode = drafts[episode_id]
    state = client.verdict(token, wait=wait).state.value
    if state in ("released", "pending"):
        try:
            # Text is checked with its sound; the decision may still ask for a person.
            client.resume(token, title=title, episode=episode)
        except SurfaceHeld as held:
            drafts[episode_id] = (client.token(held.receipt), title, episode)
            return "waits for a reviewer" if held.receipt.reason.value == "policy" else "pending"
        except SurfaceBlocked:
            state = "rejected"
        else:
            published.append(episode_id)
            state = "published"
    del drafts[episode_id]
    return state


if __name__ == "__main__":
    path, name = Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "Untitled"
    client.start()
    print(upload(path.stem, name, path))
    print(settle(path.stem, wait=300))
    client.close()
