"""Jobs on the wire: what one side writes the other reads, and doubt is never read as clean."""

from __future__ import annotations

import json
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotsafe.core.content import Audio, Content, Part, Text
from spotsafe.core.jobs import (
    Asked,
    JobReport,
    JobState,
    checksum,
    decode_order,
    decode_report,
    encode_order,
    encode_report,
)
from spotsafe.core.reading import WireError
from spotsafe.core.seams import DetectRequest
from spotsafe.core.signals import Cause, Missing, Signal, Signals, Span, TimeRange
from spotsafe.core.wire import encode_answer, lengths

LABELS = ("hate.speech", "tone.toxic")
ID = "018f0000-0000-7000-8000-000000000001"

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
parts = st.lists(
    st.one_of(
        st.builds(Text, texts, texts, provenance=st.sampled_from(["user", "generated"])),
        st.builds(Audio, st.binary(max_size=20), texts, mime=st.none() | st.just("audio/mpeg")),
    ),
    min_size=1, max_size=5,
)  # fmt: skip


@given(parts, st.lists(st.sampled_from(["en", "de"]), max_size=2))
def test_an_order_and_the_bytes_make_the_request_again(given_parts: list[Part], languages: list[str]) -> None:
    """Whatever was ordered is what the detector will see."""
    request = DetectRequest(Content(given_parts, languages), LABELS, {"market": "se"})
    order = decode_order(json.loads(json.dumps(encode_order(ID, request, "ab" * 32))))
    assert order.digest == "ab" * 32
    media = {position: given_parts[position].data for position in order.media}
    assert order.request(media) == request
    assert [order.parts[position].size for position in order.media] == [len(media[p]) for p in order.media]


def test_an_order_carries_no_bytes_of_media() -> None:
    """They follow by themselves, so that neither side holds a recording twice."""
    order = encode_order(ID, DetectRequest(Content([Audio(b"canary-7f3a", "episode")]), LABELS))
    assert "canary" not in json.dumps(order)


@given(st.lists(st.binary(max_size=6), min_size=2, max_size=4), st.data())
def test_an_order_knows_its_bytes_from_all_others(recordings: list[bytes], data: st.DataObject) -> None:
    """Of another part, altered, or another job's: the checksum tells; the right ones agree."""
    request = DetectRequest(Content([Audio(one, f"{n}") for n, one in enumerate(recordings)]), LABELS)
    order = decode_order(json.loads(json.dumps(encode_order(ID, request))))
    place = data.draw(st.sampled_from(order.media))
    other = data.draw(st.one_of(st.sampled_from(recordings), st.binary(max_size=8)))
    assert order.agrees(place, sha256(other).digest()) == (other == recordings[place])
    assert checksum(ID.replace("1", "2"), place, sha256(other).digest()) != order.parts[place].checksum


def test_a_checksum_is_no_plain_digest_and_texts_have_none() -> None:
    """What stands in an order is no key to look a recording up by, nor one to guess a short text from."""
    request = DetectRequest(Content([Text("hi", "title"), Audio(b"a song", "episode")]), LABELS)
    said = json.dumps(encode_order(ID, request, "ab" * 32))
    for plain in (b"hi", b"a song"):
        assert sha256(plain).hexdigest() not in said
    assert "checksum" not in encode_order(ID, request)["parts"][0]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"parts": []}, "/parts"),
        ({"parts": [{"type": "audio", "name": "a"}]}, "/parts/0/size"),
        ({"parts": [{"type": "audio", "name": "a", "size": True}]}, "/parts/0/size"),
        ({"parts": [{"type": "audio", "name": "a", "size": -1}]}, "/parts/0/size"),
        ({"parts": [{"type": "smell", "name": "a", "size": 1}]}, "/parts/0/type"),
        ({"parts": [{"type": "text", "name": "a", "size": 1}]}, "/parts/0/text"),
        ({"parts": [{"type": "audio", "size": 1, "provenance": "aunt"}]}, "/parts/0/provenance"),
        ({"labels": ["no.such"]}, "/labels/0"),
        ({"parts": [{"type": "audio", "size": 1, "checksum": "x"}]}, "/parts/0/checksum"),
        ({"parts": [{"type": "text", "text": "a", "checksum": "00" * 32}]}, "/parts/0/checksum"),
        ({"digest": "AB" * 32}, "/digest"),
        ({"digest": 7}, "/digest"),
        ({"id": 7}, "/id"),
        ({"surprise": 1}, ""),
    ],
)
def test_an_order_that_cannot_be_read_names_the_place(change: dict[str, object], pointer: str) -> None:
    """By its JSON pointer."""
    order = encode_order(ID, DetectRequest(Content([Audio(b"x", "episode")]), LABELS))
    with pytest.raises(WireError) as caught:
        decode_order({**order, **change})
    assert caught.value.pointer == pointer


