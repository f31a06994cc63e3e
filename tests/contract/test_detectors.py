"""The contract of :class:`spotsafe.core.seams.Detector`: one table of contents, every detector that ships."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from spotsafe.client.http import Exchange
from spotsafe.client.remote import ServiceDetector
from spotsafe.core.content import Content, Image, Text
from spotsafe.core.errors import DetectorError
from spotsafe.core.seams import Detector, DetectRequest
from spotsafe.core.signals import Signals, Span
from spotsafe.detectors.backends import categories, choose
from spotsafe.detectors.backends.service import ServiceDetector as MeasuredService
from spotsafe.detectors.local import engine
from spotsafe.testing import FakeDetector, FakeService

LABELS = ("hate.speech", "ip.copyright", "privacy.pii_exposure", "sexual.explicit", "tone.profanity")

CONTENTS = {
    "a text": Content([Text("call me on +49 30 901820, you damn fool", "body")], ["en"]),
    "an empty text": Content([Text("", "body")]),
    "two texts": Content([Text("a quiet day", "title"), Text("ein schöner Tag", "body")], ["en", "de"]),
    "a language that nobody knows": Content([Text("qwx zzt", "body")], ["zxx"]),
    "half a surrogate pair": Content([Text("broken \ud83d here", "body")]),
    "signs and marks": Content([Text("🙂\u200d🙂 e\u0301 \x00 \u202e", "body")]),
    "a picture": Content([Image(b"\x89PNG\r\n", "cover", mime="image/png")]),
    "a text beside a picture": Content([Text("look", "body"), Image(b"GIF89a", "cover")]),
}


@contextmanager
def fake() -> Iterator[Detector]:
    yield FakeDetector({"damn": {"tone.profanity": 0.9}}, kinds=("text",))


@contextmanager
def service() -> Iterator[Detector]:
    with FakeService() as running:
        exchange = Exchange(running.url, None, monotonic=time.monotonic)
        yield ServiceDetector(exchange)
        exchange.close()


@contextmanager
def local() -> Iterator[Detector]:
    yield engine("first")


def vendor(request: httpx.Request) -> httpx.Response:
    """Every third party at once: a well-formed answer of its shape that finds a little of everything."""
    body = json.loads(request.content)
    if request.url.path.endswith("/moderations"):
        kind = "text" if isinstance(body["input"][0], str) else "image"
        one = {
            "category_scores": dict.fromkeys((*categories.OPENAI, *categories.MISTRAL), 0.1),
            "category_applied_input_types": {name: [kind] for name in categories.OPENAI},
        }
        return httpx.Response(200, json={"model": "m-1", "results": [one] * len(body["input"])})
    if request.url.path.endswith(":analyze"):
        found = [{"category": category, "severity": 2} for category in body["categories"]]
        return httpx.Response(200, json={"categoriesAnalysis": found})
    content = "safe"
    if "response_format" in body:
        asked = body["response_format"]["json_schema"]["schema"]["required"]
        content = json.dumps(dict.fromkeys(asked, 0.1))
    return httpx.Response(200, json={"choices": [{"message": {"content": content}}]})


ELSEWHERE = (
    "openai:", "mistral:", "azure:https://a.example", "llama-guard:m@https://g.example/v1",
    "safeguard:m@https://g.example/v1",
)  # fmt: skip
ENVIRON = dict.fromkeys(("OPENAI_API_KEY", "MISTRAL_API_KEY", "AZURE_CONTENT_SAFETY_KEY"), "k")


def elsewhere(spec: str, answer: Callable[[httpx.Request], httpx.Response] = vendor) -> Detector:
    return choose.detector(spec, environ=ENVIRON, transport=httpx.MockTransport(answer))


def third_party(spec: str) -> Callable[[], contextmanager[Detector]]:
    @contextmanager
    def make() -> Iterator[Detector]:
        yield elsewhere(spec)

    make.__name__ = spec.partition(":")[0]
    return make


@contextmanager
def service_to_measure() -> Iterator[Detector]:
    with FakeService() as running:
        asking = MeasuredService(running.url)
        yield asking
        asking.close()


SHIPPED = [fake, service, local, service_to_measure, *map(third_party, ELSEWHERE)]


@pytest.fixture(params=SHIPPED, ids=lambda make: make.__name__, scope="module")
def detector(request: pytest.FixtureRequest) -> Iterator[Detector]:
    make: Callable[[], contextmanager[Detector]] = request.param
    with make() as made:
        yield made


def answered(detector: Detector, *contents: Content) -> list[Signals]:
    return detector.detect([DetectRequest(content, LABELS) for content in contents], timeout=20.0)


def test_it_has_the_shape_of_the_seam(detector: Detector) -> None:
    """A name, a version, what it can say: with labels of the taxonomy only."""
    from spotsafe.core.labels import LABELS as TAXONOMY

    assert isinstance(detector, Detector)
    assert detector.id
    assert isinstance(detector.version, str)
    capabilities = detector.capabilities()
    assert capabilities is None or set(capabilities.labels) <= set(TAXONOMY)


@pytest.mark.parametrize("name", CONTENTS)
def test_every_label_of_every_part_is_scored_or_missing(detector: Detector, name: str) -> None:
    """Silence would read as clean."""
    content = CONTENTS[name]
    (signals,) = answered(detector, content)
    scored = {(signal.label, signal.part) for signal in signals.scores}
    missing = {(entry.label, entry.part) for entry in signals.missing}
    for label in LABELS:
        for part in content:
            assert (label, part.name) in scored or missing & {(label, part.name), (label, "")}
    assert not scored & missing


@pytest.mark.parametrize("name", CONTENTS)
def test_scores_severities_and_places_are_within_their_bounds(detector: Detector, name: str) -> None:
    """A score is from 0 to 1, a severity from 0 to 4, a span inside of the text that was given."""
    content = CONTENTS[name]
    (signals,) = answered(detector, content)
    for signal in signals.scores:
        assert 0.0 <= signal.score <= 1.0
        assert 0 <= signal.severity <= 4
        assert signal.label in LABELS
        part = content.part(signal.part)
        assert part is not None
        for evidence in signal.evidence:
            assert isinstance(evidence, Span)
            assert 0 <= evidence.start < evidence.end <= len(part.data)


def test_answers_come_in_the_order_of_the_requests(detector: Detector) -> None:
    """Several contents in one call get what each of them gets alone."""
    contents = list(CONTENTS.values())
    together = answered(detector, *contents)
    assert [one.scores for one in together] == [answered(detector, content)[0].scores for content in contents]


def test_nothing_of_the_content_is_in_a_failure() -> None:
    """What goes wrong is a DetectorError with a closed cause, from any of them."""
    broken = FakeDetector()
    broken.fail("server")
    exchange = Exchange("http://127.0.0.1:9", None, monotonic=time.monotonic)

    def echo(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadError(request.content.decode())

    for failing in (broken, ServiceDetector(exchange), *(elsewhere(spec, echo) for spec in ELSEWHERE)):
        with pytest.raises(DetectorError) as raised:
            answered(failing, Content([Text("canary-of-the-content", "body")]))
        assert "canary" not in repr(raised.value) + str(raised.value)
        assert raised.value.__cause__ is None
        assert raised.value.__suppress_context__ or raised.value.__context__ is None
