"""The guarded callable: one wrapper for each kind of handler, and the plan they share.

A call reads: current client → policy → plan → content → decision → enforcement → handler → answer.
The wrappers of plain and coroutine functions are written out: on a cache hit each call counts.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator
from typing import TYPE_CHECKING, Any

from spotsafe.client import registry
from spotsafe.surface import context as running
from spotsafe.surface.handler import Handler, Kind

if TYPE_CHECKING:
    from spotsafe.core.decision import Decision
    from spotsafe.surface.occasion import Occasion
    from spotsafe.surface.plan import Plan
    from spotsafe.surface.seams import Guard, SurfacePolicy


class Guarding:
    """One guarded handler and the plan under which its calls run."""

    __slots__ = ("handler", "plan")

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.plan: Plan | None = None

    def planned(self, policy: SurfacePolicy) -> Plan:
        """The plan under *policy*, compiled if it is new and swapped in at once: calls under way keep
        theirs."""
        plan = self.plan
        if plan is None or plan.policy is not policy:
            from spotsafe.surface.plan import compile_plan  # with all that reads hints: not before a call

            plan = self.plan = compile_plan(self.handler, policy)
        return plan

    def prepare(self, guard: Guard) -> None:
        """Compile the plan ahead of the first call; ConfigurationError as that call would raise."""
        self.planned(guard.policy(self.handler.surface))

    def occasion(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Occasion:
        """A call with *args* and *kwargs*, by the client and policy of this moment."""
        guard = registry.current()
        plan = self.planned(guard.policy(self.handler.surface))
        item = None if plan.item is None else plan.item(args, kwargs)
        actor = None if plan.actor is None else plan.actor(args, kwargs)
        context = None if plan.context is None else plan.context(args, kwargs)
        return _occasion(guard, plan, args, kwargs, (item, actor, context))


def wrapper_of(guarding: Guarding) -> Callable[..., Any]:
    """The guarded form of the handler, of the handler's own kind."""
    return _WRAPPERS[guarding.handler.kind](guarding)


def _function(guarding: Guarding) -> Callable[..., Any]:
    handler = guarding.handler
    function, surface, item_of, actor_of = handler.function, handler.surface, handler.item, handler.actor
    is_injected = handler.decision_parameter is not None
    process, current, enter, leave = registry.process, registry.current, running.enter, running.leave

    def guarded(*args: Any, **kwargs: Any) -> Any:
        guard: Guard = process.client or current()
        policy = guard.policies.get(surface) or guard.policy(surface)
        plan = guarding.plan
        if plan is None or plan.policy is not policy:
            plan = guarding.planned(policy)
        item = None if item_of is None else item_of(args, kwargs)
        actor = None if actor_of is None else actor_of(args, kwargs)
        context = None if plan.context is None else plan.context(args, kwargs)
        decision = None
        if plan.checks_input:
            content = plan.content(args, kwargs)
            decision = guard.hit(policy, content, item, actor, context)
            if decision is None:
                decision = guard.checked(policy, content, (item, actor, context))
            verdict = decision.verdict
            if verdict.disposition or verdict.effects:
                occasion = _occasion(guard, plan, args, kwargs, (item, actor, context))
                args, kwargs = occasion.let_in(decision, content)
        if is_injected:
            args, kwargs = handler.injected(args, kwargs, decision)
        token = enter(decision)
        try:
            result = function(*args, **kwargs)
        finally:
            leave(token)
        if plan.answer is None:
            return result
        occasion = _occasion(guard, plan, args, kwargs, (item, actor, context))
        return _checked_result(occasion, result, decision)

    return guarded


def _coroutine(guarding: Guarding) -> Callable[..., Any]:
    handler = guarding.handler
    function, surface, item_of, actor_of = handler.function, handler.surface, handler.item, handler.actor
    is_injected = handler.decision_parameter is not None
    process, current, enter, leave = registry.process, registry.current, running.enter, running.leave

    async def guarded(*args: Any, **kwargs: Any) -> Any:
        guard: Guard = process.client or current()
        policy = guard.policies.get(surface) or guard.policy(surface)
        plan = guarding.plan
        if plan is None or plan.policy is not policy:
            plan = guarding.planned(policy)
        item = None if item_of is None else item_of(args, kwargs)
        actor = None if actor_of is None else actor_of(args, kwargs)
        context = None if plan.context is None else plan.context(args, kwargs)
        decision = None
        if plan.checks_input:
            content = plan.content(args, kwargs)
            decision = guard.hit(policy, content, item, actor, context)
            if decision is None:
                decision = await guard.achecked(policy, content, (item, actor, context))
            verdict = decision.verdict
            if verdict.disposition or verdict.effects:
                occasion = _occasion(guard, plan, args, kwargs, (item, actor, context))
                args, kwargs = occasion.let_in(decision, content)
        if is_injected:
            args, kwargs = handler.injected(args, kwargs, decision)
        token = enter(decision)
        try:
            result = await function(*args, **kwargs)
        finally:
            leave(token)
        if plan.answer is None:
            return result
        occasion = _occasion(guard, plan, args, kwargs, (item, actor, context))
        return await _achecked_result(occasion, result, decision)

    return guarded


