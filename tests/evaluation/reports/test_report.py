"""The report: one document, one page that needs nothing else, and nothing of the data unescaped."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spotsafe.core.content import Content, Text
from spotsafe.core.labels import LABELS
from spotsafe.core.seams import DetectRequest
from spotsafe.core.signals import Cause, Missing, Signal, Signals, Span
from spotsafe.evaluation.compare import compare
from spotsafe.evaluation.datasets.rows import DataSet, Row, Source
from spotsafe.evaluation.reports import worst
from spotsafe.evaluation.reports.document import Options, document
from spotsafe.evaluation.reports.page import content_security_policy, page
from spotsafe.evaluation.reports.terminal import show
from spotsafe.evaluation.runs import measures
from spotsafe.evaluation.runs.measures import Costs
from spotsafe.evaluation.runs.run import ScoredRun
from spotsafe.evaluation.runs.scoring import Pace, score
from spotsafe.testing.detector import FakeDetector

HATE, TOXIC, RARE = "hate.speech", "tone.toxic", "sexual.explicit"
EVIL = "<script>alert(1)</script>\"'&<img src=x onerror=y>"
COUNT = 300


class Noisy:
    """Scores by truth and noise; row 7 is missing for its size; finds the place of an at sign."""

    version = f"1{EVIL}"

    def __init__(self, strength: float) -> None:
        self.id = f"noisy{EVIL}"
        self.strength = strength

    def capabilities(self) -> None:
        return None

    def detect(self, requests: Sequence[DetectRequest], *, timeout: float | None = None) -> list[Signals]:
        return [self._one(int(str(r.content.parts[0].data).split()[0]), r) for r in requests]

    def _one(self, number: int, request: DetectRequest) -> Signals:
        if number == 7:
            return Signals((), [Missing(label, "body", Cause.SIZE) for label in request.labels])
        noise = np.random.default_rng(number).normal(size=len(request.labels))
        return Signals(
            [
                Signal(
                    label, float(1 / (1 + np.exp(-(self.strength * (number % 3 == 0) - 1 + x)))), "body",
                    evidence=(Span(0, 3),),
                )
                for label, x in zip(request.labels, noise, strict=True)
            ]
        )  # fmt: skip


def rows(count: int = COUNT) -> list[Row]:
    found = []
    for n in range(count):
        labels = {HATE: float(n % 3 == 0), TOXIC: float(n % 3 == 0 or n % 5 == 0)}
        if n % 10 == 0:
            labels[RARE] = 0.0
        slices = {"functionality": f"F{n % 3} {EVIL}", "target": ["women", EVIL, "none"][n % 4 % 3]}
        spans = {TOXIC: (Span(0, 3),) if n % 2 else ()} if n % 2 else {}
        content = Content([Text(f"{n} canary-41c9 {EVIL}", "body")], ())
        language = "de" if n % 4 else f"x{EVIL}"
        found.append(Row(f"id-{n}{EVIL}", content, labels, language, slices, spans, group=f"g{n // 2}"))
    return found


def dataset(listed: list[Row] | None = None, **options: Any) -> DataSet:
    source = Source(f"s{EVIL}", title=f"A set {EVIL}", citation=EVIL, cautions=(EVIL,))
    listed = rows() if listed is None else listed
    return DataSet(
        f"mine{EVIL}", lambda: iter(listed), (HATE, TOXIC, RARE), source=source, digest="d", **options
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> ScoredRun:
    return score(Noisy(3.0), dataset(), tmp_path_factory.mktemp("run") / "a", pace=Pace(100, 100))


@pytest.fixture(scope="module")
def whole(run: ScoredRun, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A document with every part: gate, comparison, content."""
    other = score(Noisy(1.0), dataset(), tmp_path_factory.mktemp("run") / "b", pace=Pace(100, 100))
    found = document(run)
    found["comparison"] = compare(other, run).to_json()
    found["gate"] = {
        "file": EVIL, "about": EVIL, "passed": False,
        "results": [
            {"id": EVIL, "place": EVIL, "requirement": EVIL, "label": EVIL, "found": EVIL, "wanted": EVIL,
             "passed": passed, "reason": EVIL} for passed in (True, False)
        ],
    }  # fmt: skip
    shown = worst.contents(dataset(), [e["row"] for entry in found["labels"] for e in entry["worst"]])
    for entry in found["labels"]:
        entry["worst"] = worst.with_contents(entry["worst"], shown)
    return found


