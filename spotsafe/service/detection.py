"""``POST /v1/detect``: content in, signals out; and the labels that can be asked for."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from spotsafe.core.labels import LABELS, default_action
from spotsafe.core.reading import WireError
from spotsafe.core.seams import DetectRequest
from spotsafe.core.signals import Signals
from spotsafe.core.wire import (
    ACCEPTED_VERSIONS,
    MAX_ITEMS,
    WIRE_HEADER,
    WIRE_VERSION,
    decode_detect,
    encode_answer,
)
from spotsafe.service.access import authorised
from spotsafe.service.bodies import json_body
from spotsafe.service.fitting import fitted, with_missing
from spotsafe.service.problems import WIRE_VERSION as WIRE_PROBLEM
from spotsafe.service.problems import Problem
from spotsafe.service.state import Service, service_of

IDENTIFIER = 200
"""Longest item id, part name, media type or language tag in characters."""
MOST_LANGUAGES = 20


async def detect(request: Request) -> Response:
    """Scores for up to 256 items; what could not be scored is ``missing``, never clean."""
    service = service_of(request)
    principal = authorised(request, service.keys, "detect")
    checked_wire_version(request)
    limits = service.limits
    async with json_body(request, limits, service.budget, most=limits.detect_bytes) as body:
        items = decode_detect(body)
        _bounded(items)
        answers = await scored(service, [wanted for _, wanted in items], principal.application)
    detector = service.engine.detector
    engine = detector.version if detector is not None else ""
    answer = encode_answer(zip((name for name, _ in items), answers, strict=True), engine)
    service.metrics.count("spotsafe_detect_items_total", len(items), route="/v1/detect")
    return JSONResponse(answer, headers={WIRE_HEADER: str(WIRE_VERSION)})


def checked_wire_version(request: Request) -> None:
    """Refuse a wire version that this service does not read; without the header it is the oldest one."""
    stated = request.headers.get(WIRE_HEADER)
    if stated is None or stated in {str(version) for version in ACCEPTED_VERSIONS}:
        return
    known = ", ".join(map(str, ACCEPTED_VERSIONS))
    raise Problem(
        WIRE_PROBLEM,
        f"This service reads wire version {known}. Upgrade it, or send {WIRE_HEADER}: {WIRE_VERSION}.",
        headers={WIRE_HEADER: known},
    )


def _bounded(items: list[tuple[str, DetectRequest]]) -> None:
    for index, (name, wanted) in enumerate(items):
        at = f"/items/{index}"
        if len(name) > IDENTIFIER:
            raise WireError(f"{at}/id", f"is longer than {IDENTIFIER} characters")
        bounded(wanted, at)


def bounded(wanted: DetectRequest, at: str) -> None:
    """Refuse names, media types and languages that are too long or too many. Raises :class:`WireError`."""
    languages = wanted.content.languages
    if len(languages) > MOST_LANGUAGES or any(len(tag) > IDENTIFIER for tag in languages):
        raise WireError(f"{at}/languages", f"has more than {MOST_LANGUAGES} tags, or one that is too long")
    for number, part in enumerate(wanted.content):
        if len(part.name) > IDENTIFIER or len(part.mime or "") > IDENTIFIER:
            raise WireError(f"{at}/parts/{number}", f"has a name or type over {IDENTIFIER} characters")


async def scored(service: Service, requests: list[DetectRequest], application: str) -> list[Signals]:
    """Signals for *requests*. Parts over the text limit are not given to the detector: their labels are
    missing with cause ``size``. Raises :class:`Problem` and DetectorError."""
    queue = service.engine.queue()
    detector = service.engine.detector
    capabilities = detector.capabilities() if detector is not None else None
    fits = [fitted(wanted, capabilities, service.limits.text_characters) for wanted in requests]
    work = [wanted for wanted, _ in fits if len(wanted.content)]
    answers = iter(await queue.detect(work, application) if work else [])
    version = detector.version if detector is not None else ""
    return [
        with_missing(next(answers) if len(wanted.content) else Signals(engine=version), oversized)
        for wanted, oversized in fits
    ]


async def labels(request: Request) -> Response:
    """The taxonomy, and what the loaded detector can say of each label, by language."""
    service = service_of(request)
    authorised(request, service.keys, None)
    detector = service.engine.detector
    capabilities = detector.capabilities() if detector is not None else None
    reach = capabilities.labels if capabilities is not None else {}
    listed = []
    for label in LABELS.values():
        disposition, effects = default_action(label.code)
        listed.append(
            {
                "label": label.code,
                "severity": label.severity,
                "kinds": list(label.kinds),
                "default": {"disposition": disposition.word, "effects": sorted(e.value for e in effects)},
                "needs_human": label.needs_human,
                "openai": list(label.openai),
                "languages": {tag: how.value for tag, how in sorted(reach.get(label.code, {}).items())},
            }
        )
    kinds = list(capabilities.kinds) if capabilities is not None else []
    engine = detector.version if detector is not None else None
    return JSONResponse({"engine": engine, "kinds": kinds, "max_items": MAX_ITEMS, "labels": listed})
