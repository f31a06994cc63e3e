"""Breaker, retry budget and back-off, with time as a number."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from spotsafe.core.errors import Failure
from spotsafe.core.signals import Signals
from spotsafe.guard.attempts import attempts
from spotsafe.guard.breaker import Breaker, BreakerState
from spotsafe.guard.retry import MOST_RETRY_AFTER, Gate, RetryBudget
from spotsafe.guard.steps import Answered, Failed, Nothing, Pause, Reply, Send

ANSWER = Answered(Signals())
BROKEN = Failed(Failure.SERVER)


class Time:
    """A clock that each step moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def walk(gate: Gate, replies: list[Reply], *, timeout: float = 1.0, took: float = 0.01) -> tuple[Reply, list]:
    """Run one question; each request takes *took* seconds. Returns the end and the steps."""
    time, steps = Time(), []
    course = attempts(gate, timeout, time, lambda: 0.5)
    try:
        step = next(course)
        while True:
            steps.append(step)
            time.now += took if isinstance(step, Send) else step.seconds
            step = course.send(replies.pop(0) if isinstance(step, Send) else Nothing())
    except StopIteration as end:
        return end.value, steps


def test_a_failure_is_tried_once_more() -> None:
    """One retry after a short pause; the second failure is the answer."""
    end, steps = walk(Gate(), [BROKEN, BROKEN])
    assert end == BROKEN
    assert [type(step) for step in steps] == [Send, Pause, Send]
    assert steps[2].timeout < steps[0].timeout


def test_a_time_out_is_not_tried_again() -> None:
    """Its time is gone."""
    end, steps = walk(Gate(), [Failed(Failure.TIMEOUT)])
    assert end == Failed(Failure.TIMEOUT)
    assert len(steps) == 1


def test_retry_after_within_the_budget_is_waited_for() -> None:
    """The server names the pause."""
    end, steps = walk(Gate(), [Failed(Failure.OVERLOADED, 0.5), ANSWER])
    assert end == ANSWER
    assert steps[1] == Pause(0.5)


def test_retry_after_beyond_the_budget_silences_until_then() -> None:
    """No retry, and no request before the server's time, whoever asks."""
    gate = Gate()
    _, steps = walk(gate, [Failed(Failure.OVERLOADED, 20.0)])
    assert len(steps) == 1
    assert gate.admit(119.0) is Failure.BACKING_OFF
    assert gate.admit(120.1) is None


def test_an_absurd_retry_after_is_cut() -> None:
    """A wrong header cannot silence a client for a year."""
    gate = Gate()
    walk(gate, [Failed(Failure.OVERLOADED, 1e9)])
    assert gate.silent_until <= 100.01 + MOST_RETRY_AFTER


def test_retries_are_bounded_over_all_questions() -> None:
    """Ten retries at once, then one for every ten answers."""
    gate = Gate(Breaker(threshold=10**9))
    retried = sum(len(walk(gate, [BROKEN, BROKEN])[1]) == 3 for _ in range(30))
    assert retried == 10
    for _ in range(10):
        walk(gate, [ANSWER])
    assert len(walk(gate, [BROKEN, BROKEN])[1]) == 3
    assert len(walk(gate, [BROKEN, BROKEN])[1]) == 1


def test_the_breaker_opens_probes_once_and_closes() -> None:
    """Five failures open it; after the cool-down one caller probes and the others are refused."""
    breaker = Breaker(threshold=5, cooldown=5.0)
    for _ in range(5):
        assert breaker.admit(0.0)
        breaker.failed(0.0)
    assert breaker.state(4.9) is BreakerState.OPEN
    assert not breaker.admit(4.9)
    assert breaker.state(5.0) is BreakerState.HALF_OPEN
    assert breaker.admit(5.0)
    assert not breaker.admit(5.0)
    breaker.succeeded()
    assert breaker.state(5.0) is BreakerState.CLOSED


def test_a_failed_probe_doubles_the_pause_up_to_a_bound() -> None:
    """An outage that lasts is asked about ever less often."""
    breaker = Breaker(threshold=1, cooldown=5.0, longest=12.0)
    breaker.failed(0.0)
    pauses, now = [], 5.0
    for _ in range(3):
        assert breaker.admit(now)
        breaker.failed(now)
        pauses.append(breaker.open_until - now)
        now = breaker.open_until
    assert pauses == [10.0, 12.0, 12.0]


def test_a_cancelled_question_gives_its_probe_back() -> None:
    """A caller that is cancelled while it probes must not leave the breaker half open for ever."""
    gate = Gate(Breaker(threshold=1, cooldown=1.0))
    walk(gate, [Failed(Failure.MALFORMED)])
    now = gate.breaker.open_until
    course = attempts(gate, 1.0, lambda: now, lambda: 0.5)
    assert isinstance(next(course), Send)
    assert gate.admit(now) is Failure.BREAKER_OPEN
    course.close()
    assert gate.admit(now) is None


def test_a_rejected_request_does_not_count_against_the_service() -> None:
    """A 422 says that the service is alive."""
    gate = Gate(Breaker(threshold=1))
    walk(gate, [Failed(Failure.REJECTED)])
    assert gate.admit(101.0) is None


def test_a_hopeless_deadline_does_not_open_the_breaker() -> None:
    """A surface that gives the service three milliseconds says nothing about the service."""
    gate = Gate(Breaker(threshold=1))
    walk(gate, [Failed(Failure.TIMEOUT)], timeout=0.003, took=0.003)
    assert gate.admit(101.0) is None


@given(st.lists(st.sampled_from(["ok", "fail", "release"]), max_size=40), st.integers(1, 4))
def test_the_breaker_lends_one_probe_and_never_sticks(acts: list[str], threshold: int) -> None:
    """Whatever happens, a request is admitted again once the pause is over and the probe was returned."""
    breaker, now = Breaker(threshold=threshold, cooldown=1.0, longest=4.0), 0.0
    for act in acts:
        if not breaker.admit(now):
            now = breaker.open_until
            assert breaker.admit(now)
            assert not breaker.admit(now) or breaker.open_until is None
        if act == "fail":
            breaker.failed(now)
        else:
            {"ok": breaker.succeeded, "release": breaker.released}[act]()
    assert breaker.admit(max(now, breaker.open_until or now))


@given(st.lists(st.booleans(), max_size=60))
def test_the_retry_budget_stays_within_its_bounds(acts: list[bool]) -> None:
    """Never negative, never above its capacity."""
    budget = RetryBudget()
    for spend in acts:
        if spend:
            budget.spend()
        else:
            budget.reward()
        assert 0.0 <= budget.tokens <= budget.capacity