def test_a_report_reads_back_as_it_was_written() -> None:
    """Scores with their evidence, and what is missing."""
    content = Content([Text("go away", "title"), Audio(b"x", "episode")])
    signals = Signals(
        [
            Signal("tone.toxic", 0.8, "title", 1, "local.text", "1", (Span(0, 7),)),
            Signal("tone.toxic", 0.6, "episode", 1, "local.audio.speech", "1", (TimeRange(2.0, 4.5),)),
        ],
        [Missing("hate.speech", "title", Cause.LANGUAGE), Missing("hate.speech", "episode", Cause.SIZE)],
        "engine-1",
    )
    parts, answer = lengths(content), encode_answer([("1", signals)], "engine-1")
    body = encode_report(ID, JobState.DONE, Asked(LABELS, parts, "ab" * 32), answer=answer)
    expected = JobReport(JobState.DONE, (), signals, LABELS, parts, "engine-1", "ab" * 32)
    assert decode_report(json.loads(json.dumps(body))) == expected


def test_what_a_finished_report_does_not_say_is_missing() -> None:
    """A label that the answer leaves out was not checked."""
    silent = encode_answer([("1", Signals())], "e")
    read = decode_report(encode_report(ID, JobState.DONE, Asked(LABELS, {"episode": None}), answer=silent))
    assert read is not None
    assert read.signals is not None
    assert {(m.label, m.cause) for m in read.signals.missing} == {(label, Cause.ERROR) for label in LABELS}


def test_a_report_that_names_no_part_says_nothing() -> None:
    """Nothing could be missing in it, and its silence would read as clean."""
    silent = encode_answer([("1", Signals())], "e")
    read = decode_report(encode_report(ID, JobState.DONE, Asked(LABELS, {}), answer=silent))
    assert read is not None
    assert read.signals is None


@pytest.mark.parametrize("said", ["", "ab" * 31, "AB" * 32, "ä" * 64, "\ud800" * 64, 7, None])
def test_what_is_no_digest_is_none(said: object) -> None:
    """So that comparing it with a receipt's never fails, whatever a service answers."""
    report = decode_report({"state": "queued", "digest": said})
    assert report is not None
    assert report.digest == ""


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.sampled_from([*JobState]),
    st.dictionaries(st.sampled_from(["needs", "labels", "parts", "answer"]), json_values),
)
def test_no_answer_of_a_service_breaks_the_reader(state: JobState, rest: dict[str, object]) -> None:
    """Whatever stands in it: a report, or nothing known; and no score out of nowhere."""
    report = decode_report({"state": state.value, **rest})
    assert report is not None
    assert report.signals is None or not report.signals.scores


@pytest.mark.parametrize("body", [None, [], "done", {}, {"state": "finished"}, {"state": 3}])
def test_a_report_without_a_known_state_is_no_report(body: object) -> None:
    """Nothing is known then: what was held stays held."""
    assert decode_report(body) is None
