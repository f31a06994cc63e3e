"""``POST /v1/moderations``: OpenAI's shape, its errors, and its real client."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable

import openai
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from spotsafe.core.labels import LABELS, OPENAI_CATEGORIES
from spotsafe.core.seams import Calibration, Capabilities
from spotsafe.core.signals import Cause
from spotsafe.service.app import create_app
from spotsafe.service.background import running
from spotsafe.service.keys import KeyRing, StoredKey, checked_principal, hashed
from spotsafe.service.openai_shape import FLAG_AT, IMAGE_CATEGORIES, MODERATED, SOURCES

PICTURE = "data:image/png;base64," + b64encode(b"\x89PNG not really").decode()
IMAGE = {"type": "image_url", "image_url": {"url": PICTURE}}
TEXT = {"type": "text", "text": "violence.threat=0.9 to you"}


def moderate(client: TestClient, given: object, **fields: object) -> dict:
    answer = client.post("/v1/moderations", json={"input": given, **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_string_gives_one_result_in_the_exact_shape(client: TestClient) -> None:
    """The members, the thirteen categories and the kinds of values are OpenAI's."""
    answer = moderate(client, "hello", model="text-moderation-stable")
    assert set(answer) == {"id", "model", "results"}
    assert answer["id"].startswith("modr-")
    assert answer["model"] == "text-moderation-stable"
    (result,) = answer["results"]
    assert set(result) == {"flagged", "categories", "category_scores", "category_applied_input_types"}
    assert result["flagged"] is False
    for member, kind in (
        ("categories", bool),
        ("category_scores", float),
        ("category_applied_input_types", list),
    ):
        assert list(result[member]) == list(OPENAI_CATEGORIES)
        assert all(isinstance(value, kind) for value in result[member].values())


def test_without_a_model_the_answer_names_the_default(client: TestClient) -> None:
    """OpenAI's default model is named where none was asked for."""
    assert moderate(client, "x")["model"] == "omni-moderation-latest"
    assert moderate(client, "x", model=None)["model"] == "omni-moderation-latest"


def test_an_array_of_strings_gives_one_result_each(client: TestClient) -> None:
    """Results are in the order of the strings."""
    results = moderate(client, ["fine", "hate.speech=0.8", "fine"])["results"]
    assert [result["flagged"] for result in results] == [False, True, False]


def test_an_array_of_parts_gives_one_combined_result(client: TestClient) -> None:
    """Parts are one content: its score is the highest of any part."""
    parts = [{"type": "text", "text": "hate.speech=0.2"}, {"type": "text", "text": "hate.speech=0.8"}]
    (result,) = moderate(client, parts)["results"]
    assert result["category_scores"]["hate"] == 0.8
    assert result["flagged"] is True


def test_a_picture_beside_text_is_not_claimed_to_be_checked(client: TestClient) -> None:
    """Without an image detector the text is answered for and image is in no applied input type."""
    answer = client.post("/v1/moderations", json={"input": [TEXT, IMAGE]})
    types = answer.json()["results"][0]["category_applied_input_types"]
    assert types["violence"] == ["text"]
    assert all("image" not in kinds for kinds in types.values())


@pytest.mark.parametrize("parts", [[IMAGE], [IMAGE, IMAGE]])
def test_pictures_alone_are_an_error_not_clean(client: TestClient, parts: list[object]) -> None:
    """An input of which nothing could be checked is refused with the remedy."""
    answer = client.post("/v1/moderations", json={"input": parts})
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["code"] == "unsupported_input"
    assert "image detector" in error["message"]
    assert error["param"].startswith("input")


