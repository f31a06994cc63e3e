"""Is a data set fit to measure on: ids, rows that stand twice, leakage between splits and sets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from spotsafe.evaluation.datasets.leakage import NEAR, Pair, duplicates, leaks, refuse, split_leaks
from spotsafe.evaluation.datasets.rows import DataSet
from spotsafe.evaluation.datasets.sketches import sketched

_CONTRARY = 0.5


class Findings(NamedTuple):
    """What a check found. Rows are named by id, never shown.

    *repeated_ids*: ids that several rows bear. *duplicates*: each row that stands earlier too.
    *contrary*: those of them whose annotations for one label differ by a half or more. *split_leaks*: rows of
    different splits that are alike or of one group. *leaks*: other set → its rows that stand here too.
    """

    name: str
    rows: int
    repeated_ids: tuple[str, ...]
    duplicates: tuple[Pair, ...]
    contrary: tuple[Pair, ...]
    split_leaks: tuple[Pair, ...]
    leaks: Mapping[str, tuple[Pair, ...]]

    @property
    def fit(self) -> bool:
        """Whether it can be measured on as it is: ids tell rows apart and nothing leaks. Duplicates within a
        split are told, but make an interval too narrow rather than a figure wrong."""
        return not (self.repeated_ids or self.split_leaks or any(self.leaks.values()))

    def as_json(self) -> dict[str, Any]:
        """The same as plain data."""
        listed = ("duplicates", "contrary", "split_leaks")
        return {
            "name": self.name,
            "rows": self.rows,
            "fit": self.fit,
            "repeated_ids": list(self.repeated_ids),
            **{name: [pair._asdict() for pair in getattr(self, name)] for name in listed},
            "leaks": {name: [pair._asdict() for pair in pairs] for name, pairs in self.leaks.items()},
        }


def check(
    dataset: DataSet,
    against: Sequence[DataSet] = (),
    *,
    near: float = NEAR,
    progress: Callable[[int], None] | None = None,
) -> Findings:
    """What is wrong with *dataset*, and which of its rows stand in a set of *against* (what a model is
    trained on). Reads every set once, and *dataset* again where rows stand twice; 256 bytes a row are held.
    """
    own = sketched(dataset, dataset.name, progress=progress)
    twice = duplicates(own, near=near)
    found = {}
    for other in against:
        found[other.name] = tuple(leaks(sketched(other, other.name, progress=progress), own, near=near))
    return Findings(
        dataset.name,
        len(own.ids),
        tuple(sorted(name for name, count in Counter(own.ids).items() if count > 1)),
        tuple(twice),
        tuple(_contrary(dataset, twice)),
        tuple(split_leaks(own, near=near)),
        found,
    )


def refuse_leaks(train: Sequence[DataSet], test: DataSet, *, near: float = NEAR) -> None:
    """Raise :class:`~spotsafe.evaluation.datasets.leakage.LeakageError` with the rows of *test* that stand,
    alike, in a set of *train*."""
    own = sketched(test, test.name)
    pairs = [pair for one in train for pair in leaks(sketched(one, one.name), own, near=near)]
    refuse(pairs, f"{test.name} against {', '.join(one.name for one in train)}")


def _contrary(dataset: DataSet, pairs: Sequence[Pair]) -> list[Pair]:
    wanted = {name for pair in pairs for name in (pair.first, pair.second)}
    labels = {row.id: row.labels for row in dataset if row.id in wanted} if wanted else {}
    return [
        pair
        for pair in pairs
        if any(
            abs(share - labels[pair.second][code]) >= _CONTRARY
            for code, share in labels[pair.first].items()
            if code in labels[pair.second]
        )
    ]