def _generator(guarding: Guarding) -> Callable[..., Any]:
    handler = guarding.handler

    def guarded(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        from spotsafe.surface.streaming import Checked, Source, relayed

        occasion = guarding.occasion(args, kwargs)
        decision = None
        if occasion.plan.checks_input:
            content = occasion.plan.content(args, kwargs)
            decision = occasion.check(content)
            args, kwargs = occasion.let_in(decision, content)
        args, kwargs = handler.injected(args, kwargs, decision)
        source = Source(handler.function(*args, **kwargs), decision)
        return (yield from relayed(source if occasion.plan.answer is None else Checked(source, occasion)))

    return guarded


def _async_generator(guarding: Guarding) -> Callable[..., Any]:
    handler = guarding.handler

    async def guarded(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        from spotsafe.surface.stream import END
        from spotsafe.surface.streaming import AsyncChecked, AsyncSource, Thrown

        occasion = guarding.occasion(args, kwargs)
        decision = None
        if occasion.plan.checks_input:
            content = occasion.plan.content(args, kwargs)
            decision = await occasion.acheck(content)
            args, kwargs = occasion.let_in(decision, content)
        args, kwargs = handler.injected(args, kwargs, decision)
        source = AsyncSource(handler.function(*args, **kwargs), decision)
        stream = source if occasion.plan.answer is None else AsyncChecked(source, occasion)
        thrown = Thrown()
        # There is no ``yield from`` for async generators: this is ``streaming.arelayed``, written out.
        try:
            while (item := await stream.next()) is not END:
                with thrown:
                    stream.send((yield item))
                if thrown.error is not None:
                    await stream.throw(thrown.error)
        finally:
            await stream.close()

    return guarded


_WRAPPERS: dict[Kind, Callable[[Guarding], Callable[..., Any]]] = {
    Kind.SYNC: _function,
    Kind.ASYNC: _coroutine,
    Kind.GENERATOR: _generator,
    Kind.ASYNC_GENERATOR: _async_generator,
}


def _occasion(
    guard: Guard, plan: Plan, args: tuple[Any, ...], kwargs: dict[str, Any], who: tuple[Any, Any, Any]
) -> Occasion:
    """The call as enforcement sees it: made only where there is something to enforce."""
    from spotsafe.surface.occasion import Occasion

    return Occasion(guard, plan, args, kwargs, *who)


def _checked_result(occasion: Occasion, value: Any, decision: Decision | None) -> Any:
    """*value* after its own check; a returned iterator is checked as it is consumed."""
    if (stream := _stream_of(occasion, value, decision)) is not None:
        return stream
    content = occasion.answer.content(value)
    if not content.parts:
        return value
    return occasion.let_out(value, occasion.check(content), content)


async def _achecked_result(occasion: Occasion, value: Any, decision: Decision | None) -> Any:
    if (stream := _stream_of(occasion, value, decision)) is not None:
        return stream
    content = occasion.answer.content(value)
    if not content.parts:
        return value
    return occasion.let_out(value, await occasion.acheck(content), content)


def _stream_of(occasion: Occasion, value: Any, decision: Decision | None) -> Any:
    """The checked form of an iterator that a handler returned; None for any other value."""
    kind = type(value)
    if hasattr(kind, "__aiter__"):
        from spotsafe.surface.streaming import AsyncChecked, AsyncSource, arelayed

        return arelayed(AsyncChecked(AsyncSource(aiter(value), decision), occasion))
    if hasattr(kind, "__next__"):
        from spotsafe.surface.streaming import Checked, Source, relayed

        return relayed(Checked(Source(value, decision), occasion))
    return None
