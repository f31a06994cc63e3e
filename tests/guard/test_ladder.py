"""The ladder without I/O: which rungs are tried, and what is known in the end."""

from __future__ import annotations

from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from spotsafe.core.decision import Status
from spotsafe.core.errors import Failure
from spotsafe.core.labels import LABELS
from spotsafe.core.signals import Cause, Missing, Signal, Signals
from spotsafe.guard.blend import GRAVE, aged, complete, filled
from spotsafe.guard.deadline import LOCAL_LEAST, Deadline
from spotsafe.guard.drive import drive
from spotsafe.guard.ladder import ladder
from spotsafe.guard.steps import Answered, AskFallback, AskPrimary, Failed, LookStale, Nothing, Reply

ASKED = ("violence.threat", "hate.speech", "integrity.spam")
PARTS = ("body", "title")
NOTHING = Nothing()


def signals(score: float = 0.1, *, missing: dict[str, Cause] | None = None, detector: str = "d") -> Signals:
    """Scores for every label and part, but for *missing*."""
    missing = missing or {}
    wanted = [label for label in ASKED if label not in missing]
    scores = [Signal(label, score, part, detector=detector) for label in wanted for part in PARTS]
    return Signals(scores, [Missing(label, "", cause) for label, cause in missing.items()])


def climb(primary: Reply, stale: Reply = NOTHING, fallback: Reply = NOTHING, **options: Any) -> Any:
    """Walk the ladder with scripted replies; returns (outcome, steps)."""
    steps = []

    def perform(step: object) -> Reply:
        steps.append(type(step))
        return {AskPrimary: primary, LookStale: stale, AskFallback: fallback}[type(step)]

    settings = {"has_fallback": True, "may_stale": True} | options
    return drive(ladder(ASKED, PARTS, Deadline(1.0, lambda: 0.0), **settings), perform), steps


def test_an_answer_ends_the_climb() -> None:
    """No lower rung is touched where the primary answered for everything."""
    outcome, steps = climb(Answered(signals()))
    assert steps == [AskPrimary]
    assert (outcome.origin, outcome.failure) == (Status.CHECKED, None)


def test_the_rungs_come_in_order() -> None:
    """Primary, stale cache, local engine."""
    outcome, steps = climb(Failed(Failure.SERVER))
    assert steps == [AskPrimary, LookStale, AskFallback]
    assert {entry.cause for entry in outcome.signals.missing} == {Cause.ERROR}
    assert outcome.failure is Failure.SERVER


def test_a_gap_in_reach_is_no_reason_to_climb_down() -> None:
    """``unsupported`` and ``language`` are answers."""
    _, steps = climb(Answered(signals(missing={"hate.speech": Cause.LANGUAGE})))
    assert steps == [AskPrimary]


def test_a_stale_answer_leaves_the_grave_labels_to_the_engine() -> None:
    """Severity 4 comes from the engine, the rest from the cache."""
    outcome, _ = climb(
        Failed(Failure.TIMEOUT),
        Answered(signals(0.2, detector="old")),
        Answered(signals(0.3, detector="near")),
    )
    assert {(s.label, s.detector) for s in outcome.signals.scores} == {
        ("violence.threat", "near"), ("hate.speech", "old"), ("integrity.spam", "old"),
    }  # fmt: skip
    assert outcome.origin is Status.STALE
    assert outcome.earlier is not None


def test_time_is_kept_for_the_local_rung() -> None:
    """A fifth of the deadline, at least ten milliseconds, never the primary's."""
    assert Deadline(1.0, lambda: 0.0).for_primary(keep_local=True) == 0.8
    short = Deadline(0.03, lambda: 0.0)
    assert abs(short.for_primary(keep_local=True) - (0.03 - LOCAL_LEAST)) < 1e-9
    assert short.for_primary(keep_local=False) == 0.03


def test_a_deadline_too_short_for_the_primary_goes_to_the_engine() -> None:
    """Five milliseconds are the engine's."""
    steps = []

    def perform(step: object) -> Reply:
        steps.append(type(step))
        return Answered(signals())

    drive(ladder(ASKED, PARTS, Deadline(0.005, lambda: 0.0), has_fallback=True, may_stale=False), perform)
    assert steps == [AskFallback]


