"""From keyword arguments of ``client.check`` to Content."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from spotsafe.client.media import is_media, read_media
from spotsafe.core.content import PART_TYPES, Content, LoneText, Part, Text
from spotsafe.core.errors import ConfigurationError
from spotsafe.policy.surface import PartSpec, SurfacePolicy


def gather(policy: SurfacePolicy, values: Mapping[str, object]) -> Content:
    """The content that *values* make on this surface, parts in the order of the arguments.

    ``str`` becomes text, ``bytes``, paths, files and uploads the kind that the manifest states, a part stays
    one (under the argument's name), a list or tuple becomes numbered parts, None an absent part. Raises
    ConfigurationError that names the argument, never its value.
    """
    if len(values) == 1:
        ((name, value),) = values.items()
        spec = policy.content.get(name)
        if type(value) is str and (spec.kind == "text" if spec is not None else not policy.content):
            return LoneText(value, name, policy.languages)
    parts: list[Part] = []
    for name, value in values.items():
        spec = policy.content.get(name)
        if policy.content and spec is None:
            known = ", ".join(policy.content)
            raise ConfigurationError(f"{policy.name}: no content {name!r} is declared; declared are: {known}")
        if value is None:
            if spec is not None and not spec.optional:
                raise ConfigurationError(
                    f"{policy.name}: content {name!r} is None; pass it, or make it optional in the manifest"
                )
            continue
        parts.extend(_parts(policy.name, name, value, spec))
    if not parts:
        missing = ", ".join(policy.content) or "any name"
        raise ConfigurationError(f"{policy.name}: nothing to check; pass content by keyword ({missing})")
    return Content(parts, policy.languages)


def _parts(surface: str, name: str, value: object, spec: PartSpec | None) -> Iterator[Part]:
    if isinstance(value, list | tuple):
        for index, entry in enumerate(value):
            yield from _parts(surface, f"{name}[{index}]", entry, spec)
        return
    part = _part(surface, name, value, spec)
    if spec is not None and part.kind != spec.kind:
        raise ConfigurationError(
            f"{surface}: content {name!r} is {part.kind}, the manifest declares {spec.kind}; change either"
        )
    yield part


def _part(surface: str, name: str, value: object, spec: PartSpec | None) -> Part:
    if isinstance(value, str):
        return Text(value, name)
    if isinstance(value, Part):
        wanted = str if value.kind == "text" else bytes
        if not isinstance(value.data, wanted):
            raise ConfigurationError(
                f"{surface}: the data of {type(value).__name__} {name!r} must be {wanted.__name__}"
            )
        return type(value)(value.data, name, mime=value.mime, provenance=value.provenance)
    if is_media(value):
        if spec is None or spec.kind == "text":
            raise ConfigurationError(
                f"{surface}: content {name!r} is {type(value).__name__}; wrap its bytes in Image(…), "
                "Audio(…), Video(…), or decode it"
            )
        data, mime = read_media(value, f"{surface}: content {name!r}")
        return PART_TYPES[spec.kind](data, name, mime=mime)
    raise ConfigurationError(
        f"{surface}: content {name!r} is {type(value).__name__}; pass str, bytes, a file, a part, or a "
        "list of these"
    )


def require_nouns(policy: object, content: object) -> None:
    """ConfigurationError where a name or a bare text was passed for a policy or a content."""
    if isinstance(policy, str):
        raise ConfigurationError(
            f"check_content takes a policy, not a name: pass client.policy({policy!r}), or use client.check"
        )
    if not isinstance(content, Content):
        raise ConfigurationError(
            f"check_content takes a spotsafe Content, not a {type(content).__name__}: "
            "use client.check(surface, body=…), or Content([Text(…)])"
        )
