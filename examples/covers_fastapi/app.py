"""Covers of playlists: an upload that is looked at, and whose words are read, before it is published.

Run it with ``uvicorn app:app`` in this folder (``pip install 'spotsafe[media,fastapi]' python-multipart``):
``curl -F title='songs for the garden' -F cover=@cover.png localhost:8000/playlists/7/cover``. It checks with
the local engine, or with the central service when ``SPOTSAFE_SERVICE`` holds its address.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

from fastapi import FastAPI, Form, UploadFile

import spotsafe
from spotsafe import Client, Image, Text, safe_surface
from spotsafe.integrations.fastapi import guard

client = Client(
    manifests=Path(__file__).parent / "safety", service=os.environ.get("SPOTSAFE_SERVICE"), app="covers"
)
spotsafe.configure(client)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    client.start()
    yield
    client.close()


app = FastAPI(title="Covers", lifespan=lifespan)
guard(app)

covers: dict[str, bytes] = {}


@app.post("/playlists/{playlist}/cover", status_code=201)
@safe_surface("playlists.cover", item="playlist")
async def publish(
    playlist: str, title: Annotated[str, Form(), Text], cover: Annotated[UploadFile, Image]
) -> dict[str, object]:
    """Runs only when the cover may be shown; it reads the upload as if nobody had before."""
    covers[playlist] = await cover.read()
    return {"playlist": playlist, "title": title, "bytes": len(covers[playlist])}
