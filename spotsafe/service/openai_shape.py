"""OpenAI's moderation request and answer, and how our labels become its thirteen categories.

Shape: ``openai-python``, ``types/moderation*.py``. The projection is the taxonomy's ``openai`` column; a
category also takes what its sub-categories found (``harassment/threatening`` is harassment), as OpenAI's
own data does (Markov et al., "A Holistic Approach to Undesired Content Detection", 2023).
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from spotsafe.core.content import Content, Image, Part, Text
from spotsafe.core.errors import DetectorError, Failure
from spotsafe.core.labels import LABELS, OPENAI_CATEGORIES
from spotsafe.core.signals import Cause, Signals
from spotsafe.core.wire import MAX_ITEMS, MAX_PARTS
from spotsafe.service.problems import BAD_REQUEST, Problem

DEFAULT_MODEL = "omni-moderation-latest"

# Chosen on rows that the text models were not fitted on (they did fix the calibration), where a category's
# labels have at least 200 positives and 200 negatives there, no set weighing more than 250 rows: of .30, .35,
# ... .70 the threshold with the best F1 at which precision is at least .6 and at most 1 % of benign rows are
# flagged.
# Precision and recall: harassment .72/.60, harassment/threatening .64/.24, hate .63/.64, sexual .70/.83,
# violence .62/.46. The rest have too few such rows and stay at one half; sexual/minors, which no shipped
# model scores, is low on purpose: there a false alarm costs less than a miss.
FLAG_AT: dict[str, float] = {
    "harassment": 0.35,
    "harassment/threatening": 0.3,
    "hate": 0.35,
    "hate/threatening": 0.5,
    "illicit": 0.5,
    "illicit/violent": 0.5,
    "self-harm": 0.5,
    "self-harm/instructions": 0.5,
    "self-harm/intent": 0.5,
    "sexual": 0.3,
    "sexual/minors": 0.3,
    "violence": 0.3,
    "violence/graphic": 0.5,
}
"""Score from which a category is flagged: the one table to tune. Tone labels map to no category, so rude
words alone never flag."""

SOURCES: dict[str, tuple[str, ...]] = {
    category: tuple(
        code
        for code, label in LABELS.items()
        if any(mapped == category or mapped.startswith(category + "/") for mapped in label.openai)
    )
    for category in OPENAI_CATEGORIES
}
"""Category → the labels whose highest score is its score."""

MODERATED: tuple[str, ...] = tuple(code for code, label in LABELS.items() if label.openai)
"""The labels that a moderation asks for, in the taxonomy's order."""

IMAGE_CATEGORIES = frozenset(
    {
        "self-harm", "self-harm/instructions", "self-harm/intent", "sexual", "violence", "violence/graphic",
    }
)  # fmt: skip
"""The categories for which OpenAI's answer may name ``image`` as applied."""

IMAGE_TYPES = ("image/png", "image/jpeg", "image/webp", "image/gif")
_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}")
_DATA_URL = re.compile(r"data:([a-z]+/[a-z0-9.+-]+);base64,", re.IGNORECASE)


class Moderation(NamedTuple):
    """A readable request: the model's name to repeat, and one content per result."""

    model: str
    contents: list[Content]


def read_moderation(body: object) -> Moderation:
    """The request in a parsed JSON body. Raises :class:`Problem` 400 with the place.

    A string or an array of strings gives one content each, an array of parts one content altogether.
    """
    if not isinstance(body, Mapping):
        raise _bad("", "Send an object with input.")
    model = body.get("model", DEFAULT_MODEL)
    if model is None:
        model = DEFAULT_MODEL
    if not isinstance(model, str) or not _MODEL.fullmatch(model):
        raise _bad(
            "/model", f"A model's name is at most 64 letters, digits, . _ : / -; {DEFAULT_MODEL} does."
        )
    return Moderation(model, _contents(body.get("input")))


def _contents(given: object) -> list[Content]:
    if isinstance(given, str):
        return [Content([Text(given, "input")])]
    if not isinstance(given, list) or not given:
        raise _bad("/input", "Send a string, a non-empty array of strings, or a non-empty array of parts.")
    if all(isinstance(entry, str) for entry in given):
        if len(given) > MAX_ITEMS:
            raise _bad("/input", f"Send at most {MAX_ITEMS} strings in one request.")
        return [Content([Text(entry, "input")]) for entry in given]
    if len(given) > MAX_PARTS:
        raise _bad("/input", f"Send at most {MAX_PARTS} parts in one request.")
    return [Content([_part(entry, index) for index, entry in enumerate(given)])]


