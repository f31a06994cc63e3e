"""Redaction by spans of the original, and the join of two passes."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotsafe.core.content import Content, Image, Text
from spotsafe.core.decision import MASK, Disposition, Edit, Effect, Reason, Status, Verdict
from spotsafe.core.signals import Span
from spotsafe.policy.redact import REMOVED, apply_edits, join, merge_edits, merge_spans

SPANS = st.lists(
    st.tuples(st.integers(-3, 60), st.integers(-3, 60)).map(lambda pair: Span(*sorted(pair))), max_size=8
)


@pytest.mark.parametrize(
    ("text", "spans", "expected"),
    [
        ("call 555-1234 now", [(5, 13)], "call ████████ now"),
        ("ab", [(0, 2)], "██"),
        ("abcdef", [(1, 3), (2, 4)], "a███ef"),
        ("abcdef", [(4, 9), (-2, 1)], "█bcd██"),
        ("abc", [(2, 2)], "abc"),
        ("👩‍🚀 x", [(0, 3)], "███ x"),
        ("a" * 50, [(1, 49)], f"a{REMOVED}a"),
        ("", [(0, 5)], ""),
    ],
)
def test_spans_are_masked(text: str, spans: list[tuple[int, int]], expected: str) -> None:
    """Code points of the original; overlaps merge, what lies outside is cut off, long runs are one mark."""
    content = Content([Text(text, "body")], ("en",))
    edited = apply_edits(content, [Edit("body", tuple(Span(*span) for span in spans))])
    assert edited.parts[0].data == expected
    assert edited.languages == ("en",)
    assert content.parts[0].data == text


def test_other_parts_and_media_are_untouched() -> None:
    """Only the named text part changes; a picture is never cut by text spans."""
    content = Content([Text("abc", "a"), Text("abc", "b"), Image(b"abc", "c")])
    edited = apply_edits(
        content, [Edit("b", (Span(0, 1),)), Edit("c", (Span(0, 1),)), Edit("z", (Span(0, 1),))]
    )
    assert [part.data for part in edited] == ["abc", f"{MASK}bc", b"abc"]


@given(st.text(max_size=60), SPANS)
def test_nothing_inside_a_span_survives(text: str, spans: list[Span]) -> None:
    """Every covered character is gone and every other one is kept, in order."""
    edited = (
        apply_edits(Content([Text(text.replace(MASK, "x"), "p")]), [Edit("p", tuple(spans))]).parts[0].data
    )
    kept = [c for i, c in enumerate(text.replace(MASK, "x")) if not any(s.start <= i < s.end for s in spans)]
    assert isinstance(edited, str)
    assert edited.replace(MASK, "").replace(REMOVED, "") == "".join(kept).replace(REMOVED, "")


@given(SPANS)
def test_merged_spans_cover_the_same_and_never_touch(spans: list[Span]) -> None:
    """Merging changes no covered position."""
    merged = merge_spans(spans)
    cover = lambda found: {i for span in found for i in range(span.start, span.end)}  # noqa: E731
    assert cover(merged) == cover(spans)
    assert all(one.end < other.start for one, other in pairwise(merged))


def test_edits_merge_by_part() -> None:
    """One edit per part, in order of appearance."""
    edits = merge_edits([Edit("b", (Span(3, 4),)), Edit("a", (Span(0, 1),)), Edit("b", (Span(4, 6),))])
    assert edits == (Edit("b", (Span(3, 6),)), Edit("a", (Span(0, 1),)))


def reason(rule: str, disposition: Disposition) -> Reason:
    return Reason(rule, "tone.toxic", "score", disposition, frozenset())


@pytest.mark.parametrize(("trigger", "notice"), [("failure", None), ("score", "held")])
def test_a_refusal_borrows_no_notice_of_a_failure(trigger: str, notice: str | None) -> None:
    """What is blocked is not said to wait; words of a rule that fired are lent to a side without any."""
    waits = Reason("r", "hate.speech", trigger, Disposition.HOLD, frozenset(), notice="held")
    joined = join(Verdict(Disposition.BLOCK), Verdict(Disposition.HOLD, reasons=[waits], notice="held"))
    assert (joined.disposition, joined.notice) == (Disposition.BLOCK, notice)


def test_two_passes_join_by_strictness_and_keep_the_first_offsets() -> None:
    """Worst status, all reasons once, edits of the original text, the stricter side's notice."""
    first = Verdict(
        Disposition.ALLOW,
        {Effect.REDACT},
        reasons=[reason("a", Disposition.ALLOW)],
        edits=[Edit("body", (Span(0, 2),))],
        notice="one",
        waivers=["w"],
    )
    second = Verdict(
        Disposition.HOLD,
        {Effect.LABEL},
        status=Status.PARTIAL,
        notice="two",
        reasons=[reason("a", Disposition.ALLOW), reason("b", Disposition.HOLD)],
        edits=[Edit("body", (Span(7, 9),))],
        would=Verdict(Disposition.BLOCK),
    )
    joined = join(first, second)
    assert (joined.disposition, joined.effects) == (Disposition.HOLD, {Effect.REDACT, Effect.LABEL})
    assert (joined.status, joined.notice, joined.waivers) == (Status.PARTIAL, "two", ("w",))
    assert [entry.rule for entry in joined.reasons] == ["a", "b"]
    assert joined.edits == first.edits
    assert joined.would is not None
    assert joined.would.disposition is Disposition.BLOCK
    assert joined.would.effects == {Effect.REDACT}


@given(
    st.sampled_from(list(Disposition)),
    st.sampled_from(list(Disposition)),
    st.sets(st.sampled_from(list(Effect))),
)
def test_a_join_is_at_least_as_strict_as_both(
    one: Disposition, other: Disposition, effects: set[Effect]
) -> None:
    """Neither pass is ever loosened by the other, whichever comes first."""
    first, second = Verdict(one, effects), Verdict(other)
    for joined in (join(first, second), join(second, first)):
        assert joined.at_least_as_strict_as(first)
        assert joined.at_least_as_strict_as(second)
