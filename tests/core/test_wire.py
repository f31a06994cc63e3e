"""The codec of /v1/detect."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotsafe.core.content import PART_TYPES, PROVENANCES, Content, Part
from spotsafe.core.labels import LABELS, expand
from spotsafe.core.reading import WireError
from spotsafe.core.seams import DetectRequest
from spotsafe.core.signals import Box, Cause, Missing, Signal, Signals, Span, TimeRange
from spotsafe.core.wire import decode_answer, decode_detect, encode_answer, encode_detect

CANARY = "canary-7f3a"
codes = st.sampled_from(sorted(LABELS))
well_formed = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@st.composite
def parts(draw: st.DrawFn) -> Part:
    kind = draw(st.sampled_from(sorted(PART_TYPES)))
    data = draw(well_formed) if kind == "text" else draw(st.binary(max_size=30))
    mime = draw(st.none() | st.just("image/png"))
    return PART_TYPES[kind](data, draw(well_formed), mime=mime, provenance=draw(st.sampled_from(PROVENANCES)))


@st.composite
def detect_requests(draw: st.DrawFn) -> list[DetectRequest]:
    labels = expand(draw(st.lists(codes, min_size=1, max_size=5)))
    contents = draw(
        st.lists(
            st.builds(
                Content, st.lists(parts(), min_size=1, max_size=3), st.lists(st.just("en"), max_size=1)
            ),
            min_size=1,
            max_size=3,
        )
    )
    return [DetectRequest(content, labels) for content in contents]


@given(detect_requests())
def test_requests_survive_the_wire(requests: list[DetectRequest]) -> None:
    """What is asked is what the service reads, through real JSON."""
    body = json.loads(json.dumps(encode_detect(requests)))
    assert [request for _, request in decode_detect(body)] == requests


evidence = st.one_of(
    st.builds(Span, st.integers(0, 2), st.integers(2, 5)),
    st.builds(Box, *[st.floats(0, 1)] * 4),
    st.builds(TimeRange, st.floats(0, 9), st.floats(9, 99)),
)


@given(
    st.lists(
        st.tuples(codes, st.floats(0, 1), st.lists(evidence, max_size=2)),
        max_size=6,
        unique_by=lambda t: t[0],
    ),
    st.lists(st.tuples(codes, st.sampled_from(Cause)), max_size=4),
)
def test_answers_survive_the_wire(scored: list, unscored: list) -> None:
    """Scores, evidence and causes arrive as they were sent."""
    request = DetectRequest(Content([Part_text()]), tuple(LABELS))
    signals = Signals(
        [Signal(code, score, "body", 2, "d", "1", tuple(found)) for code, score, found in scored],
        [Missing(code, "", cause) for code, cause in unscored],
    )
    body = json.loads(json.dumps(encode_answer([("1", signals)], "e1")))
    (read,), engine = decode_answer(body, [request])
    assert engine == "e1"
    assert read.scores == signals.scores
    assert read.missing[: len(unscored)] == signals.missing


def Part_text() -> Part:
    return PART_TYPES["text"]("hello", "body")


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["results", "id", "signals", "missing", "label", "score", "part", "cause", "x"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=25,
)


@given(json_values)
def test_no_answer_turns_silence_into_clean(body: object) -> None:
    """Whatever a service sends, each requested label has a score or is missing for each part."""
    request = DetectRequest(
        Content([PART_TYPES["text"]("a", "x"), PART_TYPES["text"]("b", "y")]), ("hate.speech",)
    )
    (signals,), _ = decode_answer(body, [request])
    told = {(s.label, s.part) for s in signals.scores} | {(m.label, m.part) for m in signals.missing}
    assert ("hate.speech", "") in told or {("hate.speech", "x"), ("hate.speech", "y")} <= told


@given(json_values)
def test_unreadable_requests_name_the_place_and_nothing_else(body: object) -> None:
    """A body that is no request raises WireError, never anything else."""
    try:
        decode_detect(body)
    except WireError as error:
        assert error.pointer == "" or error.pointer.startswith("/")


def answer(**signal: object) -> dict:
    return {
        "results": [
            {"id": "1", "signals": [{"label": "hate.speech", "part": "body", "score": 0.9, **signal}]}
        ]
    }


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        ({}, Cause.ERROR),
        ({"results": []}, Cause.ERROR),
        ({"results": [{"id": "2", "signals": []}]}, Cause.ERROR),
        (answer(score=1.5), Cause.ERROR),
        (answer(score=float("nan")), Cause.ERROR),
        (answer(score=True), Cause.ERROR),
        (answer(score="0.1"), Cause.ERROR),
        (answer(score=10**400), Cause.ERROR),
        ({"results": [{"id": "1", "missing": [{"label": "hate.speech", "cause": []}]}]}, Cause.ERROR),
        (answer(part="other"), Cause.ERROR),
        (answer(label="hate.unheard_of"), Cause.ERROR),
        (
            {"results": [{"id": "1", "missing": [{"label": "hate.speech", "cause": "from the future"}]}]},
            Cause.ERROR,
        ),
        (
            {"results": [{"id": "1", "missing": [{"label": "hate.speech", "cause": "language"}]}]},
            Cause.LANGUAGE,
        ),
    ],
)
def test_doubt_becomes_missing(body: dict, cause: Cause) -> None:
    """An answer that lies, truncates or comes from the future leaves the label missing."""
    request = DetectRequest(Content([Part_text()]), ("hate.speech",))
    (signals,), _ = decode_answer(body, [request])
    assert signals.scores == ()
    assert {m.cause for m in signals.missing} == {cause}


def test_a_readable_score_stands_beside_broken_ones() -> None:
    """One malformed signal does not take a readable one with it."""
    body = answer()
    body["results"][0]["signals"].append({"label": "tone.toxic", "part": "body", "score": "high"})
    request = DetectRequest(Content([Part_text()]), ("hate.speech", "tone.toxic"))
    (signals,), _ = decode_answer(body, [request])
    assert signals.score("hate.speech") == 0.9
    assert signals.missing == (Missing("tone.toxic", "body", Cause.ERROR),)


def test_a_score_with_evidence_outside_of_the_text_stands_only_as_a_warning() -> None:
    """It fires where it is high, redacts nowhere, and its label is missing all the same."""
    request = DetectRequest(Content([Part_text()]), ("hate.speech",))
    body = answer(evidence=[{"span": {"start": 0, "end": 2}}, {"span": {"start": 3, "end": 99}}])
    (signals,), _ = decode_answer(body, [request])
    assert signals.score("hate.speech") == 0.9
    assert signals.scores[0].evidence == ()
    assert signals.missing == (Missing("hate.speech", "body", Cause.ERROR),)


@pytest.mark.parametrize("unread", [{"spam": {}}, {"span": {"start": "0", "end": 2}}, 4])
def test_evidence_is_read_as_a_whole_or_not_at_all(unread: object) -> None:
    """A place that cannot be read takes the others with it: half a redaction would publish the rest."""
    request = DetectRequest(Content([Part_text()]), ("hate.speech",))
    (signals,), _ = decode_answer(answer(evidence=[{"span": {"start": 0, "end": 2}}, unread]), [request])
    assert signals.score("hate.speech") == 0.9
    assert signals.scores[0].evidence == ()


@pytest.mark.parametrize("turn", [1, -1])
def test_an_item_that_is_answered_twice_keeps_its_highest_score(turn: int) -> None:
    """The second result for an item does not replace what the first one found."""
    high, low = answer()["results"][0], answer(score=0.01)["results"][0]
    request = DetectRequest(Content([Part_text()]), ("hate.speech",))
    (signals,), _ = decode_answer({"results": [high, low][::turn]}, [request])
    assert signals.score("hate.speech") == 0.9


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ([], ""),
        ({"items": []}, "/items"),
        ({"items": [{"id": "1", "parts": []}]}, "/items/0/parts"),
        ({"items": [{"id": "1", "parts": [{"type": CANARY}]}]}, "/items/0/parts/0/type"),
        ({"items": [{"id": "1", "parts": [{"type": "text", "text": 4}]}]}, "/items/0/parts/0/text"),
        ({"items": [{"id": "1", "parts": [{"type": "image", "data": CANARY}]}]}, "/items/0/parts/0/data"),
        ({"items": [{"id": "1", "parts": [{"type": "text", "text": "a", CANARY: 1}]}]}, "/items/0/parts/0"),
        ({"items": [{"id": 1, "parts": [{"type": "text", "text": "a"}]}]}, "/items/0/id"),
        ({"items": [{"id": "1", "parts": [{"type": "text", "text": "a"}]}] * 2}, "/items/1/id"),
        ({"items": [{"id": "1", "parts": [{"type": "text", "text": "a"}]}], "labels": [CANARY]}, "/labels/0"),
        ({"items": [{"id": "1", "parts": [{"type": "text", "text": "a"}]}], "labels": []}, "/labels"),
    ],
)
def test_faults_in_requests_point_at_their_place(body: object, pointer: str) -> None:
    """The error holds a JSON pointer and a remedy, and nothing that was sent."""
    with pytest.raises(WireError) as caught:
        decode_detect(body)
    assert caught.value.pointer == pointer
    assert CANARY not in str(caught.value)


def test_lone_surrogates_travel_as_replacements() -> None:
    """Broken text is sent as well as it can be rather than raising."""
    request = DetectRequest(Content([PART_TYPES["text"]("a\ud800b", "body")]), ("hate.speech",))
    body = json.dumps(encode_detect([request])).encode()
    ((_, read),) = decode_detect(json.loads(body))
    assert read.content.parts[0].data == "a?b"
