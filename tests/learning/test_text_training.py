"""Training of the text models on a tiny self-made folder: what it promises about data, bytes and reports."""

from __future__ import annotations

import gzip
import hashlib
import json
import pickle
import re
from pathlib import Path

import numpy as np
import pytest

from spotsafe.core.errors import ConfigurationError
from spotsafe.detectors.text import weights
from spotsafe.detectors.text.labels import COLUMN, LABELS
from spotsafe.learning.text import calibrate, contrast, corpus, fit_heads, fit_ngrams, rows, teacher, words
from spotsafe.learning.text.progress import Progress
from spotsafe.learning.text.sources import Source, parse_registry, records, shipped_registry
from spotsafe.learning.text.train import CARD, train

BAD = (
    "you are a stupid fool",
    "shut up idiot",
    "what a dumb clown",
    "nobody likes you loser",
    "get lost moron",
)
GOOD = (
    "what a lovely song",
    "thanks for the episode",
    "see you at eight",
    "great guest today",
    "nice weather here",
)


class HashEncoder:
    """Embeddings that depend on each text's bytes alone."""

    def encode(self, texts):
        found = np.empty((len(texts), 512), dtype=np.float32)
        for row, text in enumerate(texts):
            seed = int.from_bytes(hashlib.sha256(text.encode("utf-8", "replace")).digest()[:4], "big")
            found[row] = np.random.default_rng(seed).standard_normal(512) / 512**0.5
        return found


class SilentTeacher:
    """Scores of one tenth for everything; counts how many texts it was asked about."""

    def __init__(self):
        self.asked = []

    def scores(self, texts, progress):
        self.asked += list(texts)
        return np.full((len(texts), 6), 0.1, dtype=np.float32)


def _write(folder: Path, name: str, found: list[dict], **entry) -> dict:
    raw = gzip.compress("\n".join(json.dumps(row) for row in found).encode(), mtime=0)
    (folder / f"{name}.jsonl.gz").write_bytes(raw)
    return {
        "file": f"{name}.jsonl.gz",
        "sha256": hashlib.sha256(raw).hexdigest(),
        "origin": "self-made",
        "revision": "1",
        "licence": "CC0-1.0",
        "licence_class": "permissive",
        "weight": 1.0,
        "labels": {"toxicity": ["tone.toxic"]},
        **entry,
    }


@pytest.fixture
def data(tmp_path: Path) -> tuple[Path, tuple[Source, ...]]:
    """A folder with two labelled sets and one without labels, and its registry."""
    folder = tmp_path / "data"
    folder.mkdir()
    labelled = [
        {"text": f"{text} {number}", "lang": "en", "labels": {"toxicity": int(text in BAD)}, "split": split}
        for number in range(12)
        for text in BAD + GOOD
        for split in [("train", "train", "test")[number % 3]]
    ]
    spam = [
        {"text": f"win prize number {number} now", "lang": "en", "labels": {"spam": 1}, "split": "train"}
        for number in range(20)
    ]
    calm = [
        {"text": f"ordinary sentence {n}", "lang": "en", "labels": {}, "split": "train"} for n in range(20)
    ]
    entries = {
        "tiny": _write(folder, "tiny", labelled, left_out=1),
        "prizes": _write(folder, "prizes", spam, labels={"spam": ["integrity.spam"]}),
        "calm": _write(folder, "calm", calm, labels={}, benign=True),
    }
    return folder, parse_registry(json.dumps({"sources": entries}))


