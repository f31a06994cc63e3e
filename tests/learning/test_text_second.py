"""Training of the second tier without torch: material, blend, calibration and bounds."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotsafe.cli import main as cli
from spotsafe.core.errors import ConfigurationError
from spotsafe.detectors.text import second, weights
from spotsafe.detectors.text.labels import LABELS
from spotsafe.detectors.text.transformer import MODEL, TOKENIZER
from spotsafe.learning.text import contrast
from spotsafe.learning.text.progress import Progress
from spotsafe.learning.text.rows import Row, Targets, arrays
from spotsafe.learning.text.second import blend, card, fitting, material, train, vocabulary
from spotsafe.learning.text.second.misspelling import damaged
from spotsafe.learning.text.second.readings import Stages


class Teacher:
    """The same six scores for every text."""

    def scores(self, texts, progress):
        return np.tile(np.array([0.6, 0.1, 0.3, 0.2, 0.4, 0.5], dtype=np.float32), (len(texts), 1))


def _row(targets: dict[str, float], *, source="tiny", text="some text", benign=False, weight=3.0) -> Row:
    return Row(text, "en", source, targets, weight, False, benign)


def _filled(row: Row) -> tuple[dict[str, float], dict[str, float]]:
    targets = material.filled([row], Teacher(), Progress())
    return (
        dict(zip(LABELS, targets.values[0].tolist(), strict=True)),
        dict(zip(LABELS, targets.weights[0].tolist(), strict=True)),
    )


def test_teacher_fills_what_is_not_annotated_and_nothing_else():
    """A soft score at half weight where the set is silent; the annotation stays; other labels stay open."""
    values, weight = _filled(_row({"harass.bullying": 1.0}))
    assert (values["harass.bullying"], weight["harass.bullying"]) == (1.0, 1.0)
    assert values["tone.profanity"] == pytest.approx(0.3)
    assert weight["tone.profanity"] == material.TEACHER_WEIGHT
    assert weight["selfharm.promotion"] == 0
    assert values["tone.toxic"] == pytest.approx(0.8)


def test_what_people_call_clean_stays_clean():
    """On a row annotated as not toxic the teacher's suspicion of insult, hate or threat does not count."""
    values, weight = _filled(_row({"tone.toxic": 0.0}))
    for label in ("harass.bullying", "hate.speech", "violence.threat", "tone.profanity"):
        assert (values[label], weight[label]) == (0.0, material.TEACHER_WEIGHT), label


def test_sets_of_comments_hold_no_attacks():
    """What a known set of comments cannot hold is a weak negative; an unknown set says nothing."""
    _, weight = _filled(_row({"hate.speech": 1.0}, source="fox_news_comments"))
    assert weight["ai.prompt_attack"] == pytest.approx(material.PRIOR_WEIGHT)
    _, weight = _filled(_row({"hate.speech": 1.0}))
    assert weight["ai.prompt_attack"] == 0


def test_benign_rows_and_own_lines_are_not_asked_about():
    """Benign rows are negatives for every label, own lines are annotated throughout."""
    values, weight = _filled(_row({}, benign=True))
    assert set(values.values()) == {0.0}
    assert set(weight.values()) == {1.0}
    own = dict.fromkeys(LABELS, 0.0) | {"hate.speech": 1.0}
    values, _ = _filled(_row(own, source=contrast.SOURCE))
    assert values == own


def _material(rows: list[Row]) -> material.Material:
    targets = material.filled(rows, Teacher(), Progress())
    return material.Material(rows, [row.text for row in rows], arrays(rows, 0.0), targets)


def test_rows_are_drawn_by_weight_and_never_from_what_is_held_out():
    """A row of weight 3 is drawn three times; held-out rows and sets left out are not drawn at all."""
    rows = [
        _row({"tone.toxic": 1.0}, text="heavy words here", weight=3.0),
        _row({"tone.toxic": 1.0}, text="held out words", weight=3.0)._replace(held_out=True),
        _row({"tone.toxic": 1.0}, text="left out words", weight=3.0, source="other"),
    ]
    drawn = material.draw(_material(rows), passes=1.0, without={"other"})
    assert drawn.rows.tolist() == [0, 0, 0]
    again = material.draw(_material(rows), passes=1.0, without={"other"})
    assert drawn.texts == again.texts


