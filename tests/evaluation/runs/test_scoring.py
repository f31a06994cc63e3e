"""Scoring a data set: nothing lost, nothing asked twice, nothing missing read as clean."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotsafe.core.content import Content, Text
from spotsafe.core.errors import ConfigurationError, DetectorError, Failure
from spotsafe.core.seams import DetectRequest
from spotsafe.core.signals import Cause, Missing, Signal, Signals, Span
from spotsafe.evaluation.datasets.rows import DataSet, Row
from spotsafe.evaluation.runs import layout
from spotsafe.evaluation.runs.run import ScoredRun, open_run
from spotsafe.evaluation.runs.scoring import Pace, score
from spotsafe.testing.clock import ManualClock
from spotsafe.testing.detector import FakeDetector

HATE, TOXIC = "hate.speech", "tone.toxic"
PACE = Pace(batch=4, shard=8)


def row(number: int, text: str = "", **fields: object) -> Row:
    """A row whose labels are hate (every third) and, for even numbers, tone."""
    labels = {HATE: float(number % 3 == 0)}
    if number % 2 == 0:
        labels[TOXIC] = float(number % 4 == 0)
    content = Content([Text(text or f"text {number}", "body")], ())
    return Row(f"r{number}", content, labels, **fields)  # type: ignore[arg-type]  # named by each test


def dataset(rows: Sequence[Row], digest: str = "d1", size: int | None = None) -> DataSet:
    return DataSet("mine", lambda: iter(rows), (HATE, TOXIC), digest=digest, size=size)


def numbered(count: int) -> DataSet:
    return dataset([row(number) for number in range(count)], size=count)


class Echo:
    """Scores each text by its number; fails or is interrupted where told."""

    id, version = "echo", "1"

    def __init__(self, failures: Mapping[str, Failure] | None = None) -> None:
        self.asked: list[str] = []
        self.failures = dict(failures or {})
        self.interrupt_at: str | None = None

    def capabilities(self) -> None:
        return None

    def detect(self, requests: Sequence[DetectRequest], *, timeout: float | None = None) -> list[Signals]:
        texts = [str(request.content.parts[0].data) for request in requests]
        self.asked += texts
        for text in texts:
            if text == self.interrupt_at:
                raise KeyboardInterrupt
            if text in self.failures:
                raise DetectorError(self.failures[text], detector=self.id)
        return [
            Signals([Signal(label, int(text.split()[1]) % 10 / 10, "body") for label in request.labels])
            for text, request in zip(texts, requests, strict=True)
        ]


def test_columns_hold_what_rows_and_detector_said(tmp_path: Path) -> None:
    """Truth and scores come back by row; what was not annotated is NaN and never 0."""
    run = score(Echo(), numbered(20), tmp_path / "run", pace=PACE)
    assert (len(run), run.labels, run.name) == (20, (HATE, TOXIC), "echo 1")
    assert run.ids([0, 7, 19]) == ["r0", "r7", "r19"]
    assert np.array_equal(run.truth(HATE)[:4], [1, 0, 0, 1])
    assert np.array_equal(np.isnan(run.truth(TOXIC)), [number % 2 == 1 for number in range(20)])
    assert run.scores(HATE)[13] == pytest.approx(0.3)
    pairs = run.pairs(TOXIC)
    assert list(pairs.rows) == list(range(0, 20, 2))
    assert list(pairs.truth[:3]) == [True, False, True]
    assert pairs.weights is None


def test_what_is_missing_keeps_its_cause(tmp_path: Path) -> None:
    """A label without score is NaN with the detector's cause; one that nobody spoke of is an error."""

    class Silent(Echo):
        def detect(self, requests: Sequence[DetectRequest], *, timeout: float | None = None) -> list[Signals]:
            return [Signals() for _ in requests]

    fake = FakeDetector(labels=(HATE,))
    fake.miss("text 3", {HATE: Cause.LANGUAGE})
    run = score(fake, numbered(6), tmp_path / "run", pace=PACE)
    assert run.missing(HATE) == {Cause.LANGUAGE: 1}
    assert run.missing(TOXIC) == {Cause.UNSUPPORTED: 6}
    assert 3 not in run.pairs(HATE).rows
    silent = score(Silent(), numbered(6), tmp_path / "silent", pace=PACE)
    assert silent.missing(HATE) == {Cause.ERROR: 6}


