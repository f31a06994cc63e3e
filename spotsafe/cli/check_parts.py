"""What ``spotsafe check`` decides on at once: a text, a file, or parts of one content; and its context."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from spotsafe.cli.subjects import Subject, part_subject
from spotsafe.core.content import Content
from spotsafe.core.errors import ConfigurationError
from spotsafe.policy.wording import nearest, shown

if TYPE_CHECKING:
    from spotsafe.policy.surface import SurfacePolicy

_ENTRY = re.compile(r"\[\d+\]$")
"""What a list's entries have after the name that the manifest declares."""

_TRUTH = {"true": True, "false": False}


class Item(NamedTuple):
    """One content: its *subjects*, each under the name of its part; several where it is *joint*."""

    subjects: tuple[Subject, ...]
    is_joint: bool = False

    @property
    def title(self) -> str:
        """What people call it."""
        return ", ".join(s.part for s in self.subjects) if self.is_joint else self.subjects[0].title

    @property
    def texts(self) -> dict[str, str]:
        """The texts in it, by their parts' names."""
        return {s.part: s.text for s in self.subjects if s.text is not None}

    @property
    def text(self) -> str:
        """The only text, or none."""
        return next(iter(self.texts.values()), "")

    def content(self, languages: Sequence[str]) -> Content:
        """It as what a client checks, said to be in *languages*."""
        return Content([subject.as_part() for subject in self.subjects], languages)


def joint(words: Sequence[str], policy: SurfacePolicy) -> Item:
    """The content that *words*, each ``NAME=VALUE``, make on the surface of *policy*: of a declared part the
    kind that the manifest states; without a manifest names of files are files, and other words texts. Raises
    ConfigurationError that says what to write."""
    found: dict[str, Subject] = {}
    for word in words:
        name, value = _pair(word, "--part", "title='some words', cover=cover.png")
        spec = policy.content.get(_ENTRY.sub("", name))
        if policy.content and spec is None:
            close = nearest(name, tuple(policy.content))
            raise ConfigurationError(
                f"--part: {policy.name} declares no part {shown(name)}; "
                f"{f'{close}; ' if close else ''}declared are: {', '.join(policy.content)}"
            )
        if name in found:
            raise ConfigurationError(
                f"--part: {shown(name)} is given twice; give each part once, and the entries of a list as "
                f"{name}[0]=…, {name}[1]=…"
            )
        found[name] = part_subject(name, value, None if spec is None else spec.kind)
    return Item(tuple(found.values()), is_joint=True)


def context_of(words: Sequence[str], policy: SurfacePolicy) -> dict[str, object]:
    """The context that *words*, each ``NAME=VALUE``, give on the surface of *policy*, typed as its manifest
    declares. Raises ConfigurationError that says what to write."""
    found: dict[str, object] = {}
    for word in words:
        name, value = _pair(word, "--context", "author_age_days=2")
        field = policy.context.get(name)
        if field is None:
            close = nearest(name, tuple(policy.context))
            known = ", ".join(f"{key} ({field.type})" for key, field in policy.context.items())
            raise ConfigurationError(
                f"--context: {policy.name} declares no context {shown(name)}; "
                + (f"{close}; " if close else "")
                + (f"declared are: {known}" if known else "add it under 'context' in the manifest")
            )
        found[name] = _typed(name, value, field.type)
    return found


def _pair(word: str, option: str, example: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not equals or not name.strip():
        raise ConfigurationError(f"{option} takes NAME=VALUE, e.g. {example}")
    return name.strip(), value


def _typed(name: str, value: str, kind: str) -> object:
    try:
        if kind == "int":
            return int(value)
        if kind == "double":
            return float(value)
        if kind == "bool":
            return _TRUTH[value.strip().lower()]
    except (ValueError, KeyError):
        wanted = {"int": "a whole number", "double": "a number", "bool": "true or false"}[kind]
        raise ConfigurationError(f"--context {name}: the manifest declares {kind}; give {wanted}") from None
    if kind == "strings":
        return [entry.strip() for entry in value.split(",") if entry.strip()]
    return value
