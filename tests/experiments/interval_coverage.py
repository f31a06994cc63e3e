"""How often intervals hold the truth: labels sampled by score, weighted and not; and thresholds when tuned.

``python -m tests.experiments.interval_coverage`` simulates; it reads no data.
"""

from __future__ import annotations

import argparse

import numpy as np

from spotsafe.evaluation.metrics import sampled, threshold
from spotsafe.evaluation.metrics.design import plan
from spotsafe.evaluation.policies.certify import RuleRows, certified, counts, parse_target
from tests.experiments import record
from tests.experiments.record import Table

STREAM, SETS, BUDGET = 50_000, 200, 2000
TUNED = 300
RATES = ("recall", "prevalence")
SEED = 5


def expit(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logits))


def streams(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Logits of two kinds of stream: scores that run on evenly, and a mass far below with a few above."""
    few = rng.random(STREAM) < 0.004
    apart = np.where(few, rng.normal(size=STREAM) * 2 - 0.3, rng.normal(size=STREAM) * 1.2 - 9)
    return {"even": rng.normal(size=STREAM) * 2.6 - 8.3, "apart": apart}


SCORES = {
    "calibrated": lambda logits: logits,
    "3 times too high": lambda logits: logits + np.log(3),
    "3 times too low": lambda logits: logits - np.log(3),
    "tail 5 times too low": lambda logits: logits * 1.3 + 1.0,
}


def sampling(rng: np.random.Generator) -> list[list[object]]:
    """Per stream and miscalibration: share of label sets whose interval holds the truth."""
    rows: list[list[object]] = []
    for stream, logits in streams(rng).items():
        truth = rng.random(STREAM) < expit(logits)
        for name, shift in SCORES.items():
            scores = expit(shift(logits))
            at = float(np.quantile(scores, 0.998))
            flagged = scores >= at
            true = {"recall": (truth & flagged).sum() / truth.sum(), "prevalence": truth.mean()}
            design = plan(scores, BUDGET, thresholds=[at])
            given, held, plain = 0, dict.fromkeys(RATES, 0), dict.fromkeys(RATES, 0)
            width = 0.0
            for _ in range(SETS):
                draw = design.draw(scores, rng)
                labels = design.judged(draw, truth[draw.rows])
                found = sampled.rates(labels, scores[draw.rows], at).named()
                naive = threshold.rates(truth[draw.rows], scores[draw.rows], at).named()
                given += found["recall"].ok
                width += found["recall"].high - found["recall"].low if found["recall"].ok else 0.0
                for rate in RATES:
                    one, other = found[rate], naive[rate]
                    held[rate] += bool(one.ok and one.low <= true[rate] <= one.high)
                    plain[rate] += bool(other.low <= true[rate] <= other.high)
            shares = [held[rate] / max(given, 1) for rate in RATES]
            wide = width / max(given, 1)
            unweighted = (plain[rate] / SETS for rate in RATES)
            rows.append([stream, name, given / SETS, *shares, wide, *unweighted])
    return rows


TARGETS = ("precision>=0.9", "precision>=0.95", "recall>=0.8", "fpr<=0.02", "load<=0.1")


def tuning(rng: np.random.Generator) -> list[list[object]]:
    """Per target and number of labelled rows: how often a threshold was certified, how often one that was
    certified does not keep the promise on new rows, and how often the one that looks best does not."""

    def drawn(n: int) -> RuleRows:
        truth = rng.random(n) < 0.15
        scores = np.where(truth, rng.beta(4, 1.5, n), rng.beta(1, 6, n))
        return RuleRows(scores, truth, ~truth)

    rows: list[list[object]] = []
    whole = drawn(1_000_000)
    for text in TARGETS:
        target = parse_target(text)
        at_least = target.kind in {"precision", "recall"}
        share = counts(whole, target.kind).share
        kept = share >= target.value if at_least else share <= target.value
        for n in (500, 2000, 8000):
            given = broken = naive = 0
            for _ in range(TUNED):
                found = counts(drawn(n), target.kind)
                sure = certified(found, target, 0.05)
                given += bool(sure.any())
                broken += not kept[sure].all()
                seems = found.share >= target.value if at_least else found.share <= target.value
                places = np.flatnonzero(seems)
                naive += bool(len(places)) and not kept[places[-1 if target.kind == "recall" else 0]]
            rows.append([str(target), n, given / TUNED, broken / TUNED, naive / TUNED])
    return rows


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    rng = np.random.default_rng(SEED)
    labels, thresholds = sampling(rng), tuning(rng)
    record.write(
        "interval_coverage",
        {"stream": STREAM, "label_sets": SETS, "budget": BUDGET, "seed": SEED},
        data={},
        packages=("numpy", "scipy"),
        tables=[
            Table(
                "sampled-coverage",
                "Intervals from labels sampled by score",
                (
                    "stream", "scores", "recall given", "recall held", "prevalence held",
                    "width of recall's", "unweighted recall held", "unweighted prevalence held",
                ),
                labels,
                f"{SETS} label sets of {BUDGET} rows each from {STREAM} rows; the rule acts on 0.2 %. "
                "Held: share of the given 95 % intervals that hold the truth.",
            ),
            Table(
                "tuning-promises",
                "Tuned thresholds on new rows",
                ("promise", "labelled rows", "certified", "broken", "broken by the best-looking threshold"),
                thresholds,
                f"{TUNED} samples each, 15 % positive; confidence 95 %, so at most 0.05 may be broken.",
            ),
        ],
    )  # fmt: skip


if __name__ == "__main__":
    main()
