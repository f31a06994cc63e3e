"""Jobs: content that is checked by the service after the request, and how both sides write that down.

A job is ordered with everything but the media (``POST /v1/jobs``), the bytes of each media part follow as
they are (``PUT /v1/jobs/{id}/parts/{position}``), and its state is asked for (``GET /v1/jobs/{id}``). The id
is the client's, so that nothing is checked twice because an answer was lost.

Two digests bind a job to its content. The order's ``digest`` is the one that stands in the receipt: over all
parts, under the tenant's key. The service cannot work it out; it keeps it, and says it again with the answer,
so that a client takes no answer for other content than its receipt's. The ``checksum`` of a media part the
service can work out (:func:`checksum`): bytes that are not those that were ordered are refused on arrival.
Texts have no checksum: they stand in the order itself, and what could be worked out without the tenant's key
could be guessed back.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from enum import Enum
from typing import Any, NamedTuple

from spotsafe.core.content import PART_TYPES, Content, Part
from spotsafe.core.ids import keyed
from spotsafe.core.labels import LABELS
from spotsafe.core.reading import WireError, mapping, only, sequence, string
from spotsafe.core.seams import DetectRequest
from spotsafe.core.signals import Signals
from spotsafe.core.wire import MAX_PARTS, decode_labels, decode_result, part_head, wire_text

_DIGEST = re.compile(r"[0-9a-f]{64}\Z")


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
    """One part of an order: a text with its *text*, or media with their *size* in bytes and, where the order
    says one, their *checksum*."""

    name: str
    kind: str
    mime: str | None
    provenance: str
    text: str | None
    size: int
    checksum: str | None = None

    def part(self, data: bytes) -> Part:
        """The part, with *data* where it is no text."""
        content = self.text if self.text is not None else data
        return PART_TYPES[self.kind](content, self.name, mime=self.mime, provenance=self.provenance)


class JobOrder(NamedTuple):
    """What the service has to check, without the bytes of media. *digest* is that of the whole content under
    the tenant's key, empty where the caller has none."""

    id: str
    labels: tuple[str, ...]
    languages: tuple[str, ...]
    context: Mapping[str, object]
    parts: tuple[OrderedPart, ...]
    digest: str = ""

    def request(self, media: Mapping[int, bytes], *, without: Collection[int] = ()) -> DetectRequest:
        """The request; *media* are the bytes by the part's position. Parts at the positions *without* are
        left out of it."""
        parts = [
            part.part(media.get(position, b""))
            for position, part in enumerate(self.parts)
            if position not in without
        ]
        return DetectRequest(Content(parts, self.languages), self.labels, self.context)

    def agrees(self, position: int, sha256: bytes) -> bool:
        """Whether the bytes of that SHA-256 are those that were ordered for the part at *position*, as far as
        the order says."""
        said = self.parts[position].checksum
        return said is None or said == checksum(self.id, position, sha256)

    @property
    def media(self) -> tuple[int, ...]:
        """Positions of the parts whose bytes follow."""
        return tuple(position for position, part in enumerate(self.parts) if part.text is None)


class Asked(NamedTuple):
    """What a job was ordered for: *labels* in *parts* (see :func:`spotsafe.core.wire.lengths`), and the
    order's *digest*."""

    labels: tuple[str, ...]
    parts: Mapping[str, int | None]
    digest: str = ""


class JobReport(NamedTuple):
    """What the service says of a job: *needs* are positions whose bytes it still waits for; *signals* on
    *labels* in *parts* (see :func:`spotsafe.core.wire.lengths`) are there once the job is over, with the
    detector's *version*. *digest* is the order's: who ordered other content was not answered."""

    state: JobState
    needs: tuple[int, ...] = ()
    signals: Signals | None = None
    labels: tuple[str, ...] = ()
    parts: Mapping[str, int | None] = {}
    version: str = ""
    digest: str = ""


