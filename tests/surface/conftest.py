"""A client with manifests for the surfaces of these tests, and a scripted detector."""

from __future__ import annotations

from pathlib import Path

import pytest

RULES = """
    rules:
      - {id: spam, label: integrity.spam, at: 0.5, then: block, notice: spam}
      - {id: bullying, label: harass.bullying, at: 0.5, then: hold}
      - {id: pii, label: privacy.pii_exposure, at: 0.5, then: redact}
      - {id: rude, label: tone.profanity, at: 0.5, then: [label, review]}
    notices:
      spam: {en: "Be kind.", de: "Sei nett."}
"""

SURFACES = {
    "comments.create": "direction: input\n    content: {body: text}\n    context: {age: int}\n    languages: [en, de]",
    "comments.nested": "direction: input\n    content: {payload.body: text}",
    "posts.create": "direction: input\n    content: {title: text, tags: text, cover: {type: image, optional: true}}",
    "anything": "direction: input",
    "answers": "direction: output",
    "answers.named": "direction: output\n    content: {answer: text}",
    "chat": "direction: both\n    content: {prompt: text, answer: text}",
    "tools.call": "direction: tool",
}


def manifest(surfaces: dict[str, str] = SURFACES) -> str:
    head = "spotsafe: 1\nteam: surfaces\nowner: surfaces@example.com\nextends: baseline/floor\nsurfaces:\n"
    body = "".join(
        f"  {name}:\n    about: A test\n    audience: public\n    {fields}{RULES}" for name, fields in surfaces.items()
    )
    return head + body


@pytest.fixture
def spotsafe_manifests(tmp_path: Path) -> Path:
    (tmp_path / "surfaces.yaml").write_text(manifest(), encoding="utf-8")
    return tmp_path
