"""``POST /v1/events`` and ``/v1/feedback``: kept once and only once, without content."""

from __future__ import annotations

import gzip
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from starlette.testclient import TestClient

from spotsafe.service.event_records import Refused, read_event
from spotsafe.service.keys import KeyRing, StoredKey, checked_principal, hashed
from spotsafe.service.store import Store
from spotsafe.service.tables import adoption, events, feedback

CANARY = "kanarienvogel"
DIGEST = "ab" * 32


def event_id(number: int) -> str:
    return f"01920000-0000-7000-8000-{number:012x}"


def decision(number: int = 1, **fields: Any) -> dict[str, Any]:
    """A decision event as the client writes it."""
    return {
        "event_id": event_id(number), "kind": "decision", "at": 1_800_000_000.0, "app": "shop",
        "environment": "production", "instance": "i1", "sdk": "0.1.0", "surface": "comments.create",
        "team": "community", "service": "main", "direction": "input", "audience": "public",
        "policy_version": "abc", "mode": "enforce", "disposition": "allow", "effects": [],
        "status": "checked", "queued": False, "would": None, "kill_switch": None, "failed_open": False,
        "latency_ms": 1.5, "waivers": [], "scores": {"hate.speech": 0.1},
        "missing": {"ip.copyright": "unsupported"}, "engine": "e1", "actor": DIGEST, "item": DIGEST,
        "content": DIGEST,
        "context": {"market": "de", "age": 3}, "hold": None, "trace_id": None,
        "reasons": [{"rule": "a#b", "label": "hate.speech", "trigger": "score", "cause": None, "score": 0.1,
                     "threshold": 0.5}],
        **fields,
    }  # fmt: skip


def register(number: int, *surfaces: str) -> dict[str, Any]:
    listed = [
        {"surface": name, "team": "community", "declared": True, "decorated": True, "mode": "enforce",
         "waivers": [], "unsupported": []}
        for name in surfaces
    ]  # fmt: skip
    return {
        "event_id": event_id(number), "kind": "register", "at": 1_800_000_000.0, "app": "shop",
        "environment": "production", "instance": "i1", "sdk": "0.1.0", "surfaces": listed,
        "kill_switches": [], "python": "3.11.9",
    }  # fmt: skip


def post(client: TestClient, *batch: dict[str, Any]) -> Any:
    return client.post("/v1/events", json={"events": list(batch)})


def count(store: Store, table: Any = events) -> int:
    with store.reading() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def test_events_are_kept_once(client: TestClient, store: Store) -> None:
    """Sent again, alone or beside new ones or twice in one batch, an event counts as duplicate."""
    assert post(client, decision(1), decision(2)).json() == {"accepted": 2, "duplicate": 0}
    assert post(client, decision(1), decision(2)).json() == {"accepted": 0, "duplicate": 2}
    assert post(client, decision(2), decision(3), decision(3)).json() == {"accepted": 1, "duplicate": 2}
    assert count(store) == 3


def test_a_duplicate_adds_nothing_to_adoption(client: TestClient) -> None:
    """Adoption counts events, not deliveries."""
    for _ in range(3):
        post(client, decision(1), register(2, "comments.create"))
    (row,) = client.get("/v1/adoption").json()["surfaces"]
    assert (row["traffic"], row["declared"], row["unlinked"]) == (1, True, "")


def test_an_empty_batch_is_fine(client: TestClient) -> None:
    """Nothing to keep is no error."""
    assert post(client).json() == {"accepted": 0, "duplicate": 0}


def test_gzip_is_taken(client: TestClient, store: Store) -> None:
    """A compressed batch is kept as a plain one."""
    data = gzip.compress(json.dumps({"events": [decision(n) for n in range(100)]}).encode())
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    assert client.post("/v1/events", content=data, headers=headers).json()["accepted"] == 100
    assert count(store) == 100


def test_the_batch_is_bounded(client: TestClient) -> None:
    """500 events are taken, 501 refused with the remedy."""
    assert post(client, *(decision(n) for n in range(500))).status_code == 200
    answer = post(client, *(decision(n) for n in range(501)))
    assert answer.status_code == 422
    assert "500" in answer.json()["detail"]


