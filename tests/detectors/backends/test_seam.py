"""What holds for every backend: the seam, failures, secrets, and categories that are not inverted."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotsafe.core.content import Audio, Content, Image, Text
from spotsafe.core.errors import ConfigurationError, DetectorError, Failure
from spotsafe.core.labels import LABELS
from spotsafe.core.seams import Detector, DetectRequest
from spotsafe.core.signals import Cause
from spotsafe.detectors.backends import categories
from spotsafe.detectors.backends.choose import FORMS, detector
from spotsafe.detectors.backends.exchange import MOST_ANSWER

SECRET = "sk-canary-4711"
CONTENT = "canary content, never to be repeated"
KEYS = ("SPOTSAFE_API_KEY", "OPENAI_API_KEY", "MISTRAL_API_KEY", "AZURE_CONTENT_SAFETY_KEY", "GUARD_API_KEY")
ENVIRON = dict.fromkeys(KEYS, SECRET)
SPECS = (
    "https://s.example", "openai:", "openai:my-model@https://o.example/v1", "mistral:",
    "azure:https://a.example", "llama-guard:meta/guard:8b@https://g.example/v1",
    "safeguard:m@https://g.example/v1",
)  # fmt: skip


def made(spec: str, answer: Callable[[httpx.Request], httpx.Response], waiting: Any = None) -> Detector:
    transport = httpx.MockTransport(answer)
    return detector(spec, environ=ENVIRON, transport=transport, waiting=waiting)


def request_of(*labels: str) -> DetectRequest:
    parts = [Text(CONTENT, "body"), Image(b"not a picture", "cover"), Audio(b"not a sound", "episode")]
    return DetectRequest(Content(parts), labels or tuple(LABELS))


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize(
    "body", [{}, [], None, {"results": []}, {"choices": []}, {"categoriesAnalysis": None}]
)
def test_an_answer_that_says_nothing_is_never_clean(spec: str, body: object, waiting: Any) -> None:
    """Whatever cannot be read, each label asked for is missing with a cause, or the detector fails."""
    subject = made(spec, lambda _: httpx.Response(200, json=body), waiting)
    try:
        (found,) = subject.detect([request_of()])
    except DetectorError as error:
        assert error.failure is Failure.MALFORMED
        return
    assert found.scores == ()
    told = {(entry.label, entry.part) for entry in found.missing}
    assert told == {(label, part) for label in LABELS for part in ("body", "cover", "episode")}


_KEYS_SEEN = st.sampled_from(
    ["results", "category_scores", "hate", "category_applied_input_types", "categoriesAnalysis", "category",
     "severity", "choices", "message", "content", "logprobs", "top_logprobs", "token", "logprob", "id",
     "signals", "missing", "score", "label", "part"]
)  # fmt: skip
_LEAVES = (
    st.none() | st.booleans() | st.floats() | st.integers(-2, 8)
    | st.sampled_from(["safe", "unsafe\nS10", "hate.speech", "Hate", "body", "1", '{"hate.speech": 0.3}', ""])
)  # fmt: skip
JSON = st.recursive(
    _LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS_SEEN, inner, max_size=4)
)


@pytest.mark.parametrize("spec", SPECS)
@given(body=JSON)
@settings(max_examples=40, deadline=None)
def test_any_json_is_read_without_a_crash(spec: str, body: object) -> None:
    """Whatever JSON comes back, each label has a score in [0, 1] or a cause for each part, or it failed."""
    raw = json.dumps(body)
    subject = subjects(spec, lambda _: httpx.Response(200, text=raw))
    try:
        (found,) = subject.detect([request_of("hate.speech", "tone.toxic")])
    except DetectorError as error:
        assert error.failure is Failure.MALFORMED
        return
    told = {(entry.label, entry.part) for entry in (*found.scores, *found.missing)}
    assert told >= {(label, part) for label in ("hate.speech", "tone.toxic") for part in ("body", "episode")}
    assert all(0.0 <= signal.score <= 1.0 for signal in found.scores)


def subjects(spec: str, answer: Callable[[httpx.Request], httpx.Response]) -> Detector:
    """One detector per spec, whose network is replaced: making a client takes longer than asking it."""

    def latest(request: httpx.Request) -> httpx.Response:
        return _ANSWERS[spec](request)

    if spec not in _SUBJECTS:
        _SUBJECTS[spec] = made(spec, latest)
    _ANSWERS[spec] = answer
    return _SUBJECTS[spec]


_SUBJECTS: dict[str, Detector] = {}
_ANSWERS: dict[str, Callable[[httpx.Request], httpx.Response]] = {}


@pytest.mark.parametrize("spec", SPECS)
def test_kinds_that_a_backend_does_not_read_are_missing_by_modality(spec: str) -> None:
    """A sound is never clean for a backend that reads texts and pictures."""
    subject = made(spec, lambda _: httpx.Response(200, json={}))
    capabilities = subject.capabilities()
    if capabilities is None:
        return
    label = next(iter(capabilities.labels))
    (found,) = subject.detect([DetectRequest(Content([Audio(b"x", "episode")]), (label,))])
    assert [(entry.part, entry.cause) for entry in found.missing] == [("episode", Cause.MODALITY)]
    assert isinstance(subject, Detector)


STATUSES = {
    401: Failure.UNAUTHORIZED, 403: Failure.UNAUTHORIZED, 429: Failure.OVERLOADED, 503: Failure.OVERLOADED,
    500: Failure.SERVER, 502: Failure.SERVER, 400: Failure.REJECTED, 302: Failure.REJECTED,
}  # fmt: skip
RAISED = {
    httpx.ReadTimeout: Failure.TIMEOUT, httpx.ConnectTimeout: Failure.TIMEOUT,
    httpx.ConnectError: Failure.CONNECT, httpx.RemoteProtocolError: Failure.CONNECT,
}  # fmt: skip


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("status", STATUSES)
def test_every_status_has_one_meaning(spec: str, status: int, waiting: Any) -> None:
    """A status other than 200 is a failure with its closed cause; what the body says is not repeated."""
    subject = made(spec, lambda _: httpx.Response(status, text=CONTENT), waiting)
    with pytest.raises(DetectorError) as caught:
        subject.detect([request_of()])
    assert caught.value.failure is STATUSES[status]
    tried = 3 if STATUSES[status] in (Failure.OVERLOADED, Failure.SERVER) else 1
    assert waiting.sleep.made[: tried - 1] == [0.5, 1.0][: tried - 1]


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("error", RAISED)
def test_a_broken_network_leaves_no_content_and_no_key_behind(
    spec: str, error: type[Exception], waiting: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the exception and its chain, nor the log at DEBUG, nor any repr holds content or key."""

    def broken(request: httpx.Request) -> httpx.Response:
        raise error(f"{CONTENT} {SECRET}")

    caplog.set_level(logging.DEBUG)
    subject = made(spec, broken, waiting)
    with pytest.raises(DetectorError) as caught:
        subject.detect([request_of()])
    assert caught.value.failure is RAISED[error]
    shown = "".join(traceback.format_exception(caught.value)) + caplog.text + repr(subject)
    shown += repr(vars(subject))
    # The traceback quotes this test's own source line, which names the variables, not their values.
    assert CONTENT not in shown
    assert SECRET not in shown


