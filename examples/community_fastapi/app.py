"""A small community app: comments, messages, playlist titles and an assistant, each a guarded surface.

Run it with ``uvicorn app:app`` in this folder (``pip install 'spotsafe[demo]'``); it checks with the
local engine, or with the central service when ``SPOTSAFE_SERVICE`` holds its address.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

from fastapi import FastAPI
from pydantic import BaseModel

import spotsafe
from spotsafe import Client, Decision, Text, safe_surface
from spotsafe.integrations.fastapi import guard

client = Client(
    manifests=Path(__file__).parent / "safety",
    service=os.environ.get("SPOTSAFE_SERVICE"),
    api_key=os.environ.get("SPOTSAFE_API_KEY"),
    outbox=os.environ.get("SPOTSAFE_OUTBOX"),
    app="community",
)
spotsafe.configure(client)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    client.start()
    yield
    client.close()


app = FastAPI(title="Community", lifespan=lifespan)
guard(app)  # refusals and holds become answers; a route that was left open is refused at start


class Post(BaseModel):
    id: str
    author: str
    author_age_days: int = 30
    text: Annotated[str, Text]


@app.post("/comments")
@safe_surface("comments.create", actor="post.author", item="post.id", context={"author_age_days": "post.author_age_days"})
async def create_comment(post: Post, decision: Decision) -> dict[str, object]:
    return {"id": post.id, "published": post.text, "action": decision.action, "status": decision.status.word}