def test_unreadable_events_are_named_and_nothing_is_kept(client: TestClient, store: Store) -> None:
    """A batch with unreadable events is refused whole: the answer names them by index and place."""
    answer = post(client, decision(1), {"kind": CANARY}, decision(3, latency_ms=CANARY), decision(4))
    assert answer.status_code == 422
    assert [entry["pointer"] for entry in answer.json()["refused"]] == [
        "/events/1/event_id",
        "/events/2/latency_ms",
    ]
    assert CANARY not in answer.text
    assert count(store) == 0


WRONG: dict[str, dict[str, Any]] = {
    "event_id": {"event_id": "1"},
    "upper-case id": {"event_id": event_id(10).upper()},
    "kind": {"kind": "other"},
    "at": {"at": "now"},
    "at missing": {"at": None},
    "surface": {"surface": 5},
    "surface missing": {"surface": None},
    "long surface": {"surface": "x" * 257},
    "status": {"status": CANARY + " said it"},
    "effects": {"effects": ["review", {"a": 1}]},
    "scores": {"scores": {"hate.speech": "high"}},
    "too many scores": {"scores": {str(n): 0.1 for n in range(501)}},
    "reasons": {"reasons": [CANARY]},
    "actor in clear": {"actor": "ann@example.com"},
    "content in clear": {"content": f"{CANARY} wrote this"},
    "context of context": {"context": {"a": {"b": 1}}},
    "hold reason": {"hold": {"expires": 1.0, "reason": "because", "on_expiry": "reject"}},
    "queued": {"queued": "yes"},
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_field_refuses_the_event(client: TestClient, name: str) -> None:
    """A field of the wrong type, or an identifier in clear, is refused without being repeated."""
    answer = post(client, decision(1, **WRONG[name]))
    assert answer.status_code == 422
    assert CANARY not in answer.text


def test_what_nobody_knows_is_not_kept(client: TestClient, store: Store) -> None:
    """Unknown fields, where content could hide, never reach the store; unknown words of a newer client do
    not refuse its event."""
    sent = decision(
        1, body=CANARY, disposition="escalate", effects=["blur"], reasons=[{"rule": "r", "text": CANARY}]
    )
    assert post(client, sent).json()["accepted"] == 1
    with store.reading() as connection:
        record = connection.execute(select(events.c.record)).scalar_one()
    assert CANARY not in record
    assert json.loads(record)["disposition"] == "escalate"


def test_the_application_comes_from_the_key(service: Callable[..., TestClient], store: Store) -> None:
    """Event and adoption rows carry the key's application, whatever the event says of itself."""
    keys = KeyRing([StoredKey(checked_principal("billing", ["events"], ""), hashed("spot_b"))])
    client = service(keys=keys)
    headers = {"authorization": "Bearer spot_b"}
    sent = decision(1, application="someone-else", app="someone-else")
    assert client.post("/v1/events", json={"events": [sent]}, headers=headers).status_code == 200
    with store.reading() as connection:
        assert connection.execute(select(events.c.application)).scalars().all() == ["billing"]
        assert set(connection.execute(select(adoption.c.application)).scalars()) == {"billing"}


def test_concurrent_deliveries_of_the_same_events_keep_each_once(store: Store) -> None:
    """Eight threads that deliver overlapping batches keep every event exactly once, and count it once."""
    batches = [[read_event(decision(n), most=99_999) for n in range(s, s + 20)] for s in range(0, 80, 10)]
    accepted: list[int] = []

    def deliver(batch: list[Any]) -> None:
        for _ in range(3):
            accepted.append(store.add_events(batch, "a", 1.0).accepted)

    threads = [threading.Thread(target=deliver, args=(batch,)) for batch in batches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(accepted) == count(store) == 90
    with store.reading() as connection:
        query = select(func.sum(adoption.c.number)).where(adoption.c.name == "traffic")
        assert connection.execute(query).scalar_one() == 90


SERVER = """
import sys
from pathlib import Path
from spotsafe.core.seams import Capabilities
from spotsafe.service.serve import serve

class Nothing:
    id = version = "nothing"
    def capabilities(self): return Capabilities({})
    def detect(self, requests, *, timeout=None): return []

sys.exit(serve("127.0.0.1", 0, Path(sys.argv[1]), None, detector=Nothing()))
"""


def started(data_dir: Path) -> tuple[subprocess.Popen[str], str]:
    command = [sys.executable, "-c", SERVER, str(data_dir)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("spotsafe service listening on http://127.0.0.1:")
    return process, line.split()[-1]


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    """After SIGKILL amid deliveries, every acknowledged event is there once, and redelivery adds nothing."""
    data = tmp_path / "data"
    process, url = started(data)
    acknowledged = 0
    with httpx.Client(base_url=url, trust_env=False) as client:
        for start in range(0, 200, 20):
            batch = [decision(n) for n in range(start, start + 20)]
            acknowledged += client.post("/v1/events", json={"events": batch}).json()["accepted"]
    process.send_signal(signal.SIGKILL)
    process.communicate()
    process, url = started(data)
    with httpx.Client(base_url=url, trust_env=False) as client:
        again = client.post("/v1/events", json={"events": [decision(n) for n in range(220)]}).json()
        traffic = client.get("/v1/adoption").json()["surfaces"][0]["traffic"]
    process.terminate()
    process.communicate()
    assert again == {"accepted": 20, "duplicate": acknowledged}
    assert traffic == 220


def test_feedback_is_kept_once(client: TestClient, store: Store) -> None:
    """Feedback through its own route or as an event ends in the same table, once per id."""
    said = {
        "decision_id": event_id(1),
        "verdict": "too_strict",
        "label": "hate.speech",
        "event_id": event_id(7),
    }
    assert client.post("/v1/feedback", json=said).status_code == 201
    assert client.post("/v1/feedback", json=said).json() == {"feedback_id": event_id(7), "duplicate": True}
    event = {"kind": "feedback", "at": 1.0, **said, "event_id": event_id(8)}
    assert post(client, event).json()["accepted"] == 1
    assert count(store, feedback) == 2
    assert client.get("/v1/adoption").json()["feedback"] == {"too_strict": 2}


@pytest.mark.parametrize(
    ("said", "pointer"),
    [
        ([], ""),
        ({}, "/decision_id"),
        ({"decision_id": "x", "verdict": "agree"}, "/decision_id"),
        ({"decision_id": event_id(1), "verdict": "maybe"}, "/verdict"),
        ({"decision_id": event_id(1), "verdict": "agree", "comment": CANARY}, ""),
        ({"decision_id": event_id(1), "verdict": "agree", "event_id": "x"}, "/event_id"),
    ],
)
def test_wrong_feedback_names_the_place(client: TestClient, said: object, pointer: str) -> None:
    """Feedback that cannot be kept is a 422 with the place."""
    answer = client.post("/v1/feedback", json=said)
    assert answer.status_code == 422
    assert answer.json()["pointer"] == pointer
    assert CANARY not in answer.text


def _mutations() -> st.SearchStrategy[dict[str, Any]]:
    leaf = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=5),
        st.lists(st.none(), max_size=2),
    )
    value = leaf | st.dictionaries(st.text(max_size=5), leaf, max_size=3) | st.lists(leaf, max_size=3)
    fields = sorted({*decision(), *register(1), "drops", "verdict", "decision_id"})
    return st.dictionaries(st.sampled_from(fields), value, max_size=4)


@given(changes=_mutations(), base=st.sampled_from([decision(), register(1, "a")]))
@settings(max_examples=300, deadline=None)
def test_any_event_is_read_or_refused(changes: dict[str, Any], base: dict[str, Any]) -> None:
    """Reading is total: an event, or a refusal with a place; what is read can be stored as JSON again."""
    try:
        found = read_event({**base, **changes}, most=100_000)
    except Refused:
        return
    assert json.loads(found.text)["event_id"] == found.event_id


@given(changes=_mutations())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_event_that_is_read_can_be_kept(store: Store, changes: dict[str, Any]) -> None:
    """Whatever is readable goes through the store, its holds and its adoption sums without a fault."""
    try:
        found = read_event({**decision(), **changes}, most=100_000)
    except Refused:
        return
    store.add_events([found], "a", 5.0)