@pytest.fixture
def few_own_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Own lines are many; every fortieth will do here."""
    chosen = contrast.load()[::40]
    monkeypatch.setattr(contrast, "load", lambda: chosen)


@pytest.mark.usefixtures("few_own_lines")
def test_training_is_byte_identical_and_complete(data, tmp_path):
    """Two runs on the same data write the same bytes: weights, table and card; the weights load again."""
    folder, registry = data
    outs = [tmp_path / "one", tmp_path / "two"]
    for out in outs:
        report = train(folder, out, registry=registry, encoder=HashEncoder(), teacher=SilentTeacher())
    names = (weights.WEIGHTS, weights.CAPABILITIES, CARD)
    for name in names:
        assert (outs[0] / name).read_bytes() == (outs[1] / name).read_bytes(), name
    assert weights.load(outs[0]).stack.shape == (2, len(LABELS), 2)
    assert report["weights"] == weights.digest(outs[0])
    assert report["rows"] == {"tiny": 120, "prizes": 20, "calm": 20}
    card = (outs[0] / CARD).read_text("utf-8")
    for label, languages in weights.capabilities(outs[0]).items():
        for status in set(languages.values()):
            assert re.search(rf"`{re.escape(label)}` \| {re.escape(status.value)} \|", card), (label, status)


@pytest.mark.usefixtures("few_own_lines")
def test_nothing_counts_as_calibrated_on_few_rows(data, tmp_path):
    """A label is calibrated only with 200 held-out positives and negatives; forty are not enough."""
    folder, registry = data
    report = train(
        folder, tmp_path / "out", registry=registry, encoder=HashEncoder(), teacher=SilentTeacher()
    )
    statuses = {e["status"] for languages in report["capabilities"].values() for e in languages.values()}
    assert "calibrated" not in statuses
    assert report["capabilities"]["tone.toxic"]["en"]["positives"] == 20


def test_label_without_annotation_has_no_weight(data):
    """An absent label key is *not annotated*: its weight is 0, and no model learns anything about it."""
    folder, registry = data
    listed = [row for row in rows.load(folder, registry) if row.source == "tiny"]
    targets = rows.arrays(listed, 1.0)
    column = COLUMN["integrity.spam"]
    assert not targets.weights[:, column].any()
    counts = np.zeros((len(listed), 3), dtype=np.float32)
    features = fit_ngrams.matrix([row.text for row in listed], Progress())
    fitted = fit_ngrams.fit(features, counts, targets, seed=1, progress=Progress())
    assert not fitted.weights[:, column].any()
    assert fitted.weights[:, COLUMN["tone.toxic"]].any()


def test_benign_rows_are_weak_negatives_and_nothing_else(data):
    """Rows of a set without labels count as negatives with the weak share; other sets' empty rows are
    dropped."""
    folder, registry = data
    listed = [row for row in rows.load(folder, registry) if row.benign]
    targets = rows.arrays(listed, 0.25)
    assert {row.source for row in listed} == {"calm"}
    assert (targets.weights == 0.25).all()
    assert not targets.values.any()
    assert not rows.arrays(listed, 0.0).weights.any()


def test_teacher_fills_only_what_is_not_annotated(data):
    """The teacher is asked about annotated English rows and never overwrites an annotation."""
    folder, registry = data
    listed = rows.load(folder, registry)
    before = rows.arrays(listed, 1.0)
    master = SilentTeacher()
    after = corpus.filled(listed, before, master, Progress())
    known = before.weights > 0
    assert (after.values[known] == before.values[known]).all()
    assert len(master.asked) == sum(not row.benign for row in listed)
    assert np.isclose(after.values[after.weights > before.weights], 0.1).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"licence_class": "non-commercial"}, "does not allow training"),
        ({"labels": {"toxicity": ["tone.rude"]}}, "unknown labels"),
        ({"file": "../outside.jsonl.gz"}, "plain name"),
    ],
)
def test_registry_refuses_unfit_sets(change, message, tmp_path):
    """A set with the wrong licence, unknown labels or a path out of the folder is refused by name."""
    entry = {**_write(tmp_path, "set", [{"text": "a"}]), **change}
    with pytest.raises(ConfigurationError, match=message) as caught:
        parse_registry(json.dumps({"sources": {"myset": entry}}))
    assert "myset" in str(caught.value)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"sources": {"a": {}}}', '{"sources": 3}'])
def test_registry_that_is_none_names_the_fault(text):
    """Whatever is not a registry is a ConfigurationError, never another exception."""
    with pytest.raises(ConfigurationError, match="not a registry"):
        parse_registry(text)


def test_changed_bytes_and_absent_files_are_refused(data):
    """A file that is absent or is not the registered one stops the training, with a remedy."""
    folder, registry = data
    tiny = next(source for source in registry if source.name == "tiny")
    path = folder / tiny.file
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(ConfigurationError, match="SHA-256"):
        list(records(tiny, folder))
    path.unlink()
    with pytest.raises(ConfigurationError, match="absent"):
        list(records(tiny, folder))


def test_damaged_file_shows_none_of_its_content(tmp_path):
    """Lines that are no rows are refused without quoting them."""
    raw = gzip.compress(b'{"text": "secret canary"\n')
    entry = {**_write(tmp_path, "set", []), "sha256": hashlib.sha256(raw).hexdigest()}
    (tmp_path / "set.jsonl.gz").write_bytes(raw)
    (source,) = parse_registry(json.dumps({"sources": {"set": entry}}))
    with pytest.raises(ConfigurationError) as caught:
        list(records(source, tmp_path))
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_shipped_registry_is_allowed_and_documented():
    """Every shipped source has a licence that allows training, an origin and a digest."""
    found = shipped_registry()
    assert len(found) > 30
    for source in found:
        assert source.licence
        assert source.origin
        assert re.fullmatch("[0-9a-f]{64}", source.sha256)


def test_own_lines_are_annotated_throughout():
    """Own lines carry a target for every label, in several languages, and no slot is left open."""
    listed = contrast.load()
    assert len({row.language for row in listed}) >= 14
    for row in listed:
        assert row.targets.keys() == COLUMN.keys()
        assert "{" not in row.text
    assert 0.05 < np.mean([row.held_out for row in listed]) < 0.25


def test_own_lines_with_a_bad_header_name_the_place():
    """A header that cannot be read is reported with file and line."""
    with pytest.raises(ConfigurationError, match=r"mine\.txt:2.*tone\.rude"):
        contrast.parse("[slot group]\n[en tone.rude=1]\nhello", "mine.txt", {})


@pytest.mark.parametrize(
    ("position", "kept"), [("start", "A" * rows.LONGEST), ("end", "B" * rows.LONGEST), ("middle", "")]
)
def test_excerpt_keeps_the_part_that_the_label_speaks_of(position, kept):
    """Of a long text with an injection, the end is read where it stands at the end; the middle is skipped."""
    text = "A" * 600 + "B" * 600
    assert rows.excerpt({"text": text, "extra": {"position": position}}) == kept


def test_ordinary_words_leave_out_what_the_lexicon_lists():
    """Single words count as harmless only when frequent in benign rows and in no lexicon row."""
    calm = [rows.Row("blue drat sky", "en", "calm", {}, 1.0, False, True)] * 5
    listed = [rows.Row("drat", "en", "lexicon_x", {"tone.profanity": 1.0}, 1.0, False, False)]
    assert {row.text for row in words.benign([*calm, *listed])} == {"blue", "sky"}


class _Tokenizer:
    """Stands for the pickled tokenizer of the teacher's package."""

    def __init__(self, counts):
        self.word_counts = counts
        self.word_docs = {"zzz": 9}

    def __reduce_ex__(self, protocol):
        return (_explode, (), self.__dict__)


