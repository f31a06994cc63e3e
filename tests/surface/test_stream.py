"""Streams: cut by the text alone, released only behind a check, closed properly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotsafe import Client, ConfigurationError, SurfaceBlocked, SurfaceHeld, Text, safe_surface
from spotsafe.core.signals import Span
from spotsafe.surface import Windowing
from spotsafe.surface.masking import masked
from spotsafe.surface.stream import END, Check, Pull, Reader, Release, relay, window_end
from spotsafe.testing import Captured, FakeDetector

SMALL = Windowing(shortest=3, longest=12, context=5)
Body = Annotated[str, Text]

texts = st.text(alphabet="ab.!? \n。」é”", max_size=80)


@st.composite
def chunked(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A text and one way to cut it into chunks, empty ones included."""
    text = draw(texts)
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=12)))
    edges = [0, *cuts, len(text)]
    return text, [text[a:b] for a, b in pairwise(edges)]


def run(
    chunks: Sequence[Any], spans: Callable[[str], Sequence[Span]] = lambda text: (), stop: str | None = None
) -> tuple[list[Any], list[str]]:
    """Drive the pure course: what was released and what was checked. *stop*: a text that refuses."""
    source = iter(chunks)
    steps = relay(SMALL, Reader(lambda item: item["text"], lambda item, text: {**item, "text": text}))
    released: list[Any] = []
    checked: list[str] = []
    reply: Any = None
    while True:
        try:
            step = steps.send(reply)
        except StopIteration:
            return released, checked
        reply = None
        if isinstance(step, Pull):
            reply = next(source, END)
        elif isinstance(step, Check):
            checked.append(step.text)
            if stop is not None and stop in step.text:
                steps.close()
                return released, checked
            reply = spans(step.text)
        else:
            assert isinstance(step, Release)
            released.append(step.item)


@given(chunked())
def test_windows_depend_on_the_text_and_not_on_its_chunks(case: tuple[str, list[str]]) -> None:
    """However the text is cut, the same windows are checked and the same pieces released."""
    text, chunks = case
    assert run(chunks) == run([text])


@given(chunked())
def test_what_is_allowed_arrives_whole(case: tuple[str, list[str]]) -> None:
    """The pieces put together are the text."""
    text, chunks = case
    assert "".join(run(chunks)[0]) == text


@given(texts, st.integers(0, 80), st.integers(1, 60))
def test_more_text_never_moves_a_window(text: str, cut: int, longest: int) -> None:
    """An end that was given for a beginning of the text holds for the whole text: releases are a
    function of the text so far."""
    windowing = Windowing(shortest=3, longest=longest, context=5)
    early = window_end(text[:cut], 0, windowing, ended=False)
    if early is not None:
        assert window_end(text, 0, windowing, ended=False) == early


@given(chunked(), st.sampled_from(["b", "a.", " a"]))
def test_nothing_is_released_that_was_not_checked(case: tuple[str, list[str]], stop: str) -> None:
    """Until a refusal the pieces are a beginning of the text, all of it in windows that passed; after
    it nothing more comes."""
    text, chunks = case
    released, checked = run(chunks, stop=stop)
    assert text.startswith("".join(released))
    passed = checked[:-1] if checked and stop in checked[-1] else checked
    assert len(released) == len(passed)
    assert all(window.endswith(piece) for window, piece in zip(passed, released, strict=True))
    assert stop not in "".join(released)[-SMALL.longest :] or not any(stop in window for window in passed)


@given(chunked())
def test_masked_text_is_masked_before_it_is_released(case: tuple[str, list[str]]) -> None:
    """Redaction in a window reaches the pieces; length never changes."""
    text, chunks = case

    def every_a(window: str) -> list[Span]:
        return [Span(i, i + 1) for i, letter in enumerate(window) if letter == "a"]

    assert "".join(run(chunks, every_a)[0]) == text.replace("a", "█")


@given(chunked())
def test_items_that_are_not_text_are_released_whole_and_in_order(case: tuple[str, list[str]]) -> None:
    """Objects wait until all of their text was checked; those without text wait for those before."""
    text, chunks = case
    items = [{"text": chunk, "n": n} for n, chunk in enumerate(chunks)]
    released, checked = run(items)
    assert released == items
    assert checked == run([text])[1]
    early, _ = run(items, stop="b")
    assert early == items[: len(early)]