def test_an_image_detector_is_named_where_openai_does(service: Callable[..., TestClient], detector) -> None:
    """With a detector that looks at images, the categories OpenAI applies to images say so."""
    reach = {code: {"*": Calibration.CALIBRATED} for code in MODERATED}
    detector.capabilities = lambda: Capabilities(reach, ("text", "image"))
    (result,) = moderate(service(), [{"type": "text", "text": "x"}, IMAGE])["results"]
    for category, kinds in result["category_applied_input_types"].items():
        assert kinds == (["text", "image"] if category in IMAGE_CATEGORIES else ["text"])


def test_categories_without_a_detector_are_said_to_be_unchecked(client: TestClient) -> None:
    """A category that nothing looked for has no applied type, and the header names it."""
    answer = client.post("/v1/moderations", json={"input": "hello"})
    types = answer.json()["results"][0]["category_applied_input_types"]
    silent = [category for category, kinds in types.items() if not kinds]
    assert "sexual/minors" in silent
    assert answer.headers["spotsafe-categories-not-checked"].split(", ") == silent


def test_a_language_that_is_not_covered_is_an_error_not_clean(client: TestClient, detector) -> None:
    """Where no category could be scored the answer is a refusal that says why, and which input."""
    detector.missing = dict.fromkeys(LABELS, Cause.LANGUAGE)
    answer = client.post("/v1/moderations", json={"input": ["eins", "zwei"]})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "input.0"
    assert "language" in answer.json()["error"]["message"]


def test_a_failed_label_is_a_503_unless_its_category_is_flagged_anyway(client: TestClient, detector) -> None:
    """What broke is never reported as unflagged; a category that another label flags stands."""
    detector.missing = {"violence.threat": Cause.TIMEOUT}
    assert client.post("/v1/moderations", json={"input": "hello"}).status_code == 503
    detector.missing = {"hate.threatening": Cause.ERROR}
    answer = client.post("/v1/moderations", json={"input": "hate.speech=0.9"})
    assert answer.status_code == 503  # hate/threatening itself stays unknown
    detector.missing = {"harass.bullying": Cause.ERROR}
    assert moderate(client, "violence.threat=0.9")["results"][0]["categories"]["harassment"] is True


PROJECTION = [
    ("hate.speech", {"hate"}),
    ("hate.threatening", {"hate", "hate/threatening"}),
    ("harass.bullying", {"harassment"}),
    ("violence.threat", {"violence", "harassment", "harassment/threatening"}),
    ("selfharm.at_risk", {"self-harm", "self-harm/intent"}),
    ("sexual.explicit", {"sexual"}),
    ("illicit.instructions", {"illicit"}),
    ("tone.toxic", set()),
    ("tone.profanity", set()),
]


@pytest.mark.parametrize(("label", "flagged"), PROJECTION)
def test_labels_project_onto_categories(client: TestClient, label: str, flagged: set[str]) -> None:
    """Each label flags its categories and theirs above; tone flags nothing."""
    (result,) = moderate(client, f"{label}=0.99")["results"]
    assert {category for category, flag in result["categories"].items() if flag} == flagged
    assert result["flagged"] is bool(flagged)


def test_every_mapped_label_has_a_category_and_a_threshold() -> None:
    """The projection is total: no label that maps to OpenAI is forgotten, no category without threshold."""
    assert set(FLAG_AT) == set(SOURCES) == set(OPENAI_CATEGORIES)
    assert {code for codes in SOURCES.values() for code in codes} == set(MODERATED)
    assert not any(code.startswith("tone.") for code in MODERATED)


@given(scores=st.dictionaries(st.sampled_from([row[0] for row in PROJECTION]), st.floats(0, 1), min_size=1))
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_flags_follow_scores(client: TestClient, scores: dict[str, float]) -> None:
    """A category is true iff its score reaches its threshold, and flagged iff any category is."""
    text = " ".join(f"{label}={score:.4f}" for label, score in scores.items())
    (result,) = moderate(client, text)["results"]
    for category, score in result["category_scores"].items():
        assert result["categories"][category] is (score >= FLAG_AT[category])
    assert result["flagged"] is any(result["categories"].values())


