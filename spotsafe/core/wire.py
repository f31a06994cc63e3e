"""The wire format of ``POST /v1/detect``, written once for both sides.

Reading an answer never turns doubt into clean: what cannot be read becomes *missing* with cause
``error``, labels that nobody knows are ignored (so what was asked for stays missing), and a score that
could be read stands whatever else is broken.
"""

from __future__ import annotations

import math
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from spotsafe.core.content import PART_TYPES, PROVENANCES, Content, Part
from spotsafe.core.labels import LABELS, expand, matching
from spotsafe.core.reading import WireError, mapping, only, sequence, string
from spotsafe.core.seams import DetectRequest
from spotsafe.core.signals import Box, Cause, Evidence, Missing, Signal, Signals, Span, TimeRange

WIRE_VERSION = 1
WIRE_HEADER = "spotsafe-wire"
"""Request header that states the writer's wire version; absent means the oldest accepted."""
ACCEPTED_VERSIONS = (1,)

MAX_ITEMS = 256
MAX_PARTS = 32


# ── requests ────────────────────────────────────────────────────────────────────────────────────


def encode_detect(requests: Sequence[DetectRequest]) -> dict[str, Any]:
    """The body for *requests*; items are numbered from 1. All requests share one label set."""
    items = []
    for number, request in enumerate(requests, 1):
        item: dict[str, Any] = {"id": str(number), "parts": [_encode_part(p) for p in request.content]}
        if request.content.languages:
            item["languages"] = list(request.content.languages)
        if request.context:
            item["context"] = dict(request.context)
        items.append(item)
    body: dict[str, Any] = {"items": items}
    if requests and requests[0].labels:
        body["labels"] = list(requests[0].labels)
    return body


def _encode_part(part: Part) -> dict[str, Any]:
    encoded: dict[str, Any] = {"name": part.name, "type": part.kind}
    if isinstance(part.data, str):
        encoded["text"] = wire_text(part.data)
    else:
        encoded["data"] = b64encode(part.data).decode()
    if part.mime:
        encoded["mime"] = part.mime
    if part.provenance != "user":
        encoded["provenance"] = part.provenance
    return encoded


def wire_text(text: str) -> str:
    """*text* as it travels: lone surrogates cannot go in UTF-8; detectors see the replacement character."""
    return text.encode("utf-8", "replace").decode()


def decode_detect(body: object) -> list[tuple[str, DetectRequest]]:
    """``[(item id, request)]`` from a parsed JSON body; ``labels`` absent asks for every label.
    Raises :class:`WireError`."""
    whole = mapping(body, "")
    only(whole, {"items", "labels"}, "")
    labels = decode_labels(whole.get("labels"))
    items = sequence(whole.get("items"), "/items")
    if not 1 <= len(items) <= MAX_ITEMS:
        raise WireError("/items", f"has {len(items)} items; send 1 to {MAX_ITEMS}")
    decoded = [_decode_item(item, f"/items/{index}", labels) for index, item in enumerate(items)]
    seen: set[str] = set()
    for index, (identifier, _) in enumerate(decoded):
        if identifier in seen:
            raise WireError(f"/items/{index}/id", "is used twice in this request")
        seen.add(identifier)
    return decoded


def decode_labels(value: object) -> tuple[str, ...]:
    """The labels that the patterns in *value* cover; None asks for every label. Raises :class:`WireError`."""
    if value is None:
        return tuple(LABELS)
    patterns = [string(entry, f"/labels/{i}") for i, entry in enumerate(sequence(value, "/labels"))]
    for index, pattern in enumerate(patterns):
        if not matching(pattern):
            raise WireError(f"/labels/{index}", "covers no label of the taxonomy; GET /v1/labels lists them")
    if not patterns:
        raise WireError("/labels", "is empty; leave it out to ask for every label")
    return expand(patterns)


def _decode_item(value: object, at: str, labels: tuple[str, ...]) -> tuple[str, DetectRequest]:
    item = mapping(value, at)
    only(item, {"id", "parts", "languages", "context"}, at)
    parts = sequence(item.get("parts"), f"{at}/parts")
    if not 1 <= len(parts) <= MAX_PARTS:
        raise WireError(f"{at}/parts", f"has {len(parts)} parts; send 1 to {MAX_PARTS}")
    languages = [
        string(tag, f"{at}/languages/{i}").lower()
        for i, tag in enumerate(sequence(item.get("languages", []), f"{at}/languages"))
    ]
    context = mapping(item.get("context", {}), f"{at}/context")
    content = Content([_decode_part(part, f"{at}/parts/{i}") for i, part in enumerate(parts)], languages)
    return string(item.get("id"), f"{at}/id"), DetectRequest(content, labels, context)


