"""What a thread adds: attacks split over two messages, and harmless answers in hostile threads.

``python -m tests.experiments.text_conversation --data-dir DATA``

Held-out prompt attacks are cut in the middle, between words; the second half is the message, the first its
thread. False alarms: harmless requests alone, behind a harmless one, and behind a hostile comment. Writes
``results/text_conversation.json``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spotsafe.core.content import Content, Text
from spotsafe.core.seams import DetectRequest
from spotsafe.detectors.text.conversation import FIELD, LABELS
from spotsafe.detectors.text.engine import TextEngine
from tests.experiments import record
from tests.experiments.text_scoring import hashes, rows_of

ATTACKS, REQUESTS, COMMENTS = "slabs_prompt_injection", "benign_instructions_utterances", "surge_toxicity"

MOST = 400
AT = 0.5


def scores(engine: TextEngine, texts: Sequence[str], threads: Sequence[Sequence[str]]) -> np.ndarray:
    """Scores [texts, labels of the conversation]."""
    requests = [
        DetectRequest(Content([Text(text, "body")], ("en",)), LABELS, {FIELD: list(thread)})
        for text, thread in zip(texts, threads, strict=True)
    ]
    found = []
    for answer in engine.detect(requests):
        by_label = {signal.label: signal.score for signal in answer.scores}
        found.append([by_label.get(label, 0.0) for label in LABELS])
    return np.array(found)


def halves(text: str) -> tuple[str, str]:
    """*text* cut at the blank nearest to its middle."""
    words = text.split()
    middle = len(words) // 2
    return " ".join(words[:middle]), " ".join(words[middle:])


def _rates(found: np.ndarray) -> dict[str, float]:
    return dict(zip(LABELS, (found >= AT).mean(axis=0).tolist(), strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data-dir", type=Path, required=True)
    args = parser.parse_args()
    engine = TextEngine()
    rows = [row for row in rows_of(args.data_dir, [ATTACKS, REQUESTS, COMMENTS]) if row.held_out]
    attacks = [
        halves(row.text) for row in rows if row.source == ATTACKS and row.targets["ai.prompt_attack"] >= 0.5
    ][:MOST]
    calm = [row.text for row in rows if row.source == REQUESTS][: MOST + 1]
    hostile = [row.text for row in rows if row.source == COMMENTS and row.targets["tone.toxic"] >= 0.5]
    seconds, firsts = [second for _, second in attacks], [[first] for first, _ in attacks]
    nothing: list[list[str]] = [[] for _ in calm]
    first = scores(engine, [one for one, _ in attacks], [[] for _ in attacks])[:, 0] >= AT
    alone = scores(engine, seconds, [[] for _ in attacks])[:, 0] >= AT
    informed = scores(engine, seconds, firsts)[:, 0] >= AT
    answers, before = calm[1:], [[text] for text in calm[:-1]]
    behind = [[hostile[index % len(hostile)]] for index in range(len(answers))]
    result = {
        "attacks": len(attacks),
        "second_half_found": {"alone": float(alone.mean()), "with_thread": float(informed.mean())},
        "either_message_found": {
            "alone": float((alone | first).mean()), "with_thread": float((informed | first).mean()),
        },
        "harmless": len(answers),
        "false_alarms": {
            name: _rates(scores(engine, answers, thread))
            for name, thread in (
                ("alone", nothing[1:]), ("behind a request", before), ("behind hostility", behind),
            )
        },
    }  # fmt: skip
    lines = [[name, *rates.values()] for name, rates in result["false_alarms"].items()]
    columns = ("thread", *LABELS)
    table = record.Table(
        "text-conversation", "Harmless messages at one half, by thread", columns, record.rounded(lines)
    )
    data = hashes([ATTACKS, REQUESTS, COMMENTS])
    print(record.write("text_conversation", result, data=data, tables=[table]), result, sep="\n")


if __name__ == "__main__":
    main()
