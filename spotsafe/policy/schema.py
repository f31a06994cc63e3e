"""JSON Schema of manifests, for editors: completion, descriptions, and marks while typing."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from spotsafe.policy.model import BaselineModel, ManifestModel, PlatformModel

KINDS: dict[str, type[BaseModel]] = {
    "manifest": ManifestModel,
    "baseline": BaselineModel,
    "platform": PlatformModel,
}
"""What a file can be, and the model it is read with."""


def schema(kind: str = "manifest") -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of one kind of file. It knows single values; what needs several
    fields, such as a rule's parts, is checked by ``spotsafe lint``."""
    generated = KINDS[kind].model_json_schema()
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"https://spotsafe.dev/schema/{kind}-1.json",
        "title": f"spotsafe {kind}",
    }
    return {**head, **{key: value for key, value in generated.items() if key not in head}}
