"""What a decision does to a call: it is refused, held, edited, or runs with the decision at hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, ConfigDict

import spotsafe
from spotsafe import Client, Decision, SurfaceBlocked, SurfaceHeld, Text, safe_surface
from spotsafe.core.receipts import HoldReason, HoldState
from spotsafe.surface import decision as running_decision
from spotsafe.surface import guarded
from spotsafe.testing import Captured, FakeDetector

CANARY = "canary-91c2"
Body = Annotated[str, Text]


@pytest.fixture(autouse=True)
def script(spotsafe_detector: FakeDetector) -> FakeDetector:
    spotsafe_detector.say("idiot", {"integrity.spam": 0.9})
    spotsafe_detector.say("hmm", {"harass.bullying": 0.9})
    spotsafe_detector.say("ana@example.com", {"privacy.pii_exposure": 0.9})
    spotsafe_detector.say("damn", {"tone.profanity": 0.9})
    spotsafe_detector.say("I will kill you", {"violence.threat": 0.99})
    return spotsafe_detector


class Recorder:
    """A handler that notes what it received."""

    def __init__(self) -> None:
        self.received: list[Any] = []

    def sync(self) -> Callable[..., Any]:
        def create(body: Body) -> Any:
            self.received.append(body)
            return body

        return safe_surface("comments.create")(create)

    def coroutine(self) -> Callable[..., Any]:
        async def create(body: Body) -> Any:
            self.received.append(body)
            return body

        handler = safe_surface("comments.create")(create)
        return lambda *args, **kwargs: asyncio.run(handler(*args, **kwargs))


both = pytest.mark.parametrize("driver", ["sync", "coroutine"])


@both
def test_a_block_raises_and_the_handler_does_not_run(driver: str, spotsafe_client: Client) -> None:
    """SurfaceBlocked carries surface, decision id, notice and remedy, and nothing of content or rules."""
    recorder = Recorder()
    with pytest.raises(SurfaceBlocked) as caught:
        getattr(recorder, driver)()(f"idiot {CANARY}")
    error = caught.value
    assert recorder.received == []
    assert (error.surface, error.notice, str(error)) == ("comments.create", "Be kind.", "Be kind.")
    assert error.decision_id
    assert error.remedy
    assert error.__cause__ is None
    shown = f"{error} {error!r} {vars(error)} {error.__context__}"
    for secret in (CANARY, "idiot", "integrity.spam", "0.9", "0.5", "#spam"):
        assert secret not in shown


@both
def test_a_hold_raises_with_a_receipt(driver: str, spotsafe_client: Client) -> None:
    """SurfaceHeld carries a receipt for this surface; the client answers for it."""
    recorder = Recorder()
    with pytest.raises(SurfaceHeld) as caught:
        getattr(recorder, driver)()(f"hmm {CANARY}")
    receipt = caught.value.receipt
    assert recorder.received == []
    assert (receipt.surface, receipt.reason) == ("comments.create", HoldReason.POLICY)
    assert receipt.decision_id == caught.value.decision_id
    assert spotsafe_client.verdict(receipt).state is HoldState.PENDING
    assert CANARY not in f"{caught.value!r} {receipt}"


@both
def test_redaction_edits_what_the_handler_receives(driver: str, spotsafe_client: Client) -> None:
    """The handler sees the masked text; length and the rest are as they were."""
    recorder = Recorder()
    assert getattr(recorder, driver)()("write to ana@example.com!") == "write to ███████████████!"
    assert recorder.received == ["write to ███████████████!"]
    assert getattr(recorder, driver)()(body="ana@example.com") == "███████████████"


@both
def test_effects_let_the_handler_run_with_the_decision_at_hand(driver: str, spotsafe_client: Client) -> None:
    """label and review do not stop the call; the decision says so inside it."""
    seen: list[Any] = []

    def create(body: Body, decision: Decision) -> str:
        seen.append((decision.action, sorted(effect.value for effect in decision.effects)))
        seen.append(running_decision() is decision)
        return body

    async def acreate(body: Body, decision: Decision) -> str:
        return create(body, decision)

    if driver == "sync":
        result = safe_surface("comments.create")(create)("damn")  # type: ignore[call-arg]  # filled in
    else:
        result = asyncio.run(safe_surface("comments.create")(acreate)("damn"))  # type: ignore[call-arg]
    assert result == "damn"
    assert seen == [("review", ["label", "review"]), True]


class Model(BaseModel):
    model_config = ConfigDict(frozen=True)
    body: Body
    others: list[Body] = []


@dataclass(frozen=True, slots=True)
class Frozen:
    body: Body


@pytest.mark.parametrize(
    ("hint", "value", "expected"),
    [
        (list[Body], ["a", "ana@example.com"], ["a", "█" * 15]),
        (tuple[Body, ...], ("ana@example.com", "b"), ("█" * 15, "b")),
        (dict[str, Body], {"k": "ana@example.com"}, {"k": "█" * 15}),
        (Frozen, Frozen("ana@example.com"), Frozen("█" * 15)),
        (
            Model, Model(body="a", others=["b", "or ana@example.com"]),
            Model(body="a", others=["b", "or " + "█" * 15]),
        ),
        (Body | None, Text("ana@example.com"), Text("█" * 15)),
    ],
    ids=["list", "tuple", "mapping", "frozen dataclass", "frozen model", "part"],
)  # fmt: skip
def test_redaction_reaches_into_structures(
    hint: Any, value: Any, expected: Any, spotsafe_client: Client
) -> None:
    """The handler receives an edited copy; the caller's object is untouched."""

    def create(payload: Any) -> Any:
        return payload

    create.__annotations__["payload"] = hint
    before = repr(value) + str(getattr(value, "data", ""))
    assert safe_surface("anything")(create)(value) == expected
    assert repr(value) + str(getattr(value, "data", "")) == before


