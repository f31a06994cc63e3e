"""The two drivers of streams, and of generators whose output is not checked.

Closing, throwing and sending reach the source: a consumer that stops early closes it, an exception
thrown in is thrown into it, a sent value is what its next ``yield`` returns.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterable, Iterator
from types import TracebackType
from typing import Any

from spotsafe.core.content import Content, Text
from spotsafe.core.decision import Decision
from spotsafe.core.signals import Span
from spotsafe.surface import context as running
from spotsafe.surface.enforce import redacted_spans
from spotsafe.surface.occasion import Occasion
from spotsafe.surface.stream import END, Check, Pull, Reader, relay


class Thrown:
    """Around a ``yield``: keeps what the consumer throws in, to pass it on. Closing goes through."""

    __slots__ = ("error",)

    def __init__(self) -> None:
        self.error: BaseException | None = None

    def __enter__(self) -> None:
        self.error = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is None or isinstance(error, GeneratorExit):
            return False
        self.error = error
        return True


def relayed(stream: Source | Checked) -> Generator[Any, Any, Any]:
    """A generator over *stream*; returns what its source returned."""
    thrown = Thrown()
    try:
        while (item := stream.next()) is not END:
            with thrown:
                stream.send((yield item))
            if thrown.error is not None:
                stream.throw(thrown.error)
        return stream.returned
    finally:
        stream.close()


async def arelayed(stream: AsyncSource | AsyncChecked) -> AsyncGenerator[Any, Any]:
    """As :func:`relayed`, for an async source."""
    thrown = Thrown()
    try:
        while (item := await stream.next()) is not END:
            with thrown:
                stream.send((yield item))
            if thrown.error is not None:
                await stream.throw(thrown.error)
    finally:
        await stream.close()


class StreamCheck:
    """Checks windows of one stream; shared by both drivers."""

    __slots__ = ("_answer", "_occasion", "_part", "_provenance")

    def __init__(self, occasion: Occasion) -> None:
        self._occasion = occasion
        self._answer = occasion.answer
        self._part, self._provenance = self._answer.text_part()

    def reader(self) -> Reader:
        return Reader(self._answer.text, self._answer.with_text)

    def content(self, text: str) -> Content:
        part = Text(text, self._part, provenance=self._provenance)
        return Content((part,), self._occasion.policy.languages)

    def check(self, text: str) -> Iterable[Span]:
        return self._spans(self._occasion.check(self.content(text)))

    async def acheck(self, text: str) -> Iterable[Span]:
        return self._spans(await self._occasion.acheck(self.content(text)))

    def _spans(self, decision: Decision) -> Iterable[Span]:
        self._occasion.enforce(decision)
        return redacted_spans(decision, self._part)


class Checked:
    """A source with nothing released before its window was checked."""

    __slots__ = ("_check", "_reply", "_source", "_steps")

    def __init__(self, source: Source, occasion: Occasion) -> None:
        self._source = source
        self._check = StreamCheck(occasion)
        self._steps = relay(occasion.windowing, self._check.reader())
        self._reply: Any = None

    @property
    def returned(self) -> Any:
        return self._source.returned

    def next(self) -> Any:
        """The next item that may be released, or END."""
        for step in iter(self._step, None):
            if isinstance(step, Pull):
                self._reply = self._source.next()
            elif isinstance(step, Check):
                self._reply = self._check.check(step.text)
            else:
                return step.item
        return END

    def _step(self) -> Any:
        reply, self._reply = self._reply, None
        try:
            return self._steps.send(reply)
        except StopIteration:
            return None

    def send(self, value: Any) -> None:
        self._source.send(value)

    def throw(self, error: BaseException) -> None:
        self._source.throw(error)

    def close(self) -> None:
        self._steps.close()
        self._source.close()


class AsyncChecked:
    """As :class:`Checked`, for an async source."""

    __slots__ = ("_check", "_reply", "_source", "_steps")

    def __init__(self, source: AsyncSource, occasion: Occasion) -> None:
        self._source = source
        self._check = StreamCheck(occasion)
        self._steps = relay(occasion.windowing, self._check.reader())
        self._reply: Any = None

    async def next(self) -> Any:
        """The next item that may be released, or END."""
        for step in iter(self._step, None):
            if isinstance(step, Pull):
                self._reply = await self._source.next()
            elif isinstance(step, Check):
                self._reply = await self._check.acheck(step.text)
            else:
                return step.item
        return END

    def _step(self) -> Any:
        reply, self._reply = self._reply, None
        try:
            return self._steps.send(reply)
        except StopIteration:
            return None

    def send(self, value: Any) -> None:
        self._source.send(value)

    async def throw(self, error: BaseException) -> None:
        await self._source.throw(error)

    async def close(self) -> None:
        self._steps.close()
        await self._source.close()


class Source:
    """The source of a stream. The decision on the input is at hand only while the source runs: a
    generator shares its consumer's context."""

    __slots__ = ("_decision", "_early", "_sent", "_source", "returned")

    def __init__(self, source: Iterator[Any], decision: Decision | None) -> None:
        self._source: Any = source
        self._decision = decision
        self._early: list[Any] = []
        self._sent: Any = None
        self.returned: Any = None

    def next(self) -> Any:
        """The next item, or END."""
        if self._early:
            return self._early.pop()
        sent, self._sent = self._sent, None
        token = running.enter(self._decision)
        try:
            return next(self._source) if sent is None else self._source.send(sent)
        except StopIteration as end:
            self.returned = end.value
            return END
        finally:
            running.leave(token)

    def send(self, value: Any) -> None:
        """Make *value* what the source's ``yield`` returns at the next pull."""
        self._sent = value

    def throw(self, error: BaseException) -> None:
        """Throw *error* into the source; what it yields to that, or its end, comes with the next pull."""
        throw = getattr(self._source, "throw", None)
        if throw is None:
            raise error
        token = running.enter(self._decision)
        try:
            self._early.append(throw(error))
        except StopIteration as end:
            self.returned = end.value
            self._early.append(END)
        finally:
            running.leave(token)

    def close(self) -> None:
        if (close := getattr(self._source, "close", None)) is not None:
            close()


class AsyncSource:
    """As :class:`Source`, for an async source."""

    __slots__ = ("_decision", "_early", "_sent", "_source")

    def __init__(self, source: AsyncIterator[Any], decision: Decision | None) -> None:
        self._source: Any = source
        self._decision = decision
        self._early: list[Any] = []
        self._sent: Any = None

    async def next(self) -> Any:
        """The next item, or END."""
        if self._early:
            return self._early.pop()
        sent, self._sent = self._sent, None
        token = running.enter(self._decision)
        try:
            if sent is None:
                return await self._source.__anext__()
            return await self._source.asend(sent)
        except StopAsyncIteration:
            return END
        finally:
            running.leave(token)

    def send(self, value: Any) -> None:
        """Make *value* what the source's ``yield`` returns at the next pull."""
        self._sent = value

    async def throw(self, error: BaseException) -> None:
        """Throw *error* into the source; what it yields to that, or its end, comes with the next pull."""
        throw = getattr(self._source, "athrow", None)
        if throw is None:
            raise error
        token = running.enter(self._decision)
        try:
            self._early.append(await throw(error))
        except StopAsyncIteration:
            self._early.append(END)
        finally:
            running.leave(token)

    async def close(self) -> None:
        if (close := getattr(self._source, "aclose", None)) is not None:
            await close()
