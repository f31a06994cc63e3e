"""Identical questions at the same time: how many requests they cause, and how long all of them take."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.benchmarks.product import Clients, acomment, comment, distinct_texts
from tests.benchmarks.rounds import Item, Run, Spent, awaited, timed

FLOCK = 64
THINK = 0.020
"""Seconds that the service takes to answer where many callers wait for one answer."""


class Flocks:
    """Identical questions at the same time; *sent* collects how many requests each flock caused."""

    def __init__(self, clients: Clients, loop: asyncio.AbstractEventLoop) -> None:
        self._clients = clients
        self._loop = loop
        self._pool = ThreadPoolExecutor(FLOCK)
        self.sent: dict[str, list[int]] = {"tasks": [], "threads": []}
        list(self._pool.map(time.sleep, [0.01] * FLOCK))

    def items(self) -> list[Item]:
        quiet, service = self._clients.using(self._clients.quiet), self._clients.service

        def slow() -> None:
            quiet()
            service.control(think=THINK)

        def quick() -> None:
            service.control(think=0)

        what = f"the same new text {FLOCK} times at once"
        delay = f"; the service takes {THINK * 1000:.0f} ms"
        one = Item("one slow miss", "one guarded async miss" + delay, awaited(self._loop, acomment),
                   distinct_texts, slow, quick, most=1)  # fmt: skip
        return [
            one,
            Item("64 tasks, slow", f"{what}, as tasks" + delay, self._tasks(), distinct_texts,
                 slow, quick, most=1),
            one._replace(name="one slow sync miss", about="one guarded miss" + delay, run=timed(comment)),
            Item("64 threads, slow", f"{what}, on {FLOCK} threads" + delay, self._threads(), distinct_texts,
                 slow, quick, most=1),
            Item("64 tasks", f"{what}, as tasks; the service answers at once", self._tasks(), distinct_texts,
                 quiet, most=1),
        ]  # fmt: skip

    def _tasks(self) -> Run:
        async def flock(text: str) -> None:
            await asyncio.gather(*[acomment(copy) for copy in _copies(text)])

        return self._counting("tasks", awaited(self._loop, flock))

    def _threads(self) -> Run:
        return self._counting("threads", timed(lambda text: list(self._pool.map(comment, _copies(text)))))

    def _counting(self, how: str, run: Run) -> Run:
        def counted(arguments: list[Any]) -> Spent:
            before = self._clients.service.control()["detects"]
            spent = run(arguments)
            if len(arguments) == 1:
                self.sent[how].append(int(self._clients.service.control()["detects"] - before))
            return spent

        return counted

    def close(self) -> None:
        self._pool.shutdown()


def _copies(text: str) -> list[str]:
    return [text[:100] + text[100:] for _ in range(FLOCK)]