@given(texts, st.lists(st.tuples(st.integers(-3, 90), st.integers(-3, 90)), max_size=4))
def test_masking_keeps_length_and_touches_only_its_spans(text: str, ranges: list[tuple[int, int]]) -> None:
    """Spans outside of the text, reversed or overlapping change nothing they should not."""
    result = masked(text, [Span(*given) for given in ranges])
    covered = {i for start, end in ranges for i in range(max(0, start), min(len(text), end))}
    assert result == "".join("█" if i in covered else letter for i, letter in enumerate(text))


# ── the drivers ───────────────────────────────────────────────────────────────────────────────────

ANSWER = (
    "Here is the first sentence of an answer. And this is a second one, which is longer. You idiot! More."
)


@pytest.fixture(autouse=True)
def script(spotsafe_detector: FakeDetector) -> FakeDetector:
    spotsafe_detector.say("idiot", {"integrity.spam": 0.9})
    spotsafe_detector.say("hmm", {"harass.bullying": 0.9})
    spotsafe_detector.say("ana@example.com", {"privacy.pii_exposure": 0.9})
    return spotsafe_detector


class Source:
    """A model that streams; notes what happens to it."""

    def __init__(self, pieces: Sequence[Any]) -> None:
        self.pieces = pieces
        self.pulled = 0
        self.events: list[str] = []

    def sync(self) -> Iterator[Any]:
        try:
            for piece in self.pieces:
                self.pulled += 1
                yield piece
        except KeyError as error:
            self.events.append(f"thrown {error}")
            yield "recovered "
        finally:
            self.events.append("closed")

    async def awaited(self) -> AsyncIterator[Any]:
        try:
            for piece in self.pieces:
                self.pulled += 1
                await asyncio.sleep(0)
                yield piece
        except KeyError as error:
            self.events.append(f"thrown {error}")
            yield "recovered "
        finally:
            self.events.append("closed")


def collect(source: Source, driver: str, surface: str = "answers") -> tuple[list[Any], Exception | None]:
    """Consume a guarded stream to its end or its refusal."""
    out: list[Any] = []

    async def consume() -> None:
        async for piece in safe_surface(surface)(source.awaited)():
            out.append(piece)

    try:
        if driver == "sync":
            for piece in safe_surface(surface)(source.sync)():
                out.append(piece)
        else:
            asyncio.run(consume())
    except (SurfaceBlocked, SurfaceHeld) as refusal:
        return out, refusal
    return out, None


both = pytest.mark.parametrize("driver", ["sync", "async"])


def words(text: str) -> list[str]:
    return [word + " " for word in text.split(" ")]


@both
def test_an_allowed_stream_arrives_whole_in_windows(driver: str, spotsafe_client: Client) -> None:
    """Nothing is lost or added, and the source is closed."""
    text = "Here is one sentence of a long answer. " * 6
    source = Source(words(text))
    out, refusal = collect(source, driver)
    assert (refusal, source.events) == (None, ["closed"])
    assert "".join(out) == "".join(words(text))
    assert len(out) == 4


@both
def test_once_blocked_nothing_more_is_released(
    driver: str, spotsafe_client: Client, spotsafe_detector: FakeDetector
) -> None:
    """The window with the finding is withheld whole, the source is closed at once and not read on."""
    source = Source([*ANSWER, *("x" * 5000)])
    out, refusal = collect(source, driver)
    assert isinstance(refusal, SurfaceBlocked)
    assert (
        "".join(out) == "Here is the first sentence of an answer. And this is a second one, which is longer."
    )
    assert source.events == ["closed"]
    assert source.pulled < 500
    for window in (request.content.parts[0] for request in spotsafe_detector.requests):
        assert (window.name, window.provenance) == ("output", "generated")


@both
def test_a_held_stream_stops_with_a_receipt(driver: str, spotsafe_client: Client) -> None:
    """hold ends the stream with SurfaceHeld."""
    out, refusal = collect(
        Source(words("This much is fine, it is long enough to be one window. hmm")), driver
    )
    assert isinstance(refusal, SurfaceHeld)
    assert refusal.receipt.surface == "answers"
    assert len(out) == 1


