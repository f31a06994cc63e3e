"""A hit is reported as any other decision is."""

from __future__ import annotations

from pathlib import Path

from spotsafe import Client, Content, Text
from spotsafe.testing import FakeDetector, ManualClock

MANIFEST = """
spotsafe: 1
team: figures
owner: figures@example.com
extends: baseline/floor
surfaces:
  comments.create: {about: A test, direction: input, audience: public, content: {body: text}}
"""


def test_every_hit_is_counted_and_put_aside(tmp_path: Path) -> None:
    """Of ten equal calls, ten are in the duration metric and ten events wait."""
    (tmp_path / "m.yaml").write_text(MANIFEST)
    client = Client(
        manifests=tmp_path, detector=FakeDetector(), outbox=tmp_path / "out.db", clock=ManualClock()
    )
    decisions = [client.check("comments.create", body="hello") for _ in range(10)]
    assert [decision.status.word for decision in decisions] == ["checked"] + ["cached"] * 9
    reporting = client._reporting
    assert reporting is not None
    assert reporting.outbox is not None
    points = reporting.telemetry.points("spotsafe.decisions")
    events = [record for record in reporting.outbox.take(100).records if record["kind"] == "decision"]
    client.close()
    assert sum(value for value, _ in points) == 10
    assert len({event["event_id"] for event in events}) == 10


def test_however_the_content_was_made_its_answer_is_found(tmp_path: Path) -> None:
    """One text is one entry, whether it came as a keyword, as a part or as content, in any script."""
    (tmp_path / "m.yaml").write_text(MANIFEST)
    detector = FakeDetector()
    client = Client(manifests=tmp_path, detector=detector, clock=ManualClock())
    policy = client.policy("comments.create")
    for text in ("hello", "γειά σου", "broken \ud800"):
        client.check("comments.create", body=text)
        client.check("comments.create", body=Text(text))
        decision = client.check_content(policy, Content((Text(text, "body"),), policy.languages))
        assert decision.status.word == "cached"
    client.close()
    assert len(detector.requests) == 3
