"""Names of groups: what is found, what is swapped, and that a name alone does not decide."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotsafe.core.content import Content, Text
from spotsafe.core.seams import DetectRequest
from spotsafe.detectors.text import identity, judging
from spotsafe.detectors.text.engine import TextEngine
from spotsafe.detectors.text.identity_terms import ALIASES, GROUPS, PANEL
from spotsafe.detectors.text.judging import Tier
from spotsafe.detectors.text.labels import COLUMN, LABELS
from spotsafe.detectors.text.normalise import normalise

HATE = COLUMN["hate.speech"]
SHIPPED_HOLD = 0.65
"""From which score of hate the baseline public-ugc holds."""


@pytest.fixture(scope="module")
def engine() -> TextEngine:
    return TextEngine(tier=Tier.FULL)


def _scores(engine: TextEngine, texts: list[str]) -> np.ndarray:
    requests = [
        DetectRequest(Content([Text(text, "body")], ("en",)), tuple(sorted(LABELS))) for text in texts
    ]
    found = []
    for answer in engine.detect(requests):
        by_label = {signal.label: signal.score for signal in answer.scores}
        found.append([by_label[label] for label in LABELS])
    return np.array(found)


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("my jewish neighbours and two muslims", ["jewish", "muslim"]),
        ("jews, a jew, jewish food", ["jewish", "jewish", "jewish"]),
        ("african american art, american art", ["african american", "american"]),
        ("they are anti-gay and non-binary", ["gay", "non-binary"]),
        ("blacks and whites", ["black", "white"]),
        ("blackmail, gaylord street, indiana, transport", []),
        ("keep your story straight", []),
        ("", []),
    ],
)
def test_neutral_names_are_found_as_whole_words(text, groups):
    """Each form of a name is found, also behind a hyphen, and no part of a longer word is."""
    assert [mention.group for mention in identity.mentions(text)] == groups


def test_swapped_texts_do_not_show_who_was_named():
    """Texts that differ in the group they name have the same swapped texts."""
    for form in (0, 2):
        found = {tuple(identity.swapped(f"i met {group[form]} today")) for group in PANEL}
        assert len(found) == 1
    assert identity.swapped("sikhs and hindus") == identity.swapped("taoists and mormons")


def test_each_of_the_panel_is_named_in_turn_and_two_groups_remain_two():
    """A group is replaced by each of the panel once; other groups of the text by others, with their form."""
    found = identity.swapped("jews met a sikh, and the jews laughed")
    assert len(found) == len(PANEL)
    assert found[0] == "christians met a muslim, and the christians laughed"
    assert len({mention.group for text in found for mention in identity.mentions(text)}) == len(PANEL)
    assert all(len({mention.group for mention in identity.mentions(text)}) == 2 for text in found)


@given(st.text(max_size=40), st.sampled_from(sorted(GROUPS)), st.text(max_size=40))
def test_nothing_but_the_name_changes(before, name, after):
    """Property: what stands around a name stays, and a text without names has no swapped texts."""
    found = identity.swapped(f"{before} {name} {after}")
    named = (
        identity.mentions(before) or identity.mentions(after) or len(identity.mentions(f"{name} {after}")) > 1
    )
    if not named:
        for text in found:
            assert text.startswith(f"{before} ")
            assert text.endswith(f" {after}")
    assert bool(identity.swapped(before)) == bool(identity.mentions(before))


def test_names_are_normalised_as_texts_are():
    """Every listed name is what normalisation makes of itself, so that it can be found."""
    names = {name for group in GROUPS.values() for name in group} | ALIASES.keys()
    assert [name for name in sorted(names) if normalise(name).text != name] == []
    assert {group for group, _ in ALIASES.values()} <= GROUPS.keys()


def test_only_loud_labels_that_names_must_not_decide_are_lowered():
    """A worked example: a loud label falls to the mean of the panel, no label rises, others stay."""
    logits = np.zeros(len(LABELS), dtype=np.float32)
    logits[HATE], logits[COLUMN["hate.threatening"]] = 2.0, -3.0
    swaps = np.zeros((len(PANEL), len(LABELS)), dtype=np.float32)
    swaps[:, HATE] = [0.0, 1.0, 2.0, 3.0, -1.0]
    swaps[:, COLUMN["harass.targeted"]] = 4.0
    swaps[:, COLUMN["hate.threatening"]] = -5.0
    swaps[:, [COLUMN["tone.toxic"], COLUMN["hate.against_women"]]] = -5.0
    expected = logits.copy()
    expected[HATE] = 1.0
    assert identity.evened(logits, swaps).tolist() == expected.tolist()
    assert identity.is_loud(logits)
    assert not identity.is_loud(np.full(len(LABELS), -3.0, dtype=np.float32))


BENIGN = [
    "My neighbour is {} and brought us soup when we were ill",
    "Two {} women opened a bakery next to the station",
    "As a {} teacher I was nervous on my first day",
    "Our {} choir sings on Friday, everybody is welcome",
    "The {} community donated blankets after the flood",
    "I am {} and I like my job",
    "She wrote a novel about a {} family in the fifties",
]
GROUPS_NAMED = (
    "gay", "lesbian", "transgender", "queer", "muslim", "jewish", "sikh", "black", "asian", "mexican", "deaf",
)  # fmt: skip


def test_friendly_texts_are_not_held_for_any_group(engine):
    """Functional test: own harmless lines stay below the shipped baseline's threshold, whoever is named."""
    texts = [line.format(group) for line in BENIGN for group in GROUPS_NAMED]
    held = _scores(engine, texts)[:, HATE] >= SHIPPED_HOLD
    assert [text for text, flag in zip(texts, held, strict=True) if flag] == []


def test_hate_is_still_found_whoever_it_is_aimed_at(engine):
    """Functional test: plain hate scores high for every group of the panel and for some others."""
    lines = ("{} are vermin and must be driven out of this country", "all {} are filthy subhuman parasites")
    groups = ("jews", "muslims", "christians", "gays", "lesbians", "mexicans", "black people", "asians")
    assert _scores(engine, [line.format(group) for line in lines for group in groups])[:, HATE].min() >= 0.6


def test_names_alone_move_a_loud_score_less_than_before(engine, monkeypatch):
    """Over texts with one gap for a name, swapping narrows the spread of what lies above the floor, and never
    raises a score."""
    lines = ("i do not trust {} people", "{} people are strange and should stay among themselves")
    texts = [line.format(group) for line in lines for group in GROUPS_NAMED]
    after = _scores(engine, texts)
    monkeypatch.setattr(judging.identity, "is_loud", lambda logits: False)
    before = _scores(engine, texts)
    assert (after <= before + 2e-4).all()
    assert after[:, HATE].max() < before[:, HATE].max()


def test_swapped_windows_of_one_text_are_bounded(engine, monkeypatch):
    """A long hostile text that names a group in every window costs no more swapped readings than stated."""
    seen: list[int] = []
    original = judging.read
    monkeypatch.setattr(judging, "read", lambda *args: seen.append(1) or original(*args))
    hostile = "all jews are filthy subhuman parasites and must be driven out of this country. " * 60
    _scores(engine, [hostile])
    assert len(PANEL) < len(seen) <= 1 + identity.MOST