def test_an_edit_of_a_default_and_of_several_parameters(spotsafe_client: Client) -> None:
    """Defaults, variadic arguments and several parameters are edited together."""

    @safe_surface("anything")
    def create(
        first: Body, second: Body = "ana@example.com", *rest: Body, **named: Body
    ) -> tuple[Any, ...]:  # fmt: skip
        return first, second, rest, named

    mask = "█" * 15
    assert create("ana@example.com") == (mask, mask, (), {})
    assert create("a", "b", "c", "ana@example.com", d="ana@example.com") == (
        "a",
        "b",
        ("c", mask),
        {"d": mask},
    )


def test_a_long_list_is_checked_in_one_request_and_edited_item_by_item(
    spotsafe_client: Client, spotsafe_detector: FakeDetector
) -> None:
    """A hundred tags become no more parts than a request may carry; each finding finds its item."""

    @safe_surface("anything")
    def tag(title: Body, tags: list[Body]) -> list[str]:
        return tags

    tags = [f"tag {i}" for i in range(100)]
    tags[57] = "see ana@example.com"
    expected = list(tags)
    expected[57] = "see " + "█" * 15
    assert tag("t", tags) == expected
    assert all(len(request.content.parts) <= 32 for request in spotsafe_detector.requests)
    assert {"title"} <= {part.name for part in spotsafe_detector.requests[0].content}
    with pytest.raises(SurfaceBlocked):
        tag("t", [*tags, "idiot"])


def test_notices_are_in_the_persons_language(spotsafe_client: Client) -> None:
    """`language=` names the parameter that says it; otherwise the surface's first language is used."""

    @safe_surface("comments.create", language="locale")
    def create(body: Body, locale: str | None = None) -> None:
        pass

    for locale, notice in [
        ("de", "Sei nett."),
        ("de-AT", "Sei nett."),
        ("pt", "Be kind."),
        (None, "Be kind."),
    ]:
        with pytest.raises(SurfaceBlocked) as caught:
            create("idiot", locale)
        assert caught.value.notice == notice


def test_an_unconfigured_process_holds_everything(spotsafe_as_in_production: None) -> None:
    """Without a client nothing runs unchecked: held, also where nothing of the content can be known."""
    spotsafe.configure(None)

    @safe_surface("comments.create")
    def annotated(body: Body) -> None:
        raise AssertionError("must not run")

    @safe_surface("comments.nested")
    def by_path(payload: Any) -> None:
        raise AssertionError("must not run")

    for handler in (annotated, by_path):
        with pytest.raises(SurfaceHeld):
            handler("hello")


