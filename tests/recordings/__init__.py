"""Small recordings of a synthetic voice, made here, so that tests need no voice on the machine.

``python -m tests.recordings.make`` makes them anew (it needs ``espeak-ng``).
"""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent

SAID: dict[str, tuple[str, str]] = {
    "english": ("en-us", "The weather is nice today. I am going to kill you tonight."),
    "polish": ("pl", "Dzisiaj jest ładna pogoda. Jutro pójdziemy z dziećmi nad rzekę, a potem do kina."),
    "birds": (
        "en-us",
        "Welcome back. Today we talk about the birds in our garden and what they like to eat.",
    ),
    "threat": ("en-us", "Listen to me. I will find you and I will kill you tonight."),
}
"""Recording → its voice and what it says."""


def recording(name: str) -> Path:
    """The path of a recording (Ogg, Opus, mono)."""
    return FOLDER / f"{name}.ogg"
