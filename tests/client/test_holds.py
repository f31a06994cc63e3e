"""Held content: receipts, verdicts, and carrying on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spotsafe.cli.main import main
from spotsafe.client.client import Client
from spotsafe.client.holds import hold_terms
from spotsafe.core.content import Image
from spotsafe.core.decision import Disposition, Effect
from spotsafe.core.errors import ConfigurationError, Failure, SurfaceBlocked, SurfaceHeld
from spotsafe.core.receipts import HoldReason, HoldState, Receipt
from spotsafe.testing import FakeDetector, FakeService, ManualClock

RULES = (
    {"id": "spam", "label": "integrity.spam", "at": 0.8, "then": "hold"},
    {"id": "attack", "label": "ai.prompt_attack", "at": 0.8, "then": "block"},
    {"id": "pii", "label": "privacy.pii_exposure", "at": 0.8, "then": "redact"},
)
KEY = "a tenant key of some length"
SPAM = "buy now"


@pytest.fixture
def clock() -> ManualClock:
    """Time stands still."""
    return ManualClock()


@pytest.fixture
def detector() -> FakeDetector:
    """Spam is spam."""
    return FakeDetector({SPAM: {"integrity.spam": 0.99}})


@pytest.fixture
def made(
    declare: Callable[..., Path],
    client_for: Callable[..., Client],
    clock: ManualClock,
    detector: FakeDetector,
) -> Callable[..., Client]:
    """Makes clients of one surface."""
    content = {"body": "text", "picture": {"type": "image", "optional": True}}

    def make(*, keep: str = "product", expiry: str = "reject", **options: Any) -> Client:
        path = declare(*RULES, content=content, hold={"keep": keep, "ttl": "72h", "on_expiry": expiry})
        return client_for(path, **{"detector": detector, "tenant_key": KEY, "clock": clock, **options})

    return make


def held(client: Client, body: str = SPAM, **content: Any) -> Receipt:
    """The receipt of a held content."""
    decision = client.check("s", item="7", body=body, **content)
    assert decision.disposition is Disposition.HOLD
    return client.hold(decision, client.policy("s"), item="7")


def test_a_receipt_carries_no_content_and_survives_storage(made: Callable[..., Client]) -> None:
    """A signed token; altered, or under another key, it is refused."""
    client = made()
    receipt = held(client)
    token = client.token(receipt)
    assert client.receipt(token) == receipt
    assert SPAM not in json.dumps([token, repr(receipt)])
    assert receipt.item != "7"
    with pytest.raises(ConfigurationError, match="receipt"):
        client.receipt("x" + token)
    with pytest.raises(ConfigurationError, match="receipt"):
        made(tenant_key="another tenant's key").receipt(token)


def test_a_policy_hold_waits_for_a_person(made: Callable[..., Client], tmp_path: Path) -> None:
    """Pending, held again on resume; released by an operator it goes through under its old id."""
    client = made(outbox=tmp_path / "out")
    receipt = held(client)
    assert receipt.reason is HoldReason.POLICY
    assert client.verdict(receipt).state is HoldState.PENDING
    with pytest.raises(SurfaceHeld) as raised:
        client.resume(receipt, body=SPAM)
    assert raised.value.receipt == receipt
    assert main(["holds", "release", receipt.decision_id, "--outbox", str(tmp_path / "out")]) == 1
    client._holding.store.decide(receipt.decision_id, HoldState.RELEASED, "fine", client._clock.now())
    assert client.verdict(receipt).note == "fine"
    decision = client.resume(client.token(receipt), body=SPAM)
    assert (decision.id, decision.disposition) == (receipt.decision_id, Disposition.ALLOW)


def test_a_release_is_for_that_content_on_that_surface_only(
    made: Callable[..., Client], tmp_path: Path
) -> None:
    """Other content does not ride on a release."""
    client = made(outbox=tmp_path / "out")
    receipt = held(client)
    client._holding.store.decide(receipt.decision_id, HoldState.RELEASED, None, 0.0)
    with pytest.raises(ConfigurationError, match="other content"):
        client.resume(receipt, body="something else")
    forged = receipt._replace(digest="0" * 64)
    assert client.verdict(forged).state is HoldState.PENDING


def test_effects_apply_when_a_hold_is_released(
    made: Callable[..., Client], detector: FakeDetector, tmp_path: Path
) -> None:
    """A released text is still redacted."""
    detector.say("555", {"privacy.pii_exposure": 0.99})
    client = made(outbox=tmp_path / "out")
    receipt = held(client, f"{SPAM} 555")
    client._holding.store.decide(receipt.decision_id, HoldState.RELEASED, None, 0.0)
    decision = client.resume(receipt, body=f"{SPAM} 555")
    assert Effect.REDACT in decision.effects
    assert decision.content.part("body").data == f"{SPAM} ███"


def test_a_released_text_waits_while_nobody_can_say_what_to_cover(
    made: Callable[..., Client], detector: FakeDetector, clock: ManualClock, tmp_path: Path
) -> None:
    """It goes through covered once that is known again, never uncovered."""
    detector.say("555", {"privacy.pii_exposure": 0.99})
    client = made(outbox=tmp_path / "out")
    receipt = held(client, f"{SPAM} 555")
    client._holding.store.decide(receipt.decision_id, HoldState.RELEASED, None, 0.0)
    clock.advance(2 * 3600.0)  # what is in the cache is too old
    detector.fail(Failure.INTERNAL)
    with pytest.raises(SurfaceHeld) as caught:
        client.resume(receipt, body=f"{SPAM} 555")
    assert caught.value.receipt == receipt
    detector.recover()
    assert client.resume(receipt, body=f"{SPAM} 555").content.part("body").data == f"{SPAM} ███"


@pytest.mark.parametrize(("expiry", "passes"), [("reject", False), ("release", True)])
def test_an_expired_hold_ends_as_the_surface_says(
    expiry: str, passes: bool, made: Callable[..., Client], clock: ManualClock
) -> None:
    """``on_expiry`` decides what nobody decided."""
    client = made(expiry=expiry)
    receipt = held(client)
    clock.advance(72 * 3600.0)
    assert client.verdict(receipt).state is HoldState.EXPIRED
    if passes:
        assert client.resume(receipt, body=SPAM).disposition is Disposition.ALLOW
    else:
        with pytest.raises(SurfaceBlocked):
            client.resume(receipt, body=SPAM)


def test_waiting_releases_nothing_that_the_baseline_holds(
    made: Callable[..., Client], detector: FakeDetector, clock: ManualClock
) -> None:
    """``on_expiry: release`` is about the surface's own rules: a baseline cannot be sat out."""
    detector.say("kill you", {"violence.threat": 0.99})
    client = made(expiry="release")
    for text, ends in ((SPAM, "release"), (f"{SPAM}, or I kill you", "reject")):
        decision = client.check("s", body=text)
        policy = client.policy("s")
        assert hold_terms(decision, policy, 0.0)["on_expiry"] == ends
        receipt = client.hold(decision, policy)
    clock.advance(72 * 3600.0)
    with pytest.raises(SurfaceBlocked):
        client.resume(receipt, body=text)


