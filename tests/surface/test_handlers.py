"""Every kind of callable is guarded as what it is."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import pickle
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Annotated, Any

import pytest

import spotsafe
from spotsafe import (
    Audio,
    Client,
    ConfigurationError,
    Decision,
    SurfaceBlocked,
    SurfaceHeld,
    Text,
    safe_surface,
)
from spotsafe.surface import decision as running_decision
from spotsafe.surface import prepare
from spotsafe.testing import Captured, FakeDetector


def plain(body: Annotated[str, Text]) -> str:
    """Docs."""
    return body.upper()


async def coroutine(body: Annotated[str, Text]) -> str:
    """Docs."""
    return body.upper()


def generator(body: Annotated[str, Text]) -> Iterator[str]:
    """Docs."""
    yield from body.upper()


async def async_generator(body: Annotated[str, Text]) -> AsyncIterator[str]:
    """Docs."""
    for letter in body.upper():
        yield letter


async def _all(stream: AsyncIterator[str]) -> list[str]:
    return [item async for item in stream]


RUNNERS: dict[Callable[..., Any], Callable[[Any], str]] = {
    plain: lambda result: result,
    coroutine: asyncio.run,
    generator: "".join,
    async_generator: lambda result: "".join(asyncio.run(_all(result))),
}
each_kind = pytest.mark.parametrize("handler", list(RUNNERS), ids=lambda h: h.__name__)


@each_kind
def test_every_kind_runs_and_is_refused(
    handler: Callable[..., Any], spotsafe_client: Client, spotsafe_detector: FakeDetector
) -> None:
    """Functions, coroutines, generators and async generators run when allowed and do not when blocked."""
    spotsafe_detector.say("idiot", {"integrity.spam": 0.9})
    guarded = safe_surface("comments.create")(handler)
    assert RUNNERS[handler](guarded("hello")) == "HELLO"
    with pytest.raises(SurfaceBlocked):
        RUNNERS[handler](guarded("you idiot"))


@each_kind
def test_a_guarded_callable_keeps_its_kind_and_metadata(handler: Callable[..., Any]) -> None:
    """Frameworks see the same kind, name, docstring and signature."""
    guarded = safe_surface("comments.create")(handler)
    for is_kind in (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction):
        assert is_kind(guarded) == is_kind(handler)
    assert (guarded.__name__, guarded.__qualname__, guarded.__doc__) == (
        handler.__name__, handler.__qualname__, handler.__doc__,
    )  # fmt: skip
    assert list(inspect.signature(guarded).parameters) == list(inspect.signature(handler).parameters)
    assert guarded.__wrapped__ is handler


class Service:
    """Methods of every sort, in both decorator orders."""

    prefix = "> "

    @safe_surface("comments.create")
    def method(self, body: Annotated[str, Text]) -> str:
        return self.prefix + body

    @classmethod
    @safe_surface("comments.create")
    def inside(cls, body: Annotated[str, Text]) -> str:
        return cls.prefix + body

    @safe_surface("comments.create")
    @classmethod
    def outside(cls, body: Annotated[str, Text]) -> str:
        return cls.prefix + body

    @staticmethod
    @safe_surface("comments.create")
    def static_inside(body: Annotated[str, Text]) -> str:
        return body

    @safe_surface("comments.create")
    @staticmethod
    def static_outside(body: Annotated[str, Text]) -> str:
        return body


@pytest.mark.parametrize("name", ["method", "inside", "outside", "static_inside", "static_outside"])
def test_methods_are_guarded(name: str, spotsafe_client: Client, spotsafe_detector: FakeDetector) -> None:
    """Methods, class methods and static methods are guarded in either decorator order."""
    spotsafe_detector.say("idiot", {"integrity.spam": 0.9})
    act = getattr(Service(), name)
    assert act("hi").endswith("hi")
    assert act(body="hi").endswith("hi")
    with pytest.raises(SurfaceBlocked):
        act("idiot")


@pytest.mark.parametrize(
    "thing",
    [property(lambda self: 1), Service, functools.partial(plain), len, 3],
    ids=lambda t: type(t).__name__,
)
def test_what_cannot_be_guarded_is_refused(thing: Any) -> None:
    """Anything but a function is a ConfigurationError that says what to decorate instead."""
    with pytest.raises(ConfigurationError, match=r"decorat|put it"):
        safe_surface("comments.create")(thing)


def test_arguments_arrive_however_they_are_passed(
    spotsafe_client: Client, spotsafe_detector: FakeDetector
) -> None:
    """Positional-only, keyword-only, default, variadic: content is found in all of them."""
    spotsafe_detector.say("idiot", {"integrity.spam": 0.9})

    @safe_surface("anything")
    def mixed(
        first: Annotated[str, Text], /, second: Annotated[str, Text] = "two", *rest: Annotated[str, Text],
        named: Annotated[str, Text] = "n", **others: Annotated[str, Text],
    ) -> tuple[Any, ...]:  # fmt: skip
        return first, second, rest, named, others

    assert mixed("1") == ("1", "two", (), "n", {})
    assert mixed("1", "2", "3", named="4", other="5") == ("1", "2", ("3",), "4", {"other": "5"})
    for args, kwargs in [
        (("idiot",), {}), (("1", "idiot"), {}), (("1", "2", "3", "idiot"), {}),
        (("1",), {"second": "idiot"}), (("1",), {"named": "idiot"}), (("1",), {"other": "idiot"}),
    ]:  # fmt: skip
        with pytest.raises(SurfaceBlocked):
            mixed(*args, **kwargs)


def test_a_malformed_call_raises_type_error_and_runs_nothing(
    spotsafe_client: Client, spotsafe_decisions: Captured
) -> None:
    """A call without the content parameter fails as Python fails, before anything is decided."""
    guarded = safe_surface("comments.create")(plain)
    with pytest.raises(TypeError, match="body"):
        guarded()
    with pytest.raises(TypeError):
        guarded("a", "b")
    assert [d.surface for d in spotsafe_decisions.decisions] in ([], ["comments.create"])


def test_a_decision_parameter_is_filled_in_and_hidden(spotsafe_client: Client) -> None:
    """A parameter annotated Decision receives it, wherever it stands, and is not in the signature."""

    @safe_surface("comments.create")
    def last(body: Annotated[str, Text], decision: Decision) -> Decision:
        return decision

    @safe_surface("comments.create")
    def first(decision: spotsafe.Decision, body: Annotated[str, Text] = "") -> Decision:
        return decision

    @safe_surface("comments.create")
    def optional(body: Annotated[str, Text], *, decision: Decision | None = None) -> Decision | None:
        return decision

    for handler in (last, first, optional):
        assert list(inspect.signature(handler).parameters) == ["body"]
        assert "decision" not in handler.__annotations__
        decided: Any = handler("hi")  # type: ignore[call-arg, arg-type]  # the guard fills in the decision
        assert isinstance(decided, Decision)
        assert decided.surface == "comments.create"
        assert isinstance(handler(body="hi"), Decision)  # type: ignore[call-arg]  # as above


def test_another_class_called_decision_is_left_alone(spotsafe_client: Client) -> None:
    """Only spotsafe's Decision is filled in, not a product's class of that name."""

    def outer() -> Callable[..., Any]:
        class Decision:  # the product's own
            pass

        @safe_surface("comments.create")
        def handler(body: Annotated[str, Text], decision: Decision) -> Decision:
            return decision

        return handler

    assert list(inspect.signature(outer()).parameters) == ["body", "decision"]


@each_kind
def test_the_running_decision_is_at_hand_below_the_handler(
    handler: Callable[..., Any], spotsafe_client: Client
) -> None:
    """context.decision() is the decision inside the handler, and nothing before, after or between."""
    seen = []

    def note(body: Annotated[str, Text]) -> str:
        seen.append(running_decision())
        return handler(body)  # type: ignore[no-any-return]  # the kind differs by parameter

    async def anote(body: Annotated[str, Text]) -> str:
        seen.append(running_decision())
        return body.upper()

    def gnote(body: Annotated[str, Text]) -> Iterator[str]:
        for letter in body.upper():
            seen.append(running_decision())
            yield letter

    async def agnote(body: Annotated[str, Text]) -> AsyncIterator[str]:
        for letter in body.upper():
            seen.append(running_decision())
            yield letter

    noting = {plain: note, coroutine: anote, generator: gnote, async_generator: agnote}[handler]
    assert RUNNERS[handler](safe_surface("comments.create")(noting)("hi")) == "HI"
    assert seen
    assert all(isinstance(decision, Decision) for decision in seen)
    assert running_decision() is None


def test_a_generator_does_not_leave_its_decision_with_its_consumer(spotsafe_client: Client) -> None:
    """Between two items the consumer sees no decision: the context is shared, the decision is not."""
    stream = safe_surface("comments.create")(generator)("hello")
    next(stream)
    assert running_decision() is None
    stream.close()  # type: ignore[attr-defined]  # it is a generator


def test_subjects_are_read_by_path(spotsafe_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """item and actor are read through attributes and keys, as text; None anywhere gives None."""
    seen: list[tuple[Any, Any, Any]] = []
    check = spotsafe_client.checked

    def noted(policy: Any, content: Any, who: tuple[Any, Any, Any]) -> Decision:
        seen.append(who)
        return check(policy, content, who)

    monkeypatch.setattr(spotsafe_client, "checked", noted)

    class Author:
        def __init__(self, identifier: object) -> None:
            self.id = identifier

    @safe_surface("comments.create", actor="author.id", item="meta.comment", context={"age": "author.age"})
    def create(author: Any, meta: Any, body: Annotated[str, Text], age: int = 3) -> None:
        pass

    author = Author(7)
    author.age = 30  # type: ignore[attr-defined]  # a plain attribute
    create(author, {"comment": "c1"}, "hi")
    create(None, None, "hi")
    assert seen == [("c1", "7", {"age": 30}), (None, None, {})]
    with pytest.raises(ConfigurationError, match="no field 'id'"):
        create(object(), {"comment": "c"}, "hi")


def test_a_declared_context_field_is_taken_from_the_parameter_of_that_name(
    spotsafe_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A field of the manifest's context that is a parameter needs no further words."""
    seen: list[Any] = []
    check = spotsafe_client.checked

    def noted(policy: Any, content: Any, who: tuple[Any, Any, Any]) -> Decision:
        seen.append(who[2])
        return check(policy, content, who)

    monkeypatch.setattr(spotsafe_client, "checked", noted)

    @safe_surface("comments.create")
    def create(body: Annotated[str, Text], age: int) -> None:
        pass

    create("hi", 12)
    assert seen == [{"age": 12}]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"actor": "nobody.id"}, r"actor='nobody.id' does not name a parameter.*has body"),
        ({"item": "body."}, "item='body.'"),
        ({"direction": "sideways"}, "input, output, both, tool"),
        ({"context": {"age": "years"}}, "years"),
    ],
)
def test_wrong_options_are_found_at_decoration(options: dict[str, Any], message: str) -> None:
    """A path to a parameter that does not exist is an error where the code is written."""
    with pytest.raises(ConfigurationError, match=message):
        safe_surface("comments.create", **options)(plain)


