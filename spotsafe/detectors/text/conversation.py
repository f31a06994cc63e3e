"""Earlier messages of a conversation, as far as they change what a message means.

An order can be split over two messages, and a line that is harmless alone can be the fourth blow. The engine
reads the message once more behind the end of the thread; what counts is what the message *adds*: the score of
thread and message together less the score of the thread alone. So nobody is charged with what others wrote
before, and a thread never lowers a score.
"""

from __future__ import annotations

from collections.abc import Mapping

FIELD = "thread"
"""The context field: a list of strings, the oldest first, without the message itself. It is user content and
must never be declared with ``record: true``."""

LABELS = ("ai.prompt_attack", "harass.bullying", "harass.targeted")
"""Labels that a thread informs."""

MOST_MESSAGES = 6
MOST_CHARACTERS = 280
"""Code points of the thread that are read, from its end: with a short message it fits one window."""


def earlier(context: Mapping[str, object]) -> str:
    """The end of the thread in *context*, one message per line; empty where there is none or it is no list of
    strings."""
    thread = context.get(FIELD)
    if isinstance(thread, str) or not isinstance(thread, (list, tuple)):
        return ""
    messages = [message for message in thread[-MOST_MESSAGES:] if isinstance(message, str)]
    text = "\n".join(message[-MOST_CHARACTERS:] for message in messages)
    if len(text) <= MOST_CHARACTERS:
        return text
    cut = text[-MOST_CHARACTERS:]
    return cut[cut.find(" ") + 1 :]


def informed(alone: float, together: float, before: float) -> float:
    """The score of a message in its conversation from its score *alone*, that of thread and message
    *together* and that of the thread *before* it; all in [0, 1]."""
    return max(alone, together - before)
