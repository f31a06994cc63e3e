"""Guarded calls as a product makes them: handlers under ``@safe_surface``, clients with a manifest.

Only public names are used, but for one row: the machinery that one request passes through
(``guard.attempts``), which is what a retry decorator is compared with.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path
from random import Random
from typing import Annotated, Any

import spotsafe
from spotsafe import Client, Image, Text, safe_surface
from spotsafe.core.signals import Signals
from spotsafe.guard.attempts import attempts
from spotsafe.guard.drive import drive
from spotsafe.guard.retry import Gate
from spotsafe.guard.steps import Answered
from spotsafe.testing import FakeDetector
from tests.benchmarks.loopback import Loopback, closed_port
from tests.benchmarks.rounds import Item, awaited, timed

MANIFEST = Path(__file__).with_name("safety.yaml")
KEY = b"a tenant key for benchmarks only"
SURFACE = "bench.comments"
WORDS = "the episode about rivers was long but I liked how they follow one drop to the sea".split()  # noqa: SIM905
_random = Random(7)
TEXTS = tuple(" ".join(_random.choice(WORDS) for _ in range(80))[:200] for _ in range(64))
"""A working set of 64 texts of 200 characters."""

_serial = count()


def fresh_texts(number: int) -> list[str]:
    """Texts of the working set as new objects: as in a request, nobody has hashed them yet."""
    return [text[:100] + text[100:] for text in (TEXTS[index % len(TEXTS)] for index in range(number))]


def distinct_texts(number: int) -> list[str]:
    """Texts of 200 characters that were never sent before."""
    return [f"{next(_serial):012d}{TEXTS[0][12:]}" for _ in range(number)]


def fresh_pictures(number: int) -> list[bytes]:
    """The same mebibyte as new objects."""
    return [bytes(bytearray(PICTURE)) for _ in range(number)]


PICTURE = _random.randbytes(2**20)


@safe_surface(SURFACE)
def comment(body: Annotated[str, Text]) -> None:
    return None


@safe_surface(SURFACE)
async def acomment(body: Annotated[str, Text]) -> None:
    return None


@safe_surface("bench.covers")
def cover(picture: Annotated[bytes, Image]) -> None:
    return None


class Clients:
    """One client for each way of working; a slice configures the one it measures."""

    def __init__(self, service: Loopback) -> None:
        self.service = service
        common: dict[str, Any] = {"manifests": MANIFEST, "tenant_key": KEY, "environment": "test"}
        self.quiet = Client(service=service.url, fallback=None, telemetry=False, **common)
        self.told = Client(service=service.url, fallback=None, telemetry=True, app="benchmark", **common)
        dead = f"http://127.0.0.1:{closed_port()}"
        self.alone = Client(service=dead, fallback=FakeDetector(), telemetry=False, **common)
        self.delivered: list[tuple[int, float]] = []
        for client in self.all:
            client.start()
        for client in self.all:
            self.warm(client)

    @property
    def all(self) -> tuple[Client, ...]:
        return self.quiet, self.told, self.alone

    def warm(self, client: Client) -> None:
        """Fill the cache with the working set (each text thrice: stored, evaluated, remembered)."""
        for _ in range(3):
            for text in TEXTS:
                client.check(SURFACE, body=text)
        if client is self.quiet:
            for _ in range(3):
                client.check("bench.covers", picture=PICTURE)
        client.flush(5.0)

    def using(self, client: Client) -> Callable[[], None]:
        """Before a slice: make *client* the process's, and let the handlers compile for it."""

        def before() -> None:
            spotsafe.configure(client)
            comment(TEXTS[0])
            if client is self.quiet:
                cover(PICTURE)
                acomment(TEXTS[0]).close()

        return before

    def deliver(self) -> None:
        """After a slice: let the events of the slice go, so that no other slice pays for them."""
        waiting = self.told.stats()["outbox"]["items"]
        started = time.perf_counter()
        self.told.flush(5.0)
        self.delivered.append((waiting, time.perf_counter() - started))

    def close(self) -> None:
        spotsafe.configure(None)
        for client in self.all:
            client.close(2.0)


