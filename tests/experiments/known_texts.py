"""How often variants of known campaign texts are found, and how often unrelated texts are taken for them.

    python -m tests.experiments.known_texts --data-dir FOLDER [--unrelated 100000]

Known are the spam messages of the SMS and the YouTube sets, near-duplicates among them left out. Their
variants are made as campaigns make them. Unrelated are the texts of sets that hold no spam.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import string
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from spotsafe.detectors.match.bank_set import BankSet
from spotsafe.detectors.match.entries import BankError, Terms
from spotsafe.detectors.match.text_bank import LEAST_ALIKE
from spotsafe.detectors.match.text_signature import signature
from tests.experiments import record
from tests.experiments.known_images import interval

SPAM = ("sms_spam", "youtube_spam_psy_shakira")
OTHERS = (
    "surge_toxicity", "medquad_medical_lookalikes", "convabuse", "edos_sexism", "hatexplain", "told_br",
    "cold_zh", "korean_hate_speech", "benign_instructions_utterances", "tatoeba_benign_multilingual",
    "online_misogyny_reddit", "diasafety_responses", "toxigen_demonstrations", "stormfront_vicomtech",
)  # fmt: skip
KNOWN = 500

Change = Callable[[str, random.Random], str]


def other_numbers(text: str, chance: random.Random) -> str:
    """Every digit another one."""
    return "".join(chance.choice(string.digits) if c.isdigit() else c for c in text)


def some_words(share: float) -> Change:
    """That share of the words replaced by made-up ones, at least one."""

    def change(text: str, chance: random.Random) -> str:
        words = text.split()
        for place in chance.sample(range(len(words)), max(1, round(share * len(words)))):
            words[place] = "".join(chance.choices(string.ascii_lowercase, k=6))
        return " ".join(words)

    return change


def decorated(text: str, chance: random.Random) -> str:
    """Upper case, signs and small pictures between words."""
    return " ".join(word.upper() + chance.choice(("", "!", " 🎉", "…")) for word in text.split())


def greeted(text: str, chance: random.Random) -> str:
    """A greeting before, a name after it."""
    return (
        f"{chance.choice(('Hi there friend', 'Dear customer', 'Hey you'))}, {text} {chance.randint(1, 99)} xx"
    )


def invisible(text: str, chance: random.Random) -> str:
    """Zero-width characters inside words."""
    return "".join(c + ("\u200b" if chance.random() < 0.2 else "") for c in text)


CHANGES: dict[str, Change] = {
    "other numbers": other_numbers,
    "one word in twenty replaced": some_words(0.05),
    "one word in ten replaced": some_words(0.1),
    "one word in five replaced": some_words(0.2),
    "capitals, signs, emoji": decorated,
    "greeting and name added": greeted,
    "invisible characters": invisible,
}


def texts(folder: Path, name: str) -> Iterator[tuple[str, dict[str, float]]]:
    """The texts of a set with their labels."""
    with gzip.open(folder / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            yield row["text"], row["labels"]


def filled(banks: BankSet, folder: Path) -> dict[str, str]:
    """Adds the known messages; id → text."""
    known: dict[str, str] = {}
    for name in SPAM:
        for text, labels in texts(folder, name):
            if len(known) == KNOWN or not labels.get("spam") or banks.match_text(text):
                continue
            try:
                known[banks.text.add(text, Terms("integrity.spam", name)).id] = text
            except BankError:
                continue
    return known


def recalls(banks: BankSet, known: dict[str, str]) -> dict[str, Any]:
    """Per change: how many variants were found as their own message."""
    found = {}
    for name, change in CHANGES.items():
        chance = random.Random(name)
        hits = sum(
            any(match.entry_id == entry_id for match in banks.match_text(change(text, chance)))
            for entry_id, text in known.items()
        )
        low, high = interval(hits, len(known))
        found[name] = {"recall": hits / len(known), "low": low, "high": high, "n": len(known)}
        print(name, found[name], file=sys.stderr, flush=True)
    return found


def unrelated(banks: BankSet, folder: Path, count: int) -> dict[str, Any]:
    """How many of *count* texts that are long enough match."""
    n = matched = short = 0
    for name in OTHERS:
        for text, _ in texts(folder, name):
            if n == count:
                break
            if signature(text) is None:
                short += 1
                continue
            n += 1
            matched += bool(banks.match_text(text))
    return {
        "texts": n,
        "too short": short,
        "matched": matched,
        "rate at most": 3 / n if not matched else None,
    }


def main() -> None:
    """Run all and write the result."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--data-dir", type=Path, required=True)
    options.add_argument("--unrelated", type=int, default=100_000)
    args = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        banks = BankSet.open(folder, actor="experiment")
        known = filled(banks, args.data_dir)
        found = recalls(banks, known)
        false = unrelated(banks, args.data_dir, args.unrelated)
    used = {name: record.sha256(args.data_dir / f"{name}.jsonl.gz") for name in (*SPAM, *OTHERS)}
    write(found, false, used)


def write(found: dict[str, Any], false: dict[str, Any], used: dict[str, str]) -> None:
    """The result and its table."""
    rows = [
        [name, each["recall"], f"{each['low']:.3f} to {each['high']:.3f}", each["n"]]
        for name in CHANGES
        for each in (found[name],)
    ]
    columns = ("how the message was varied", "found", "95 % interval", "n")
    note = f"{false['texts']} unrelated texts: {false['matched']} matched."
    record.write(
        "known_texts", {"limit": LEAST_ALIKE, "recall": found, "false": false}, data=used,
        packages=("numpy",),
        tables=(record.Table("known-texts-recall", "Variants that were found", columns, rows, note),),
    )  # fmt: skip


if __name__ == "__main__":
    main()
