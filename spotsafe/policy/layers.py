"""Layers: baselines from the floor up, then the surface itself, and what each states."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from spotsafe.core.decision import Disposition, Mode
from spotsafe.core.labels import LABELS, matching, specificity
from spotsafe.core.signals import Cause
from spotsafe.policy.actions import ALLOW, HOLD, Action, strictest
from spotsafe.policy.document import Document, Path
from spotsafe.policy.model import BaselineModel, IfMissing, LayerModel, RuleModel, SurfaceModel
from spotsafe.policy.surface import ContextField

FLOOR = "baseline/floor"

REACH_CAUSES = (Cause.UNSUPPORTED, Cause.LANGUAGE, Cause.MODALITY, Cause.SIZE)
"""The causes that ``if_missing`` answers."""


class Layer(NamedTuple):
    """One layer: its *name* (``baseline/floor`` or the surface's), its model, and where it is written.
    *platform* marks layers that the platform owns: shipped, or from its own file."""

    name: str
    model: LayerModel
    document: Document
    path: Path
    platform: bool = False

    @property
    def mode(self) -> tuple[Mode, float]:
        """The mode of its rules and the canary's percentage."""
        return mode_of(self.model.mode)

    def rule_place(self, index: int) -> tuple[int, int]:
        """Line and column of its *index*-th rule."""
        return self.document.place(self.document.entry((*self.path, "rules"), index))


class Baseline(NamedTuple):
    """A baseline with all that is under it, floor first."""

    name: str
    layers: tuple[Layer, ...]
    audiences: tuple[str, ...]

    def allows_automatic(self, label: str) -> bool:
        """Whether a layer of the platform allows automatic blocks on *label* with a basis."""
        return any(
            label in matching(entry.label)
            for layer in self.layers
            if layer.platform and isinstance(layer.model, BaselineModel)
            for entry in layer.model.decisions
        )


def mode_of(stated: tuple[str, float] | None) -> tuple[Mode, float]:
    """Mode and percentage of a stated mode; ``enforce`` where nothing is stated."""
    return (Mode.ENFORCE, 100.0) if stated is None else (Mode(stated[0]), stated[1])


def failure_stated(model: LayerModel, label: str) -> Action | None:
    """What *model* says on a failure of *label*: its most specific pattern, else its default, else None."""
    stated: Mapping[str, Action] = model.on_failure or {}
    patterns = [key for key in stated if key != "default" and label in matching(key)]
    if patterns:
        return stated[max(patterns, key=specificity)]
    return stated.get("default")


def missing_stated(stated: IfMissing | None, cause: Cause) -> Action | None:
    """What an ``if_missing`` says for *cause*, else its default, else None."""
    if stated is None:
        return None
    own: Action | None = getattr(stated, cause.value)
    return stated.default if own is None else own


def default_missing(label: str) -> Action:
    """What a missing *label* does where nobody states it: hold from severity 3 on, else allow."""
    return HOLD if LABELS[label].severity >= 3 else ALLOW


def failure_action(layers: Sequence[Layer], label: str) -> Action:
    """The strictest of what *layers* state for failures of *label*; hold where none does."""
    return strictest(_given(failure_stated(layer.model, label) for layer in layers)) or HOLD


def reach_actions(layers: Sequence[Layer], owner: Layer, rule: RuleModel, label: str) -> dict[Cause, Action]:
    """For each cause of reach: what *rule* (of the layer *owner*) does where *label* is missing."""
    return {
        cause: strictest(
            _given(
                _own_or_rule(layer, owner, rule, lambda stated, cause=cause: missing_stated(stated, cause))  # type: ignore[misc]  # a default binds the loop's value
                for layer in layers
            )
        )
        or default_missing(label)
        for cause in REACH_CAUSES
    }


def _own_or_rule(
    layer: Layer, owner: Layer, rule: RuleModel, ask: Callable[[IfMissing | None], Action | None]
) -> Action | None:
    """What *layer* states; in the rule's own layer the rule goes before the layer's general word."""
    if layer is owner and (own := ask(rule.if_missing)) is not None:
        return own
    return ask(layer.model.if_missing)


def unknown_action(owner: Layer, rule: RuleModel, label: str, then: Action) -> Action:
    """What *rule* does where the score is there but its ``when`` cannot be told: its ``if_missing``
    default where stated; else hold from severity 3 on; else the rule's own action, at most a hold.
    The score is known to be too high, so doing nothing would be lax."""
    for stated in (rule.if_missing, owner.model.if_missing):
        if stated is not None and stated.default is not None:
            default: Action = stated.default
            return default
    if LABELS[label].severity >= 3:
        return HOLD
    return Action(min(then.disposition, Disposition.HOLD), then.effects)


def decided(then: Action, label: str, baseline: Baseline) -> Action:
    """*then* as a machine may decide it alone: an automatic block on a label that needs a person is a
    hold, unless the platform allows it with a basis."""
    if then.disposition is not Disposition.BLOCK or not LABELS[label].needs_human:
        return then
    return then if baseline.allows_automatic(label) else Action(Disposition.HOLD, then.effects)


def _given(actions: Iterable[Action | None]) -> list[Action]:
    return [entry for entry in actions if entry is not None]


def stated(layers: Sequence[Layer], field: str) -> list[object]:
    """What *layers* state for a scalar *field* (``cache.ttl``), baseline first."""
    found = []
    for layer in layers:
        value: object = layer.model
        for step in field.split("."):
            value = getattr(value, step, None)
        if value is not None:
            found.append(value)
    return found


def context_fields(surface: SurfaceModel) -> dict[str, ContextField]:
    """The context that *surface* declares, by field."""
    return {name: ContextField(field.type, field.record) for name, field in surface.context.items()}


def own_surface(layers: Sequence[Layer]) -> SurfaceModel | None:
    """The surface's own model, None where the layers are baselines alone."""
    last = layers[-1].model
    return last if isinstance(last, SurfaceModel) else None
