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
    "comments.create": [
        "direction: input",
        "content: {body: text}",
        "context: {age: int}",
        "languages: [en, de]",
    ],
    "comments.nested": ["direction: input", "content: {payload.body: text}"],
    "anything": ["direction: input"],
    "answers": ["direction: output"],
    "answers.named": ["direction: output", "content: {answer: text}"],
    "chat": ["direction: both", "content: {prompt: text, answer: text}"],
    "tools.call": ["direction: tool"],
}  # fmt: skip


def manifest() -> str:
    lines = [
        "spotsafe: 1",
        "team: surfaces",
        "owner: surfaces@example.com",
        "extends: baseline/floor",
        "surfaces:",
    ]
    for name, fields in SURFACES.items():
        lines += [f"  {name}:", "    about: A test", "    audience: public"]
        lines += [f"    {field}" for field in fields]
        lines.append(RULES)
    return "\n".join(lines)


@pytest.fixture
def spotsafe_manifests(tmp_path: Path) -> Path:
    (tmp_path / "surfaces.yaml").write_text(manifest(), encoding="utf-8")
    return tmp_path