def _part(entry: object, index: int) -> Part:
    at = f"/input/{index}"
    if not isinstance(entry, Mapping):
        raise _bad(at, "An array holds strings only, or parts only.")
    if entry.get("type") == "text":
        if not isinstance(entry.get("text"), str):
            raise _bad(f"{at}/text", "A text part carries a string.")
        return Text(entry["text"], str(index))
    if entry.get("type") != "image_url":
        raise _bad(f"{at}/type", "A part is of type text or image_url.")
    holder = entry.get("image_url")
    url = holder.get("url") if isinstance(holder, Mapping) else None
    if not isinstance(url, str):
        raise _bad(f"{at}/image_url/url", 'An image part carries {"image_url": {"url": …}}.')
    return _image(url, index, f"{at}/image_url/url")


def _image(url: str, index: int, at: str) -> Part:
    head = _DATA_URL.match(url[:100])
    if head is None:
        raise _bad(
            at, "Send the image as data:image/png;base64,…: this service fetches nothing from the web."
        )
    if (mime := head[1].lower()) not in IMAGE_TYPES:
        raise _bad(at, f"An image is one of {', '.join(IMAGE_TYPES)}.")
    try:
        data = b64decode(url[head.end() :], validate=True)
    except (Base64Error, ValueError):
        raise _bad(at, "The data after base64, is not base64.") from None
    if not data:
        raise _bad(at, "The image is empty.")
    return Image(data, str(index), mime=mime)


def result(content: Content, signals: Signals, at: str) -> dict[str, Any]:
    """OpenAI's result for *content*. *at* is the JSON pointer of the input.

    A category is applied to an input type only where every part of that type was scored for it. Raises
    :class:`Problem` 400 where a text, or an input of images alone, could not be scored for any category:
    such an answer would read as clean. Raises DetectorError where a failure hides a category.
    """
    _refuse_unscored(content, signals, at)
    scores = {category: _score(signals, SOURCES[category]) for category in OPENAI_CATEGORIES}
    flags = {category: scores[category] >= FLAG_AT[category] for category in OPENAI_CATEGORIES}
    failed = {entry.label for entry in signals.missing if entry.cause.is_failure}
    if any(failed.intersection(SOURCES[category]) for category, flag in flags.items() if not flag):
        raise DetectorError(Failure.INTERNAL)
    return {
        "flagged": any(flags.values()),
        "categories": flags,
        "category_scores": scores,
        "category_applied_input_types": {
            category: _applied(content, signals, category) for category in OPENAI_CATEGORIES
        },
    }


def _score(signals: Signals, codes: Sequence[str]) -> float:
    return max((found for code in codes if (found := signals.score(code)) is not None), default=0.0)


def _applied(content: Content, signals: Signals, category: str) -> list[str]:
    scored = {signal.part for code in SOURCES[category] for signal in signals.by_label.get(code, ())}
    kinds = ["text", "image"] if category in IMAGE_CATEGORIES else ["text"]
    return [kind for kind in kinds if _all_in(content, kind, scored)]


def _all_in(content: Content, kind: str, scored: set[str]) -> bool:
    names = [part.name for part in content if part.kind == kind]
    return bool(names) and scored.issuperset(names)


_WHY_NOT = {
    Cause.SIZE: "the text is too long; split it",
    Cause.LANGUAGE: "its language is not covered; GET /v1/labels lists the languages",
    Cause.MODALITY: "no detector here looks at images; send text, or add an image detector to the service",
    Cause.UNSUPPORTED: "no detector here gives any of the categories; GET /v1/labels lists what it gives",
}


def _refuse_unscored(content: Content, signals: Signals, at: str) -> None:
    scored = {signal.part for signal in signals.scores}
    has_text = any(part.kind == "text" for part in content)
    for index, part in enumerate(content):
        if part.name in scored or (part.kind != "text" and has_text):
            continue
        causes = {entry.cause for entry in signals.missing if entry.part in ("", part.name)}
        if any(cause.is_failure for cause in causes) or not causes:
            raise DetectorError(Failure.INTERNAL)
        cause = next(cause for cause in _WHY_NOT if cause in causes)
        place = at if len(content) == 1 else f"{at}/{index}"
        raise Problem(
            BAD_REQUEST, f"Nothing was checked: {_WHY_NOT[cause]}.", pointer=place, code="unsupported_input"
        )


def unscored(results: Sequence[Mapping[str, Any]]) -> list[str]:
    """The categories that no input type was checked for in some of *results*."""
    return [
        category
        for category in OPENAI_CATEGORIES
        if any(not found["category_applied_input_types"][category] for found in results)
    ]


def _bad(pointer: str, detail: str) -> Problem:
    return Problem(BAD_REQUEST, detail, pointer=pointer, code="invalid_value")