def test_own_pairs_parse_and_are_balanced():
    """Own pairs hold both sides of what they contrast, and no line on women is a negative for sexism."""
    rows = material.pairs()
    hateful = [row for row in rows if row.targets["hate.speech"] >= 0.5]
    assert min(len(hateful), len(rows) - len(hateful)) > 200
    assert all("hate.against_women" not in row.targets for row in hateful if "women" in row.text)


@given(st.text(max_size=60), st.text(max_size=4))
def test_misspelling_is_repeatable(text, seed):
    """Property: the same text and seed give the same damage, and texts without longer words stay."""
    assert damaged(text, seed) == damaged(text, seed)
    assert damaged("go to it", seed) == "go to it"


def test_misspelling_changes_words_but_not_their_number_much():
    """Some words differ, most stay."""
    text = "every single person deserves respect whatever their background might be"
    changed = {damaged(text, str(number)) for number in range(20)}
    assert text not in changed
    assert all(len(set(text.split()) & set(entry.split())) >= 4 for entry in changed)


def test_vocabulary_keeps_latin_entries_with_their_old_rows():
    """Unused entries and other scripts go; padding becomes 0; the special tokens' numbers follow."""
    words = ["[PAD]", "[unused0]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "!", "[", "a", "##b", "ñ", "字", "я"]
    special = [name for name in words if name.startswith("[") and len(name) > 2 and "unused" not in name]
    stored = {
        "version": "1.0",
        "truncation": {"max_length": 128},
        "padding": {"pad_id": 0},
        "added_tokens": [
            {"id": words.index(n), "content": n, "special": True, "single_word": False, "lstrip": False,
             "rstrip": False, "normalized": False}
            for n in special
        ],
        "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True,
                       "strip_accents": None, "lowercase": True},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [
                {"SpecialToken": {"id": "[CLS]", "type_id": 0}},
                {"Sequence": {"id": "A", "type_id": 0}},
                {"SpecialToken": {"id": "[SEP]", "type_id": 0}},
            ],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {
                n: {"id": n, "ids": [words.index(n)], "tokens": [n]} for n in ("[CLS]", "[SEP]")
            },
        },
        "decoder": None,
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100,
                  "vocab": {word: number for number, word in enumerate(words)}},
    }  # fmt: skip
    text, old = vocabulary.pruned(json.dumps(stored))
    assert [words[row] for row in old] == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "!", "[", "a", "##b", "ñ"]
    (tokens,) = fitting.tokens_of(text, ["ab ! 字"], 80)
    assert tokens.tolist() == [2, 6, 7, 4, 1, 3]
    (cut,) = fitting.tokens_of(text, ["! " * 50], 7)
    assert len(cut) == 7


def test_second_tier_is_asked_no_more_than_needed():
    """Where the first tier ranks as well, few texts go on; where it is at chance, nearly all."""
    generator = np.random.default_rng(3)
    count, labels = 3000, len(LABELS)
    truth = np.zeros((count, labels), dtype=np.float32)
    truth[:, 0] = generator.random(count) < 0.2
    annotated = np.zeros_like(truth)
    annotated[:, 0] = 1
    noise = generator.random((count, labels)).astype(np.float32)
    good = np.where(truth > 0, 0.6 + 0.4 * noise, 0.3 * noise).astype(np.float32)
    poor = noise
    good[:, 1:] = poor[:, 1:] = 0.0
    benign = truth[:, 0] == 0
    targets = Targets(truth, annotated)
    assert ((good >= blend.bounds(good, good, targets, benign)).any(axis=1) == (truth[:, 0] > 0)).all()
    assert (poor >= blend.bounds(poor, good, targets, benign)).any(axis=1).mean() > 0.9


