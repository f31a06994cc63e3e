"""Scoring: any detector over any data set into a run's folder, in bounded memory, taken up again where an
earlier call was interrupted."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from spotsafe._version import __version__
from spotsafe.core.clock import SystemClock
from spotsafe.core.errors import ConfigurationError
from spotsafe.core.labels import expand
from spotsafe.core.seams import Clock, Detector, DetectRequest
from spotsafe.core.signals import Signals
from spotsafe.evaluation.datasets.rows import DataSet, Row
from spotsafe.evaluation.runs import layout
from spotsafe.evaluation.runs.asking import Asker
from spotsafe.evaluation.runs.joining import join
from spotsafe.evaluation.runs.run import ScoredRun, open_run
from spotsafe.evaluation.runs.shards import ShardWriter, ids_of, read_shard, shard_paths

BEGUN = "begun.json"
"""The description of a run that is not whole yet."""

SHARDS = "shards"

Progress = Callable[[int, int | None], None]
"""Told how many rows are done, of how many (None: unknown)."""


class Pace(NamedTuple):
    """How rows go through: *batch* of them in one call of the detector, *shard* in one file, *timeout*
    seconds per call."""

    batch: int = 32
    shard: int = 4096
    timeout: float | None = None


PACE = Pace()


def score(
    detector: Detector,
    dataset: DataSet,
    folder: Path,
    *,
    labels: Sequence[str] | None = None,
    limit: int | None = None,
    pace: Pace = PACE,
    progress: Progress | None = None,
    clock: Clock | None = None,
    pause: Callable[[float], None] = time.sleep,
) -> ScoredRun:
    """Scores of *detector* for *dataset*, as columns in *folder*.

    *labels* (patterns) default to those of the data set; *limit* takes its first rows. A folder with an
    interrupted run of the same detector and rows is taken up where it stopped, one with a whole run is
    opened as it is. Raises ConfigurationError: another run stands there, no label fits, no rows, or the
    detector is down (what was scored is kept).
    """
    clock = clock or SystemClock()
    meta = _described(detector, dataset, labels, limit)
    kept = _kept(folder, meta)
    if kept is not None and (folder / layout.META).exists():
        return open_run(folder)
    folder.mkdir(parents=True, exist_ok=True)
    meta = kept or meta._replace(created=clock.now())
    layout.write_meta(folder, meta, BEGUN)
    meta = _score_rest(meta, _Job(detector, dataset, folder, pace, progress or _silent), clock, pause)
    paths = list(shard_paths(folder / SHARDS))
    if not paths:
        raise ConfigurationError(f"{dataset.name} has no rows: nothing to score")
    layout.write_meta(folder, join(folder, paths, meta))
    shutil.rmtree(folder / SHARDS)
    (folder / BEGUN).unlink()
    return open_run(folder)


class _Job(NamedTuple):
    detector: Detector
    dataset: DataSet
    folder: Path
    pace: Pace
    progress: Progress


def _silent(done: int, total: int | None) -> None:
    """Nobody is watching."""


def _described(
    detector: Detector, dataset: DataSet, labels: Sequence[str] | None, limit: int | None
) -> layout.Meta:
    if limit is not None and limit < 1:
        raise ConfigurationError(f"a limit of {limit} leaves no rows: give 1 or more")
    wanted = expand(dataset.labels if labels is None else labels)
    if not wanted:
        named = ", ".join(dataset.labels if labels is None else labels) or "none"
        raise ConfigurationError(
            f"{dataset.name}: no label of the taxonomy is asked for (named: {named}); "
            "`spotsafe explain --labels` lists them"
        )
    capabilities = detector.capabilities()
    return layout.Meta(
        detector.id,
        (),
        dataset.name,
        dataset.digest,
        wanted,
        limit,
        sampled=dataset.sampled,
        product=__version__,
        source=_source(dataset),
        asked=detector.version,
        gives=None if capabilities is None else tuple(sorted(capabilities.labels)),
    )


def _source(dataset: DataSet) -> dict[str, object]:
    fields = dataset.source._asdict()
    return {key: list(value) if isinstance(value, tuple) else value for key, value in fields.items() if value}


def _kept(folder: Path, meta: layout.Meta) -> layout.Meta | None:
    """The description of what stands in *folder*. Raises ConfigurationError where that is another run."""
    found = layout.read_meta(folder) or layout.read_meta(folder, BEGUN)
    if found is None:
        if folder.exists() and any(folder.iterdir()):
            raise ConfigurationError(f"{folder} is not empty and holds no run: name another folder")
        return None
    different = [key for key, value in meta.identity.items() if found.identity[key] != value]
    known = {found.asked, *found.versions} - {""}
    if not different and meta.asked and known and meta.asked not in known:
        different = ["version"]
    if different:
        raise ConfigurationError(
            f"{folder} holds a run with another {' and '.join(different)}: name another folder, or delete it"
        )
    return found


def _score_rest(meta: layout.Meta, job: _Job, clock: Clock, pause: Callable[[float], None]) -> layout.Meta:
    """Ask for the rows that no shard holds yet."""
    shards = job.folder / SHARDS
    rows, done = _undone(job.dataset, list(shard_paths(shards)), meta.limit)
    total = job.dataset.size
    if total is not None and meta.limit is not None:
        total = min(total, meta.limit)
    asker = Asker(job.detector, timeout=job.pace.timeout, pause=pause)
    writer = ShardWriter(shards, meta.labels, size=job.pace.shard)
    # Rows at which nothing was answered are kept only when an answer follows: a detector that is down for
    # good leaves them unscored, to be asked for when the run is taken up again.
    waiting: list[tuple[Row, Signals]] = []
    capabilities = job.detector.capabilities()
    reads = () if capabilities is None else capabilities.context_fields
    job.progress(done, total)
    try:
        for batch in _batches(rows, job.pace.batch):
            began = clock.monotonic()
            found = asker.signals([_request(row, meta.labels, reads) for row in batch])
            meta = _noted(meta, job.detector.version, clock.monotonic() - began)
            waiting += zip(batch, found, strict=True)
            done += len(batch)
            job.progress(done, total)
            if not asker.in_a_row:
                for row, signals in waiting:
                    writer.add(row, signals)
                waiting.clear()
        for row, signals in waiting:
            writer.add(row, signals)
    finally:
        # What was scored is kept, also when the detector went down or a person interrupted.
        writer.flush()
        layout.write_meta(job.folder, meta, BEGUN)
    return meta


def _request(row: Row, labels: tuple[str, ...], reads: Sequence[str]) -> DetectRequest:
    """What is asked of one row; of its context only what the detector reads."""
    return DetectRequest(
        row.content, labels, {name: row.context[name] for name in reads if name in row.context}
    )


def _noted(meta: layout.Meta, version: str, seconds: float) -> layout.Meta:
    versions = meta.versions
    if version and version not in versions:
        versions = (*versions, version)
    return meta._replace(versions=versions, seconds=meta.seconds + seconds)


def _undone(dataset: DataSet, paths: Sequence[Path], limit: int | None) -> tuple[Iterator[Row], int]:
    """The rows after those in the shards, and how many those are. ConfigurationError where the data set
    does not begin with them."""
    rows = islice(iter(dataset), limit)
    done = 0
    for path in paths:
        known = ids_of(read_shard(path))
        if known != [row.id for row in islice(rows, len(known))]:
            raise ConfigurationError(
                f"{dataset.name} does not begin with the rows scored so far: score into a new folder"
            )
        done += len(known)
    return rows, done


def _batches(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    rows = iter(rows)
    while batch := list(islice(rows, size)):
        yield batch
