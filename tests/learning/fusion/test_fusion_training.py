"""Fusion, fitted, measured and stored: on words that a test made up."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from spotsafe.cli.main import main
from spotsafe.detectors.fusion.features import FEATURES
from spotsafe.detectors.fusion.model import WEIGHTS, FusionModel, is_lowerable, shipped
from spotsafe.detectors.text.labels import COLUMN, LABELS
from spotsafe.learning.fusion import ablation, cases, decision, table
from spotsafe.learning.fusion import fit as fitting
from spotsafe.learning.fusion.fit import Fitted, fit
from spotsafe.learning.fusion.recipe import LYRIC
from spotsafe.learning.fusion.thresholds import thresholds
from spotsafe.learning.fusion.train import CARD, model, train
from spotsafe.learning.text.progress import Progress
from tests.learning.fusion.made import BULLYING, THREAT, Encoder, Engine
from tests.learning.fusion.made import cases as made_cases

ROOT = Path(__file__).resolve().parents[3]

MODELS = st.builds(
    Fitted,
    rise=st.sampled_from(fitting.RISES),
    alike=st.just(0.0),
    margin=st.sampled_from(fitting.MARGINS),
    sung=st.sampled_from(fitting.SUNG_WEIGHTS),
)


def built(found: list[cases.Case]) -> table.Table:
    """The table of *found*."""
    return table.build(found, text=Engine(), encoder=Encoder(), progress=Progress())


ROWS = built(made_cases())


def test_a_table_has_every_sense_and_the_words_together() -> None:
    """Of the first split: neither half says it, both do."""
    index = next(
        i for i, case in enumerate(ROWS.cases) if case.recipe == "split" and case.truth == {THREAT: 1}
    )
    column = COLUMN[THREAT]
    assert ROWS.highest[index, column] < 0.2
    assert ROWS.together[index, column] > 0.8
    assert ROWS.features[index, column, FEATURES.index("rise")] > 3
    assert ROWS.truth[index].tolist() == [1 if label == THREAT else table.UNKNOWN for label in LABELS]


@given(MODELS, st.floats(0.01, 0.99), st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_no_higher_score_lowers_the_fused_one(
    made: Fitted, highest: float, more: float, together: float
) -> None:
    """Neither a sense's nor that of the words together; and alone it never exceeds both."""

    def fused(high: float, whole: float) -> float:
        logits = [np.log(one / (1 - one)) for one in (high, whole)]
        vector = np.array([logits[0], max(0.0, logits[1] - logits[0]), 0.0, 0.0], np.float32)
        return float(made.scores(np.tile(vector, (1, len(LABELS), 1)))[0, COLUMN[THREAT]])

    low, high = sorted((highest, more))
    assert fused(low, together) <= fused(high, together) + 1e-6
    assert fused(together, low) <= fused(together, high) + 1e-6
    assert fused(highest, together) <= max(highest, together) + 1e-6


def test_what_only_the_whole_tells_is_learnt() -> None:
    """And how much a song takes from a line: no more than needed."""
    found = fit(ROWS, thresholds())
    assert found.rise > 0
    assert 0 < found.sung < fitting.SUNG_WEIGHTS[-1]
    lowered = fitting.lowered(ROWS, found)[:, COLUMN[BULLYING]]
    for index, one in enumerate(ROWS.cases):
        if one.recipe == LYRIC:
            assert lowered[index] < thresholds()[BULLYING]
        else:
            assert lowered[index] == pytest.approx(fitting.raised(ROWS, found)[index, COLUMN[BULLYING]])


def test_what_tells_nothing_is_not_raised() -> None:
    """Where halves are no more harmful together than apart, the most cautious model is taken."""
    apart = [case for case in made_cases() if case.recipe not in ("split", "completion")]
    assert fit(built(apart), thresholds()) == Fitted(0.0, 0.0, 1.0, fit(ROWS, thresholds()).sung)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=40))
def test_average_precision_is_that_of_scikit_learn(rows: list[tuple[bool, int]]) -> None:
    """With ties, and with rows drawn twice or not at all."""
    truth = np.array([one for one, _ in rows])
    scores = np.array([score / 5 for _, score in rows])
    weight = np.array([index % 3 for index in range(len(rows))], float)
    if truth.any():
        assert fitting.auprc(truth, scores) == pytest.approx(average_precision_score(truth, scores))
    if (truth * weight).any():
        expected = average_precision_score(truth, scores, sample_weight=weight)
        assert fitting.auprc(truth, scores, weight) == pytest.approx(expected)