@both
def test_redaction_happens_before_the_release(driver: str, spotsafe_client: Client) -> None:
    """What must be masked is masked in the pieces, however it was cut on the way."""
    source = Source(list("Write to ana@example.com, she will answer."))
    out, refusal = collect(source, driver)
    assert refusal is None
    assert "".join(out) == "Write to " + "█" * 15 + ", she will answer."


@both
def test_what_began_in_an_earlier_window_is_seen_with_it(driver: str, spotsafe_client: Client) -> None:
    """A window is checked together with the text before it, so a finding across the border is found."""
    client_context = Windowing(shortest=4, longest=60, context=60)

    @safe_surface("answers", windowing=client_context)
    def answer() -> Iterator[str]:
        yield "Long enough to be a window of its own. You "
        yield "say ana@example."
        yield "com and more."

    assert "".join(answer()).count("█") == 15


@dataclass(frozen=True)
class Chunk:
    """What a model's library yields."""

    delta: Body | None
    tokens: int = 0


@both
def test_items_with_a_text_field_are_released_and_edited_whole(driver: str, spotsafe_client: Client) -> None:
    """Objects keep their identity unless edited; items without text pass in their place."""
    chunks = [Chunk(None, 1), Chunk("Write to ana@"), Chunk("example.com"), Chunk(None, 9), Chunk("! Bye.")]

    @safe_surface("answers")
    def answer() -> Iterator[Chunk]:
        yield from chunks

    @safe_surface("answers")
    async def aanswer() -> AsyncIterator[Chunk]:
        for chunk in chunks:
            yield chunk

    async def consume() -> list[Chunk]:
        return [chunk async for chunk in aanswer()]

    out = list(answer()) if driver == "sync" else asyncio.run(consume())
    assert [chunk.delta for chunk in out] == [None, "Write to ████", "█" * 11, None, "! Bye."]
    assert out[0] is chunks[0]
    assert out[3] is chunks[3]


def test_an_iterator_that_is_returned_is_checked_too(spotsafe_client: Client) -> None:
    """A handler that hands on a model's stream, sync or async, is guarded like one that yields."""
    source = Source(words(ANSWER))

    @safe_surface("answers")
    def answer() -> Iterator[str]:
        return source.sync()

    with pytest.raises(SurfaceBlocked):
        list(answer())
    assert source.events == ["closed"]

    @safe_surface("answers")
    async def aanswer() -> AsyncIterator[str]:
        return source.awaited()

    async def consume() -> list[str]:
        return [piece async for piece in await aanswer()]

    with pytest.raises(SurfaceBlocked):
        asyncio.run(consume())
    assert source.events == ["closed", "closed"]


@both
def test_a_consumer_that_stops_early_closes_the_source(driver: str, spotsafe_client: Client) -> None:
    """close() and aclose() reach the source, without another check."""
    source = Source(words("One whole sentence that is long enough here. " * 9))
    if driver == "sync":
        stream: Any = safe_surface("answers")(source.sync)()
        next(stream)
        stream.close()
    else:

        async def stop() -> None:
            stream: Any = safe_surface("answers")(source.awaited)()
            await anext(stream)
            await stream.aclose()

        asyncio.run(stop())
    assert source.events == ["closed"]
    assert source.pulled < 20


def test_a_cancelled_consumer_closes_the_source(spotsafe_client: Client) -> None:
    """Cancellation while the source is awaited reaches it; nothing is left open."""
    events: list[str] = []

    @safe_surface("answers")
    async def answer() -> AsyncIterator[str]:
        try:
            yield "One whole sentence that is long enough here.\n"
            await asyncio.get_running_loop().create_future()
        finally:
            events.append("closed")

    async def consume() -> None:
        async for _ in answer():
            events.append("got one")

    async def main() -> None:
        task = asyncio.create_task(consume())
        while "got one" not in events:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert events == ["got one", "closed"]


def guarded_for(surface: str, handler: Any) -> Any:
    """*handler* with its output checked (``answers``), or its input (``anything``)."""
    if surface == "anything":
        handler.__annotations__["prompt"] = Body
    return safe_surface(surface)(handler)


