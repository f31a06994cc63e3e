"""Rows that stand twice are found and refused, without holding the texts."""

from __future__ import annotations

import pickle
import random
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotsafe.core.content import Content, Image, Text
from spotsafe.evaluation.datasets.checks import check, refuse_leaks
from spotsafe.evaluation.datasets.leakage import LeakageError, Pair, duplicates, leaks, split_leaks
from spotsafe.evaluation.datasets.rows import DataSet, Row
from spotsafe.evaluation.datasets.sketches import SHINGLE, normalised, signature, sketched

WORDS = [
    a + b for a in ("ba", "ke", "li", "mo", "nu", "ra", "so") for b in ("den", "fik", "gal", "hum", "jor")
]


def sentence(seed: int, words: int = 20) -> str:
    rng = random.Random(seed)
    return " ".join(rng.choice(WORDS) for _ in range(words))


def row(name: str, text: str, **more: object) -> Row:
    labels = more.pop("labels", {})
    return Row(name, Content([Text(text, "body")]), labels, **more)  # type: ignore[arg-type]  # a test's


def made(name: str, rows: list[Row]) -> DataSet:
    return DataSet(name, lambda: iter(rows), ["tone.toxic"])


def jaccard(first: str, second: str) -> float:
    sets = [{text[i : i + SHINGLE] for i in range(len(text) - SHINGLE + 1)} for text in (first, second)]
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


def test_the_estimate_is_near_the_exact_similarity() -> None:
    """Over pairs of all degrees, the share of equal values is the Jaccard similarity within its error."""
    errors = []
    for seed in range(60):
        words = sentence(seed, 40).split()
        changed = list(words)
        for place in random.Random(seed).sample(range(40), seed % 30):
            changed[place] = WORDS[(seed * place) % len(WORDS)]
        first, second = " ".join(words), " ".join(changed)
        estimate = float((signature(first) == signature(second)).mean())
        errors.append(estimate - jaccard(first, second))
    assert max(map(abs, errors)) < 4 * 0.046
    assert abs(sum(errors) / len(errors)) < 0.02


@pytest.mark.parametrize(
    ("other", "similarity"),
    [
        ("You, there: GO away!!", 1.0),
        ("ｙｏｕ ｔｈｅｒｅ ｇｏ ａｗａｙ", 1.0),
        ("you there \u200bgo\naway…", 1.0),
        ("you there go away 🐷", 0.858),
        ("stay here with me", None),
    ],
)
def test_what_counts_as_the_same(other: str, similarity: float | None) -> None:
    """Case, width, punctuation and white space do not matter; an emoji makes another text."""
    found = duplicates(sketched([row("a", "you there go away"), row("b", other)], "s"))
    assert [pair.similarity for pair in found] == ([] if similarity is None else [similarity])


def test_near_duplicates_are_found_and_others_are_not() -> None:
    """One word of thirty changed is a near-duplicate; another sentence of the same words is not."""
    rows = [row(f"o{seed}", sentence(seed, 30)) for seed in range(300)]
    near = [
        row(f"n{seed}", sentence(seed, 30).replace(sentence(seed, 30).split()[3], "another", 1))
        for seed in range(0, 300, 3)
    ]
    train, test = sketched(rows, "train"), sketched([*near, row("new", sentence(999, 30))], "test")
    found = leaks(train, test)
    assert len(found) >= 98
    assert all(pair.first[1:] == pair.second[1:] for pair in found)
    assert all(0.8 <= pair.similarity < 1.0 for pair in found)
    assert duplicates(train) == []


@given(st.text(max_size=60))
def test_a_text_is_the_same_as_itself(text: str) -> None:
    """Normalisation is stable and gives every text a signature equal to its own."""
    once = normalised(text)
    assert (signature(once) == signature(normalised(text))).all()
    assert len(duplicates(sketched([row("a", text), row("b", text)], "s"))) == 1


def test_the_same_caption_under_another_picture_is_another_row() -> None:
    """Media count: only rows with equal media are compared by their text."""

    def pictured(name: str, data: bytes) -> Row:
        return Row(name, Content([Text(sentence(1), "body"), Image(data, "cover")]), {})

    rows = [pictured("a", b"1"), pictured("b", b"2"), pictured("c", b"1")]
    assert [(pair.first, pair.second) for pair in duplicates(sketched(rows, "s"))] == [("a", "c")]


def test_refusal_lists_rows_and_no_content() -> None:
    """The error names the rows on both sides and how alike they are; pickling keeps the pairs."""
    train = made("train", [row(f"t{i}", sentence(i)) for i in range(30)])
    test = made("test", [row(f"x{i}", sentence(i)) for i in range(25)])
    with pytest.raises(LeakageError) as caught:
        refuse_leaks([train], test)
    assert len(caught.value.pairs) == 25
    assert "t0 ~ x0 (same)" in str(caught.value)
    assert "and 5 more" in str(caught.value)
    assert sentence(0) not in str(caught.value)
    assert pickle.loads(pickle.dumps(caught.value)).pairs == caught.value.pairs
    refuse_leaks([train], made("clean", [row("y", sentence(77))]))


def test_splits_of_one_set() -> None:
    """Rows alike, or of one group, in different splits are leaks; within a split they are not."""
    rows = [
        row("a", sentence(1), split="train"),
        row("b", sentence(1), split="train"),
        row("c", sentence(1), split="test"),
        row("d", sentence(2), split="train", group="thread"),
        row("e", sentence(3), split="dev", group="thread"),
        row("f", sentence(4), split="dev", group="other"),
    ]
    found = split_leaks(sketched(rows, "s"))
    assert sorted(found) == [
        Pair("a", "c", 1.0, "train", "test"),
        Pair("d", "e", 0.0, "train", "dev", group=True),
    ]


def test_a_check_tells_all_that_is_wrong() -> None:
    """Repeated ids, duplicates with contrary labels, leakage between splits and from other sets."""
    rows = [
        row("a", sentence(1), split="train", labels={"tone.toxic": 1.0}),
        row("b", sentence(1), split="train", labels={"tone.toxic": 0.0}),
        row("c", sentence(2), split="train", labels={"tone.toxic": 0.0}),
        row("d", sentence(2), split="train"),
        row("d", sentence(5), split="test"),
    ]
    found = check(made("mine", rows), [made("other", [row("o", sentence(5))])])
    assert found.rows == 5
    assert found.repeated_ids == ("d",)
    assert [(pair.first, pair.second) for pair in found.duplicates] == [("a", "b"), ("c", "d")]
    assert [pair.second for pair in found.contrary] == ["b"]
    assert found.split_leaks == ()
    assert [str(pair) for pair in found.leaks["other"]] == ["o ~ d [test] (same)"]
    assert not found.fit
    assert found.as_json()["leaks"]["other"][0]["similarity"] == 1.0
    assert check(made("fine", rows[:1])).fit


def test_nothing_is_held_but_sketches() -> None:
    """A stream of rows is read once, in order, and told as it goes."""
    seen: list[int] = []

    def stream() -> Iterator[Row]:
        yield from (row(str(i), f"text number {i} {i * i}") for i in range(2500))

    assert len(sketched(stream(), "s", progress=seen.append).ids) == 2500
    assert seen == [1000, 2000]
    empty = sketched([], "e")
    assert duplicates(empty) == []
    assert split_leaks(empty) == []
