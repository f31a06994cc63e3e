"""Opening a data set: by a registered name, a mapping file, or a data file with its mapping."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from spotsafe.core.errors import ConfigurationError
from spotsafe.core.labels import LABELS
from spotsafe.evaluation.datasets.columns import CellFault
from spotsafe.evaluation.datasets.mapping import MappingModel, read_mapping
from spotsafe.evaluation.datasets.reading import RowReader
from spotsafe.evaluation.datasets.records import Survey, digest, format_of, keys_of, records, survey
from spotsafe.evaluation.datasets.registry import mapping_of, registered
from spotsafe.evaluation.datasets.rows import DataSet, Row, Source
from spotsafe.policy.wording import nearest

_MAPPING_SUFFIXES = (".yaml", ".yml")


class DataFile(NamedTuple):
    """One data file, the split that it is, its SHA-256 (hex), and what a first look told."""

    path: Path
    split: str | None
    sha256: str
    survey: Survey


class MappedSet(DataSet):
    """A data set in files, with the mapping that they are read by."""

    mapping: MappingModel
    files: tuple[DataFile, ...]


def open_dataset(
    spec: str | Path, *, mapping: Path | None = None, split: str | None = None, folder: Path | None = None
) -> MappedSet:
    """The data set that *spec* names: a registered name (its file stands in *folder*), a mapping file, or a
    data file whose mapping is *mapping* or stands beside it as ``NAME.mapping.yaml``.

    *split* keeps the rows of that split. Reads each file once for its digest; rows are read when iterated.
    Raises ConfigurationError naming file, line and remedy.
    """
    model, paths = _resolved(spec, mapping, folder)
    listed = [_looked_at(path, part, model) for part, path in paths]
    _refuse_unmet_columns(model, listed)
    keyed = {file.split for file in listed if file.split is not None}
    if split is not None and model.split is None and split not in keyed:
        known = ", ".join(sorted(keyed)) or "none"
        raise ConfigurationError(f"{model.name}: has no split {split!r}; known are: {known}")
    if model.split is None and split is not None:
        listed = [file for file in listed if file.split == split]
    whole = model.split is None or split is None
    found = MappedSet(
        model.name,
        lambda: _rows(model, listed, split),
        [code for code in LABELS if code in model.labels or code in model.spans],
        source=_source(model, listed),
        sampled=model.sampled,
        digest=_digest(model, listed, split),
        size=_size(listed) if whole and not model.skip_empty else None,
    )
    found.mapping, found.files = model, tuple(listed)
    return found


def _resolved(
    spec: str | Path, mapping: Path | None, folder: Path | None
) -> tuple[MappingModel, list[tuple[str | None, Path]]]:
    path = Path(spec)
    if mapping is not None:
        return (model := read_mapping(mapping)), _given(path, model)
    if isinstance(spec, str) and spec in registered():
        return (model := mapping_of(spec)), _named(model, _folder_for(spec, folder))
    if path.suffix in _MAPPING_SUFFIXES:
        return (model := read_mapping(path)), _named(model, folder or path.parent, place=str(path))
    if not path.exists():
        hint = nearest(str(spec), list(registered())) or "give a registered name, a mapping or a data file"
        raise ConfigurationError(f"{path}: there is no such file or registered data set; {hint}")
    stem = path.name.partition(".")[0]
    beside = path.with_name(f"{stem}.mapping.yaml")
    if beside.exists():
        return (model := read_mapping(beside)), _given(path, model)
    if stem in registered():
        return mapping_of(stem), [(None, path)]
    raise ConfigurationError(
        f"{path}: nothing says what its columns mean; write {beside.name} beside it (docs/evaluation-data.md "
        f"has examples) or give a mapping"
    )


def _folder_for(name: str, folder: Path | None) -> Path:
    if folder is None:
        raise ConfigurationError(
            f"{name}: is registered, but its data are not part of the package; give the folder that holds "
            f"{mapping_of(name).files} (published at {mapping_of(name).source.origin})"
        )
    return folder


def _given(path: Path, model: MappingModel) -> list[tuple[str | None, Path]]:
    """*path* alone, as the split under which the mapping lists it, if it does."""
    if path.is_dir():
        return _named(model, path)
    keyed = model.files if isinstance(model.files, dict) else {}
    return [(next((split for split, name in keyed.items() if name == path.name), None), path)]


def _named(model: MappingModel, folder: Path, *, place: str = "") -> list[tuple[str | None, Path]]:
    """The files that the mapping lists, in *folder*."""
    files = model.files
    if files is None:
        raise ConfigurationError(f"{place or model.name}: lists no `files`; add them, or give the data file")
    keyed: list[tuple[str | None, str]]
    if isinstance(files, dict):
        keyed = list(files.items())
    else:
        keyed = [(None, name) for name in (files if isinstance(files, list) else [files])]
    return [(split, folder / name) for split, name in keyed]


def _looked_at(path: Path, split: str | None, model: MappingModel) -> DataFile:
    sha256 = digest(path)
    if model.sha256.get(path.name, sha256) != sha256:
        raise ConfigurationError(
            f"{path}: its SHA-256 is not the one that the mapping states; fetch {model.name} again"
        )
    found = survey(path, stated=model.format, delimiter=model.delimiter)
    if found.columns is not None:
        _refuse_absent_columns(model, path, found.columns)
    return DataFile(path, split, sha256, found)


def _refuse_absent_columns(model: MappingModel, path: Path, known: tuple[str, ...]) -> None:
    """A file that names its columns has all that the mapping reads: a misspelt label would otherwise look
    like one that nobody annotated."""
    for column in _columns(model):
        if column not in known and column.partition(".")[0] not in known:
            hint = nearest(column, known) or f"it has: {', '.join(known[:20])}"
            raise ConfigurationError(f"{path}: has no column {column!r}; {hint}")


def _refuse_unmet_columns(model: MappingModel, files: list[DataFile]) -> None:
    """Records of JSON may lack a key each, but one that no record of any file has is misspelt."""
    named = [file for file in files if format_of(file.path, model.format) == "jsonl"]
    if not named or len(named) < len(files):
        return
    left, known = set(_columns(model)), set[str]()
    for file in named:
        tops = {column.partition(".")[0] for column in left}
        known |= keys_of(file.path, tops, stated=model.format)
        left = {column for column in left if column not in known and column.partition(".")[0] not in known}
        if not left:
            return
    if known:
        column = min(left)
        hint = nearest(column, sorted(known)) or f"there are: {', '.join(sorted(known)[:20])}"
        where = named[0].path if len(named) == 1 else model.name
        raise ConfigurationError(f"{where}: no record has a column {column!r}; {hint}")


def _columns(model: MappingModel) -> list[str]:
    """The first key of every column that the mapping reads."""
    wanted = [model.id, model.inclusion, model.stratum, *model.group]
    wanted += [rule.column for rule in model.content.values()]
    wanted += [rule.column for rule in model.spans.values()]
    wanted += [rule.column for rules in model.labels.values() for rule in rules]
    single = [rule for rule in (model.language, model.split) if rule is not None]
    wanted += [rule.column for rule in (*model.slices.values(), *single)]
    wanted += [column for columns in model.context.values() for column in columns]
    return list(dict.fromkeys(column[0] for column in wanted if column))


def _rows(model: MappingModel, files: list[DataFile], split: str | None) -> Iterator[Row]:
    seen: set[str] = set()
    found = False
    for file in files:
        reader = RowReader(model, file.path, file.split)
        for place, record in records(file.path, stated=model.format, delimiter=model.delimiter):
            try:
                row = reader.row(place, record)
            except CellFault as fault:
                unit = "row " if format_of(file.path, model.format) == "parquet" else ""
                raise ConfigurationError(f"{file.path}:{unit}{place}: {fault}") from None
            if row is None:
                continue
            if split is not None and row.split != split:
                if len(seen) < 20:
                    seen.add(row.split or "none")
                continue
            found = True
            yield row
    if split is not None and not found:
        raise ConfigurationError(
            f"{model.name}: no row is of split {split!r}; splits seen: {', '.join(sorted(seen)) or 'none'}"
        )


def _size(files: list[DataFile]) -> int | None:
    counts = [file.survey.rows for file in files]
    return None if None in counts else sum(count for count in counts if count is not None)


def _source(model: MappingModel, files: list[DataFile]) -> Source:
    told = model.source
    splits = told.splits or [file.split for file in files if file.split is not None]
    return Source(
        model.name,
        told.title,
        told.licence,
        told.licence_class,
        told.citation,
        told.origin,
        told.revision,
        {file.path.name: file.sha256 for file in files},
        tuple(splits),
        tuple(told.cautions),
    )


def _digest(model: MappingModel, files: list[DataFile], split: str | None) -> str:
    """SHA-256 over what the rows depend on: the mapping without its prose, the files, the split. Media files
    that rows name are not in it."""
    told = model.model_dump(mode="json", exclude={"source", "sha256", "files"})
    data = [[file.path.name, file.split, file.sha256] for file in files]
    text = json.dumps([told, data, split], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