def test_a_server_that_is_busy_is_asked_again_when_it_says(waiting: Any) -> None:
    """``Retry-After`` is kept where it fits the time there is; the second answer counts."""
    answers = iter(
        [
            httpx.Response(429, headers={"retry-after": "7"}),
            httpx.Response(200, json={"results": [{"category_scores": {"hate": 0.2}}]}),
        ]
    )
    subject = made("openai:", lambda _: next(answers), waiting)
    (found,) = subject.detect([DetectRequest(Content([Text("t", "body")]), ("hate.speech",))])
    assert waiting.sleep.made == [7.0]
    assert found.score("hate.speech") == 0.2


def test_a_pause_that_does_not_fit_is_not_made(waiting: Any) -> None:
    """With less time than the server asks for, the failure comes at once and says how long to wait."""
    subject = made("openai:", lambda _: httpx.Response(429, headers={"retry-after": "60"}), waiting)
    with pytest.raises(DetectorError) as caught:
        subject.detect([request_of("hate.speech")], timeout=10)
    assert caught.value.retry_after == 60.0
    assert waiting.sleep.made == []


def test_an_endless_answer_is_cut() -> None:
    """An answer of more than 8 MiB is malformed, however it goes on."""

    def endless() -> Any:
        for _ in range(MOST_ANSWER // 65536 + 2):
            yield b" " * 65536

    subject = made("openai:", lambda _: httpx.Response(200, content=endless()))
    with pytest.raises(DetectorError) as caught:
        subject.detect([request_of("hate.speech")])
    assert caught.value.failure is Failure.MALFORMED


def test_a_part_that_fails_alone_is_missing_alone(waiting: Any) -> None:
    """Of several texts the one that the server cannot take is missing; the others have their scores."""

    def answer(request: httpx.Request) -> httpx.Response:
        if b"bad" in request.content:
            return httpx.Response(400)
        return httpx.Response(200, json={"categoriesAnalysis": [{"category": "Hate", "severity": 7}]})

    requests = [DetectRequest(Content([Text(text, "body")]), ("hate.speech",)) for text in ("a", "bad", "c")]
    found = made("azure:https://a.example", answer, waiting).detect(requests)
    assert [one.score("hate.speech") for one in found] == [1.0, None, 1.0]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("gibberish", "names no detector"),
        ("service:x", "names no detector"),
        ("llama-guard:model", "needs a model and an address"),
        ("safeguard:@https://x.example", "needs a model and an address"),
        ("azure:", "needs its endpoint"),
        ("https://user:pw@s.example", "holds a user"),
        ("http://s.example", "in the clear"),
        ("openai:m@http://gpu.example/v1", "in the clear"),
        ("azure:ftp://a.example", "begins with https"),
        ("local:slow", "no tier"),
    ],
)
def test_a_spec_that_names_nothing_is_told_so(spec: str, expected: str) -> None:
    """Faults in a spec name what is wrong; forms are listed where nothing fits."""
    with pytest.raises(ConfigurationError, match=expected) as caught:
        detector(spec, environ=ENVIRON)
    if expected == "names no detector":
        assert FORMS in str(caught.value)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize("spec", ["openai:", "mistral:", "azure:https://a.example"])
