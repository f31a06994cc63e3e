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


class Message(BaseModel):
    id: str
    sender: str
    text: str  # declared in the manifest instead of here: ``content: {message.text: text}``


class Title(BaseModel):
    id: str
    editor: str
    title: Annotated[str, Text]


class Question(BaseModel):
    id: str
    user: str
    prompt: Annotated[str, Text]


@app.post("/comments")
@safe_surface(
    "comments.create",
    actor="post.author",
    item="post.id",
    context={"author_age_days": "post.author_age_days"},
)
async def create_comment(post: Post, decision: Decision) -> dict[str, object]:
    return {"id": post.id, "published": post.text, **outcome(decision)}


@app.post("/messages")
@safe_surface("messages.send", actor="message.sender", item="message.id")
def send_message(message: Message, decision: Decision) -> dict[str, object]:
    return {"id": message.id, "sent": message.text, **outcome(decision)}


@app.post("/playlists")
@safe_surface("playlists.rename", actor="playlist.editor", item="playlist.id")
async def rename_playlist(playlist: Title, decision: Decision) -> dict[str, object]:
    return {"id": playlist.id, "title": playlist.title, **outcome(decision)}


@app.post("/assistant")
@safe_surface("assistant.ask", actor="question.user", item="question.id")
async def ask_assistant(question: Question, decision: Decision) -> dict[str, object]:
    return {"id": question.id, "answer": "Try the quiet side of the catalogue.", **outcome(decision)}


def outcome(decision: Decision) -> dict[str, object]:
    return {"action": decision.action, "status": decision.status.word, "decision_id": decision.id}