def test_waiting_releases_nothing_that_nobody_looked_at(
    made: Callable[..., Client], detector: FakeDetector
) -> None:
    """A hold by an outage ends as a refusal, whatever the surface says of expiry."""
    detector.fail(Failure.SERVER)
    client = made(expiry="release")
    decision = client.check("s", body=SPAM)
    assert hold_terms(decision, client.policy("s"), 0.0)["on_expiry"] == "reject"


def test_an_outage_hold_is_checked_again(
    made: Callable[..., Client], detector: FakeDetector, clock: ManualClock
) -> None:
    """Held because nobody could say; once somebody can, the check decides."""
    client = made()
    detector.fail(Failure.SERVER)
    receipt, bad = held(client, "hello"), held(client, "obey me")
    assert receipt.reason is HoldReason.OUTAGE
    with pytest.raises(SurfaceHeld):
        client.resume(receipt, body="hello")
    detector.recover()
    clock.advance(60.0)  # the breaker's pause
    detector.say("obey me", {"ai.prompt_attack": 0.99})
    assert client.resume(receipt, body="hello").disposition is Disposition.ALLOW
    with pytest.raises(SurfaceBlocked):
        client.resume(bad, body="obey me")


def test_the_outbox_keeps_content_encrypted(
    made: Callable[..., Client], detector: FakeDetector, tmp_path: Path
) -> None:
    """``keep: outbox``: the product keeps nothing; on disk nobody reads it without the key."""
    client = made(keep="outbox", outbox=tmp_path / "out")
    receipt = held(client, f"{SPAM} \ud800", picture=Image(b"\x89PNG secret", mime="image/png"))
    raw = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.name.startswith("out"))
    assert SPAM.encode() not in raw
    assert b"PNG secret" not in raw
    client.close()
    later = made(keep="outbox", outbox=tmp_path / "out")
    later._holding.store.decide(receipt.decision_id, HoldState.RELEASED, None, 0.0)
    decision = later.resume(receipt)
    assert decision.content.part("body").data == f"{SPAM} \ud800"
    assert decision.content.part("picture").data == b"\x89PNG secret"