def test_no_row_is_fitted_on_and_tested() -> None:
    """Nor a set, a medium (songs aside) or a group of the grammar."""
    for fitted, left in ablation.folds(ROWS).values():
        one, other = ROWS.part(fitted), ROWS.part(left)
        for name in ("group", "family"):
            stems = [
                {value.partition("/")[0] for value in part.column(name)} - {"own"} for part in (one, other)
            ]
            assert not stems[0] & stems[1]
        plain = [~np.isin(part.column("recipe"), ablation.LYRICS) for part in (one, other)]
        assert not set(one.column("medium")[plain[0]]) & set(other.column("medium")[plain[1]])


def test_a_label_ships_where_it_gains(tmp_path: Path) -> None:
    """Weights, card and figures are written; the model that is read back raises and lowers those labels."""
    cases.write(tmp_path / cases.FILE, made_cases())
    report = train(tmp_path, tmp_path / "out", text=Engine(), encoder=Encoder, progress=Progress(), draws=50)
    assert THREAT in report["raises"]
    assert report["lowers"] == [BULLYING]
    found = FusionModel.load(tmp_path / "out")
    assert (found.version, found.text) == (report["weights"], "w1")
    assert found.song == pytest.approx(fitting.SUNG)
    assert found.may_raise(THREAT, "typed+read")
    assert not found.may_lower(THREAT, "typed+spoken")
    assert found.may_lower(BULLYING, "typed+spoken")
    assert not found.may_lower(BULLYING, "typed+read")
    assert report["met"]["harmless pairs"]["fused"]["difference"]["value"] == 0
    assert json.loads((tmp_path / "out" / "fusion.json").read_text("utf-8"))["weights"] == report["weights"]
    card = (tmp_path / "out" / CARD).read_text("utf-8")
    assert "* lowered: `harass.bullying`" in card
    assert "b1" not in card
    assert (tmp_path / "out" / WEIGHTS).stat().st_size < 300_000


def test_weights_are_the_same_bytes_again() -> None:
    """They depend on what was learnt alone."""
    one, other = (model(Fitted(0.5, sung=4.0), [THREAT], [BULLYING], "w1").arrays() for _ in range(2))
    assert all((one[name] == other[name]).all() for name in one)


def test_nothing_ships_where_nothing_gains(tmp_path: Path) -> None:
    """No weights are written, and those of an earlier run do not stay."""
    apart = [case for case in made_cases() if case.recipe not in ("split", "completion", *ablation.LYRICS)]
    cases.write(tmp_path / cases.FILE, apart)
    (tmp_path / WEIGHTS).write_bytes(b"old")
    report = train(tmp_path, tmp_path, text=Engine(), encoder=Encoder, progress=Progress(), draws=20)
    assert (report["raises"], report["lowers"], report["weights"]) == ([], [], None)
    assert not (tmp_path / WEIGHTS).exists()
    assert "nothing gained" in (tmp_path / CARD).read_text("utf-8")


@pytest.mark.parametrize(
    ("low", "best", "whole", "risen", "ships"),
    [
        (0.01, 0.01, 0.0, 0.0, True),
        (0.0, 0.01, 0.0, 0.0, False),
        (0.01, -0.01, 0.0, 0.0, False),
        (0.01, 0.01, -0.02, 0.0, False),
        (0.01, 0.01, -0.005, 0.002, True),
        (0.01, 0.01, 0.0, 0.003, False),
    ],
)
def test_the_rule_of_what_is_raised(low: float, best: float, whole: float, risen: float, ships: bool) -> None:
    """Above both others for sure, at no cost to whole rows and harmless pairs."""
    known = {
        "tested": {"gain": {"highest": {"low": low}, "best sense": {"low": best}}},
        "whole": {"gain": {"highest": {"value": whole}}},
        "pairs": {"fused": {"difference": {"value": risen}}},
    }
    assert decision.may_raise(known) is ships
    assert not decision.may_raise({**known, "tested": None})


def test_the_thresholds_are_those_of_the_baseline() -> None:
    """The least of a label's rules; labels without a rule have none."""
    found = thresholds()
    assert found["hate.speech"] == 0.45
    assert found["harass.bullying"] == 0.65
    assert "ai.prompt_attack" not in found


def test_the_command_refuses_what_it_cannot_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the place and the remedy, and exit code 2."""
    assert main(["train", "fusion", "--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "fusion_sense" in capsys.readouterr().err


def test_the_shipped_model_is_the_one_of_its_card() -> None:
    """Small, without embeddings, monotone, and lowering nothing that must not be."""
    found = FusionModel.load(shipped())
    assert (shipped() / WEIGHTS).stat().st_size < 300_000
    assert f"weights `{found.version}`" in (ROOT / "docs" / CARD).read_text("utf-8")
    assert not found.embeds
    for row, label in enumerate(found.labels):
        highest, rise, _, sung = found.coefficients[row].tolist()
        assert 0 <= rise <= highest == 1
        assert sung <= 0
        assert not found.lowers[row].any() or is_lowerable(label)
