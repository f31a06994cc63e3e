"""The id of a decision that several threads ask for."""

from __future__ import annotations

import threading

from spotsafe.core.content import Content
from spotsafe.core.decision import Decision, Verdict
from spotsafe.core.signals import Signals


def test_two_threads_that_ask_at_once_get_one_id() -> None:
    """The id in the product's log is the id of the event, even when both are minted at one moment."""
    inside = threading.Barrier(2, timeout=0.2)
    minted: list[str] = []

    def mint() -> str:
        try:
            inside.wait()
        except threading.BrokenBarrierError:
            pass
        minted.append(f"id-{len(minted)}")
        return minted[-1]

    decision = Decision("comments.create", Verdict(), Signals(), Content([]), mint)
    seen: list[str] = []
    threads = [threading.Thread(target=lambda: seen.append(decision.id)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(minted) == 1
    assert seen == minted * 2
