"""Without the extra ``media`` the local engine reads text, says that it reads nothing else, and how to change
that."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from spotsafe import Client
from spotsafe.core.content import Audio, Content, Image, Text, Video
from spotsafe.core.errors import ConfigurationError
from spotsafe.core.seams import DetectRequest
from spotsafe.core.signals import Cause
from spotsafe.detectors import local
from spotsafe.testing import FakeDetector

MANIFEST = """
spotsafe: 1
team: t
owner: t@example.com
surfaces:
  covers.upload:
    direction: input
    audience: public
    content: {title: text, cover: image}
    rules:
      - {id: bad, label: sexual.explicit, at: 0.8, then: block, if_missing: hold}
"""


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation that lacks one package of the extra."""
    monkeypatch.setattr(local, "find_spec", lambda name: None if name == "av" else find_spec(name))


@pytest.mark.usefixtures("bare")
def test_media_are_missing_with_cause_modality() -> None:
    """Each kind, beside the scores of the text; nothing of it is clean."""
    engine = local.engine("first")
    labels = ("tone.profanity", "sexual.explicit")
    content = Content([Text("hello", "body"), Image(b"x", "i"), Audio(b"x", "a"), Video(b"x", "v")], ("en",))
    (found,) = engine.detect([DetectRequest(content, labels)])
    assert engine.capabilities().kinds == ("text",)
    gaps = {(entry.label, entry.part) for entry in found.missing if entry.cause is Cause.MODALITY}
    assert gaps == {(label, part) for label in labels for part in ("i", "a", "v")}
    assert {signal.part for signal in found.scores} == {"body"}


@pytest.mark.usefixtures("bare")
def test_banks_need_the_extra(tmp_path: Path) -> None:
    """Known media cannot be recognised without it, and that is no silence."""
    with pytest.raises(ConfigurationError, match=r"pip install 'spotsafe\[media\]'"):
        local.engine("first", banks=tmp_path)


@pytest.mark.parametrize(("kinds", "warned"), [(("text",), 1), (("text", "image"), 0)])
def test_a_start_warns_of_parts_that_nobody_reads(
    kinds: tuple[str, ...], warned: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With the surface, the kind, and the line that installs what reads it; without a need it is silent."""
    path = tmp_path / "s.yaml"
    path.write_text(MANIFEST)
    detector: Any = FakeDetector(kinds=kinds)
    client = Client(manifests=path, detector=detector, fallback=None, telemetry=False)
    with caplog.at_level(logging.WARNING):
        client.start()
    client.close(1)
    said = [record.getMessage() for record in caplog.records if "spotsafe[media]" in record.getMessage()]
    assert len(said) == warned
    assert all("covers.upload carries image" in line and "pip install" in line for line in said)
