"""Jobs: content that is checked by the service after the request, and how both sides write that down.

A job is ordered with everything but the media (``POST /v1/jobs``), the bytes of each media part follow as
they are (``PUT /v1/jobs/{id}/parts/{position}``), and its state is asked for (``GET /v1/jobs/{id}``). The id
is the client's, so that nothing is checked twice because an answer was lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any, NamedTuple

from spotsafe.core.content import PART_TYPES, Content, Part
from spotsafe.core.labels import LABELS
from spotsafe.core.reading import WireError, mapping, only, sequence, string
from spotsafe.core.seams import DetectRequest
from spotsafe.core.signals import Signals
from spotsafe.core.wire import MAX_PARTS, decode_labels, decode_result, part_head, wire_text


class JobState(str, Enum):
    """Where a job stands. ``set_aside``: it failed as often as it may, and its answer says so."""

    RECEIVING = "receiving"
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    SET_ASIDE = "set_aside"

    @property
    def is_over(self) -> bool:
        """Whether there is nothing more to wait for."""
        return self in (JobState.DONE, JobState.SET_ASIDE)


class OrderedPart(NamedTuple):
    """One part of an order: a text with its *text*, or media with their *size* in bytes."""

    name: str
    kind: str
    mime: str | None
    provenance: str
    text: str | None
    size: int

    def part(self, data: bytes) -> Part:
        """The part, with *data* where it is no text."""
        content = self.text if self.text is not None else data
        return PART_TYPES[self.kind](content, self.name, mime=self.mime, provenance=self.provenance)


class JobOrder(NamedTuple):
    """What the service has to check, without the bytes of media."""

    id: str
    labels: tuple[str, ...]
    languages: tuple[str, ...]
    context: Mapping[str, object]
    parts: tuple[OrderedPart, ...]

    def request(self, media: Mapping[int, bytes]) -> DetectRequest:
        """The whole request; *media* are the bytes by the part's position."""
        parts = [part.part(media.get(position, b"")) for position, part in enumerate(self.parts)]
        return DetectRequest(Content(parts, self.languages), self.labels, self.context)

    @property
    def media(self) -> tuple[int, ...]:
        """Positions of the parts whose bytes follow."""
        return tuple(position for position, part in enumerate(self.parts) if part.text is None)


class JobReport(NamedTuple):
    """What the service says of a job: *needs* are positions whose bytes it still waits for; *signals* on
    *labels* in *parts* (see :func:`spotsafe.core.wire.lengths`) are there once the job is over, with the
    detector's *version*."""

    state: JobState
    needs: tuple[int, ...] = ()
    signals: Signals | None = None
    labels: tuple[str, ...] = ()
    parts: Mapping[str, int | None] = {}
    version: str = ""


def encode_order(job_id: str, request: DetectRequest) -> dict[str, Any]:
    """The body of ``POST /v1/jobs``."""
    return {
        "id": job_id,
        "labels": list(request.labels),
        "languages": list(request.content.languages),
        "context": dict(request.context),
        "parts": [_encode_part(part) for part in request.content],
    }


def _encode_part(part: Part) -> dict[str, Any]:
    encoded: dict[str, Any] = {"name": part.name, "type": part.kind, "provenance": part.provenance}
    if part.mime:
        encoded["mime"] = part.mime
    if isinstance(part.data, str):
        return {**encoded, "text": wire_text(part.data)}
    return {**encoded, "size": len(part.data)}


def decode_order(body: object) -> JobOrder:
    """The order in a parsed JSON body. Raises :class:`WireError`."""
    whole = mapping(body, "")
    only(whole, {"id", "labels", "languages", "context", "parts"}, "")
    parts = sequence(whole.get("parts"), "/parts")
    if not 1 <= len(parts) <= MAX_PARTS:
        raise WireError("/parts", f"has {len(parts)} parts; send 1 to {MAX_PARTS}")
    languages = sequence(whole.get("languages", []), "/languages")
    return JobOrder(
        string(whole.get("id"), "/id"),
        decode_labels(whole.get("labels")),
        tuple(string(tag, f"/languages/{index}").lower() for index, tag in enumerate(languages)),
        mapping(whole.get("context", {}), "/context"),
        tuple(_decode_part(part, f"/parts/{index}") for index, part in enumerate(parts)),
    )


def _decode_part(value: object, at: str) -> OrderedPart:
    part = mapping(value, at)
    only(part, {"name", "type", "text", "size", "mime", "provenance"}, at)
    kind, name, mime, provenance = part_head(part, at)
    if kind == "text":
        return OrderedPart(name, kind, mime, provenance, string(part.get("text"), f"{at}/text"), 0)
    size = part.get("size")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise WireError(f"{at}/size", "must be the number of bytes that follow")
    return OrderedPart(name, kind, mime, provenance, None, size)


def encode_report(
    job_id: str,
    state: JobState,
    *,
    needs: Iterable[int] = (),
    labels: Iterable[str] = (),
    parts: Mapping[str, int | None] | None = None,
    answer: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The body that says where a job stands, with the *answer* (that of ``/v1/detect``) once it is over."""
    body: dict[str, Any] = {"id": job_id, "state": state.value, "needs": list(needs)}
    if answer is not None:
        body |= {"labels": list(labels), "parts": dict(parts or {}), "answer": answer}
    return body


def decode_report(body: object) -> JobReport | None:
    """The report in a parsed JSON body, or None where it cannot be read: then nothing is known. Signals are
    read as those of any other answer: what is not said stays missing."""
    if not isinstance(body, Mapping):
        return None
    states = {state.value: state for state in JobState}
    state = states.get(str(body.get("state")))
    if state is None:
        return None
    needs = tuple(entry for entry in _list(body.get("needs")) if isinstance(entry, int))
    labels = tuple(entry for entry in _list(body.get("labels")) if isinstance(entry, str) and entry in LABELS)
    parts = body.get("parts")
    answer = body.get("answer")
    if not (state.is_over and labels and isinstance(parts, Mapping) and isinstance(answer, Mapping)):
        return JobReport(state, needs)
    if not parts:  # then nothing could be missing, and an empty answer would read as clean
        return JobReport(state, needs)
    sizes = {str(name): size if isinstance(size, int) else None for name, size in parts.items()}
    version = answer.get("engine")
    version = version if isinstance(version, str) and len(version) <= 200 else ""
    results = [result for result in _list(answer.get("results")) if isinstance(result, Mapping)]
    signals = decode_result(results, labels, sizes, version)
    return JobReport(state, needs, signals, labels, sizes, version)


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
