"""The ways in which :class:`spotsafe.testing.service.FakeService` fails, byte by byte."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Callable
from io import BufferedIOBase
from threading import Event
from typing import Any, NamedTuple

from spotsafe.core.errors import PROBLEM_TYPE

FLOOD_BYTES = 64 * 2**20
DRIP_SECONDS = 0.02


class Fault(NamedTuple):
    """*kind* is a key of :data:`FAULTS`; *seconds* is the time of ``slow`` and the ``Retry-After`` of
    ``too_many`` and ``unavailable`` (None: no such header)."""

    kind: str
    seconds: float | None = None


class Connection:
    """The server's side of one request: raw bytes out, and waiting that ends with the server."""

    def __init__(self, out: BufferedIOBase, sock: socket.socket, stopping: Event, patience: float) -> None:
        self.out = out
        self.socket = sock
        self._stopping = stopping
        self.patience = patience

    def wait(self, seconds: float) -> bool:
        """Wait; whether the server stopped meanwhile."""
        return self._stopping.wait(min(seconds, self.patience))

    def send(self, raw: bytes) -> None:
        self.out.write(raw)
        self.out.flush()


Act = Callable[[Fault, dict[str, Any], Connection], bool]
"""Performs a fault on the answer that would have been given; whether the connection can go on."""


def _response(status: int, body: bytes, *headers: str, length: int | None = None) -> bytes:
    lines = [
        f"HTTP/1.1 {status} Scripted",
        "content-type: application/json",
        f"content-length: {len(body) if length is None else length}",
        *headers,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def _whole(answer: Any) -> bytes:
    return _response(200, json.dumps(answer).encode())


def _hang(fault: Fault, answer: dict[str, Any], connection: Connection) -> bool:
    connection.wait(connection.patience)
    return False


def _slow(fault: Fault, answer: dict[str, Any], connection: Connection) -> bool:
    if not connection.wait(fault.seconds or 0.0):
        connection.send(_whole(answer))
    return True


def _drip(fault: Fault, answer: dict[str, Any], connection: Connection) -> bool:
    """Every byte, headers included, long before any per-operation time-out."""
    for byte in _whole(answer):
        if connection.wait(DRIP_SECONDS):
            break
        connection.send(bytes([byte]))
    return False


def _drip_body(fault: Fault, answer: dict[str, Any], connection: Connection) -> bool:
    head, _, body = _whole(answer).partition(b"\r\n\r\n")
    connection.send(head + b"\r\n\r\n")
    for byte in body:
        if connection.wait(DRIP_SECONDS):
            break
        connection.send(bytes([byte]))
    return False


def _truncate(fault: Fault, answer: dict[str, Any], connection: Connection) -> bool:
    body = json.dumps(answer).encode()
    connection.send(_response(200, body[: len(body) // 2], length=len(body)))
    return False


def _die(fault: Fault, answer: dict[str, Any], connection: Connection) -> bool:
    """A reset: no answer, no orderly end."""
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.socket.close()
    return False


def _flood(fault: Fault, answer: dict[str, Any], connection: Connection) -> bool:
    connection.send(_response(200, b"", length=FLOOD_BYTES))
    block = b" " * 2**16
    for _ in range(FLOOD_BYTES // len(block)):
        connection.send(block)
    return False


def _malformed(fault: Fault, answer: dict[str, Any], connection: Connection) -> bool:
    connection.send(_response(200, b'{"results": [{"id": "1", "signals": '))
    return True


def _deep(fault: Fault, answer: dict[str, Any], connection: Connection) -> bool:
    connection.send(_response(200, b"[" * 200_000))
    return True


def _not_json(fault: Fault, answer: dict[str, Any], connection: Connection) -> bool:
    connection.send(_response(200, b"<html>\xff\xfe a proxy speaks </html>"))
    return True


def _garbage(fault: Fault, answer: dict[str, Any], connection: Connection) -> bool:
    connection.send(b"\x00\x01 this is not HTTP\r\n\r\n")
    return False


def _lie(change: Callable[[dict[str, Any]], Any]) -> Act:
    def act(fault: Fault, answer: dict[str, Any], connection: Connection) -> bool:
        for result in answer["results"]:
            change(result)
        connection.send(_whole(answer))
        return True

    return act


def _each(**fields: Any) -> Callable[[dict[str, Any]], Any]:
    def change(result: dict[str, Any]) -> None:
        for signal in result["signals"]:
            signal.update(fields)

    return change


def _status(status: int, *, named: bool = False) -> Act:
    def act(fault: Fault, answer: dict[str, Any], connection: Connection) -> bool:
        headers = [f"retry-after: {fault.seconds:g}"] if named and fault.seconds is not None else []
        problem = {"type": f"{PROBLEM_TYPE}scripted", "title": "Scripted", "status": status}
        connection.send(_response(status, json.dumps(problem).encode(), *headers))
        return True

    return act


FAULTS: dict[str, Act] = {
    "hang": _hang,
    "slow": _slow,
    "drip": _drip,
    "drip_body": _drip_body,
    "truncate": _truncate,
    "die": _die,
    "flood": _flood,
    "malformed": _malformed,
    "deep": _deep,
    "not_json": _not_json,
    "garbage": _garbage,
    "lie_labels": _lie(_each(label="nobody.knows")),
    "lie_scores": _lie(_each(score=float("nan"))),
    "lie_range": _lie(_each(score=7.5)),
    "lie_ids": _lie(lambda result: result.update(id="another")),
    "lie_parts": _lie(_each(part="another")),
    "lie_spans": _lie(_each(evidence=[{"span": {"start": 0, "end": 10**9}}])),
    "lie_empty": _lie(lambda result: result.update(signals=[])),
    "too_many": _status(429, named=True),
    "unavailable": _status(503, named=True),
    "server_error": _status(500),
    "unauthorized": _status(401),
    "rejected": _status(422),
    "too_large": _status(413),
    "redirect": _status(307),
}
"""Every fault by its name."""
