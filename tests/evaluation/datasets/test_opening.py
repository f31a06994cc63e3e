"""Data sets open by name, mapping or file, stream, and tell apart what was changed."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from spotsafe.core.errors import ConfigurationError
from spotsafe.evaluation.datasets import records as reading
from spotsafe.evaluation.datasets.opening import open_dataset
from spotsafe.evaluation.datasets.records import records
from spotsafe.evaluation.datasets.registry import registered

Put = Callable[..., Path]
CANARY = "canary-text-never-shown"
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)


@given(st.lists(st.tuples(TEXTS, st.none() | st.floats(0, 1)), min_size=1, max_size=8))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_the_same_rows_in_every_format(tmp_path: Path, rows: list[tuple[str, float | None]]) -> None:
    """JSON lines, gzip, CSV and Parquet with the same rows give the same content and labels."""
    listed = [{"text": text, "toxic": toxic} for text, toxic in rows]
    lines = "".join(json.dumps(record) + "\n" for record in listed)
    (tmp_path / "d.jsonl").write_text(lines, "utf-8")
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerows([["text", "toxic"], *(["" if v is None else v for v in r.values()] for r in listed)])
    (tmp_path / "d.csv").write_bytes(buffer.getvalue().encode())
    parquet.write_table(
        pa.Table.from_pylist(listed, pa.schema([("text", "string"), ("toxic", "float64")])),
        tmp_path / "d.parquet",
    )
    mapping = tmp_path / "m.yaml"
    mapping.write_text(
        "mapping: 1\nname: mine\ncontent: {body: text}\nlabels: {tone.toxic: toxic}\nskip_empty: true\n"
    )
    found = [
        [(row.content, row.labels) for row in open_dataset(tmp_path / name, mapping=mapping)]
        for name in ("d.jsonl", "d.csv", "d.parquet")
    ]
    assert found[0] == found[1] == found[2]
    assert len(found[0]) == sum(1 for text, _ in rows if text)


def test_a_set_can_be_read_again_and_knows_its_size(put: Put, mapped: Put) -> None:
    """Iterating twice gives the same rows; the size needs no reading; gzip is seen by its suffix."""
    put("d.jsonl.gz", [{"text": f"t{i}", "toxic": i % 2} for i in range(50)])
    dataset = open_dataset(mapped("d.jsonl.gz"))
    assert dataset.size == 50
    assert [row.id for row in dataset] == [row.id for row in dataset] == [f"d:{i}" for i in range(1, 51)]
    assert dataset.labels == ("tone.toxic",)


def test_line_separators_inside_texts_are_no_line_ends(put: Put, mapped: Put) -> None:
    """U+2028, U+0085 and vertical tabs stay in the text."""
    put("d.jsonl", json.dumps({"text": "a\u2028b\u0085c\x0bd"}, ensure_ascii=False) + "\n\n")
    (row,) = open_dataset(mapped("d.jsonl", labels="{}"))
    assert row.content.parts[0].data == "a\u2028b\u0085c\x0bd"


@pytest.mark.parametrize(
    ("name", "raw", "expected"),
    [
        ("d.jsonl", f'{{"text": "a"}}\n{{"text": "{CANARY}\n', (":2:", "no JSON object")),
        ("d.jsonl", "[1]\n", (":1:", "no JSON object")),
        ("d.jsonl", b'{"text": "\xff"}\n', (":1:", "is not UTF-8")),
        ("d.jsonl", f'{{"text": "{CANARY}", "toxik": 1}}\n', ("d.jsonl:", "did you mean 'toxik'?")),
        ("d.jsonl", "[" * 100_000, (":1:", "no JSON object")),
        ("d.jsonl.gz", b"no gzip", ("d.jsonl.gz:", "no whole gzip")),
        ("d.csv", f"text,toxic\na,1\n{CANARY},1,2\n", (":3:", "3 cells under 2 columns")),
        ("d.csv", f'text,toxic\n"{CANARY},1\n', (":2:", "quote is not closed")),
        ("d.csv", "text,text\na,b\n", (":1:", "two of one name")),
        ("d.csv", b"text,toxic\n\xff,1\n", (":2:", "not UTF-8")),
        ("d.csv", f"txt,toxic\n{CANARY},1\n", ("d.csv:", "has no column 'text'; did you mean 'txt'?")),
        ("d.parquet", b"PAR1 nothing", ("d.parquet:", "no Parquet file")),
        ("d.xlsx", b"", ("d.xlsx:", "suffix '.xlsx' is not known")),
    ],
)
def test_broken_files_are_named_with_the_line(
    put: Put, mapped: Put, name: str, raw: Any, expected: tuple[str, str]
) -> None:
    """Every fault names file and place and what to do, never what stands there."""
    put(name, raw)
    with pytest.raises(ConfigurationError) as caught:
        list(open_dataset(mapped(name)))
    assert all(words in str(caught.value) for words in expected)
    assert CANARY not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_key_may_be_absent_from_records_but_not_from_all(put: Put, mapped: Put) -> None:
    """One record of one file that has the key is enough; dots lead inwards; no record at all is no fault."""
    put("a.jsonl", [{"text": "a"}] * 3)
    put("b.jsonl", [{"text": "b"}, {"text": "c", "marks": {"toxic": 1}}])
    rows = list(open_dataset(mapped("[a.jsonl, b.jsonl]", labels="{tone.toxic: marks.toxic}")))
    assert [row.labels for row in rows] == [{}] * 4 + [{"tone.toxic": 1.0}]
    with pytest.raises(ConfigurationError, match=r"a\.jsonl: no record has a column 'marks\.toxic'"):
        open_dataset(mapped("a.jsonl", labels="{tone.toxic: marks.toxic}"))
    put("a.jsonl", "")
    assert list(open_dataset(mapped("a.jsonl"))) == []


def test_a_cut_gzip_file_is_told(put: Put, mapped: Put) -> None:
    """A file that ends in the middle is no shorter data set."""
    path = put("d.jsonl.gz", [{"text": "t" * 1000, "n": i} for i in range(200)])
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ConfigurationError, match="no whole gzip"):
        open_dataset(mapped("d.jsonl.gz"))


def test_a_line_that_is_too_long_is_not_read_whole(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded by the line limit, also for a gzip file that unpacks to one endless line."""
    monkeypatch.setattr(reading, "MOST_LINE", 1000)
    path = put("d.jsonl.gz", '{"text": "' + "a" * 5000 + '"}\n')
    with pytest.raises(ConfigurationError, match=r"d\.jsonl\.gz:1: a line of more than 1000 bytes"):
        list(records(path))


