"""Long lists: more parts than one request may carry are checked as fewer, longer ones.

A person can send a hundred tags. Texts of the same field are joined, a line each, into as many parts as
there is room for; what redaction masks in such a part finds its way back to the item.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from spotsafe.core.content import Content, Part, Text
from spotsafe.core.decision import Edit
from spotsafe.core.errors import ConfigurationError
from spotsafe.core.signals import Span
from spotsafe.surface.masking import masked, spans_of

SEPARATOR = "\n"


class FoldedContent(Content):
    """Content whose parts stand for several. *members* gives, for each joined part, what it stands for."""

    __slots__ = ("members",)

    def __init__(
        self, parts: Sequence[Part], languages: Sequence[str], members: Mapping[str, Sequence[Part]]
    ) -> None:
        super().__init__(parts, languages)
        self.members = members

    def redacted(self, edits: Sequence[Edit]) -> dict[str, Part]:
        """The members that *edits* touch, masked, by name; and nothing of parts that were not joined."""
        changed: dict[str, Part] = {}
        for name, members in self.members.items():
            spans = list(spans_of(edits, name))
            offset = 0
            for member in members:
                text = str(member.data)
                shifted = [Span(start - offset, end - offset) for start, end in spans]
                if (new := masked(text, shifted)) != text:
                    changed[member.name] = member.replaced(new)
                offset += len(text) + len(SEPARATOR)
        return changed


def folded(parts: Sequence[Part], languages: Sequence[str], most: int) -> Content:
    """*parts* as a content of at most *most* parts where texts of one field can be joined for that.

    ConfigurationError where there are more differently named fields than that.
    """
    fields: dict[str, list[Part]] = {}
    for part in parts:
        # Media cannot be joined, nor texts that differ in who wrote them.
        alone = not isinstance(part, Text) or "[" not in part.name
        key = part.name if alone else f"{part.name.partition('[')[0]}\n{part.provenance}"
        fields.setdefault(key, []).append(part)
    if len(fields) > most:
        raise ConfigurationError(
            f"one call carries {len(fields)} differently named parts; at most {most} can be checked together"
        )
    room = most
    out: list[Part] = []
    members: dict[str, Sequence[Part]] = {}
    for place, group in enumerate(sorted(fields.values(), key=len)):
        share = room // (len(fields) - place)
        for joined in _joined(group, max(1, share)):
            out.append(joined[0])
            if len(joined[1]) > 1:
                members[joined[0].name] = joined[1]
            room -= 1
    return FoldedContent(out, languages, members)


def _joined(group: Sequence[Part], most: int) -> Iterable[tuple[Part, Sequence[Part]]]:
    """*group* as at most *most* parts, each with what it stands for."""
    each = -(-len(group) // most)
    for start in range(0, len(group), each):
        some = group[start : start + each]
        first = some[0]
        if len(some) == 1:
            yield first, some
            continue
        text = SEPARATOR.join(str(part.data) for part in some)
        name = f"{first.name.partition('[')[0]}[{start}-{start + len(some) - 1}]"
        yield Text(text, name, provenance=first.provenance), some
