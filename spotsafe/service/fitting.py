"""What of a request the detector is given: no text that is too long, no context that it does not read."""

from __future__ import annotations

from spotsafe.core.content import Content
from spotsafe.core.seams import Capabilities, DetectRequest
from spotsafe.core.signals import Cause, Missing, Signals


def fitted(
    wanted: DetectRequest, capabilities: Capabilities | None, most: int
) -> tuple[DetectRequest, list[Missing]]:
    """*wanted* without texts over *most* code points and without context that the detector does not
    read, and what is missing for that."""
    content = wanted.content
    too_long = [part for part in content if part.kind == "text" and len(part.data) > most]
    oversized = [Missing(label, part.name, Cause.SIZE) for part in too_long for label in wanted.labels]
    read = capabilities.context_fields if capabilities is not None else tuple(wanted.context)
    context = {name: value for name, value in wanted.context.items() if name in read}
    if too_long:
        kept = [part for part in content if not (part.kind == "text" and len(part.data) > most)]
        content = Content(kept, content.languages)
    return DetectRequest(content, wanted.labels, context), oversized


def with_missing(signals: Signals, oversized: list[Missing]) -> Signals:
    """*signals* with the labels of parts that were too large for the detector."""
    if not oversized:
        return signals
    return Signals(signals.scores, (*signals.missing, *oversized), signals.engine)
