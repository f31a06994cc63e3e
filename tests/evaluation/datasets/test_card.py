"""The card and the Croissant description say what a set holds and what it does not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from spotsafe.evaluation.datasets.card import Count, facts, markdown
from spotsafe.evaluation.datasets.croissant import CONFORMS_TO, croissant
from spotsafe.evaluation.datasets.opening import MappedSet, open_dataset

MAPPING = """\
mapping: 1
name: mine
files: d.jsonl
source:
  title: "My <set> | one"
  licence: CC0-1.0
  licence_class: permissive
  citation: "Me: Mine. 2026."
  origin: owner/repository
  revision: 1.2.0
  cautions: [Small.]
id: id
content: {body: text}
language: lang
labels:
  tone.toxic: labels.toxicity
  hate.speech: {column: kind, values: {hate: 1, none: 0}}
  tone.profanity: {column: rude, at_least: 3}
spans: {privacy.pii_exposure: places}
slices: {kind: kind}
split: split
inclusion: p
stratum: kind
sampled: true
"""
RECORDS = [
    {"id": "1", "text": "abc", "lang": "en", "labels": {"toxicity": 1}, "kind": "hate", "split": "train",
     "p": 0.5},
    {"id": "2", "text": "abcde", "lang": "de", "labels": {"toxicity": 0.4}, "split": "train",
     "places": [[0, 1]]},
    {"id": "3", "text": "a", "lang": "en", "labels": {}, "split": "test", "rude": None},
    {"id": "4", "text": "abcdefghi", "labels": {}, "kind": "hate", "split": "test"},
]  # fmt: skip


@pytest.fixture
def dataset(put: Callable[..., Path]) -> MappedSet:
    put("d.jsonl", RECORDS)
    return open_dataset(put("m.yaml", MAPPING))


def test_counts(dataset: MappedSet) -> None:
    """Annotated and positive rows per label, language and split; what is not annotated is counted apart."""
    found = facts(dataset)
    assert found.rows == 4
    assert found.labels["tone.toxic"] == {
        "all": Count(2, 1), "en": Count(1, 1), "de": Count(1, 0), "split:train": Count(2, 1),
    }  # fmt: skip
    assert found.labels["hate.speech"]["all"] == Count(2, 2)
    assert found.labels["tone.profanity"] == {"all": Count(0, 0)}
    assert found.languages == {"en": 2, "de": 1, "unknown": 1}
    assert found.splits == {"test": 2, "train": 2}
    assert found.spans == {"privacy.pii_exposure": 1}
    assert found.slices == {"kind": {"hate": 2}}
    assert found.unannotated == 1
    assert found.lengths == (1, 3, 9)
    assert json.loads(json.dumps(found.as_json()))["labels"]["tone.toxic"]["all"] == {
        "annotated": 2,
        "positive": 1,
    }


def test_the_card_for_people(dataset: MappedSet) -> None:
    """Licence, citation, missing annotation and cautions stand on it; values cannot break its tables."""
    card = markdown(facts(dataset))
    assert card.startswith("# My &lt;set> | one\n")
    assert "| Licence | CC0-1.0 (permissive) |" in card
    assert "| tone.toxic | all | 2 | 1 (50.0%) | 2 |" in card
    assert "| tone.profanity | all | 0 | 0 | 4 |" in card
    for caution in (
        "Small.",
        "1 rows are annotated for no label",
        "hate.speech has positives only",
        "by score",
    ):
        assert caution in card
    assert "abcde" not in card


def test_a_set_without_labels_is_not_called_clean(
    put: Callable[..., Path], mapped: Callable[..., Path]
) -> None:
    """The card of an unannotated set says so."""
    put("d.jsonl", [{"text": "a"}])
    card = markdown(facts(open_dataset(mapped("d.jsonl", labels="{}"))))
    assert "No row is annotated. That is not the same as harmless." in card
    assert "do not train on it" in card


def test_croissant_has_what_the_specification_asks_for(dataset: MappedSet) -> None:
    """Croissant 1.0: required properties of data set, file, record set and field, with ids that resolve.
    (Checked by hand against mlcroissant 1.1.1 too: no errors, and its reader gives the rows.)"""
    found = croissant(dataset)
    assert found["@type"] == "sc:Dataset"
    assert found["conformsTo"] == CONFORMS_TO
    assert found["@context"]["cr"] == "http://mlcommons.org/croissant/"
    assert {"name", "description", "license", "url", "citeAs", "version", "distribution", "recordSet"} <= set(
        found
    )
    (file,) = found["distribution"]
    assert file["@type"] == "cr:FileObject"
    assert file["encodingFormat"] == "application/jsonlines"
    assert file["sha256"] == dataset.source.sha256["d.jsonl"]
    assert {"@id", "name", "contentUrl"} <= set(file)
    (rows,) = found["recordSet"]
    assert rows["@type"] == "cr:RecordSet"
    ids = [field["@id"] for field in rows["field"]]
    assert len(set(ids)) == len(ids)
    assert {field["@type"] for field in rows["field"]} == {"cr:Field"}
    assert {field["source"]["fileObject"]["@id"] for field in rows["field"]} == {file["@id"]}
    assert {field["dataType"] for field in rows["field"]} <= {"sc:Text", "sc:Float"}
    fields = {field["name"]: field for field in rows["field"]}
    assert fields["label.tone.toxic"]["source"]["extract"] == {"column": "labels"}
    assert fields["label.tone.toxic"]["source"]["transform"] == {"jsonPath": "$.toxicity"}
    assert "hate is 1" in fields["label.hate.speech"]["description"]
    assert fields["inclusion"]["source"]["extract"] == {"column": "p"}
    assert fields["stratum"]["source"]["extract"] == {"column": "kind"}
    json.dumps(found)


def test_croissant_leaves_out_what_is_not_known(
    put: Callable[..., Path], mapped: Callable[..., Path]
) -> None:
    """No licence, citation or version is made up; several files have a record set each."""
    put("a.csv", "text,toxic\na,1\n")
    put("b.tsv", "text\ttoxic\nb\t1\n")
    found = croissant(open_dataset(mapped("{train: a.csv, test: b.tsv}")))
    assert not {"license", "citeAs", "url", "version"} & set(found)
    assert [file["encodingFormat"] for file in found["distribution"]] == [
        "text/csv",
        "text/tab-separated-values",
    ]
    assert [entry["@id"] for entry in found["recordSet"]] == ["rows_a", "rows_b"]
