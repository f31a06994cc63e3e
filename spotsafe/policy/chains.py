"""Baselines and what they extend: shipped ones, the platform's, and those beside manifests."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files

from spotsafe.core.errors import Fault, ManifestError
from spotsafe.policy.document import Document, Path, read_document
from spotsafe.policy.layers import FLOOR, Baseline, Layer
from spotsafe.policy.model import BaselineModel
from spotsafe.policy.validation import validated
from spotsafe.policy.wording import nearest

SHIPPED = ("floor", "public-ugc", "private-messages", "collaborative", "ai-assistant", "minors")
"""The baselines that come with the package, in the order in which documents list them."""


def baseline_text(name: str) -> str:
    """The text of a shipped baseline (``floor``)."""
    return files("spotsafe.policy").joinpath("baselines", f"{name}.yaml").read_text("utf-8")


@lru_cache(maxsize=1)
def shipped_layers() -> tuple[Layer, ...]:
    """The shipped baselines as layers, read once. They are tested: a fault in one is a broken install."""
    faults: list[Fault] = []
    layers = []
    for name in SHIPPED:
        document = read_document(f"baseline/{name}", baseline_text(name), faults)
        if (
            document is not None
            and (layer := baseline_layer(document, (), faults, platform=True)) is not None
        ):
            layers.append(layer)
    if faults:
        raise ManifestError(faults)
    return tuple(layers)


def baseline_layer(document: Document, path: Path, faults: list[Fault], *, platform: bool) -> Layer | None:
    """The baseline written at *path* of *document* as a layer."""
    model = validated(BaselineModel, document, path, faults)
    if model is None:
        return None
    name = f"baseline/{model.baseline}"
    if not platform and model.decisions:
        faults.append(
            document.fault(
                (*path, "decisions"),
                "automatic blocks are the platform's to allow",
                "put the baseline into the platform's file, or leave 'decisions' out",
                key=True,
            )
        )
        model = model.model_copy(update={"decisions": []})
    return Layer(name, model, document, path, platform)


def resolve(layers: Mapping[str, Layer], faults: list[Fault]) -> dict[str, Baseline]:
    """Each baseline with what is under it. An unknown or circular ``extends`` is a fault, and the
    baseline then stands on the floor alone."""
    resolved = {}
    for name in layers:
        chain = _chain(name, layers, faults)
        audiences: list[str] = []
        for layer in chain:
            model = layer.model
            if isinstance(model, BaselineModel) and model.audiences:
                audiences = list(model.audiences)
        resolved[name] = Baseline(name, tuple(chain), tuple(audiences or ["public"]))
    return resolved


def _chain(name: str, layers: Mapping[str, Layer], faults: list[Fault]) -> list[Layer]:
    chain = [layers[name]]
    seen = [name]
    while chain[0].name != FLOOR:
        layer = chain[0]
        under = extended(layer)
        if under in seen:
            # Reported once, at the baseline whose own name closes the circle.
            if under == name:
                circle = " → ".join([*seen, under])
                faults.append(
                    _extends_fault(layer, f"baselines extend each other: {circle}", "break the circle")
                )
            under = FLOOR
        elif under not in layers:
            if layer.name == name:
                faults.append(_extends_fault(layer, "no such baseline", known_baselines(under, layers)))
            under = FLOOR
        seen.append(under)
        chain.insert(0, layers[under])
    return chain


def extended(layer: Layer) -> str:
    """The name of the baseline that a baseline extends: the floor where it names none."""
    model = layer.model
    return (model.extends if isinstance(model, BaselineModel) else None) or FLOOR


def known_baselines(word: str, layers: Mapping[str, object]) -> str:
    """A hint for an unknown baseline."""
    return nearest(word, list(layers)) or f"known are {', '.join(layers)}"


def _extends_fault(layer: Layer, message: str, hint: str) -> Fault:
    return layer.document.fault((*layer.path, "extends"), message, hint)
