"""The examples of manifests: read here, run against scripted signals or a detector's."""

from __future__ import annotations

from spotsafe.policy.layers import Layer
from spotsafe.policy.model import ExampleModel, SurfaceModel
from spotsafe.policy.surface import Example


def examples_of(layer: Layer) -> tuple[Example, ...]:
    """The examples that the surface of *layer* states, numbered from 1."""
    if not isinstance(layer.model, SurfaceModel):
        return ()
    return tuple(_example(layer, index, model) for index, model in enumerate(layer.model.examples))


def _example(layer: Layer, index: int, model: ExampleModel) -> Example:
    path = layer.document.entry((*layer.path, "examples"), index)
    return Example(
        path[-1] + 1 if isinstance(path[-1], int) else index + 1,
        model.model_extra or {},
        model.expect.words,
        scores=model.scores,
        missing=model.missing,
        context=model.context,
        languages=tuple(model.languages),
        place=(layer.document.file, layer.document.place(path)[0]),
    )