@pytest.mark.parametrize(
    ("failure", "cause"), [(Failure.SERVER, Cause.ERROR), (Failure.TIMEOUT, Cause.TIMEOUT)]
)
def test_one_that_fails_costs_no_other_its_score(tmp_path: Path, failure: Failure, cause: Cause) -> None:
    """A batch that fails is asked again row by row; only the one is missing."""
    run = score(Echo({"text 5": failure}), numbered(20), tmp_path / "run", pace=PACE)
    assert run.missing(HATE) == {cause: 1}
    assert np.flatnonzero(np.isnan(run.scores(HATE))).tolist() == [5]


def test_a_busy_detector_is_waited_for(tmp_path: Path) -> None:
    """Overload is waited out, as long as the server says."""
    fake = FakeDetector()
    fake.fail(Failure.OVERLOADED, times=2, retry_after=3.0)
    waited: list[float] = []
    run = score(fake, numbered(4), tmp_path / "run", pace=PACE, pause=waited.append)
    assert waited == [3.0, 3.0]
    assert run.missing(HATE) == {}


@pytest.mark.parametrize("batch", [1, 4, 32])
def test_a_detector_that_is_down_stops_the_run_and_loses_nothing(tmp_path: Path, batch: int) -> None:
    """Rows that had answers are kept, those at the outage are asked for when the run is taken up again."""
    rows = numbered(100)
    down = Echo({f"text {number}": Failure.CONNECT for number in range(40, 100)})
    folder = tmp_path / "run"
    with pytest.raises(ConfigurationError, match="20 times in a row") as caught:
        score(down, rows, folder, pace=Pace(batch, 8), pause=lambda _: None)
    assert "again to go on" in str(caught.value)
    with pytest.raises(ConfigurationError, match="not whole"):
        open_run(folder)
    healthy = Echo()
    run = score(healthy, rows, folder, pace=Pace(batch, 8))
    assert "text 0" not in healthy.asked
    assert healthy.asked[-1] == "text 99"
    assert run.missing(HATE) == {}
    assert len(run) == 100


def test_a_refused_key_stops_at_once(tmp_path: Path) -> None:
    """No row is called missing because a key is wrong."""
    with pytest.raises(ConfigurationError, match="refuses the key"):
        score(Echo({"text 0": Failure.UNAUTHORIZED}), numbered(4), tmp_path / "run", pace=PACE)