def part_head(part: Mapping[str, Any], at: str) -> tuple[str, str, str | None, str]:
    """Kind, name, media type and provenance of a part. Raises :class:`WireError`."""
    kind = string(part.get("type"), f"{at}/type")
    if kind not in PART_TYPES:
        raise WireError(f"{at}/type", f"is not one of {', '.join(PART_TYPES)}")
    provenance = string(part.get("provenance", "user"), f"{at}/provenance")
    if provenance not in PROVENANCES:
        raise WireError(f"{at}/provenance", f"is not one of {', '.join(PROVENANCES)}")
    mime = None if part.get("mime") is None else string(part["mime"], f"{at}/mime")
    name = string(part.get("name", ""), f"{at}/name")
    return kind, name, mime, provenance


def _decode_part(value: object, at: str) -> Part:
    part = mapping(value, at)
    only(part, {"name", "type", "text", "data", "mime", "provenance"}, at)
    kind, name, mime, provenance = part_head(part, at)
    if kind == "text":
        data: str | bytes = string(part.get("text"), f"{at}/text")
    else:
        data = _base64(part.get("data"), f"{at}/data")
    return PART_TYPES[kind](data, name, mime=mime, provenance=provenance)


def _base64(value: object, at: str) -> bytes:
    try:
        return b64decode(string(value, at), validate=True)
    except (Base64Error, ValueError) as error:
        if isinstance(error, WireError):
            raise
        raise WireError(at, "is not base64") from None


# ── answers ─────────────────────────────────────────────────────────────────────────────────────


def encode_answer(answers: Iterable[tuple[str, Signals]], engine: str) -> dict[str, Any]:
    """The body of a 200 answer."""
    return {"results": [_encode_result(item, signals) for item, signals in answers], "engine": engine}


def _encode_result(item: str, signals: Signals) -> dict[str, Any]:
    return {
        "id": item,
        "signals": [
            {
                "label": s.label,
                "score": s.score,
                "severity": s.severity,
                "part": s.part,
                "detector": s.detector,
                "version": s.version,
                "evidence": [encode_evidence(e) for e in s.evidence],
            }
            for s in signals.scores
        ],
        "missing": [{"label": m.label, "part": m.part, "cause": m.cause.value} for m in signals.missing],
    }


def encode_evidence(evidence: Evidence) -> dict[str, Any]:
    """One place as JSON: ``span``, ``box`` or ``range`` with its numbers."""
    if isinstance(evidence, Span):
        return {"span": {"start": evidence.start, "end": evidence.end}}
    if isinstance(evidence, Box):
        return {"box": evidence._asdict()}
    return {"range": {"start": evidence.start, "end": evidence.end}}


def decode_answer(body: object, requests: Sequence[DetectRequest]) -> tuple[list[Signals], str]:
    """Signals for each request and the engine's version (empty where unreadable). Never raises."""
    whole = body if isinstance(body, Mapping) else {}
    results = whole.get("results")
    by_id: dict[str, list[Mapping[str, Any]]] = {}
    for result in results if isinstance(results, list) else []:
        if isinstance(result, Mapping) and isinstance(result.get("id"), str):
            by_id.setdefault(result["id"], []).append(result)
    engine = whole.get("engine")
    engine = engine if isinstance(engine, str) and len(engine) <= 200 else ""
    decoded = [
        decode_result(by_id.get(str(number), ()), request.labels, lengths(request.content), engine)
        for number, request in enumerate(requests, 1)
    ]
    return decoded, engine


def lengths(content: Iterable[Part]) -> dict[str, int | None]:
    """Each part's name with the code points of a text, and None for media: what evidence must fit into."""
    return {part.name: len(part.data) if part.kind == "text" else None for part in content}