causes = st.sampled_from(list(Cause))
some = st.builds(
    Signals,
    st.lists(
        st.builds(Signal, st.sampled_from(ASKED), st.floats(0, 1), st.sampled_from(PARTS)),
        unique_by=lambda s: (s.label, s.part),
    ),
    st.lists(st.builds(Missing, st.sampled_from(ASKED), st.sampled_from(["", *PARTS]), causes), max_size=4),
)
replies = st.builds(Answered, some.map(lambda found: complete(found, ASKED, PARTS))) | st.builds(
    Failed, st.sampled_from(list(Failure))
)


def failing(found: Signals) -> set[tuple[str, str]]:
    """(label, part) pairs that something broke for: without a score, or with one that stands in doubt
    because a failure names that very pair."""
    scored = {(s.label, s.part) for s in found.scores}
    broken = [entry for entry in found.missing if entry.cause.is_failure]
    named = {(m.label, m.part) for m in broken if m.part}
    return ({(m.label, p) for m in broken for p in ([m.part] if m.part else PARTS)} - scored) | named


DOUBTED = Answered(
    Signals(
        [Signal(code, 0.2, part) for code in ASKED for part in PARTS],
        [Missing(ASKED[0], "body", Cause.ERROR)],
    )
)


@example(DOUBTED, NOTHING, Answered(signals(0.9)), True, False)
@given(replies, replies, replies, st.booleans(), st.booleans())
def test_no_label_ever_becomes_clean_by_a_failure(
    primary: Reply, stale: Reply, fallback: Reply, has_fallback: bool, may_stale: bool
) -> None:
    """For each label and part there is a score or a cause; scores of the primary are kept as they are;
    what failed is a failure until a rung gave a score for exactly that."""
    outcome, _ = climb(primary, stale, fallback, has_fallback=has_fallback, may_stale=may_stale)
    told = {(s.label, s.part) for s in outcome.signals.scores}
    told |= {(m.label, p) for m in outcome.signals.missing for p in ([m.part] if m.part else PARTS)}
    assert told >= {(label, part) for label in ASKED for part in PARTS}
    if isinstance(primary, Answered):
        assert set(primary.signals.scores) <= set(outcome.signals.scores)
        extra = set(outcome.signals.scores) - set(primary.signals.scores)
        assert {(s.label, s.part) for s in extra} <= failing(primary.signals)
    if outcome.origin is Status.CHECKED:
        given = set(primary.signals.scores) if isinstance(primary, Answered) else set()
        assert set(outcome.signals.scores) == given


@given(some)
def test_aged_signals_are_silent_on_grave_labels(found: Signals) -> None:
    """No score of severity 4 survives; each that was there is missing as stale."""
    old = aged(found)
    assert all(LABELS[s.label].severity < GRAVE for s in old.scores)
    gone = {(s.label, s.part) for s in found.scores} - {(s.label, s.part) for s in old.scores}
    assert gone <= {(m.label, m.part) for m in old.missing if m.cause is Cause.STALE}


@given(some, some)
def test_filling_keeps_everything_that_was_known(known: Signals, extra: Signals) -> None:
    """Scores stay, gaps in reach stay, and failures end only where a score was added."""
    whole, used = filled(known, extra, PARTS)
    assert set(known.scores) <= set(whole.scores)
    assert used is (whole is not known)
    assert failing(whole) == failing(known) - {(s.label, s.part) for s in extra.scores}


def test_a_score_whose_label_failed_on_the_same_part_stays_in_doubt() -> None:
    """A lower rung's score joins it, and does not make it whole where there is none."""
    doubted = Signals([Signal("hate.speech", 0.01, "body")], [
        Missing("hate.speech", "body", Cause.ERROR), Missing("violence.threat", "body", Cause.ERROR),
    ])  # fmt: skip
    other = Signals([Signal("violence.threat", 0.0, "body")])
    whole, _ = filled(doubted, other, ["body"])
    assert Missing("hate.speech", "body", Cause.ERROR) in whole.missing
    whole, _ = filled(doubted, Signals([Signal("hate.speech", 0.9, "body"), *other.scores]), ["body"])
    assert whole.score("hate.speech") == 0.9


def test_what_the_primary_never_gives_does_not_fail_with_it() -> None:
    """A label known to be beyond the primary stays unsupported in an outage; the others failed."""
    outcome, _ = climb(Failed(Failure.CONNECT), fallback=NOTHING, beyond=frozenset({"hate.speech"}))
    causes = {entry.label: entry.cause for entry in outcome.signals.missing}
    assert causes["hate.speech"] is Cause.UNSUPPORTED
    assert causes["violence.threat"] is Cause.ERROR
