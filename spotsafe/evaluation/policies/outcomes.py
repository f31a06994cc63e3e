"""What a policy does to each of many scored rows, without asking it about each of them.

A rule fires label by label, and what fires joins: so the verdict on a row is the join of what the policy
says of each of its labels alone. And that depends on the label's score through comparisons with thresholds
alone. So :func:`spotsafe.policy.evaluate.evaluate` is asked once per label, number of thresholds reached and
cause of a missing score, a few hundred times in all, and rows look the answers up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spotsafe.core.decision import Disposition, Effect, Status, Verdict
from spotsafe.core.errors import ConfigurationError
from spotsafe.core.labels import LABELS
from spotsafe.core.signals import Cause, Missing, Signal, Signals, Span
from spotsafe.evaluation.metrics.columns import Bools
from spotsafe.evaluation.policies.data import PolicyData
from spotsafe.evaluation.runs import layout
from spotsafe.policy.actions import Action
from spotsafe.policy.evaluate import evaluate
from spotsafe.policy.surface import SurfacePolicy

BLOCK = 65_536
"""Rows worked on at a time."""

PEOPLE = "people"
"""The word for what people must look at: held, or published and queued for review."""

_EFFECTS = tuple(Effect)
_GAP, _SCORED = 1 << len(_EFFECTS), 2 << len(_EFFECTS)
_NOT_CARRIED = -1


class Circumstances(NamedTuple):
    """What the rows do not say: the *context* that conditions read, the same for all rows (what it lacks is
    missing to them), Unix time *now*, for waivers, and the *part* of the surface that rows stand for (None:
    its first part of each of a row's kinds)."""

    context: Mapping[str, object] = {}
    now: float = 0.0
    part: str | None = None


class _Answers(NamedTuple):
    """What the policy says of one label, by cause of a missing score and, for each, by how many of *steps* a
    score reaches, last without one (see :func:`_levels`)."""

    label: str
    steps: tuple[float, ...]
    dispositions: NDArray[np.int8]
    bits: NDArray[np.uint16]
    verdicts: tuple[Verdict, ...]


class Outcomes:
    """What *policy* does to each row of *data*.

    *dispositions* [rows]: 0..3, -1 where the surface does not carry such content; *bits* [rows] its effects
    and what was checked. Verdicts are those of the policy enforced in full: what shadow or canary would hold
    back counts as done. *unscored* are labels that rules read and nobody scored; they count as not there, so
    that shares are lower limits.
    """

    __slots__ = ("_answers", "bits", "data", "dispositions", "policy", "unscored")

    def __init__(
        self, policy: SurfacePolicy, data: PolicyData, answers: Mapping[int, Sequence[_Answers]]
    ) -> None:
        self.policy, self.data, self._answers = policy, data, answers
        self.unscored = tuple(label for label in policy.labels if label not in data.scores)
        self.dispositions = np.full(len(data), _NOT_CARRIED, np.int8)
        self.bits = np.zeros(len(data), np.uint16)
        for block, kind, rows in self._blocks():
            found = self.dispositions[block][rows].clip(0), self.bits[block][rows]
            for answer in answers[kind]:
                level = _levels(data, answer, block)[rows]
                found = np.maximum(found[0], answer.dispositions[level]), found[1] | answer.bits[level]
            self.dispositions[block][rows], self.bits[block][rows] = found

    def _blocks(self) -> Iterator[tuple[slice, int, Bools]]:
        """Blocks of rows, and in each the rows of each kind that the surface carries."""
        for start in range(0, len(self.data), BLOCK):
            block = slice(start, min(start + BLOCK, len(self.data)))
            kinds = self.data.kinds
            if kinds is None:
                yield block, 0, np.ones(block.stop - start, np.bool_)
                continue
            codes = np.asarray(kinds.codes[block])
            yield from ((block, kind, codes == kind) for kind in self._answers if (codes == kind).any())

    @property
    def carried(self) -> Bools:
        """Rows of a kind that the surface carries."""
        return np.asarray(self.dispositions != _NOT_CARRIED)

    def where(self, word: str) -> Bools:
        """Rows with a disposition (``block`` …), an effect (``review`` …), or for :data:`PEOPLE` those that
        are held or reviewed."""
        if word == PEOPLE:
            return self.where("hold") | self.where("review")
        if word in Effect._value2member_map_:
            return np.asarray(self.bits & (1 << _EFFECTS.index(Effect(word))) != 0)
        return np.asarray(self.dispositions == Disposition[word.upper()])

    @property
    def marks(self) -> NDArray[np.int64]:
        """A number per row, equal for rows with equal disposition and effects."""
        return self.dispositions.astype(np.int64) << 8 | self.bits & (_GAP - 1)

    @property
    def untouched(self) -> Bools:
        """Rows that are published as they are: allowed, and no effect."""
        return np.asarray((self.dispositions == 0) & (self.bits & (_GAP - 1) == 0))

    @property
    def status(self) -> NDArray[np.int8]:
        """How well each row was checked (:class:`~spotsafe.core.decision.Status`)."""
        found = np.where(self.bits & _GAP != 0, Status.PARTIAL, Status.CHECKED)
        return np.where(self.bits & _SCORED == 0, Status.UNCHECKED, found).astype(np.int8)

    def action(self, row: int) -> Action:
        """Disposition and effects of one row that is carried."""
        effects = frozenset(e for bit, e in enumerate(_EFFECTS) if int(self.bits[row]) >> bit & 1)
        return Action(Disposition(int(self.dispositions[row])), effects)

    def rules(self, row: int) -> tuple[str, ...]:
        """The qualified names of the rules that did something to one row."""
        kind = 0 if self.data.kinds is None else int(self.data.kinds.codes[row])
        fired = []
        for answer in self._answers.get(kind, ()):
            level = int(_levels(self.data, answer, slice(row, row + 1))[0])
            fired += [reason.rule for reason in answer.verdicts[level].reasons]
        return tuple(dict.fromkeys(fired))

    def fired(self, rule: str) -> Bools:
        """Rows in which *rule* (its qualified name) fired on a score."""
        hit = np.zeros(len(self.data), np.bool_)
        for block, kind, rows in self._blocks():
            for answer in self._answers[kind]:
                fires = [(rule, "score") in {r[0:3:2] for r in v.reasons} for v in answer.verdicts]
                if any(fires):
                    hit[block] |= np.array(fires)[_levels(self.data, answer, block)] & rows
        return hit


def outcomes(policy: SurfacePolicy, data: PolicyData, circumstances: Circumstances | None = None) -> Outcomes:
    """What *policy* does to all rows of *data*.

    Each row is taken as one content of the surface. Stored scores carry no places, so a rule that redacts is
    taken to have found its place in text, and the second look at redacted text is not simulated.
    """
    given = circumstances or Circumstances()
    values = ("text",) if data.kinds is None else data.kinds.values
    answers = {
        kind: [_answers(policy, label, parts, given) for label in policy.labels if label in data.scores]
        for kind, value in enumerate(values)
        if (parts := _parts(policy, value, given.part))
    }
    return Outcomes(policy, data, answers)


_Part = tuple[str, str]
"""Name and kind of a part."""


def _parts(policy: SurfacePolicy, kinds: str, part: str | None) -> tuple[_Part, ...]:
    """The surface's parts that rows of *kinds* (``image+text``) stand for; empty where it carries none."""
    if part is not None and part not in policy.content:
        known = ", ".join(policy.content) or "none"
        raise ConfigurationError(f"{policy.name} has no part {part[:40]!r}; declared are: {known}")
    first = {} if part is None else {policy.content[part].kind: part}
    for name, spec in policy.content.items():
        first.setdefault(spec.kind, name)
    if not first:  # a baseline alone declares no parts: it judges any kind
        return tuple((kind, kind) for kind in kinds.split("+") if kind)
    return tuple((first[kind], kind) for kind in kinds.split("+") if kind in first)


def _answers(policy: SurfacePolicy, label: str, parts: Sequence[_Part], given: Circumstances) -> _Answers:
    """What the policy says of *label* alone, for all levels."""
    alone = policy.changed(
        checks=tuple(check for check in policy.checks if check.label == label),
        gates=tuple(gate for gate in policy.gates if gate[0] == label),
        labels=(label,),
    )
    steps = tuple(sorted({check.at for check in alone.checks if check.then is not None}))
    part, kind = next((part for part in parts if LABELS[label].applies_to(part[1])), parts[0])
    verdicts, bits = [], []
    for cause in layout.CAUSES:
        for value in (0.0, *steps, None):
            signals = _signals(label, part, value, cause, spans=kind == "text")
            verdicts.append(evaluate(alone, signals, given.context, given.now))
            aside = cause is Cause.MODALITY and (label, part) in policy.inapplicable
            gap = signals.missing and not aside and cause is not Cause.UNSUPPORTED
            bits.append((_SCORED if signals.scores else 0) | (_GAP if gap else 0))
    whole = tuple(verdict.would or verdict for verdict in verdicts)
    codes = [
        bit | sum(1 << _EFFECTS.index(effect) for effect in verdict.effects)
        for bit, verdict in zip(bits, whole, strict=True)
    ]
    return _Answers(
        label,
        steps,
        np.array([int(verdict.disposition) for verdict in whole], np.int8),
        np.array(codes, np.uint16),
        whole,
    )


def _signals(label: str, part: str, value: float | None, cause: Cause | None, *, spans: bool) -> Signals:
    """Signals of one label with a score, or missing, or both: a part of the row could not be read. What has
    neither is missing for an unknown reason, which is an error."""
    if value is None:
        return Signals((), [Missing(label, part, cause or Cause.ERROR)])
    evidence = (Span(0, 1),) if value and spans else ()
    signal = Signal(label, value, part, LABELS[label].severity, evidence=evidence)
    return Signals([signal], [] if cause is None else [Missing(label, part, cause)])


def _levels(data: PolicyData, answer: _Answers, block: slice) -> NDArray[np.intp]:
    """Where a row's answer stands: by its cause, then by how many thresholds its score reaches, last without
    a score. Thresholds are rounded as the scores were stored."""
    scores = np.asarray(data.scores[answer.label][block])
    level = np.searchsorted(np.asarray(answer.steps, scores.dtype), scores, side="right")
    level = np.where(np.isnan(scores), len(answer.steps) + 1, level)
    codes = data.causes.get(answer.label)
    if codes is not None:
        level = level + np.asarray(codes[block], np.intp) * (len(answer.steps) + 2)
    return level