def decode_result(
    results: Sequence[Mapping[str, Any]], labels: Iterable[str], parts: Mapping[str, int | None], engine: str
) -> Signals:
    """What all *results* for one item say together of *labels* in *parts* (see :func:`lengths`): one that is
    told twice does not take back its first word."""
    wanted = set(labels)
    scores: list[Signal] = []
    missing: list[Missing] = []
    for result in results:
        for signal in map(_decode_signal, _items(result, "signals")):
            if signal is None or signal.label not in wanted or signal.part not in parts:
                continue
            if not _evidence_fits(signal, parts[signal.part]):
                # It speaks of another text: a high score stands, a low one says nothing about this text.
                missing.append(Missing(signal.label, signal.part, Cause.ERROR))
                signal = signal._replace(evidence=())  # noqa: PLW2901 - the same signal, as far as it is true
            scores.append(signal)
        missing += [m for m in map(_decode_missing, _items(result, "missing")) if m and m.label in wanted]
    told = {(s.label, s.part) for s in scores} | {(m.label, m.part) for m in missing}
    silent = [
        Missing(label, name, Cause.ERROR)
        for label in labels
        if (label, "") not in told
        for name in parts
        if (label, name) not in told
    ]
    return Signals(scores, [*missing, *silent], engine)


def _items(result: Mapping[str, Any], key: str) -> list[Any]:
    value = result.get(key)
    return value if isinstance(value, list) else []


def _decode_signal(value: Any) -> Signal | None:
    # Runs for each label of each answer that a request waits for: `dict` and tuples of types are what
    # `isinstance` decides fastest, and most signals carry no evidence.
    if not isinstance(value, dict):
        return None
    get = value.get
    label, part, score = get("label"), get("part"), get("score")
    if not isinstance(label, str) or not isinstance(part, str):
        return None
    known = LABELS.get(label)
    if known is None:
        return None
    if not isinstance(score, float):
        score = _number(score)
    if score is None or not 0.0 <= score <= 1.0:
        return None
    severity = get("severity", known.severity)
    if not isinstance(severity, int) or not 0 <= severity <= 4:
        severity = known.severity
    told = _items(value, "evidence")
    read = [e for e in map(_decode_evidence, told) if e is not None] if told else ()
    # Half of the evidence would redact half of what was found: without any, redaction becomes hold.
    evidence = tuple(read) if len(read) == len(told) else ()
    detector, version = _short(get("detector")), _short(get("version"))
    return Signal(label, score, part, severity, detector, version, evidence)


def _short(value: Any) -> str:
    return value if isinstance(value, str) and len(value) <= 200 else ""


_EXACT = 2**53
"""The largest whole number that a JSON reader may take for itself (RFC 8259, 6); larger ones, which Python
reads and cannot turn into a float, are nonsense here."""


def _number(value: Any) -> float | None:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > _EXACT:
        return None
    return float(value)


_EVIDENCE_FIELDS = {
    "span": ("start", "end"),
    "box": ("left", "top", "right", "bottom"),
    "range": ("start", "end"),
}


def _decode_evidence(value: Any) -> Evidence | None:
    if not isinstance(value, Mapping):
        return None
    for key, fields in _EVIDENCE_FIELDS.items():
        inner = value.get(key)
        if not isinstance(inner, Mapping):
            continue
        numbers = [number for field in fields if (number := _number(inner.get(field))) is not None]
        if len(numbers) == len(fields):
            return _evidence(key, numbers)
    return None


def _evidence(key: str, numbers: Sequence[float]) -> Evidence:
    if key == "span":
        return Span(int(numbers[0]), int(numbers[1]))
    return Box(*numbers) if key == "box" else TimeRange(*numbers)


def _evidence_fits(signal: Signal, length: int | None) -> bool:
    """Whether its spans lie inside the text; others would redact the wrong place."""
    return not signal.evidence or all(
        not isinstance(e, Span) or (length is not None and 0 <= e.start <= e.end <= length)
        for e in signal.evidence
    )


_CAUSES = {entry.value: entry for entry in Cause}


def _decode_missing(value: Any) -> Missing | None:
    if not isinstance(value, Mapping) or not isinstance(value.get("label"), str):
        return None
    part, cause = value.get("part", ""), value.get("cause")
    # A cause from the future is a failure here: strict, never clean.
    read = _CAUSES.get(cause, Cause.ERROR) if isinstance(cause, str) else Cause.ERROR
    return Missing(value["label"], part if isinstance(part, str) else "", read)