def test_tabs_and_other_delimiters(put: Put, mapped: Put) -> None:
    """A .tsv is cut at tabs, a .csv where the mapping says; a byte order mark is no part of a name."""
    put("d.tsv", "\ufefftext\ttoxic\na,b\t1\n")
    assert [row.labels for row in open_dataset(mapped("d.tsv"))] == [{"tone.toxic": 1.0}]
    put("e.csv", "text;toxic\na,b;0\n")
    assert [row.labels for row in open_dataset(mapped("e.csv", more="delimiter: ;"))] == [{"tone.toxic": 0.0}]


def test_files_by_split(put: Put, mapped: Put) -> None:
    """``split: file`` names the split of each file's rows; one that is not there is refused."""
    put("a.csv", "text,toxic\na,1\n")
    put("b.csv", "text,toxic\nb,0\n")
    mapping = mapped("{train: a.csv, test: b.csv}")
    assert [(row.id, row.split) for row in open_dataset(mapping)] == [("a:2", "train"), ("b:2", "test")]
    assert [row.id for row in open_dataset(mapping, split="test")] == ["b:2"]
    assert open_dataset(mapping).source.splits == ("train", "test")
    with pytest.raises(ConfigurationError, match="no split 'dev'; known are: test, train"):
        open_dataset(mapping, split="dev")


def test_splits_by_column(put: Put, mapped: Put) -> None:
    """A split that no row has is an error, not an empty set."""
    put("d.jsonl", [{"text": "a", "part": "train"}, {"text": "b", "part": "test"}])
    mapping = mapped("d.jsonl", labels="{}", more="split: part")
    assert [row.id for row in open_dataset(mapping, split="test")] == ["d:2"]
    assert open_dataset(mapping, split="test").size is None
    with pytest.raises(ConfigurationError, match="no row is of split 'tset'; splits seen: test, train"):
        list(open_dataset(mapping, split="tset"))


def test_the_digest_is_of_data_and_meaning(put: Put, mapped: Put) -> None:
    """Other bytes, another mapping or another split give another digest; other prose does not."""
    put("d.jsonl", [{"text": "a", "toxic": 1}])
    base = open_dataset(mapped("d.jsonl")).digest
    assert open_dataset(mapped("d.jsonl", more="source: {title: Mine, licence: MIT}")).digest == base
    assert open_dataset(mapped("d.jsonl", labels="{tone.profanity: toxic}")).digest != base
    put("d.jsonl", [{"text": "a", "toxic": 0}])
    assert open_dataset(mapped("d.jsonl")).digest != base
    assert len(base) == 64


def test_stated_bytes_are_checked(put: Put, mapped: Put) -> None:
    """A mapping with a SHA-256 refuses other bytes before it reads them."""
    put("d.jsonl.gz", b"no gzip")
    with pytest.raises(ConfigurationError, match="SHA-256 is not the one"):
        open_dataset(mapped("d.jsonl.gz", more=f"sha256: {{d.jsonl.gz: {'a' * 64}}}"))


def test_a_data_file_finds_its_mapping(put: Put) -> None:
    """Beside it as NAME.mapping.yaml, or by a registered name; otherwise the remedy is told."""
    path = put("mine.csv", "text,toxic\na,1\n")
    with pytest.raises(ConfigurationError, match=r"write mine\.mapping\.yaml beside it"):
        open_dataset(path)
    put("mine.mapping.yaml", "mapping: 1\nname: other\ncontent: {body: text}\nlabels: {tone.toxic: toxic}\n")
    assert open_dataset(str(path)).name == "other"
    with pytest.raises(ConfigurationError, match="did you mean 'edos_sexism'"):
        open_dataset("edos_sexis")
    with pytest.raises(ConfigurationError, match="give the folder that holds"):
        open_dataset("edos_sexism")


def test_a_registered_set_refuses_other_bytes(put: Put, tmp_path: Path) -> None:
    """A registered name stands for certain bytes."""
    put("edos_sexism.jsonl.gz", [{"id": "1", "text": "t", "labels": {"sexism": 1}}])
    with pytest.raises(ConfigurationError, match="SHA-256 is not the one"):
        open_dataset("edos_sexism", folder=tmp_path)


def test_the_registry_is_complete() -> None:
    """Every registered set states licence, class, citation, origin, splits and the digest of its file."""
    assert len(registered()) >= 43
    for name, mapping in registered().items():
        told = mapping.source
        assert all((told.title, told.licence, told.citation, told.origin, told.splits)), name
        assert told.licence_class.partition("-")[0].partition("/")[0] in ("permissive", "share"), name
        assert list(mapping.sha256) == [mapping.files], name
        assert len(mapping.sha256[mapping.files]) == 64, name