def test_rejected_content_is_erased(made: Callable[..., Client], tmp_path: Path) -> None:
    """What was rejected is not kept a minute longer."""
    client = made(keep="outbox", outbox=tmp_path / "out")
    receipt = held(client)
    client._holding.store.decide(receipt.decision_id, HoldState.REJECTED, None, 0.0)
    assert client._holding.content(receipt) is None
    with pytest.raises(SurfaceBlocked):
        client.resume(receipt, body=SPAM)


@pytest.mark.parametrize("options", [{}, {"outbox": "out", "tenant_key": None}])
def test_keeping_content_needs_a_file_and_a_key(
    options: dict[str, Any], made: Callable[..., Client], tmp_path: Path
) -> None:
    """Without them the start says so, before anything is held."""
    if "outbox" in options:
        options = {**options, "outbox": tmp_path / "out"}
    with pytest.raises(ConfigurationError, match="tenant key"):
        made(keep="outbox", **options)


@pytest.mark.parametrize("state", ["released", "rejected"])
def test_the_service_is_asked_for_the_verdict(
    state: str, made: Callable[..., Client], capsys: pytest.CaptureFixture[str]
) -> None:
    """The decision event makes the hold at the service; an administrator decides there."""
    with FakeService(api_key="key") as service:
        service.say("integrity.spam", 0.99, containing=SPAM)
        client = made(detector=None, service=service.url, api_key="key", telemetry=True)
        receipt = held(client)
        assert client.verdict(receipt).state is HoldState.PENDING
        assert client.flush(5.0)
        act = "release" if state == "released" else "reject"
        where = ["--service", service.url, "--api-key", "key"]
        assert main(["holds", "list", "--json", *where]) == 0
        assert json.loads(capsys.readouterr().out)["holds"][0]["decision_id"] == receipt.decision_id
        assert main(["holds", act, receipt.decision_id, "--note", "seen", *where]) == 0
        said = client.verdict(receipt)
        assert (said.state, said.note) == (HoldState(state), "seen")


@pytest.mark.parametrize(
    "lie", [{"digest": "0" * 64}, {"surface": "other"}, {"decision_id": "x"}, {"state": 7}]
)
def test_a_service_that_speaks_of_something_else_releases_nothing(
    lie: dict[str, Any], made: Callable[..., Client]
) -> None:
    """A release must name this decision, this surface and this content."""
    with FakeService() as service:
        service.say("integrity.spam", 0.99, containing=SPAM)
        client = made(detector=None, service=service.url)
        receipt = held(client)
        client.flush(5.0)
        service.holds[receipt.decision_id].update({"state": "released", **lie})
        assert client.verdict(receipt).state is HoldState.PENDING


def test_holds_on_the_command_line(
    made: Callable[..., Client], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """List, release, reject in the file of a client without a service; exit 1 where nothing was pending."""
    from spotsafe.core.clock import SystemClock

    client = made(outbox=tmp_path / "out", clock=SystemClock())
    first, second = held(client), held(client, f"{SPAM} again")
    where = ["--outbox", str(tmp_path / "out")]
    assert main(["holds", "list", *where]) == 0
    assert first.decision_id in capsys.readouterr().out.replace("\n", "")
    assert main(["holds", "release", first.decision_id, "--note", "ok", *where]) == 0
    assert main(["holds", "reject", second.decision_id, *where]) == 0
    assert main(["holds", "reject", second.decision_id, *where]) == 1
    assert client.verdict(first).state is HoldState.RELEASED
    assert client.verdict(second).state is HoldState.REJECTED
    capsys.readouterr()
    assert main(["holds", "list", "--json", "--state", "released", *where]) == 0
    assert [h["note"] for h in json.loads(capsys.readouterr().out)["holds"]] == ["ok"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["list"],
        ["release"],
        ["list", "x"],
        ["list", "--service", "nonsense"],
        ["list", "--outbox", "/no/file"],
    ],
)
def test_holds_says_what_it_lacks(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unusable input is exit 2, with a remedy and no trace."""
    monkeypatch.delenv("SPOTSAFE_SERVICE", raising=False)
    assert main(["holds", *arguments]) == 2
    assert "spotsafe holds:" in capsys.readouterr().err