def test_threads_and_tasks_see_their_own_decision(spotsafe_client: Client) -> None:
    """The running decision belongs to one thread or task."""
    ready, seen = threading.Barrier(2), []

    @safe_surface("comments.create")
    def wait(body: Annotated[str, Text], decision: Decision) -> None:
        ready.wait(5)
        seen.append(running_decision() is decision)
        ready.wait(5)

    threads = [threading.Thread(target=wait, args=(text,)) for text in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    @safe_surface("comments.create")
    async def pause(body: Annotated[str, Text], decision: Decision) -> bool:
        await asyncio.sleep(0)
        return running_decision() is decision

    async def both() -> list[bool]:
        return list(await asyncio.gather(pause("a"), pause("b")))  # type: ignore[call-arg]  # filled in

    assert seen == [True, True]
    assert asyncio.run(both()) == [True, True]
    assert contextvars.copy_context().run(running_decision) is None


def test_refusals_can_be_pickled(spotsafe_client: Client, spotsafe_detector: FakeDetector) -> None:
    """A refusal raised in a worker process reaches the caller whole."""
    spotsafe_detector.say("idiot", {"integrity.spam": 0.9})
    spotsafe_detector.say("win big", {"harass.bullying": 0.9})
    guarded = safe_surface("comments.create")(plain)
    for text, kind in (("idiot", SurfaceBlocked), ("win big", SurfaceHeld)):
        with pytest.raises(kind) as caught:
            guarded(text)
        copy = pickle.loads(pickle.dumps(caught.value))
        assert (type(copy), str(copy), vars(copy)) == (kind, str(caught.value), vars(caught.value))


def test_handlers_can_be_prepared_ahead_of_their_first_call(
    spotsafe_client: Client, spotsafe_decisions: Captured
) -> None:
    """prepare() raises what the first call would raise, and decides nothing."""
    fits = safe_surface("comments.create")(plain)

    @safe_surface("comments.create")
    def does_not(text: str) -> None: ...

    prepare(spotsafe_client, fits, Service().method)
    with pytest.raises(ConfigurationError, match=r"does_not.*no parameter"):
        prepare(spotsafe_client, fits, does_not)
    with pytest.raises(ConfigurationError, match="plain is not guarded"):
        prepare(spotsafe_client, plain)
    assert len(spotsafe_decisions) == 0


def test_a_forgotten_surface_name_is_found_at_decoration() -> None:
    """@safe_surface without its name is a ConfigurationError that shows how to write it."""
    with pytest.raises(ConfigurationError, match=r'@safe_surface\("comments.create"\)'):
        safe_surface(plain)  # type: ignore[arg-type]  # the mistake


def test_audio_is_held_at_once_and_checked_later(spotsafe_client: Client) -> None:
    """Media that takes long never waits inside a request: the call is held with a receipt."""

    @safe_surface("anything")
    def publish(episode: Annotated[bytes, Audio]) -> None:
        raise AssertionError("must not run")

    with pytest.raises(SurfaceHeld) as held:
        publish(b"RIFF")
    assert held.value.receipt.surface == "anything"