def hits(clients: Clients, loop: asyncio.AbstractEventLoop) -> list[Item]:
    """Cache hits, 200 characters, handler included."""
    quiet, told = clients.using(clients.quiet), clients.using(clients.told)
    what = "@safe_surface handler, cache hit: extraction, key, cache, verdict, decision, enforcement, handler"
    return [
        Item("guarded hit", f"{what}; telemetry off", timed(comment), fresh_texts, quiet),
        Item(
            "guarded async hit", f"{what}; telemetry off, awaited", awaited(loop, acomment), fresh_texts,
            quiet,
        ),
        Item(
            "guarded hit, telemetry",
            f"{what}; telemetry on with the OpenTelemetry API and no SDK: counted, and an event put aside "
            "for delivery (its building and sending happen on another thread, after the slice)",
            timed(comment), fresh_texts, told, clients.deliver, most=220,
        ),
        Item(
            "guarded hit, delivering",
            f"{what}; as above, in slices long enough for the delivery thread to run beside the calls",
            timed(comment), fresh_texts, told, clients.deliver, millis=10,
        ),
        Item(
            "client.check hit", "client.check(surface, body=text), cache hit, telemetry off",
            timed(lambda text: clients.quiet.check(SURFACE, body=text)), fresh_texts,
        ),
    ]  # fmt: skip


def machinery() -> Item:
    """What stands around one request to the service, on a request that succeeds."""
    gate, random, reply = Gate(), Random(1).random, Answered(Signals((), (), ""))

    def call(_: str) -> object:
        return drive(attempts(gate, 2.0, time.monotonic, random), lambda step: reply)

    about = "breaker, back-off, retry budget and wall-clock deadline around a call that answers at once"
    return Item("retry machinery", about, timed(call), fresh_texts)


def misses(clients: Clients, loop: asyncio.AbstractEventLoop) -> list[Item]:
    """Cache misses over HTTP with the deadline on."""
    quiet = clients.using(clients.quiet)
    what = (
        "@safe_surface handler, text never seen: key, cache, singleflight, breaker, deadline, HTTP, "
        "decoding, evaluation, cache"
    )
    return [
        Item(
            "guarded miss", f"{what}; pre-resolved addresses", timed(comment), distinct_texts, quiet,
            millis=15,
        ),
        Item(
            "guarded async miss", f"{what}; awaited", awaited(loop, acomment), distinct_texts, quiet,
            millis=15,
        ),
    ]  # fmt: skip


def others(clients: Clients) -> list[Item]:
    """Fallback with the breaker open, and large content."""
    return [
        Item(
            "breaker open",
            "@safe_surface handler while the service is down and the breaker open: what the fallback engine "
            "said before, from its own cache; no network",
            timed(comment), fresh_texts, clients.using(clients.alone),
        ),
        Item(
            "guarded 1 MiB",
            "@safe_surface handler with an image of 1 MiB as bytes, cache hit, telemetry off",
            timed(cover), fresh_pictures, clients.using(clients.quiet), millis=8, most=16,
        ),
    ]  # fmt: skip


Check = tuple[str, float, float]
"""What, expected, found."""


def proofs(clients: Clients, loop: asyncio.AbstractEventLoop) -> list[Check]:
    """That what is measured is what it says: counted at the service, not believed."""
    found: list[Check] = []
    service = clients.service

    def requests_of(client: Client, call: Callable[[str], Any], texts: list[str]) -> float:
        clients.using(client)()
        before = service.control()["detects"]
        for text in texts:
            call(text)
        return service.control()["detects"] - before

    def aloud(text: str) -> None:
        loop.run_until_complete(_awaited(acomment, text))

    quiet = clients.quiet
    found.append(("requests caused by 100 hits", 0, requests_of(quiet, comment, fresh_texts(100))))
    found.append(("requests caused by 100 misses", 100, requests_of(quiet, comment, distinct_texts(100))))
    found.append(
        ("requests caused by 100 awaited misses", 100, requests_of(quiet, aloud, distinct_texts(100)))
    )
    statuses = [clients.alone.check(SURFACE, body=text).status.word for text in fresh_texts(100)]
    found.append(("answers by the fallback among 100 with the breaker open", 100, statuses.count("local")))
    clients.told.flush(5.0)
    before = service.control()["events"]
    clients.using(clients.told)()
    for text in fresh_texts(99):
        comment(text)
    clients.told.flush(5.0)
    found.append(("events delivered of 100 hits with telemetry", 100, service.control()["events"] - before))
    return found


async def _awaited(call: Callable[[str], Awaitable[Any]], text: str) -> Any:
    return await call(text)