@pytest.mark.parametrize("surface", ["answers", "anything"])
def test_sending_throwing_and_returning_reach_the_source(surface: str, spotsafe_client: Client) -> None:
    """send() is what the source's yield returns, throw() is raised there, its return value comes back."""
    got: list[Any] = []

    def answer(prompt: str = "hi") -> Any:
        got.append((yield "A first sentence that is long enough to go.\n"))
        try:
            yield "A second sentence that is long enough too.\n"
        except KeyError as error:
            got.append(error.args[0])
            yield "Recovered from what was thrown in here now.\n"
        return "the end"

    stream = guarded_for(surface, answer)()
    assert next(stream).startswith("A first")
    assert stream.send("sent").strip().startswith("A second")
    assert stream.throw(KeyError("thrown")).strip().startswith("Recovered")
    with pytest.raises(StopIteration) as end:
        next(stream), next(stream)
    assert got == ["sent", "thrown"]
    assert end.value.value == "the end"


@pytest.mark.parametrize("surface", ["answers", "anything"])
def test_sending_and_throwing_reach_an_async_source(surface: str, spotsafe_client: Client) -> None:
    """The same for asend() and athrow(); an exception that the source does not catch comes back."""
    got: list[Any] = []

    async def answer(prompt: str = "hi") -> Any:
        got.append((yield "A first sentence that is long enough to go.\n"))
        try:
            yield "A second sentence that is long enough too.\n"
        except KeyError as error:
            got.append(error.args[0])
            yield "Recovered from what was thrown in here now.\n"

    async def main() -> None:
        stream = guarded_for(surface, answer)()
        assert (await anext(stream)).startswith("A first")
        assert (await stream.asend("sent")).strip().startswith("A second")
        assert (await stream.athrow(KeyError("thrown"))).strip().startswith("Recovered")
        with pytest.raises(ValueError, match="not caught"):
            await stream.athrow(ValueError("not caught"))

    asyncio.run(main())
    assert got == ["sent", "thrown"]


@both
def test_a_source_that_fails_fails_the_stream_and_releases_nothing_more(
    driver: str, spotsafe_client: Client
) -> None:
    """The source's own error comes through; text that waited for its window is not released."""

    def failing() -> Iterator[str]:
        yield "A sentence that is long enough to be released.\nand a rest"
        raise OSError("model gone")

    async def afailing() -> AsyncIterator[str]:
        for piece in failing():
            yield piece

    out: list[str] = []

    async def consume() -> None:
        async for piece in safe_surface("answers")(afailing)():
            out.append(piece)

    def consume_sync() -> None:
        for piece in safe_surface("answers")(failing)():
            out.append(piece)

    with pytest.raises(OSError, match="model gone"):
        consume_sync() if driver == "sync" else asyncio.run(consume())
    assert out == ["A sentence that is long enough to be released."]


@pytest.mark.parametrize("pieces", [[b"bytes"], [3], [{"text": "x"}]], ids=["bytes", "number", "mapping"])
def test_what_is_no_text_is_never_streamed_unchecked(pieces: list[Any], spotsafe_client: Client) -> None:
    """An item that is not what was declared ends the stream with a ConfigurationError."""
    with pytest.raises(ConfigurationError, match="declared as text"):
        list(safe_surface("answers")(Source(pieces).sync)())


def test_input_and_streamed_output_are_checked_on_one_surface(
    spotsafe_client: Client, spotsafe_decisions: Captured
) -> None:
    """A refused prompt never reaches the model; an allowed one has its answer checked."""
    asked: list[str] = []

    @safe_surface("chat")
    def chat(prompt: Body) -> Iterator[str]:
        asked.append(prompt)
        yield from words(ANSWER)

    with pytest.raises(SurfaceBlocked):
        next(iter(chat("idiot")))
    assert asked == []
    with pytest.raises(SurfaceBlocked):
        list(chat("hello ana@example.com"))
    assert asked == ["hello " + "█" * 15]
    assert [action for _, action in spotsafe_decisions.actions] == [
        "block",
        "redact",
        "allow",
        "allow",
        "block",
    ]


def test_a_number_written_in_groups_is_not_cut() -> None:
    """A window without a sentence's end stops before a card number, not between its groups."""
    text = "word " * 76 + "4111 1111 1111 1111 " + "word " * 40
    end = window_end(text, 0, Windowing(), ended=False)
    assert end == text.index("4111")