def test_the_block_form_takes_the_same_path(spotsafe_client: Client, spotsafe_decisions: Captured) -> None:
    """`with guarded(...)` refuses, holds and shows the decision, sync and async."""
    with guarded("comments.create", item="c1", actor="ann", context={"age": 3}, body="hello") as decision:
        assert running_decision() is decision
        assert decision.action == "allow"
    assert running_decision() is None
    with guarded("comments.create", body="ana@example.com") as decision:
        assert decision.content is not None
        part = decision.content.part("body")
        assert part is not None
        assert part.data == "█" * 15
    for text, kind in (("idiot", SurfaceBlocked), ("hmm", SurfaceHeld)):
        with pytest.raises(kind), guarded("comments.create", body=text):
            raise AssertionError("must not run")

    async def awaited() -> None:
        async with guarded("comments.create", body="damn") as decision:
            assert decision.action == "review"
        with pytest.raises(SurfaceBlocked):
            async with guarded("comments.create", body="idiot"):
                raise AssertionError("must not run")

    asyncio.run(awaited())
    assert [action for _, action in spotsafe_decisions.actions] == [
        "allow", "redact", "block", "hold", "review", "block",
    ]  # fmt: skip
    assert CANARY not in repr(guarded("comments.create", body=CANARY))


@pytest.mark.parametrize("surface", ["answers", "answers.named"])
@both
def test_what_is_returned_is_checked(surface: str, driver: str, spotsafe_client: Client) -> None:
    """An output surface refuses, holds and edits the answer; the handler has run."""
    ran: list[str] = []

    def answer(text: str) -> str:
        ran.append(text)
        return text

    async def aanswer(text: str) -> str:
        return answer(text)

    run: Callable[[str], Any] = safe_surface(surface)(answer)
    if driver == "coroutine":
        guarded_answer = safe_surface(surface)(aanswer)
        run = lambda text: asyncio.run(guarded_answer(text))  # noqa: E731 - two ways to call one thing
    assert run("fine") == "fine"
    assert run("ana@example.com") == "█" * 15
    with pytest.raises(SurfaceBlocked):
        run("idiot")
    with pytest.raises(SurfaceHeld):
        run("hmm")
    assert ran == ["fine", "ana@example.com", "idiot", "hmm"]


def model_answer(text: str) -> Model:
    return Model(body=text)


def list_answer(text: str) -> list[Body]:
    return [text]


def marked_answer(text: str) -> Body | None:
    return text or None


def unsaid_answer(text):  # type: ignore[no-untyped-def]  # an answer without a hint
    return text


@pytest.mark.parametrize("answer", [model_answer, list_answer, marked_answer, unsaid_answer])
def test_annotated_answers_are_checked(answer: Callable[[str], Any], spotsafe_client: Client) -> None:
    """Models, lists and optional text are read and edited by their return annotation."""
    handler = safe_surface("answers")(answer)
    assert handler("fine") == answer("fine")
    assert handler("ana@example.com") == answer("█" * 15)
    with pytest.raises(SurfaceBlocked):
        handler("idiot")


def test_an_answer_is_found_by_manifest_path(spotsafe_client: Client) -> None:
    """`content: {answer: text}` reads that field of whatever object is returned."""

    @safe_surface("answers.named")
    def answer(text: str):  # type: ignore[no-untyped-def]  # an answer without a hint
        return {"answer": text, "tokens": 3}

    assert answer("ana@example.com") == {"answer": "█" * 15, "tokens": 3}
    with pytest.raises(SurfaceBlocked):
        answer("idiot")


def test_both_directions_are_two_decisions(spotsafe_client: Client, spotsafe_decisions: Captured) -> None:
    """A surface with both checks what comes in and what goes out, each by itself."""

    @safe_surface("chat")
    def chat(prompt: Body) -> str:
        return prompt.removeprefix("say: ").replace("_", " ")

    assert chat("say: hello") == "hello"
    assert [len(d.signals.scores) > 0 for d in spotsafe_decisions.decisions] == [True, True]
    with pytest.raises(SurfaceBlocked):
        chat("idiot")
    assert len(spotsafe_decisions) == 3
    assert chat("ana@exam_ple.com") == "ana@exam ple.com"


def test_a_tools_answer_is_marked_as_a_tools(
    spotsafe_client: Client, spotsafe_detector: FakeDetector
) -> None:
    """What a tool returns is checked as written by a tool, its arguments as generated."""

    @safe_surface("tools.call")
    def search(query: Body) -> str:
        return f"results for {query}"

    search("jazz")
    parts = [part for request in spotsafe_detector.requests for part in request.content]
    assert [(part.name, part.provenance) for part in parts] == [("query", "generated"), ("output", "tool")]


def test_an_unlinked_surface_with_a_marked_answer_checks_the_answer(spotsafe_client: Client) -> None:
    """Without a manifest the annotations say what is checked: parameters, the answer, or both."""

    @safe_surface("brand.new")
    def answer(question: str) -> Body:
        return "I will kill you" if question else "fine"

    assert answer("") == "fine"
    with pytest.raises(SurfaceHeld):
        answer("who?")
