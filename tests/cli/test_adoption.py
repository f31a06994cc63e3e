"""``spotsafe adoption``: from an outbox file and from a service, for people and for machines."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx

from spotsafe.cli.main import main
from spotsafe.telemetry.adoption_table import summarise
from spotsafe.telemetry.events import SurfaceEntry, drops_record, register_records
from spotsafe.telemetry.identity import Identity
from spotsafe.telemetry.outbox import Outbox

URL = "https://safety.example"


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SPOTSAFE_SERVICE", "SPOTSAFE_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def decision(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "event_id": f"event-{number}", "kind": "decision", "at": time.time(), "app": "api",
        "environment": "production", "instance": "i", "sdk": "1.2.3", "surface": "comments.create",
        "team": "podcasts", "status": "checked", "disposition": "allow", "mode": "enforce",
        "latency_ms": 0.25, **fields,
    }  # fmt: skip


def records() -> list[dict[str, Any]]:
    identity = Identity("api", sdk="1.2.3", entropy=lambda n: b"i" * n)
    waiver = {
        "rule": "baseline/public-ugc#profanity",
        "ends": time.time() + 86_400 * 3,
        "owner": "me@example.com",
    }
    surfaces = [
        SurfaceEntry("comments.create", "podcasts", True, True, waivers=[waiver]),
        SurfaceEntry("profile.edit", "profiles", True, False),
    ]
    return [
        *register_records(surfaces, identity=identity, kill_switches=["surface:comments.create"]),
        *(decision(n) for n in range(150)),
        decision(150, disposition="block", queued=True),
        decision(151, status="unchecked", failed_open=True),
        decision(152, environment="ci"),
        decision(153, surface="dm.send", team=""),
        drops_record({"full": 7}, identity=identity),
    ]  # fmt: skip


@pytest.fixture
def outbox(tmp_path: Path) -> Path:
    path = tmp_path / "outbox.sqlite"
    box = Outbox(path)
    for record in records():
        box.put(record)
    box.close()
    return path


def test_an_outbox_file_shows_every_column_for_people(outbox: Path, capsys: Any) -> None:
    """One look says what is guarded, how well, and what is not."""
    assert main(["adoption", "--outbox", str(outbox)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    for words in (
        "podcasts", "comments.create", "profile.edit", "no code", "no manifest",
        "checked >99%", "unchecked <1%", "block <1%",
        "1.2.3", "0.258", "Apart: ci, test and demo", "baseline/public-ugc#profanity", "in 3 d",
        "surface:comments.create", "api lost events that are not in this table: 7 full",
        "dm.send (production) runs under the floor alone: declare it in a manifest",
        "comments.create (production) let 1 content(s) through unchecked after a failure",
    ):  # fmt: skip
        assert words in shown, words


def test_json_is_the_whole_table_and_nothing_else(outbox: Path, capsys: Any) -> None:
    """Machines get every field, findings included."""
    assert main(["adoption", "--outbox", str(outbox), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    rows = {row["surface"]: row for row in document["surfaces"]}
    assert rows["comments.create"]["traffic"] == 152
    assert rows["comments.create"]["p95_ms"] == pytest.approx(0.25, rel=document["latency_relative_error"])
    assert rows["profile.edit"]["unlinked"] == "manifest"
    assert [row["environment"] for row in document["apart"]] == ["ci"]
    assert {f["surface"] for f in document["findings"]} == {"comments.create", "dm.send", "profile.edit"}


@pytest.mark.parametrize(
    ("options", "code"), [([], 0), (["--strict"], 1), (["--strict", "--environment", "x"], 0)]
)
def test_findings_are_an_exit_code_only_when_asked_for(outbox: Path, options: list[str], code: int) -> None:
    """A look costs nobody their pipeline; a gate says so."""
    assert main(["adoption", "--outbox", str(outbox), *options]) == code


def test_one_environment_can_be_chosen(outbox: Path, capsys: Any) -> None:
    """Only that environment's rows are shown."""
    assert main(["adoption", "--outbox", str(outbox), "--environment", "ci", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["surfaces"], [row["traffic"] for row in document["apart"]]) == ([], [1])


def test_reading_an_outbox_leaves_it_as_it_was(outbox: Path) -> None:
    """Looking takes no event away from delivery, and works while a process writes."""
    writer = Outbox(outbox)
    before = len(writer)
    assert main(["adoption", "--outbox", str(outbox)]) == 0
    writer.put(decision(999))
    writer.drain()
    assert len(writer) == before + 1
    writer.close()


def test_a_read_only_copy_can_be_read(outbox: Path, tmp_path: Path) -> None:
    """An operator's copy in a directory that cannot be written to is good enough."""
    os.chmod(outbox, 0o400)
    os.chmod(tmp_path, 0o500)
    try:
        assert main(["adoption", "--outbox", str(outbox)]) == 0
    finally:
        os.chmod(tmp_path, 0o700)


def test_no_surface_yet_is_said_in_words(tmp_path: Path, capsys: Any) -> None:
    """An empty table explains itself."""
    Outbox(tmp_path / "new.sqlite").open()
    assert main(["adoption", "--outbox", str(tmp_path / "new.sqlite")]) == 0
    assert "No surface has been reported yet" in capsys.readouterr().out


@respx.mock
@pytest.mark.parametrize("by", ["options", "environment"])
def test_a_service_is_asked_with_the_key(by: str, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service's table is shown as an outbox's is."""
    table = summarise(records(), now=time.time())
    route = respx.get(f"{URL}/v1/adoption").mock(return_value=httpx.Response(200, json=table.to_json()))
    options = ["--service", URL + "/", "--api-key", "secret", "--environment", "production"]
    if by == "environment":
        monkeypatch.setenv("SPOTSAFE_SERVICE", URL)
        monkeypatch.setenv("SPOTSAFE_API_KEY", "secret")
        options = ["--environment", "production"]
    assert main(["adoption", *options]) == 0
    (call,) = route.calls
    assert call.request.headers["Authorization"] == "Bearer secret"
    assert call.request.url.params["environment"] == "production"
    assert "comments.create" in capsys.readouterr().out


@respx.mock
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (httpx.ConnectError("canary"), "gave no answer (ConnectError): is --service right, is it running?"),
        (httpx.Response(401, text="canary"), "refuses this key (401)"),
        (httpx.Response(403, text="canary"), "with scope admin in SPOTSAFE_API_KEY"),
        (httpx.Response(404, text="canary"), "is not a spotsafe service (status 404)"),
        (httpx.Response(200, text="<html>canary"), "is not a spotsafe service (status 200)"),
        (httpx.Response(200, json={"surfaces": ["canary"]}), "is not a spotsafe service"),
        (httpx.Response(200, json=[]), "is not a spotsafe service"),
    ],
)
def test_what_goes_wrong_at_the_service_is_named(answer: Any, words: str, capsys: Any) -> None:
    """Exit 2, the place and the remedy; nothing of the answer, nothing of the key."""
    if isinstance(answer, Exception):
        respx.get(f"{URL}/v1/adoption").mock(side_effect=answer)
    else:
        respx.get(f"{URL}/v1/adoption").mock(return_value=answer)
    assert main(["adoption", "--service", URL, "--api-key", "secret"]) == 2
    captured = capsys.readouterr()
    assert words in captured.err
    assert "canary" not in captured.err + captured.out
    assert "secret" not in captured.err + captured.out


def test_unusable_input_is_exit_2_with_a_remedy(tmp_path: Path, capsys: Any) -> None:
    """No source, no such file, another program's file, a mistyped address."""
    text, database = tmp_path / "notes.txt", tmp_path / "other.sqlite"
    text.write_text("no database" * 100)
    with sqlite3.connect(database) as db:
        db.execute("CREATE TABLE customers(name)")
    db.close()
    for options, words in (
        ([], "--service URL (or SPOTSAFE_SERVICE), or --outbox FILE"),
        (["--outbox", str(tmp_path / "missing")], "there is no such file"),
        (["--outbox", str(text)], "not an outbox file"),
        (["--outbox", str(database)], "not an outbox file"),
        (["--service", "http://[broken"], "is --service right"),
        (["--service", "no-scheme"], "is --service right"),
    ):
        assert main(["adoption", *options]) == 2, options
        assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    "change",
    [{"statuses": {"checked": "x"}}, {"waivers": [{"ends": "x"}]}, {"traffic": "many"}, {"unlinked": "odd"}],
)
def test_a_table_of_odd_types_is_refused(change: dict[str, Any]) -> None:
    """A server that answers with anything at all does not crash the command."""
    table = summarise(records(), now=time.time()).to_json()
    table["surfaces"][0].update(change)
    with respx.mock:
        respx.get(f"{URL}/v1/adoption").mock(return_value=httpx.Response(200, json=table))
        assert main(["adoption", "--service", URL]) == 2
