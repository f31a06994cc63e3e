"""Synthetic voices of Debian: text in, a sound file out.

Packages: ``espeak-ng``, ``flite``, ``festival``, ``festvox-us-slt-hts``, ``festvox-kdlpc16k``, and for other
languages ``festvox-ru``, ``festvox-italp16k``, ``festvox-ca-ona-hts``. A voice whose program is absent is an
error, so that a result never rests on fewer voices than it says.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

SECONDS = 60
"""What one utterance may take to be made."""


class Voice(NamedTuple):
    """A voice: the *program* that speaks, its *name* there, and the *language* it speaks."""

    program: str
    name: str
    language: str = "en"

    def __str__(self) -> str:
        return f"{self.program} {self.name}"


ENGLISH = (
    Voice("espeak-ng", "en-us"),
    Voice("espeak-ng", "en-gb+f3"),
    Voice("espeak-ng", "en-gb-scotland+m3"),
    Voice("flite", "slt"),
    Voice("flite", "rms"),
    Voice("flite", "awb"),
    Voice("festival", "voice_kal_diphone"),
    Voice("festival", "voice_ked_diphone"),
    Voice("festival", "voice_cmu_us_slt_arctic_hts"),
)
"""Formant synthesis, recorded diphones, and statistical voices, of women and men."""

OTHERS = (
    *(
        Voice("espeak-ng", name, language)
        for name, language in (
            ("de", "de"), ("fr-fr", "fr"), ("es", "es"), ("it", "it"), ("pt", "pt"), ("nl", "nl"),
            ("pl", "pl"), ("ru", "ru"), ("tr", "tr"), ("sv", "sv"), ("da", "da"), ("id", "id"), ("vi", "vi"),
            ("cmn", "zh"), ("hi", "hi"), ("ko", "ko"), ("ar", "ar"), ("sw", "sw"), ("ro", "ro"), ("fa", "fa"),
        )
    ),
    Voice("festival", "voice_msu_ru_nsh_clunits", "ru"),
    Voice("festival", "voice_pc_diphone", "it"),
    Voice("festival", "voice_upc_ca_ona_hts", "ca"),
)  # fmt: skip
"""Voices of languages that the recogniser does not know."""


def say(text: str, voice: Voice) -> bytes:
    """A WAV file of *text*. Raises CalledProcessError where the program refuses it."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "text", Path(folder) / "sound.wav"
        source.write_text(text, encoding=_ENCODINGS.get(voice.name, "utf-8"), errors="ignore")
        commands: Mapping[str, list[str]] = {
            "espeak-ng": ["espeak-ng", "-v", voice.name, "-f", str(source), "-w", str(target)],
            "flite": ["flite", "-voice", voice.name, "-f", str(source), "-o", str(target)],
            "festival": ["text2wave", "-eval", f"({voice.name})", "-o", str(target), str(source)],
        }
        subprocess.run(
            commands[voice.program],
            check=True,
            timeout=SECONDS,
            capture_output=True,
            stdin=subprocess.DEVNULL,
        )
        return target.read_bytes()


_ENCODINGS = {"voice_pc_diphone": "latin-1", "voice_upc_ca_ona_hts": "latin-1"}
