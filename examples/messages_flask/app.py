"""Direct messages in Flask: a guarded function behind a route; a held message keeps its receipt.

Run it with ``flask --app app run`` in this folder (``pip install 'spotsafe[flask,local]'``).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from flask import Flask, jsonify, request

import spotsafe
from spotsafe import Client, SurfaceHeld, Text, safe_surface
from spotsafe.integrations.flask import guard

client = Client(
    manifests=Path(__file__).parent / "safety", service=os.environ.get("SPOTSAFE_SERVICE"), app="messages"
)
spotsafe.configure(client)

app = Flask(__name__)
guard(app)

delivered: list[str] = []
drafts: dict[str, tuple[str, str]] = {}


@safe_surface("messages.send", actor="sender", item="message_id")
def deliver(sender: str, message_id: str, body: Annotated[str, Text]) -> None:
    delivered.append(body)


@app.post("/messages/<message_id>")
def send(message_id: str) -> object:
    form = request.get_json()
    try:
        deliver(form["sender"], message_id, form["body"])
    except SurfaceHeld as held:
        # The product keeps the draft; the receipt asks for the verdict later.
        drafts[message_id] = (client.token(held.receipt), form["body"])
        return jsonify(state="held", decision=held.decision_id), 202
    return jsonify(state="delivered"), 201


@app.post("/messages/<message_id>/retry")
def retry(message_id: str) -> object:
    """After an outage: the check runs again, and the message goes out if it is fine now."""
    token, body = drafts[message_id]
    client.resume(token, body=body)
    drafts.pop(message_id)
    delivered.append(body)
    return jsonify(state="delivered"), 201