class Page(HTMLParser):
    """Tags, attributes and ids of a page."""

    VOID = frozenset({"meta", "input", "br", "link", "img"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag in self.open:
            while self.open.pop() != tag:
                pass


def test_the_document_is_json_and_holds_the_figures(run: ScoredRun) -> None:
    """Everything is plain JSON; figures are those of the run, refused ones with the reason."""
    found = json.loads(json.dumps(document(run), allow_nan=False))
    by_label = {entry["label"]: entry for entry in found["labels"]}
    hate = by_label[HATE]
    assert (hate["annotated"], hate["positives"], hate["missing"]) == (300, 100, {"size": 1})
    pairs = run.pairs(HATE)
    flagged = pairs.scores >= 0.5
    assert hate["figures"]["recall"]["value"] == pytest.approx(
        (flagged & pairs.truth).sum() / pairs.truth.sum()
    )
    assert hate["figures"]["coverage"]["value"] == pytest.approx(299 / 300)
    assert "0 positive rows" in by_label[RARE]["figures"]["auprc"]["refused"]
    assert by_label[RARE]["curve"] is None
    assert {entry["category"] for entry in hate["slices"]} == {"language", "target"}
    assert found["summary"]["auprc"]["labels"] == 2
    assert found["summary"]["coverage"]["scored"] == 299 * 2 + 30
    assert sum(hate["histogram"]["positive"]) == 100
    assert {entry["label"] for entry in found["functional"]} == {HATE, TOXIC, RARE}
    assert {entry["group"] for entry in found["subgroups"]} == {"women", EVIL, None}
    assert {entry["counting"] for entry in found["spans"]} == {"characters", "exact", "partial"}
    assert [entry["label"] for entry in found["confusion"]["rows"]] == [HATE, TOXIC, None]


def test_the_same_run_gives_the_same_document(run: ScoredRun) -> None:
    """The bootstrap is seeded: reports can be compared byte by byte."""
    assert document(run) == document(run)
    assert document(run, Options(seed=1)) != document(run)


def test_the_curve_lies_in_its_band(run: ScoredRun) -> None:
    """At every recall: low ≤ precision ≤ high, all shares."""
    curve = document(run)["labels"][0]["curve"]
    columns = [np.array(curve[name]) for name in ("low", "precision", "high")]
    assert (np.diff(np.stack([np.zeros(100), *columns, np.ones(100)]), axis=0) >= 0).all()


def test_the_page_needs_nothing_and_runs_nothing(whole: dict[str, Any]) -> None:
    """No script, no style attribute, no event, no address of anything outside; a policy that forbids them."""
    html = page(whole)
    parsed = Page(html)
    names = {tag for tag, _ in parsed.tags}
    assert not names & {"script", "link", "img", "iframe", "object", "form", "base", "embed"}
    for tag, attributes in parsed.tags:
        assert not {
            name for name in attributes if name.startswith("on") or name in {"style", "src", "action"}
        }, tag
        assert (attributes.get("href") or "#").startswith("#")
    assert not re.search(r"(?:url\(|@import|https?://)", html)
    policies = [a for t, a in parsed.tags if t == "meta" and "content-security-policy" in str(a).lower()]
    assert policies[0]["content"] == content_security_policy()
    assert "default-src 'none'" in content_security_policy()


def test_whatever_came_from_outside_is_escaped(whole: dict[str, Any]) -> None:
    """Ids, slices, names, versions, gates and content that are markup stay text."""
    html = page(whole)
    assert "<script>alert" not in html
    assert "<img" not in html
    assert html.count("&lt;script&gt;") > 50
    assert Page(html).open == []


def test_links_within_the_page_lead_somewhere(whole: dict[str, Any]) -> None:
    """Every anchor exists once."""
    parsed = Page(page(whole))
    ids = [attributes["id"] for _, attributes in parsed.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = {attributes["href"] for tag, attributes in parsed.tags if tag == "a"}
    assert targets <= {f"#{name}" for name in ids}
    assert "#gate" in targets
    assert f"#label-{HATE.replace('.', '-')}" in targets


def test_content_is_there_only_when_it_was_put_there(run: ScoredRun, whole: dict[str, Any]) -> None:
    """Without content the page tells ids; with it, it is folded away until somebody opens it."""
    assert "canary-41c9" not in page(document(run))
    html = page(whole)
    for place in re.finditer("canary-41c9", html):
        before = html[: place.start()]
        assert before.rindex('<details class="error">') > before.rfind("</details>")


def test_worst_errors_come_worst_first(run: ScoredRun) -> None:
    """False alarms by falling, misses by rising score, each on its side of the threshold."""
    found = worst.worst_errors(run, HATE, 0.6, kept=5)
    alarms = [entry["score"] for entry in found if entry["kind"] == worst.FALSE_ALARM]
    misses = [entry["score"] for entry in found if entry["kind"] == worst.MISS]
    assert alarms == sorted(alarms, reverse=True)
    assert misses == sorted(misses)
    assert min(alarms) >= 0.6 > max(misses)
    assert len(found) <= 10
    assert run.ids([found[0]["row"]]) == [found[0]["id"]]


def test_long_and_other_content_is_cut_and_named() -> None:
    """Texts end after two thousand characters; media are told by size."""
    from spotsafe.core.content import Image

    listed = [Row("1", Content([Text("x" * 5000, "t"), Image(b"\x89PNG", "p")], ()), {})]
    [parts] = worst.contents(dataset(listed), [0]).values()
    assert len(parts[0]["text"]) < 2010
    assert parts[1]["text"] == "image, 4 bytes"


def test_what_makes_figures_doubtful_is_told_first(tmp_path: Path) -> None:
    """Rows that share an id, and labels that nobody annotated; nothing of the kind for ordinary data."""
    assert document(score(Noisy(1.0), dataset(rows(20)), tmp_path / "fine"))["cautions"] == []
    twice = [row._replace(id="same") if n < 3 else row for n, row in enumerate(rows(20))]
    [caution] = document(score(Noisy(1.0), dataset(twice), tmp_path / "twice"))["cautions"]
    assert caution.startswith("2 rows bear the id of another row")
    bare = [row._replace(labels={}) for row in rows(20)]
    found = document(score(Noisy(1.0), dataset(bare), tmp_path / "bare"))
    assert "nothing to judge" in found["cautions"][0]
    assert "nothing to judge" in page(found)


def test_empty_and_odd_runs_have_a_page(tmp_path: Path) -> None:
    """One row, no positives, nothing scored: a page that says so rather than an error."""
    one = score(Noisy(1.0), dataset(rows(1)), tmp_path / "one")
    assert "n/a" in page(document(one))
    missing = score(Noisy(1.0), dataset([rows()[7]]), tmp_path / "missing")
    html = page(document(missing))
    assert "No row is both annotated and scored" in html
    assert "size" in html


def test_many_labels_are_told_by_family(tmp_path: Path) -> None:
    """With twenty labels the confusion table is by family, and wide tables turn their heads."""
    many = list(LABELS)[::3][:20]
    listed = [
        Row(f"r{n}", Content([Text(f"{n}", "b")], ()), {c: float(n % 3 == 0) for c in many})
        for n in range(30)
    ]
    data = DataSet("all", lambda: iter(listed), many, digest="d")
    found = document(score(Noisy(1.0), data, tmp_path / "run"))
    assert set(found["confusion"]["columns"]) == {label.partition(".")[0] for label in many}
    assert "turned" in page(found)


def test_sampled_labels_are_weighted_or_refused(tmp_path: Path) -> None:
    """Rows drawn by score: Hájek rates, weighted ranking, no plain counts; without inclusion nothing."""
    listed = [
        row._replace(inclusion=0.9 if n % 2 else 0.3, stratum="ab"[n % 2]) for n, row in enumerate(rows())
    ]
    found = document(score(Noisy(3.0), dataset(listed, sampled=True), tmp_path / "w"))
    figures = found["labels"][0]["figures"]
    assert figures["recall"]["method"].startswith("hájek")
    assert figures["auprc"]["value"] is not None
    for name in ("recall_at_precision", "ece", "brier", "cost"):
        assert figures[name]["method"].startswith("hájek"), name
    listed[0] = listed[0]._replace(inclusion=None)
    lacking = document(score(Noisy(3.0), dataset(listed, sampled=True), tmp_path / "l"))
    assert all(
        f["value"] is None for name, f in lacking["labels"][0]["figures"].items() if name != "coverage"
    )
    assert "inclusion" in lacking["labels"][0]["figures"]["recall"]["refused"]
    assert lacking["functional"] == lacking["subgroups"] == []
    assert lacking["confusion"] is None


def test_breakdowns_of_sampled_labels_are_weighted(tmp_path: Path) -> None:
    """Where every row was sure to be drawn, each share is the plain one; where odd rows were drawn by a
    third, they stand for three. Places have no weighted figures, and the page says so."""
    plain = document(score(Noisy(3.0), dataset(), tmp_path / "p"))
    whole = [row._replace(inclusion=1.0) for row in rows()]
    sure = document(score(Noisy(3.0), dataset(whole, sampled=True), tmp_path / "s"))
    for part in ("functional", "subgroups"):
        names = [(entry["label"], entry.get("group", entry.get("functionality"))) for entry in plain[part]]
        assert [(e["label"], e.get("group", e.get("functionality"))) for e in sure[part]] == names
    for one, other in zip(plain["functional"], sure["functional"], strict=True):
        assert other["figure"]["value"] == (
            pytest.approx(one["figure"]["value"]) if one["figure"]["n"] >= 20 else None
        )
    for one, other in zip(plain["subgroups"], sure["subgroups"], strict=True):
        for kind, figure in one["figures"].items():
            if figure["value"] is not None and other["figures"][kind]["value"] is not None:
                assert other["figures"][kind]["value"] == pytest.approx(figure["value"]), kind
    for one, other in zip(plain["confusion"]["rows"], sure["confusion"]["rows"], strict=True):
        assert (one["label"], one["rows"]) == (other["label"], other["rows"])
        for cells in zip(one["flagged"], other["flagged"], strict=True):
            assert cells[1] is None or cells[0] == pytest.approx(cells[1])
    thirds = [row._replace(inclusion=1 / 3 if n % 2 else 1.0) for n, row in enumerate(rows())]
    found = document(score(Noisy(3.0), dataset(thirds, sampled=True), tmp_path / "t"))
    line = next(e for e in found["confusion"]["rows"] if e["label"] == HATE)
    hate = [(n, 3 if n % 2 else 1) for n in range(COUNT) if n % 3 == 0]
    scores = {n: Noisy(3.0)._one(n, DetectRequest(whole[n].content, (HATE, TOXIC, RARE))) for n, _ in hate}
    hit = sum(w for n, w in hate if max(s.score for s in scores[n].scores if s.label == HATE) >= 0.5)
    place = found["confusion"]["columns"].index(HATE)
    assert line["flagged"][place] == pytest.approx(hit / sum(w for _, w in hate), abs=1e-4)
    lines = Lines()
    show(found, lines)
    assert "sampled by score: figures are estimates" in "\n".join(lines.text)
    assert "sampled by score: figures are estimates" in page(found)
    assert found["spans"] == []
    assert "places have no weighted figures" in page(found)


def test_every_slice_has_every_figure(run: ScoredRun) -> None:
    """Each language, modality and slice carries all figures of the label, over its own rows."""
    [label] = [entry for entry in document(run)["labels"] if entry["label"] == HATE]
    german = next(entry for entry in label["slices"] if entry["value"] == "de")
    assert german["figures"].keys() == label["figures"].keys()
    assert german["figures"]["ece"]["value"] is not None
    assert german["figures"]["recall"]["n"] == sum(1 for n in range(COUNT) if n % 4 and n % 3 == 0)


def test_rows_may_mention_several_groups(tmp_path: Path) -> None:
    """A row of two groups counts in both; groups too small for any figure are only named."""
    targets = ["women|muslims", "muslims", "none", "rare"]
    listed = [
        row._replace(slices={"target": targets[min(n % 3, 2)] if n > 1 else "rare"})
        for n, row in enumerate(rows())
    ]
    found = document(score(Noisy(3.0), dataset(listed), tmp_path / "run"))
    here = {e["group"]: e["rows"] for e in found["subgroups"] if e["label"] == TOXIC}
    both, alone = sum(n % 3 == 0 for n in range(2, COUNT)), sum(n % 3 == 1 for n in range(2, COUNT))
    assert (here["women"], here["muslims"], here["rare"]) == (both, both + alone - 1, 2)
    assert "too few rows: rare (2)" in page(found)


def test_a_score_at_the_threshold_is_flagged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """0.7 is at 0.7, though scores are kept in 32 bits: in rates, breakdowns, errors and from counts."""
    detector = FakeDetector({"canary": {HATE: 0.7, TOXIC: 0.7, RARE: 0.7}})
    run = score(detector, dataset(), tmp_path / "run")
    options = Options(dict.fromkeys((HATE, TOXIC, RARE), 0.7))
    for counted_from in (measures.COUNTED_FROM, 10):
        monkeypatch.setattr(measures, "COUNTED_FROM", counted_from)
        found = document(run, options)
        [hate] = [entry for entry in found["labels"] if entry["label"] == HATE]
        assert (hate["figures"]["recall"]["value"], hate["figures"]["fpr"]["value"]) == (1.0, 1.0)
        assert {error["kind"] for error in hate["worst"]} == {"false alarm"}
        assert hate["point"]["recall"] == 1.0
    assert all(line["silent"] == 0.0 for line in found["confusion"]["rows"])
    assert {e["figure"]["value"] for e in found["functional"] if e["expected"] == "negative"} == {0.0}
    same = compare(run, run, metrics=["fpr"], thresholds=options.thresholds)
    assert same.of(HATE, "fpr").first == 1.0


def test_counts_give_the_document_that_rows_give(run: ScoredRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run too long to be held: counts in blocks give the figures of its rows, exactly where they are at the
    threshold, and within a thousandth where rows that score nearly alike become ties."""
    plain = document(run)
    monkeypatch.setattr(measures, "COUNTED_FROM", 10)
    monkeypatch.setattr("spotsafe.evaluation.runs.run.BLOCK", 64)
    found = document(run)
    for one, other in zip(plain["labels"], found["labels"], strict=True):
        for part in ("annotated", "positives", "missing", "point", "histogram", "worst"):
            assert other[part] == one[part], part
        places = [(one["figures"], other["figures"])]
        places += [(a["figures"], b["figures"]) for a, b in zip(one["slices"], other["slices"], strict=True)]
        for before, after in places:
            for name, figure in before.items():
                assert after[name]["n"] == figure["n"], name
                assert (after[name]["value"] is None) == (figure["value"] is None), name
                if figure["value"] is not None:
                    assert after[name]["value"] == pytest.approx(figure["value"], abs=2e-3), name
                    assert after[name]["method"] == figure["method"]
                    for end in ("low", "high"):
                        assert after[name][end] == pytest.approx(figure[end], abs=0.05), name
        if one["curve"]:
            assert other["curve"]["precision"] == pytest.approx(one["curve"]["precision"], abs=0.02)
        assert len(other["reliability"]) == len(one["reliability"])
    assert found["summary"]["coverage"] == plain["summary"]["coverage"]


def test_errors_cost_what_was_said(run: ScoredRun) -> None:
    """False alarms at 2, misses at 5: (2 alarms + 5 misses) / rows, from the rates."""
    priced = document(run, Options(costs={HATE: Costs(2.0, 5.0)}))
    figures = next(e for e in priced["labels"] if e["label"] == HATE)["figures"]
    alarms = figures["fpr"]["value"] * figures["fpr"]["n"]
    misses = figures["fnr"]["value"] * figures["fnr"]["n"]
    assert figures["cost"]["value"] == pytest.approx((2 * alarms + 5 * misses) / figures["cost"]["n"])
    assert "a false alarm costs 2, a miss 5" in page(priced)


class Lines:
    """Collects what is printed."""

    def __init__(self) -> None:
        self.text: list[str] = []

    def line(self, text: str = "", style: str = "") -> None:
        self.text.append(text)

    def table(self, title: str, columns: Sequence[str], rows: Any) -> None:
        self.text.append(title)
        self.text += [" ".join(map(str, row)) for row in rows]


def test_the_terminal_shows_the_same_figures(whole: dict[str, Any]) -> None:
    """Labels, missing scores, functional tests, comparison and gate; never content."""
    lines = Lines()
    show(whole, lines)
    text = "\n".join(lines.text)
    assert HATE in text
    assert "size 1" in text
    assert "gate failed: 1 of 2" in text
    assert "mean over labels" in text
    assert "no AUPRC: 0 positive rows" in text
    assert "canary" not in text
