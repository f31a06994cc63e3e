"""What guarded calls are compared with, each as its own documentation shows it, and as cheap as it goes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from threading import RLock
from typing import Any

from tests.benchmarks.rounds import Item, awaited, timed

Fresh = Callable[[int], list[Any]]


def cached(fresh: Fresh) -> Item:
    """R1: a hit in ``cachetools.cached``."""
    from cachetools import TTLCache
    from cachetools import cached as decorate

    @decorate(TTLCache(10_000, 3600), lock=RLock())
    def handler(body: str) -> None:
        return None

    return Item(
        "cachetools",
        "R1: cachetools.cached(TTLCache, lock=RLock()) hit: one lookup by the text itself, nothing checked",
        timed(handler),
        fresh,
    )


def handlers(loop: asyncio.AbstractEventLoop, fresh: Fresh) -> list[Item]:
    """Handlers that nobody guards."""

    def plain(body: str) -> None:
        return None

    async def coroutine(body: str) -> None:
        return None

    return [
        Item("bare handler", "the handler alone, sync", timed(plain), fresh),
        Item("bare async handler", "the handler alone, awaited", awaited(loop, coroutine), fresh),
    ]


def flags(fresh: Fresh) -> list[Item]:
    """One boolean flag in memory: no rules, no network, no events sent."""
    from ldclient import Config, Context, LDClient
    from ldclient.integrations.test_data import TestData
    from openfeature import api
    from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider

    api.set_provider(InMemoryProvider({"guard": InMemoryFlag("on", {"on": True, "off": False})}))
    feature = api.get_client()
    data = TestData.data_source()
    data.update(data.flag("guard").variation_for_all(True))
    dark = LDClient(Config("no-key", update_processor_class=data, send_events=False))
    user = Context.create("user")
    return [
        Item(
            "OpenFeature",
            "openfeature-sdk, in-memory provider: get_boolean_value of one flag without context",
            timed(lambda _: feature.get_boolean_value("guard", False)),
            fresh,
        ),
        Item(
            "LaunchDarkly",
            "launchdarkly-server-sdk, TestData source: variation() of one flag without rules, events off",
            timed(lambda _: dark.variation("guard", user, False)),
            fresh,
        ),
    ]


def retries(fresh: Fresh) -> list[Item]:
    """Decorators that would retry, around a call that succeeds."""
    import stamina
    import tenacity

    def call(value: object) -> object:
        return value

    patient = stamina.retry(on=ConnectionError, attempts=2, timeout=2.0)(call)
    tenacious = tenacity.retry(
        stop=tenacity.stop_after_attempt(2) | tenacity.stop_after_delay(2.0),
        wait=tenacity.wait_random(0, 0.05),
        retry=tenacity.retry_if_exception_type(ConnectionError),
    )(call)
    return [
        Item("stamina", "stamina.retry(attempts=2, timeout=2): retry and time-out, no breaker",
             timed(patient), fresh),
        Item("tenacity", "tenacity.retry(two attempts or 2 s, random wait): retry and time-out, no breaker",
             timed(tenacious), fresh),
    ]  # fmt: skip


def question(text: str, labels: Sequence[str]) -> Mapping[str, Any]:
    """The body that the guarded call sends, made by hand."""
    part = {"name": "body", "type": "text", "text": text}
    return {"items": [{"id": "1", "parts": [part], "languages": ["en"]}], "labels": labels}


def bare_http(
    loop: asyncio.AbstractEventLoop, url: str, labels: Sequence[str], distinct: Fresh
) -> list[Item]:
    """R2: ``post(json=…)`` and ``json()`` on a client that is kept, with httpx's own time-outs."""
    import httpx

    target = f"{url}/v1/detect"
    client, aclient = httpx.Client(timeout=2.0), httpx.AsyncClient(timeout=2.0)

    def post(text: str) -> Any:
        return client.post(target, json=question(text, labels)).json()

    async def apost(text: str) -> Any:
        return (await aclient.post(target, json=question(text, labels))).json()

    what = "R2: a kept httpx {}: post(json=…) of the same question, json() of the answer; httpx time-outs"
    return [
        Item("httpx sync", what.format("Client"), timed(post), distinct, millis=15),
        Item("httpx async", what.format("AsyncClient"), awaited(loop, apost), distinct, millis=15),
    ]


def digest(fresh_bytes: Fresh) -> Item:
    """One sha256 of a mebibyte."""
    about = "hashlib.sha256(1 MiB).digest()"
    return Item(
        "sha256 1 MiB", about, timed(lambda data: sha256(data).digest()), fresh_bytes, millis=8, most=16
    )
