"""Content, identifiers, receipts, faults and decisions."""

from __future__ import annotations

import json
import logging
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotsafe.core.content import Content, Image, Text
from spotsafe.core.decision import ACTIONS, Disposition, Effect, Status, Verdict
from spotsafe.core.errors import (
    ConfigurationError,
    DetectorError,
    Failure,
    Fault,
    ManifestError,
    SurfaceBlocked,
)
from spotsafe.core.faults import FaultCounter, contained
from spotsafe.core.ids import bucket, keyed, uuid7
from spotsafe.core.receipts import HoldReason, Receipt

CANARY = "canary-7f3a"


def test_no_noun_shows_content() -> None:
    """Neither repr nor str of a part or a content holds what the person wrote."""
    content = Content([Text(CANARY, "body"), Image(CANARY.encode(), "cover", mime="image/png")], ["en"])
    for shown in (repr(content), str(content), repr(content.parts), f"{content.parts[0]}"):
        assert CANARY not in shown


named = st.tuples(st.text(max_size=6), st.text(max_size=6))


@given(st.lists(named, max_size=4), st.lists(named, max_size=4))
def test_different_contents_have_different_digests(first: list, second: list) -> None:
    """Moving characters between names, texts and parts never gives the same digest."""
    one, two = ([Text(text, name) for name, text in pairs] for pairs in (first, second))
    assert (Content(one).digest() == Content(two).digest()) == (first == second)


@given(st.integers(0, 2**48 - 1), st.integers())
def test_uuid7_is_well_formed_and_ordered_by_time(milliseconds: int, seed: int) -> None:
    """Version and variant bits are set, and a later millisecond sorts later."""
    import uuid

    first = uuid7(milliseconds, random.Random(seed))
    assert uuid.UUID(first).version == 7
    assert uuid.UUID(first).variant == uuid.RFC_4122
    if milliseconds < 2**48 - 1:
        assert first < uuid7(milliseconds + 1, random.Random(seed))


def test_keyed_digests_depend_on_key_and_domain() -> None:
    """The same actor has other digests under another tenant or in another role."""
    digests = {keyed(k, d, "ann") for k in (b"a", b"b") for d in ("actor", "item")}
    assert len(digests) == 4


def test_buckets_are_stable_and_spread() -> None:
    """A tenth of the actors is in a ten per cent canary, the same ones every time."""
    places = [bucket(b"k", "comments.create", f"actor-{n}") for n in range(4000)]
    assert places == [bucket(b"k", "comments.create", f"actor-{n}") for n in range(4000)]
    assert 300 < sum(place < 10 for place in places) < 500


receipt = Receipt("01", "comments.create", "i", "d", 12.5, HoldReason.OUTAGE)


def test_receipts_survive_storage() -> None:
    """A token read back under the same key is the same receipt."""
    assert Receipt.parse(receipt.token(b"key"), b"key") == receipt


@given(st.text(max_size=40))
def test_foreign_tokens_are_refused(token: str) -> None:
    """No text but the one made under the key is a receipt."""
    with pytest.raises(ConfigurationError):
        Receipt.parse(token, b"key")


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_altered_tokens_are_refused(position: int, change: int) -> None:
    """Changing any one character of a token makes it invalid (or decodes to the very same bytes)."""
    token = receipt.token(b"key")
    at = position % len(token)
    altered = token[:at] + chr((ord(token[at]) + change) % 128) + token[at + 1 :]
    try:
        assert Receipt.parse(altered, b"key") == receipt
    except ConfigurationError:
        pass


def test_faults_of_our_own_are_contained_counted_and_silent_about_content(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The guard swallows, counts, runs the alternative and logs the class name only."""
    faults, ran = FaultCounter(), []
    with caplog.at_level(logging.ERROR), contained("telemetry", faults, lambda: ran.append(1)):
        raise ValueError(CANARY)
    assert (faults.counts, ran) == ({"telemetry": 1}, [1])
    assert "ValueError" in caplog.text
    assert CANARY not in caplog.text


def test_own_errors_and_loud_faults_pass_the_guard() -> None:
    """What spotsafe means to raise is raised; under test everything is."""
    faults = FaultCounter()
    with pytest.raises(DetectorError), contained("x", faults):
        raise DetectorError(Failure.TIMEOUT)
    faults.loud = True
    with pytest.raises(ValueError, match="loud"), contained("x", faults):
        raise ValueError("loud")


@given(st.sampled_from(Disposition), st.frozensets(st.sampled_from(Effect)))
def test_every_verdict_has_one_word(disposition: Disposition, effects: frozenset[Effect]) -> None:
    """The action is one of the documented words, and says block, hold or limit whenever that is so."""
    verdict = Verdict(disposition, effects)
    assert verdict.action in ACTIONS
    assert (verdict.action == "allow") == (disposition is Disposition.ALLOW and not effects)
    assert verdict.at_least_as_strict_as(Verdict())


def test_public_errors_tell_people_what_they_can_do() -> None:
    """A blocked person sees the notice; without one, the decision id to appeal with."""
    assert str(SurfaceBlocked("s", "id-1", "Be kind.")) == "Be kind."
    assert "id-1" in str(SurfaceBlocked("s", "id-1"))
    assert "a.yaml:3:5: unknown key" in str(
        ManifestError([Fault("a.yaml", 3, 5, "unknown key", "did you mean label?")])
    )


def test_words_are_shown_and_numbers_are_compared() -> None:
    """``str`` and f-strings of a disposition or status give its word; order and equality stay a number's."""
    for member in (*Disposition, *Status):
        assert str(member) == f"{member}" == f"{member:>1}" == "%s" % member == member.word  # noqa: UP031
        assert member == int(member)
    assert Disposition.ALLOW < Disposition.BLOCK
    assert max(Status) is Status.UNCHECKED
    assert json.dumps(Status.CACHED) == "1"
