"""Estimate: what every metric gives: a value with its interval, or the reason why there is none."""

from __future__ import annotations

from typing import NamedTuple

CONFIDENCE = 0.95
"""The level of every interval, two-sided."""


class Estimate(NamedTuple):
    """A figure with its 95 % interval.

    *value*, *low* and *high* are None where the figure is *refused*: *refused* then says why, in a sentence
    with the remedy. *n* is how many rows the figure rests on, *positives* how many of them are positive (for
    labels sampled by score: the effective number, rounded down). *method* names the interval: ``wilson``,
    ``delong``, ``poisson bootstrap (200)`` …
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    positives: int
    method: str
    refused: str | None = None

    @property
    def ok(self) -> bool:
        """Whether there is a figure."""
        return self.value is not None

    def to_json(self) -> dict[str, object]:
        """The fields by name, for JSON; ``refused`` only where it says something."""
        fields = dict(self._asdict())
        if self.refused is None:
            del fields["refused"]
        return fields


def estimate_from_json(fields: dict[str, object]) -> Estimate:
    """What :meth:`Estimate.to_json` wrote. Raises ``TypeError`` for fields that are not an estimate's."""
    return Estimate(**fields)  # type: ignore[arg-type]  # checked by the constructor's names alone


def refusal(reason: str, *, n: int = 0, positives: int = 0) -> Estimate:
    """No figure, because of *reason*."""
    return Estimate(None, None, None, n, positives, "none", reason)
