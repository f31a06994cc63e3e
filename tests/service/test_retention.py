"""Retention and adoption: events go, their sums stay."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from sqlalchemy import func, select
from starlette.testclient import TestClient

from spotsafe.policy.load import load_text
from spotsafe.service import adoption_cells
from spotsafe.service.app import sweep
from spotsafe.service.limits import Limits
from spotsafe.service.store import Store
from spotsafe.service.tables import adoption, events, holds

DAY = 86_400.0
MANIFEST = """
spotsafe: 1
team: podcast-community
owner: comments@example.com
extends: baseline/public-ugc
surfaces:
  comments.create:
    about: Comments
    direction: input
    audience: public
    content: {body: text}
    privacy: {send: service, retain: 10d}
"""


def event(number: int, at: float, surface: str = "comments.create", **fields: Any) -> dict[str, Any]:
    return {
        "event_id": f"01920000-0000-7000-8000-{number:012x}", "kind": "decision", "at": at,
        "surface": surface, "team": "podcast-community", "app": "shop", "environment": "production",
        "instance": "i",
        "sdk": "1", "mode": "enforce", "disposition": "allow", "status": "checked", "latency_ms": 2.0,
        **fields,
    }  # fmt: skip


def register(number: int, at: float, instance: str) -> dict[str, Any]:
    surfaces = [
        {
            "surface": "comments.create",
            "team": "podcast-community",
            "declared": True,
            "decorated": True,
            "mode": "enforce",
        }
    ]
    return {
        "event_id": f"01920000-0000-7000-8001-{number:012x}", "kind": "register", "at": at, "app": "shop",
        "environment": "production", "instance": instance, "sdk": "1", "surfaces": surfaces,
    }  # fmt: skip


def deliver(client: TestClient, *batch: dict[str, Any]) -> None:
    assert client.post("/v1/events", json={"events": list(batch)}).status_code == 200


def surfaces_left(store: Store) -> list[str]:
    with store.reading() as connection:
        return sorted(connection.execute(select(events.c.surface)).scalars())


def swept(client: TestClient) -> None:
    asyncio.run(sweep(client.app.state.service))  # type: ignore[attr-defined]


def test_old_events_go_and_their_sums_stay(
    service: Callable[..., TestClient], store: Store, clock: Any
) -> None:
    """After their retention events are dropped; adoption still counts them."""
    client = service(limits=Limits(retain_seconds=30 * DAY))
    deliver(client, event(1, clock.time), event(2, clock.time))
    clock.time += 20 * DAY
    deliver(client, event(3, clock.time))
    clock.time += 11 * DAY
    swept(client)
    assert len(surfaces_left(store)) == 1
    (row,) = client.get("/v1/adoption").json()["surfaces"]
    assert row["traffic"] == 3
    assert "spotsafe_events_swept_total 2" in client.get("/metrics").text


def test_a_manifest_may_keep_less(service: Callable[..., TestClient], store: Store, clock: Any) -> None:
    """A surface's own retention counts where it is shorter, for that surface alone."""
    policies = load_text({"m.yaml": MANIFEST}, now=clock.time)
    client = service(policies=policies)
    deliver(client, event(1, clock.time), event(2, clock.time, "other"))
    clock.time += 11 * DAY
    swept(client)
    assert surfaces_left(store) == ["other"]


def test_retention_goes_by_arrival(service: Callable[..., TestClient], store: Store, clock: Any) -> None:
    """An event that says it is old, or from the future, is kept as long as any other."""
    client = service(limits=Limits(retain_seconds=DAY))
    deliver(client, event(1, 0.0), event(2, clock.time * 2))
    swept(client)
    assert len(surfaces_left(store)) == 2
    clock.time += 2 * DAY
    swept(client)
    assert surfaces_left(store) == []


def test_ended_holds_go_and_running_ones_stay(
    service: Callable[..., TestClient], store: Store, clock: Any
) -> None:
    """A hold is kept until its retention after its end."""
    client = service(limits=Limits(retain_seconds=DAY))
    for number, ttl in ((1, DAY), (2, 100 * DAY)):
        hold = {"expires": clock.time + ttl, "reason": "policy", "on_expiry": "reject"}
        deliver(client, event(number, clock.time, hold=hold))
    clock.time += 3 * DAY
    swept(client)
    with store.reading() as connection:
        assert connection.execute(select(func.count()).select_from(holds)).scalar_one() == 1


def test_a_process_that_lives_long_stays_declared(client: TestClient, store: Store, clock: Any) -> None:
    """What a process declared at its start counts while it is heard of, and goes with it."""
    deliver(client, register(1, clock.time, "i"), register(2, clock.time, "short-lived"))
    for number in range(1, 12):
        clock.time += 2 * DAY
        deliver(client, event(number, clock.time))
        swept(client)
    table = client.get("/v1/adoption").json()
    assert (table["instances"], table["surfaces"][0]["declared"]) == (1, True)
    clock.time += 8 * DAY
    swept(client)
    table = client.get("/v1/adoption").json()
    assert (table["instances"], table["surfaces"][0]["declared"]) == (0, False)
    with store.reading() as connection:
        assert connection.execute(select(func.count()).where(adoption.c.day == "")).scalar_one() == 0


def test_days_beyond_the_bound_are_forgotten(service: Callable[..., TestClient], clock: Any) -> None:
    """Adoption sums themselves are kept for a bounded number of days."""
    client = service(limits=Limits(adoption_days=10))
    deliver(client, event(1, clock.time))
    clock.time += 12 * DAY
    deliver(client, event(2, clock.time))
    swept(client)
    assert client.get("/v1/adoption").json()["surfaces"][0]["traffic"] == 1


def test_the_table_can_be_narrowed(client: TestClient, clock: Any) -> None:
    """By environment, by the key that delivered, by days."""
    deliver(
        client, event(1, clock.time - 5 * DAY), event(2, clock.time), event(3, clock.time, environment="demo")
    )

    def traffic(query: str) -> tuple[list[int], list[int]]:
        table = client.get(f"/v1/adoption?{query}").json()
        return [r["traffic"] for r in table["surfaces"]], [r["traffic"] for r in table["apart"]]

    assert traffic("") == ([2], [1])
    assert traffic("environment=demo") == ([], [1])
    assert traffic("application=local") == ([2], [1])
    assert traffic("application=other") == ([], [])
    assert traffic("days=1") == ([1], [1])
    assert [client.get(f"/v1/adoption?{q}").status_code for q in ("days=0", "days=x", "days=9999")] == [
        400
    ] * 3
    long = "0" * 5_000 + "1"
    assert client.get(f"/v1/adoption?days={long}").status_code == 400, "converted by nobody"


def test_sums_do_not_depend_on_how_events_were_batched(store: Store, clock: Any) -> None:
    """One batch or many, in any order: the same rows."""
    from spotsafe.service.event_records import read_event

    batch = [read_event(event(n, clock.time + n * 1000, latency_ms=n), most=9999) for n in range(30)]
    with store.writing() as connection:
        adoption_cells.add(connection, batch, "together", clock.time + DAY)
        for entry in reversed(batch):
            adoption_cells.add(connection, [entry], "apart", clock.time + DAY)
        assert adoption_cells.rows(connection, application="together") != []
        assert sorted(adoption_cells.rows(connection, application="together")) == sorted(
            adoption_cells.rows(connection, application="apart")
        )