def test_a_key_that_is_not_there_is_asked_for(spec: str) -> None:
    """The message names the environment variable."""
    with pytest.raises(ConfigurationError, match="_KEY in the environment"):
        detector(spec, environ={})


def test_a_key_that_no_header_can_carry_is_not_repeated() -> None:
    """A key with a line end in it is refused, unquoted."""
    with pytest.raises(ConfigurationError, match="copy it again") as caught:
        detector("openai:", environ={"OPENAI_API_KEY": f"{SECRET}\nx: y"})
    assert SECRET not in str(caught.value)


def test_a_vendors_key_goes_to_the_vendor_alone() -> None:
    """An OpenAI-shaped endpoint elsewhere gets its own key or none."""
    seen: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("authorization"))
        return httpx.Response(200, json={"results": [{"category_scores": {}}]})

    for environ in ({"OPENAI_API_KEY": SECRET}, {"OPENAI_API_KEY": SECRET, "GUARD_API_KEY": "theirs"}):
        subject = detector(
            "openai:@https://o.example", environ=environ, transport=httpx.MockTransport(answer)
        )
        subject.detect([request_of("hate.speech")])
    assert seen == [None, "Bearer theirs"]


def test_local_is_handed_its_tier() -> None:
    """``local`` and ``local:first`` reach the local engine's entry point."""
    tiers: list[str] = []

    def local(tier: str) -> Any:
        tiers.append(tier)

    detector("local", environ={}, local=local)
    detector("local:first", environ={}, local=local)
    assert tiers == ["full", "first"]


SCHEMES = {
    "openai": categories.OPENAI, "llama_guard": categories.LLAMA_GUARD, "azure": categories.AZURE_TEXT,
}  # fmt: skip


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_category_speaks_only_for_labels_that_fall_under_it(scheme: str) -> None:
    """Our tables agree with the taxonomy's mapping, but never simply invert it."""
    table = SCHEMES[scheme]
    for category, codes in table.items():
        for code in codes:
            assert category in getattr(LABELS[code], scheme), f"{category} → {code}"
    known = {category for label in LABELS.values() for category in getattr(label, scheme)}
    assert set(table) == known
    wide = categories.widened(table, scheme)
    assert {c: set(codes) for c, codes in wide.items()} == {
        c: {code for code, label in LABELS.items() if c in getattr(label, scheme)} for c in table
    }
    assert sum(map(len, wide.values())) > 2 * sum(map(len, table.values()))


def test_broad_categories_speak_for_narrower_labels() -> None:
    """With *broad* a high score is an upper bound for every label under the category."""
    answer = httpx.Response(200, json={"results": [{"category_scores": {"hate": 0.9}}]})
    transport = httpx.MockTransport(lambda _: answer)
    label = "hate.against_women"
    request = DetectRequest(Content([Text("t", "body")]), (label,))
    narrow = detector("openai:", environ=ENVIRON, transport=transport).detect([request])[0]
    broad = detector("openai:", environ=ENVIRON, transport=transport, broad=True).detect([request])[0]
    assert [entry.cause for entry in narrow.missing] == [Cause.UNSUPPORTED]
    assert broad.score(label) == 0.9


def test_requests_are_plain_json(waiting: Any) -> None:
    """A text with a lone surrogate, as broken clients make them, still travels."""
    bodies: list[Any] = []

    def answer(request: httpx.Request) -> httpx.Response:
        bodies.append(json.loads(request.content))
        return httpx.Response(200, json={})

    subject = made("azure:https://a.example", answer, waiting)
    subject.detect([DetectRequest(Content([Text("a\ud800b", "body")]), ("hate.speech",))])
    assert bodies[0]["text"] == "a?b"
