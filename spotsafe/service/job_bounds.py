"""What of a job is read, and what its content takes: decided from its order alone."""

from __future__ import annotations

import json
from collections.abc import Sequence

from spotsafe.core.jobs import JobOrder
from spotsafe.core.signals import Cause, Missing
from spotsafe.service.limits import Limits


def wanted(order: JobOrder, limits: Limits) -> tuple[int, ...]:
    """Positions of the media that are sent, kept and read: each within the bound of its kind, and all of them
    together within ``job_memory``, in the order of the parts. The others are never asked for."""
    most = {
        "image": limits.job_image_bytes, "audio": limits.job_audio_bytes, "video": limits.job_video_bytes,
    }  # fmt: skip
    found, left = [], limits.job_memory
    for position in order.media:
        part = order.parts[position]
        if part.size <= min(most.get(part.kind, 0), left):
            left -= part.size
            found.append(position)
    return tuple(found)


def unwanted(order: JobOrder, limits: Limits) -> tuple[int, ...]:
    """Positions of the media that are too large to be read."""
    taken = wanted(order, limits)
    return tuple(position for position in order.media if position not in taken)


def too_large(order: JobOrder, positions: Sequence[int]) -> list[Missing]:
    """What nobody can say of the parts at *positions*: any label, cause ``size``."""
    return [
        Missing(label, order.parts[position].name, Cause.SIZE)
        for position in positions
        for label in order.labels
    ]


def kept(body: object) -> bytes:
    """An order as it is written to the spool: its JSON *body*, texts and context included."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def room(order: JobOrder, written: bytes, limits: Limits) -> int:
    """Bytes that a job takes in the spool: the order as *written*, and the media that will be sent."""
    return len(written) + sum(order.parts[position].size for position in wanted(order, limits))
