"""``POST /v1/detect`` and ``GET /v1/labels``."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from spotsafe.core.content import Content, Text
from spotsafe.core.errors import DetectorError, Failure
from spotsafe.core.labels import LABELS
from spotsafe.core.seams import DetectRequest
from spotsafe.core.wire import decode_answer, encode_detect
from spotsafe.service.limits import Limits


def body(*texts: str, **extra: object) -> dict[str, object]:
    items = [
        {"id": str(number), "parts": [{"name": "body", "type": "text", "text": text}]}
        for number, text in enumerate(texts, 1)
    ]
    return {"items": items, **extra}


def test_answers_in_the_documented_shape(client: TestClient) -> None:
    """A score, its severity, part, detector and evidence; what cannot be scored is missing, with a cause."""
    sent = body("hate.speech=0.91 at you", labels=["hate.*"])
    sent["items"][0]["languages"] = ["en"]  # type: ignore[index]
    answer = client.post("/v1/detect", json=sent)
    assert answer.status_code == 200
    result = answer.json()["results"][0]
    assert answer.json()["engine"] == "scripted-1"
    assert result["id"] == "1"
    assert result["signals"][0] == {
        "label": "hate.speech", "score": 0.91, "severity": 3, "part": "body", "detector": "scripted",
        "version": "scripted-1", "evidence": [{"span": {"start": 0, "end": 11}}],
    }  # fmt: skip
    assert {"label": "hate.discrimination", "part": "body", "cause": "unsupported"} in result["missing"]
    asked = {entry["label"] for entry in (*result["signals"], *result["missing"])}
    assert asked == {code for code in LABELS if code.startswith("hate.")}


def test_what_the_codec_sends_it_reads_back(client: TestClient) -> None:
    """The client's codec and the service agree on a round trip, item by item."""
    requests = [DetectRequest(Content([Text(f"tone.toxic=0.{n}", "body")]), ("tone.toxic",)) for n in (2, 7)]
    answer = client.post("/v1/detect", json=encode_detect(requests)).json()
    signals, engine = decode_answer(answer, requests)
    assert [found.score("tone.toxic") for found in signals] == [0.2, 0.7]
    assert engine == "scripted-1"


def test_without_labels_every_label_is_answered(client: TestClient) -> None:
    """Leaving labels out asks for the whole taxonomy; nothing is silently left out of the answer."""
    result = client.post("/v1/detect", json=body("hello")).json()["results"][0]
    assert {entry["label"] for entry in (*result["signals"], *result["missing"])} == set(LABELS)


def test_media_without_a_detector_is_missing_not_clean(client: TestClient) -> None:
    """An image that nothing can look at has every label missing with cause modality or unsupported."""
    picture = {"name": "cover", "type": "image", "data": "aGk=", "mime": "image/png"}
    answer = client.post(
        "/v1/detect", json={"items": [{"id": "a", "parts": [picture]}], "labels": ["sexual.*"]}
    )
    result = answer.json()["results"][0]
    assert result["signals"] == []
    assert {entry["cause"] for entry in result["missing"]} == {"modality", "unsupported"}


def test_oversized_text_is_missing_with_cause_size(service, detector) -> None:
    """A text over the limit is not scored in part: its labels are missing; other parts are scored."""
    client = service(limits=Limits(text_characters=10))
    parts = [
        {"name": "long", "type": "text", "text": "x" * 11},
        {"name": "short", "type": "text", "text": "x"},
    ]
    sent = {"items": [{"id": "1", "parts": parts}], "labels": ["hate.speech"]}
    result = client.post("/v1/detect", json=sent).json()["results"][0]
    assert result["missing"] == [{"label": "hate.speech", "part": "long", "cause": "size"}]
    assert [signal["part"] for signal in result["signals"]] == ["short"]


def test_only_declared_context_reaches_the_detector(client: TestClient, detector) -> None:
    """Context fields that the detector does not declare are not given to it."""
    sent = body("hello", labels=["hate.speech"])
    sent["items"][0]["context"] = {"market": "de", "author_email": "a@example.com"}  # type: ignore[index]
    assert client.post("/v1/detect", json=sent).status_code == 200
    assert detector.contexts == [{"market": "de"}]


def test_one_content_that_breaks_the_detector_does_not_take_its_neighbours(
    client: TestClient, detector
) -> None:
    """The content on which the detector failed is missing with cause error; the others keep their scores."""
    detector.fail = ValueError("the content was: secret")
    answer = client.post("/v1/detect", json=body("fine", "BREAK", labels=["hate.speech"]))
    good, bad = answer.json()["results"]
    assert good["signals"][0]["score"] == 0.01
    assert bad["signals"] == []
    assert bad["missing"] == [{"label": "hate.speech", "part": "", "cause": "error"}]


@pytest.mark.parametrize("fault", [ValueError("secret"), DetectorError(Failure.TIMEOUT)])
def test_a_detector_that_fails_is_a_503_without_its_words(client: TestClient, detector, fault) -> None:
    """Nothing scored is an error, never an empty clean answer; no word of the fault. No Retry-After: the
    content may be to blame, and the client's other requests must not wait for it."""
    detector.fail = fault
    answer = client.post("/v1/detect", json=body("BREAK", labels=["hate.speech"]))
    assert answer.status_code == 503
    assert "retry-after" not in answer.headers
    assert answer.json()["type"] == "urn:spotsafe:problem:detector-failed"
    assert "secret" not in answer.text


@pytest.mark.parametrize(("version", "status"), [("1", 200), ("2", 400), ("", 400), ("one", 400)])
def test_the_wire_version_is_checked(client: TestClient, version: str, status: int) -> None:
    """A version that is not read here is refused with the remedy; the answer names its own."""
    answer = client.post("/v1/detect", json=body("hi", labels=["hate.*"]), headers={"spotsafe-wire": version})
    assert answer.status_code == status
    assert answer.headers["spotsafe-wire"] == "1"


def test_labels_lists_the_taxonomy_with_the_engines_reach(client: TestClient) -> None:
    """Every label is listed; those that the engine can score say in which languages and how well."""
    answer = client.get("/v1/labels").json()
    found = {entry["label"]: entry for entry in answer["labels"]}
    assert set(found) == set(LABELS)
    assert found["hate.speech"]["languages"] == {"en": "calibrated"}
    assert found["ip.copyright"]["languages"] == {}