def test_parameters_are_read_back_as_they_were_written(tmp_path):
    """What the recipe writes is what the engine reads; other formats are refused."""
    count = len(LABELS)
    fitted = blend.Blend(
        np.full((count, 2), 0.5, np.float32), np.full(count, 0.1, np.float32), np.full(count, 0.2, np.float32)
    )
    path = tmp_path / second.PARAMETERS
    path.write_text(json.dumps(fitted.parameters("abc")))
    found = second.parameters(tmp_path)
    assert found is not None
    assert found.model == "abc"
    assert found.stack == pytest.approx(blend.STACKS)
    assert found.bounds == pytest.approx(fitted.bounds)
    assert found.quiet == pytest.approx(fitted.quiet)
    path.write_text(json.dumps({**fitted.parameters("abc"), "format": 2}))
    with pytest.raises(ConfigurationError, match="reinstall"):
        second.parameters(tmp_path)


def test_logits_are_added_by_fixed_weights():
    """The blend is linear in the three stages."""
    ones = np.ones((2, len(LABELS)), dtype=np.float32)
    sums = blend.STACKS @ np.array([1, 2, 3], dtype=np.float32)
    assert blend.together(Stages(ones, 2 * ones, 3 * ones))[1] == pytest.approx(sums)


def test_command_says_what_training_needs(monkeypatch, tmp_path, capsys):
    """Without torch the command exits 2 and names the install line."""
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setattr("spotsafe.cli.train.find_spec", lambda name: None if name == "torch" else object())
    assert cli.main(["train", "text-tier2", "--data", str(tmp_path)]) == cli.UNUSABLE
    assert "pip install torch" in capsys.readouterr().err


class HashEncoder:
    """Embeddings that depend on each text's bytes alone."""

    def encode(self, texts):
        found = np.empty((len(texts), 512), dtype=np.float32)
        for row, text in enumerate(texts):
            seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
            found[row] = np.random.default_rng(seed).standard_normal(512) / 512**0.5
        return found


def test_stored_model_is_blended_calibrated_and_reported(tmp_path):
    """From a model file the recipe writes parameters that the engine loads, a report and a card."""
    shutil.copy(weights.shipped() / MODEL, tmp_path / MODEL)
    shutil.copy(weights.shipped() / TOKENIZER, tmp_path / TOKENIZER)
    digest = hashlib.sha256((tmp_path / MODEL).read_bytes()).hexdigest()
    rows = [
        _row({"tone.toxic": float(number % 2)}, text=text)._replace(held_out=True)
        for number in range(80)
        for text in [("thanks for episode", "you stupid idiot")[number % 2] + f" {number}"]
    ]
    rows += [_row({}, benign=True, text=f"see you at {n}")._replace(held_out=True) for n in range(10)]
    report = train.finish(_material(rows), tmp_path, digest, progress=Progress(), encoder=HashEncoder())
    (both,) = [e for e in report["held_out"] if (e["label"], e["where"]) == ("tone.toxic", "both")]
    assert both["auroc"] > 0.9
    found = second.parameters(tmp_path)
    assert found is not None
    assert digest.startswith(found.model[:12])
    second.load(tmp_path, found)
    assert set(report["settled"]) == {"all", "benign", "annotated"}
    written = (tmp_path / card.CARD).read_text("utf-8")
    assert digest[:12] in written
    assert "| `tone.toxic` | 40 | 40 |" in written


def test_first_tier_fills_only_what_is_left_open():
    """Its scores come last, at the lowest weight but one, and never replace what is known."""
    rows = [_row({"hate.speech": 1.0}), _row({"hate.speech": 0.0})]
    before = _material(rows)
    scores = np.full((1, len(LABELS)), 0.25, dtype=np.float32)
    after = material.taught(before, np.array([0]), scores)
    known = before.targets.weights[0] > 0
    assert (after.targets.values[0][known] == before.targets.values[0][known]).all()
    assert (after.targets.values[0][~known] == 0.25).all()
    assert (after.targets.weights[0][~known] == np.float32(material.FIRST_WEIGHT)).all()
    assert (after.targets.weights[1] == before.targets.weights[1]).all()