@settings(max_examples=20, deadline=None)
@given(
    count=st.integers(1, 60), stops=st.lists(st.integers(0, 59), max_size=3), batch=st.integers(1, 9),
    shard=st.integers(1, 17),
)  # fmt: skip
def test_interruptions_leave_no_trace(
    tmp_path_factory: pytest.TempPathFactory, count: int, stops: list[int], batch: int, shard: int
) -> None:
    """However often it is interrupted, the run is that of a single go; no answered batch is asked twice."""
    folder = tmp_path_factory.mktemp("run")
    data, pace = numbered(count), Pace(batch, shard)
    answered: list[str] = []
    for stop in [*sorted(stops), None]:
        echo = Echo()
        echo.interrupt_at = None if stop is None or stop >= count else f"text {stop}"
        try:
            run = score(echo, data, folder / "run", pace=pace)
        except KeyboardInterrupt:
            answered += echo.asked[: len(echo.asked) // batch * batch - (not len(echo.asked) % batch) * batch]
    once = score(Echo(), data, folder / "once", pace=pace)
    same(run, once)
    assert len(set(answered)) == len(answered)


def same(one: ScoredRun, other: ScoredRun) -> None:
    """Equal in every column and in what identifies the rows."""
    assert one.meta.row_digest == other.meta.row_digest
    assert one.meta.categories == other.meta.categories
    for label in one.labels:
        assert np.array_equal(one.truth(label), other.truth(label), equal_nan=True)
        assert np.array_equal(one.scores(label), other.scores(label), equal_nan=True)


def test_a_whole_run_is_opened_as_it_is(tmp_path: Path) -> None:
    """The same command once more asks the detector for nothing."""
    score(Echo(), numbered(9), tmp_path, pace=PACE)
    again = Echo()
    assert len(score(again, numbered(9), tmp_path, pace=PACE)) == 9
    assert again.asked == []
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", *[".npy"] * 9]


OTHERS = [
    ("digest", lambda d: dataset([row(0)], digest="d2"), {}),
    ("labels", lambda d: d, {"labels": [HATE]}),
    ("limit", lambda d: d, {"limit": 3}),
]


@pytest.mark.parametrize(("what", "change", "options"), OTHERS, ids=[name for name, _, _ in OTHERS])
def test_another_run_is_not_written_over(tmp_path: Path, what: str, change: Any, options: Any) -> None:
    """A folder with another run is refused, with what differs."""
    data = numbered(9)
    score(Echo(), data, tmp_path, pace=PACE)
    with pytest.raises(ConfigurationError, match=f"another {what}"):
        score(Echo(), change(data), tmp_path, pace=PACE, **options)


def test_a_newer_detector_does_not_finish_an_older_ones_run(tmp_path: Path) -> None:
    """Half a run of version 1 and half of version 2 would measure neither."""
    echo = Echo()
    echo.interrupt_at = "text 17"
    with pytest.raises(KeyboardInterrupt):
        score(echo, numbered(20), tmp_path, pace=PACE)
    newer = Echo()
    newer.version = "2"
    with pytest.raises(ConfigurationError, match="another version"):
        score(newer, numbered(20), tmp_path, pace=PACE)


def test_a_name_for_the_latest_version_is_no_change(tmp_path: Path) -> None:
    """A vendor's alias gives way to the version that answers: one version, and the run is taken up again;
    another one on the way is two."""

    class Alias(Echo):
        version = "latest"
        answers = ("m-1",)

        def detect(self, requests: Sequence[DetectRequest], *, timeout: float | None = None) -> list[Signals]:
            found = super().detect(requests, timeout=timeout)
            self.version = self.answers[min(len(self.asked) // 8, len(self.answers) - 1)]
            return found

    run = score(Alias(), numbered(12), tmp_path / "run", pace=PACE)
    assert (run.meta.asked, run.meta.versions) == ("latest", ("m-1",))
    assert len(score(Alias(), numbered(12), tmp_path / "run", pace=PACE)) == 12
    changing = Alias()
    changing.answers = ("m-1", "m-2")
    assert score(changing, numbered(12), tmp_path / "two", pace=PACE).meta.versions == ("m-1", "m-2")


def test_rows_in_another_order_are_noticed(tmp_path: Path) -> None:
    """An interrupted run is not continued over rows that have moved."""
    echo = Echo()
    echo.interrupt_at = "text 17"
    with pytest.raises(KeyboardInterrupt):
        score(echo, numbered(20), tmp_path, pace=PACE)
    moved = dataset([row(number) for number in reversed(range(20))], size=20)
    with pytest.raises(ConfigurationError, match="does not begin with the rows"):
        score(Echo(), moved, tmp_path, pace=PACE)


def test_slices_languages_and_kinds_are_kept(tmp_path: Path) -> None:
    """Rows can be picked by slice, language and modality; across shards the codes agree."""
    rows = [
        row(n, slices={"target": ["women", "men", "none"][n % 3]}, language="de" if n % 2 else None)
        for n in range(20)
    ]
    run = score(Echo(), dataset(rows), tmp_path / "run", pace=Pace(4, 3))
    assert run.slices == ("target",)
    assert run.category("target").counts() == {"women": 7, "men": 7, "none": 6}
    assert run.category("language").counts() == {"unknown": 10, "de": 10}
    assert run.category("modality").counts() == {"text": 20}
    picked = run.select({"target": ["men", "none"], "language": ["de"]})
    assert picked is not None
    assert np.flatnonzero(picked).tolist() == [n for n in range(20) if n % 3 and n % 2]
    assert run.select({}) is None
    with pytest.raises(ConfigurationError, match="there are: language, modality, target"):
        run.category("market")


def test_free_text_is_no_slice(tmp_path: Path) -> None:
    """A slice with a value per row is left out and named, rather than filling memory."""
    count = layout.MAX_VALUES + 1
    rows = [row(n, slices={"note": f"value {n}", "half": str(n % 2)}) for n in range(count)]
    run = score(Echo(), dataset(rows), tmp_path / "run", pace=Pace(256, 1024))
    assert run.slices == ("half",)
    assert run.meta.left_out == ("note",)


def test_what_was_read_in_part_is_counted_apart(tmp_path: Path) -> None:
    """A title scored beside a picture that was not readable is a score, and is not whole."""

    class Half(Echo):
        def detect(self, requests: Sequence[DetectRequest], *, timeout: float | None = None) -> list[Signals]:
            lost = [Missing(HATE, "cover", Cause.ERROR)]
            return [
                Signals([Signal(HATE, 0.1, "body")], lost if n % 4 == 0 else [])
                for n, _ in enumerate(requests)
            ]

    data = DataSet("mine", lambda: iter([row(n) for n in range(8)]), (HATE,), digest="d")
    run = score(Half(), data, tmp_path / "run", pace=PACE)
    assert run.missing(HATE) == {}
    assert run.partly(HATE) == {Cause.ERROR: 2}


def test_places_come_back_by_row(tmp_path: Path) -> None:
    """Right and found places of each row whose places were annotated, an empty annotation too."""
    rows = [
        row(0, "call 555 now", spans={HATE: (Span(5, 8),)}),
        row(1, "nothing", spans={HATE: ()}),
        row(2, "call 555"),
        row(3, "call 555 and 555", spans={HATE: ()}),
    ]
    fake = FakeDetector({"555": {HATE: 0.8}})
    run = score(fake, dataset(rows), tmp_path / "run", pace=Pace(1, 1))
    assert run.span_labels() == (HATE,)
    assert list(run.spans(HATE, 0.5)) == [
        (0, (Span(5, 8),), (Span(5, 8),)),
        (1, (), ()),
        (3, (), (Span(5, 8),)),
    ]
    assert [found for _, _, found in run.spans(HATE, 0.9)] == [(), (), ()]


def test_sampled_labels_carry_their_weights(tmp_path: Path) -> None:
    """Where labels were drawn by score, each pair has 1/inclusion; without all of them it has none."""
    rows = [row(n, inclusion=0.5 if n % 2 else 0.1, group="g" if n < 4 else None) for n in range(8)]
    data = DataSet("drawn", lambda: iter(rows), (HATE,), sampled=True, digest="x")
    run = score(Echo(), data, tmp_path / "run", pace=PACE)
    assert run.pairs(HATE).weights == pytest.approx([10, 2] * 4)
    assert len(set(run.groups[:4].tolist())) == 1
    assert run.groups[4:].tolist() == [0] * 4
    rows[3] = row(3)
    assert score(Echo(), data, tmp_path / "lacking", pace=PACE).pairs(HATE).weights is None


def test_ids_of_any_kind_come_back(tmp_path: Path) -> None:
    """Ids in any script, empty ones and lone surrogates."""
    names = ["ü", "", "日本", "\ud800", "a" * 1000]
    rows = [Row(name, Content([Text(f"text {n}")], ()), {HATE: 1.0}) for n, name in enumerate(names)]
    run = score(Echo(), dataset(rows), tmp_path / "run", pace=Pace(2, 2))
    assert run.ids(range(5)) == names


BAD = [
    ("no rows", lambda: (dataset([]), {}), "no rows"),
    ("no label", lambda: (numbered(3), {"labels": ["nothing.here"]}), "no label of the taxonomy"),
    ("limit", lambda: (numbered(3), {"limit": 0}), "leaves no rows"),
]


@pytest.mark.parametrize(("what", "make", "message"), BAD, ids=[name for name, _, _ in BAD])
def test_unusable_requests_are_refused(tmp_path: Path, what: str, make: Any, message: str) -> None:
    """Errors name the reason."""
    data, options = make()
    with pytest.raises(ConfigurationError, match=message):
        score(Echo(), data, tmp_path / "run", **options)


def test_strange_folders_are_not_taken(tmp_path: Path) -> None:
    """A folder with other things in it, a damaged description and a damaged column are all refused."""
    (tmp_path / "photo.png").write_bytes(b"x")
    with pytest.raises(ConfigurationError, match="not empty"):
        score(Echo(), numbered(3), tmp_path)
    with pytest.raises(ConfigurationError, match="no run"):
        open_run(tmp_path)
    run = score(Echo(), numbered(3), tmp_path / "run")
    (run.folder / "scores.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(ConfigurationError, match="damaged"):
        run.scores(HATE)
    (run.folder / "meta.json").write_text("[]")
    with pytest.raises(ConfigurationError, match="not the description"):
        open_run(run.folder)
    shutil.rmtree(run.folder)


def test_content_is_not_kept(tmp_path: Path) -> None:
    """A run can be handed on: nothing of a text stands in its folder."""
    rows = [row(n, f"canary-7f3a {n}") for n in range(10)]
    fake = FakeDetector({"canary-7f3a": {HATE: 0.9}})
    run = score(fake, dataset(rows), tmp_path / "run", pace=PACE)
    assert all(b"canary" not in path.read_bytes() for path in run.folder.iterdir())


def test_progress_and_time_are_told(tmp_path: Path) -> None:
    """Progress goes up to the total; seconds are those spent with the detector."""
    clock, seen = ManualClock(), []

    class Slow(Echo):
        def detect(self, requests: Sequence[DetectRequest], *, timeout: float | None = None) -> list[Signals]:
            clock.advance(2.0)
            return super().detect(requests, timeout=timeout)

    def rows() -> Iterator[Row]:
        for number in range(10):
            clock.advance(100.0)
            yield row(number)

    data = DataSet("mine", rows, (HATE,), digest="d", size=10)
    run = score(
        Slow(), data, tmp_path / "run", limit=8, pace=PACE, clock=clock,
        progress=lambda done, total: seen.append((done, total)),
    )  # fmt: skip
    assert seen == [(0, 8), (4, 8), (8, 8)]
    assert run.meta.seconds == pytest.approx(4.0)


def test_codes_of_causes_never_move() -> None:
    """Folders written earlier are read by these numbers."""
    assert [None if cause is None else cause.value for cause in layout.CAUSES] == [
        None, "unsupported", "language", "modality", "size", "timeout", "error", "stale",
    ]  # fmt: skip


def test_a_description_of_another_format_is_refused(tmp_path: Path) -> None:
    """A later format is named as such."""
    run = score(Echo(), numbered(3), tmp_path / "run")
    fields = json.loads((run.folder / "meta.json").read_text())
    (run.folder / "meta.json").write_text(json.dumps({**fields, "format": 2}))
    with pytest.raises(ConfigurationError, match="another version"):
        open_run(run.folder)