def checksum(job_id: str, position: int, sha256: bytes) -> str:
    """The checksum of the media part at *position* of a job, from the SHA-256 of its bytes (32 bytes): an
    HMAC-SHA-256 of that under the job's id, hex. Both sides can work it out. It tells parts of one job apart
    by their place, so that swapped uploads are found; and since it differs from job to job, what is written
    down of an order is no key to look a recording up by."""
    return keyed(job_id.encode(), f"part {position}", sha256)


def encode_order(job_id: str, request: DetectRequest, digest: str = "") -> dict[str, Any]:
    """The body of ``POST /v1/jobs``; *digest* is that of the receipt."""
    order = {
        "id": job_id,
        "labels": list(request.labels),
        "languages": list(request.content.languages),
        "context": dict(request.context),
        "parts": [_encode_part(job_id, position, part) for position, part in enumerate(request.content)],
    }
    return {**order, "digest": digest} if digest else order


def _encode_part(job_id: str, position: int, part: Part) -> dict[str, Any]:
    encoded: dict[str, Any] = {"name": part.name, "type": part.kind, "provenance": part.provenance}
    if part.mime:
        encoded["mime"] = part.mime
    if isinstance(part.data, str):
        return {**encoded, "text": wire_text(part.data)}
    return {**encoded, "size": len(part.data), "checksum": checksum(job_id, position, part.digest)}


def decode_order(body: object) -> JobOrder:
    """The order in a parsed JSON body. Raises :class:`WireError`."""
    whole = mapping(body, "")
    only(whole, {"id", "labels", "languages", "context", "parts", "digest"}, "")
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
        _decode_digest(whole.get("digest"), "/digest") or "",
    )


def _decode_part(value: object, at: str) -> OrderedPart:
    part = mapping(value, at)
    only(part, {"name", "type", "text", "size", "checksum", "mime", "provenance"}, at)
    kind, name, mime, provenance = part_head(part, at)
    if kind == "text":
        if "checksum" in part:
            raise WireError(f"{at}/checksum", "is for media; leave it out of a text")
        return OrderedPart(name, kind, mime, provenance, string(part.get("text"), f"{at}/text"), 0)
    size = part.get("size")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise WireError(f"{at}/size", "must be the number of bytes that follow")
    said = _decode_digest(part.get("checksum"), f"{at}/checksum")
    return OrderedPart(name, kind, mime, provenance, None, size, said)


def _decode_digest(value: object, at: str) -> str | None:
    if value is not None and not _DIGEST.match(string(value, at)):
        raise WireError(at, "must be 64 lower-case hex digits")
    return None if value is None else str(value)


def encode_report(
    job_id: str,
    state: JobState,
    asked: Asked,
    *,
    needs: Iterable[int] = (),
    answer: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The body that says where a job stands, with the *answer* (that of ``/v1/detect``) once it is over."""
    body: dict[str, Any] = {"id": job_id, "state": state.value, "needs": list(needs)}
    if asked.digest:
        body["digest"] = asked.digest
    if answer is not None:
        body |= {"labels": list(asked.labels), "parts": dict(asked.parts), "answer": answer}
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
    digest = body.get("digest")
    named = isinstance(digest, str) and _DIGEST.match(digest) is not None
    bare = JobReport(state, needs, digest=str(digest) if named else "")
    labels = tuple(entry for entry in _list(body.get("labels")) if isinstance(entry, str) and entry in LABELS)
    parts = body.get("parts")
    answer = body.get("answer")
    if not (state.is_over and labels and isinstance(parts, Mapping) and isinstance(answer, Mapping)):
        return bare
    if not parts:  # then nothing could be missing, and an empty answer would read as clean
        return bare
    sizes = {str(name): size if isinstance(size, int) else None for name, size in parts.items()}
    version = answer.get("engine")
    version = version if isinstance(version, str) and len(version) <= 200 else ""
    results = [result for result in _list(answer.get("results")) if isinstance(result, Mapping)]
    signals = decode_result(results, labels, sizes, version)
    return bare._replace(signals=signals, labels=labels, parts=sizes, version=version)


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