BAD = {
    "no input": ({}, "input"),
    "null": ({"input": None}, "input"),
    "number": ({"input": 5}, "input"),
    "empty array": ({"input": []}, "input"),
    "tokens": ({"input": [1, 2, 3]}, "input.0"),
    "mixed": ({"input": ["a", {"type": "text", "text": "b"}]}, "input.0"),
    "unknown part": ({"input": [{"type": "audio"}]}, "input.0.type"),
    "text without text": ({"input": [{"type": "text"}]}, "input.0.text"),
    "picture without url": ({"input": [{"type": "image_url", "image_url": {}}]}, "input.0.image_url.url"),
    "picture on the web": (
        {"input": [{"type": "image_url", "image_url": {"url": "http://169.254.169.254/secret"}}]},
        "input.0.image_url.url",
    ),
    "picture of another type": (
        {"input": [{"type": "image_url", "image_url": {"url": "data:image/svg+xml;base64,aGk="}}]},
        "input.0.image_url.url",
    ),
    "picture not base64": (
        {"input": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,???"}}]},
        "input.0.image_url.url",
    ),
    "empty picture": (
        {"input": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,"}}]},
        "input.0.image_url.url",
    ),
    "too many strings": ({"input": ["x"] * 257}, "input"),
    "too many parts": ({"input": [TEXT] * 33}, "input"),
    "model not a name": ({"input": "x", "model": "a b"}, "model"),
    "model a number": ({"input": "x", "model": 4}, "model"),
    "not an object": ([], None),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_an_error_in_openais_shape(client: TestClient, name: str) -> None:
    """A refusal has error.message, type, param and code, and repeats nothing of the input."""
    body, param = BAD[name]
    answer = client.post("/v1/moderations", json=body)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
    assert "secret" not in answer.text


def test_a_text_over_the_limit_is_refused(client: TestClient) -> None:
    """A text that is too long to be checked is an error that says so."""
    answer = client.post("/v1/moderations", json={"input": ["x", "y" * 200_001]})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "input.1"
    assert "too long" in answer.json()["error"]["message"]


def test_the_openai_client_works_unchanged(store, detector) -> None:
    """The real package against a real socket: strings, arrays, parts, typed results."""
    with running(create_app(store, detector)) as url:
        client = openai.OpenAI(base_url=f"{url}/v1", api_key="unused", max_retries=0)
        one = client.moderations.create(input="violence.threat=0.9 to you", model="omni-moderation-latest")
        assert one.results[0].flagged
        assert one.results[0].categories.harassment_threatening
        assert one.results[0].category_scores.violence == 0.9
        assert one.results[0].category_applied_input_types.violence == ["text"]
        several = client.moderations.create(input=["fine", "hate.speech=0.7"])
        assert [result.flagged for result in several.results] == [False, True]
        parts = client.moderations.create(input=[TEXT, IMAGE])
        assert len(parts.results) == 1
        assert parts.results[0].category_applied_input_types.violence == ["text"]
        client.close()


def test_the_openai_clients_exceptions_fit(store, detector) -> None:
    """Its error classes, code and param come out as they would from OpenAI."""
    keys = KeyRing([StoredKey(checked_principal("a", ["detect"], ""), hashed("spot_good"))])
    with running(create_app(store, detector, keys=keys)) as url:
        stranger = openai.OpenAI(base_url=f"{url}/v1", api_key="wrong", max_retries=0)
        with pytest.raises(openai.AuthenticationError) as refused:
            stranger.moderations.create(input="hi")
        assert refused.value.code == "invalid_api_key"
        client = openai.OpenAI(base_url=f"{url}/v1", api_key="spot_good", max_retries=0)
        with pytest.raises(openai.BadRequestError) as bad:
            client.moderations.create(input=[IMAGE])
        assert bad.value.code == "unsupported_input"
        assert bad.value.param == "input.0"
        stranger.close()
        client.close()