def _explode():
    raise AssertionError("the pickle was run")


def test_vocabulary_is_read_without_unpickling():
    """Word numbers follow falling counts, ties by appearance, and nothing in the stream is executed."""
    raw = pickle.dumps(_Tokenizer({"rare": 1, "the": 900000, "a": 300, "b": 300}), protocol=4)
    with pytest.raises(AssertionError, match="was run"):
        pickle.loads(raw)
    assert teacher.vocabulary(raw) == {"the": 1, "a": 2, "b": 3, "rare": 4}


def test_platt_is_finite_on_separable_data_and_recovers_a_shift():
    """Perfectly separable logits give a finite slope; logits that are off by 2 get about that offset."""
    generator = np.random.default_rng(0)
    separable = np.concatenate([np.full(50, -3.0), np.full(50, 3.0)]).astype(np.float32)
    truth = np.repeat([0.0, 1.0], 50).astype(np.float32)
    slope, offset = calibrate.platt(separable, truth, np.ones(100, dtype=np.float32))
    assert 0 < slope < 50
    assert abs(offset) < 1
    logits = generator.normal(0, 2, 20000).astype(np.float32)
    drawn = (generator.random(20000) < fit_ngrams.sigmoid(logits)).astype(np.float32)
    slope, offset = calibrate.platt(logits - 2, drawn, np.ones(20000, dtype=np.float32))
    assert slope == pytest.approx(1, abs=0.1)
    assert offset == pytest.approx(2, abs=0.2)


def test_large_sets_do_not_decide_alone():
    """For calibration no set weighs more than the limit in any label."""
    targets = rows.Targets(np.zeros((2000, 2), np.float32), np.ones((2000, 2), np.float32))
    sources = np.array(["big"] * 1900 + ["small"] * 100)
    evened = calibrate.evened(targets, sources).weights
    assert evened[:1900].sum(axis=0) == pytest.approx([calibrate.MOST_PER_SET] * 2, rel=1e-3)
    assert (evened[1900:] == 1).all()


def test_heads_learn_a_separable_label_and_round_to_half_precision():
    """A perceptron separates two clusters; what is stored is what was measured (float16)."""
    generator = np.random.default_rng(3)
    inputs = generator.normal(0, 1, (20_000, 20)).astype(np.float32)
    values = np.zeros((20_000, len(LABELS)), dtype=np.float32)
    values[:, 0] = inputs[:, 0] > 0
    weighting = np.zeros_like(values)
    weighting[:, 0] = 1
    fitted = fit_heads.fit(inputs, rows.Targets(values, weighting), seed=1, progress=Progress()).halved()
    right = (fit_heads.predict(fitted, inputs)[:, 0] > 0) == (values[:, 0] > 0.5)
    assert right.mean() > 0.9
    assert all((array == array.astype(np.float16)).all() for array in fitted)


def test_progress_reports_each_percentage_once():
    """Progress hands on a line per changed percentage and yields every item."""
    shown: list[str] = []
    assert list(Progress(shown.append).over(range(1000), "step")) == list(range(1000))
    assert len(shown) == 100
    assert shown[-1] == "step 99 %"
