"""Compositions: what is put where, and what is true of it."""

from __future__ import annotations

import pytest

from spotsafe.core.errors import ConfigurationError
from spotsafe.detectors.text.labels import LABELS
from spotsafe.learning.fusion import completion, compositions, recipe
from spotsafe.learning.fusion.recipe import OWN, PICTURE_SETS, PICTURES, SOUND_SETS, SOUNDS, Sizes
from spotsafe.learning.text.rows import Row
from spotsafe.learning.text.sources import shipped_registry

CANARY = "canary-7d21"
ROW = Row(
    "you there go home now or else my friend", "en", "edos_sexism", {"violence.threat": 0.9}, 1.0, True, False
)
CALM = Row("the train to the coast leaves at ten", "en", "benign", {}, 1.0, True, True)


def rows() -> list[Row]:
    """Rows of one set of each family, harmful and harmless, and benign ones."""
    found = [CALM._replace(text=f"{CALM.text} {'abcdefghij'[n % 10]} {'klmnopq'[n % 7]}") for n in range(40)]
    for source in ("civil_toxic_spans", "edos_sexism"):
        for number in range(12):
            text = f"{ROW.text} {'abcdefghijkl'[number]} of {source.replace('_', ' ')}"
            found.append(ROW._replace(text=text, source=source, targets={"violence.threat": number % 2}))
    return found


SMALL = Sizes(picture_rows=4, sound_rows=4, shown=6, said=6, pairs=2, completions=1, lines=2)


@pytest.mark.parametrize("medium", ["picture", "sound", "film"])
def test_a_row_that_is_split_is_whole_again(medium: str) -> None:
    """In two senses of the medium, each of which has words, in one order or the other."""
    made = compositions.split(ROW, SOUNDS, medium)
    first, last = (part for part in (made.typed, made.shown, made.said) if part)
    assert ROW.text in (f"{first} {last}", f"{last} {first}")
    assert made.medium == medium
    assert made.truth == {"violence.threat": 1}


@pytest.mark.parametrize(
    ("medium", "sense", "typed", "shown", "said"),
    [
        ("picture", "typed", ROW.text, CALM.text, ""),
        ("picture", "read", CALM.text, ROW.text, ""),
        ("sound", "spoken", CALM.text, "", ROW.text),
        ("film", "read", "", ROW.text, CALM.text),
    ],
)
def test_a_whole_row_stands_beside_a_harmless_one(
    medium: str, sense: str, typed: str, shown: str, said: str
) -> None:
    """Its truth is the row's."""
    made = compositions.whole(ROW, CALM, PICTURES, medium, sense)
    assert (made.typed, made.shown, made.said, made.truth) == (typed, shown, said, {"violence.threat": 1})
    assert made.recipe == f"whole-{sense}"


def test_a_quoted_line_loses_threats_and_keeps_hate() -> None:
    """Only over music; the twins keep what the line says."""
    row = ROW._replace(targets={"violence.threat": 1.0, "hate.speech": 1.0, "harass.bullying": 0.0})
    song, *twins = compositions.lyrics(row, CALM, SOUNDS)
    assert (song.truth, song.music) == ({"violence.threat": 0, "hate.speech": 1, "harass.bullying": 0}, True)
    assert {twin.truth["violence.threat"] for twin in twins} == {1}
    assert row.text in song.typed
    assert song.said == row.text


@pytest.mark.parametrize(("target", "known"), [(0.9, 1), (0.6, 1), (0.4, None), (0.2, 0), (0.0, 0)])
def test_a_target_in_doubt_is_no_truth(target: float, known: int | None) -> None:
    """A label that is absent is not known; a benign row is harmless for every label."""
    assert compositions.truth(ROW._replace(targets={"hate.speech": target})).get("hate.speech") == known
    assert compositions.truth(CALM) == dict.fromkeys(LABELS, 0)


@pytest.mark.parametrize(
    "changed",
    [{"held_out": False}, {"language": "de"}, {"text": "too short"}, {"text": f"{ROW.text} http://a.b"},
     {"text": "我" * 60}, {"text": "w" * 40}],
)  # fmt: skip
def test_what_cannot_be_shown_and_said_is_left_out(changed: dict) -> None:
    """And so is what the text engine was fitted on."""
    assert compositions.fitting(ROW)
    assert not compositions.fitting(ROW._replace(**changed))


def test_the_families_share_no_set_and_all_are_registered() -> None:
    """Every set is one that shipped weights may be trained on."""
    assert not PICTURE_SETS & SOUND_SETS
    assert {source.name for source in shipped_registry()} >= PICTURE_SETS | SOUND_SETS


def test_the_plan_repeats_and_keeps_families_to_their_media() -> None:
    """Whatever the order of the rows; songs are recordings in both families."""
    plan = recipe.plan(rows(), completion.load(), SMALL)
    assert recipe.plan(rows()[::-1], completion.load(), SMALL) == plan
    assert len({(one.recipe, one.typed, one.shown, one.said, one.music) for one in plan}) == len(plan)
    media = {(one.family, one.medium) for one in plan if one.recipe not in recipe.LYRICS}
    assert media == {
        (PICTURES, "picture"), (SOUNDS, "sound"), (SOUNDS, "film"), (OWN, "picture"), (OWN, "sound"),
    }  # fmt: skip


def test_the_words_do_not_show() -> None:
    """In a representation."""
    assert CANARY not in repr(compositions.split(ROW._replace(text=f"{CANARY} {ROW.text}"), SOUNDS, "sound"))


def test_every_group_is_harmful_in_one_of_four_combinations() -> None:
    """Three of each kind of half, all different; the twins of a group are harmless for every label."""
    for group in completion.load():
        halves = (*group.harm, *group.twin, *group.end, *group.mild)
        assert len(set(halves)) == len(halves)
        made = compositions.completed(group, "picture", 9)
        harmful = [one for one in made if one.truth.get(group.labels[0]) == 1]
        assert len(harmful) == 9
        assert {one.group.partition("/")[0] for one in made} == {group.name}
        assert all(set(one.truth.values()) == {0} for one in made if one not in harmful)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("harm: alone", "g.txt:1"),
        ("[a violence.threat]\nharm: x\nmain: y", "g.txt:3"),
        ("[a violence.thread]", "no label 'violence.thread'"),
        ("[a violence.threat]\nharm: x\nend: y\ntwin: z", "the group a has no line 'mild: …'"),
        ("[a]", "g.txt:1"),
    ],
)
def test_a_grammar_that_cannot_be_read_is_refused(text: str, told: str) -> None:
    """With file, line and what is missing."""
    with pytest.raises(ConfigurationError, match=told.replace("[", r"\[")):
        completion.parse(text, "g.txt")
