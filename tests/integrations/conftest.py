"""A scripted detector behind the process's client; surfaces run under the floor."""

from __future__ import annotations

import pytest

from spotsafe import Client
from spotsafe.testing import FakeDetector


@pytest.fixture(autouse=True)
def script(spotsafe_client: Client, spotsafe_detector: FakeDetector) -> FakeDetector:
    """The word held is held; refused is refused where a manifest of the test says so."""
    spotsafe_detector.say("held", {"violence.threat": 0.99})
    spotsafe_detector.say("refused", {"integrity.spam": 0.9})
    return spotsafe_detector


@pytest.fixture
def spotsafe_manifests(tmp_path):  # type: ignore[no-untyped-def]  # overrides the plugin's fixture
    (tmp_path / "surfaces.yaml").write_text(
        """
spotsafe: 1
team: web
owner: web@example.com
extends: baseline/floor
surfaces:
  comments.create:
    about: Comments
    direction: input
    audience: public
    rules:
      - {id: spam, label: integrity.spam, at: 0.5, then: block, notice: spam}
    notices:
      spam: {en: "Not like this."}
  answers:
    about: Answers
    direction: output
    audience: public
    rules:
      - {id: spam, label: integrity.spam, at: 0.5, then: block}
""",
        encoding="utf-8",
    )
    return tmp_path
