"""The service that both sides of a network ratio talk to: a real HTTP server in a process of its own.

It answers ``/v1/detect`` with a low score for each label asked for, as fast as Python can, so that what is
measured is the client. ``/control`` counts the questions and sets how long an answer takes.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.request import Request, urlopen


class Loopback:
    """A running server, seen from the benchmark."""

    def __init__(self, url: str) -> None:
        self.url = url

    def control(self, **settings: float) -> dict[str, float]:
        """Set ``think`` (seconds before each answer); returns ``detects`` (questions so far), ``events``."""
        request = Request(f"{self.url}/control", data=json.dumps(settings).encode(), method="POST")
        with urlopen(request, timeout=5) as answer:
            figures: dict[str, float] = json.load(answer)
            return figures


@contextmanager
def serving() -> Iterator[Loopback]:
    """A server on a free loopback port, stopped at the end."""
    command = [sys.executable, "-m", "tests.benchmarks.loopback"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("the loopback server has no pipes")
    try:
        port = int(process.stdout.readline())
        yield Loopback(f"http://127.0.0.1:{port}")
    finally:
        process.stdin.close()  # the server ends with its parent, however that ends
        process.wait(5)


def closed_port() -> int:
    """A loopback port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


_figures = {"detects": 0, "events": 0, "think": 0.0}


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """The ASGI app."""
    if scope["type"] != "http":
        return
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    answer = json.dumps(await _answer(scope["path"], json.loads(body or b"{}"))).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


async def _answer(path: str, body: dict[str, Any]) -> dict[str, Any]:
    if path == "/v1/detect":
        _figures["detects"] += 1
        if _figures["think"]:
            await asyncio.sleep(_figures["think"])
        results = [_result(item, body["labels"]) for item in body["items"]]
        return {"results": results, "engine": "loopback-1"}
    if path == "/v1/events":
        _figures["events"] += len(body["events"])
        return {"accepted": len(body["events"]), "duplicate": 0}
    _figures.update(body)
    return dict(_figures)


def _result(item: dict[str, Any], labels: list[str]) -> dict[str, Any]:
    scores = [
        {"label": label, "score": 0.01, "severity": 1, "part": part["name"], "detector": "loopback",
         "version": "1", "evidence": []}
        for part in item["parts"]
        for label in labels
    ]  # fmt: skip
    return {"id": item["id"], "signals": scores, "missing": []}


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)


def main() -> None:
    import uvicorn

    threading.Thread(target=_end_with_parent, daemon=True).start()
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    print(listener.getsockname()[1], flush=True)
    config = uvicorn.Config(
        app, log_level="critical", access_log=False, lifespan="off", timeout_keep_alive=60
    )
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
