"""The registered data sets: ``registry.yaml``, one mapping per set over shared defaults.

The one place for what is known of a public set: licence, citation, origin, SHA-256, and what its labels mean.
The recipes of :mod:`spotsafe.learning` refer to it by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib import resources

from spotsafe.core.errors import ConfigurationError, Fault
from spotsafe.evaluation.datasets.mapping import MappingModel
from spotsafe.policy.document import Document, read_document
from spotsafe.policy.validation import validated
from spotsafe.policy.wording import nearest

FILE = "registry.yaml"


@lru_cache(maxsize=1)
def registered() -> Mapping[str, MappingModel]:
    """Every registered set by name."""
    return parse_registry(resources.files(__package__).joinpath(FILE).read_text("utf-8"), FILE)


def mapping_of(name: str) -> MappingModel:
    """The mapping of a registered set. Raises ConfigurationError with the nearest name."""
    found = registered().get(name)
    if found is None:
        hint = nearest(name, list(registered())) or "`spotsafe eval data card --help` says where they stand"
        raise ConfigurationError(f"no data set is registered as {name[:60]!r}; {hint}")
    return found


def parse_registry(text: str, place: str) -> Mapping[str, MappingModel]:
    """The sets in *text*. Raises ConfigurationError with every fault, each with line and remedy."""
    faults: list[Fault] = []
    document = read_document(place, text, faults)
    found = {} if document is None else _sets(document, faults)
    if faults or document is None:
        raise ConfigurationError("the registry cannot be used\n" + "\n".join(str(fault) for fault in faults))
    return found


def _sets(document: Document, faults: list[Fault]) -> dict[str, MappingModel]:
    data = document.data
    if data.get("registry") != 1 or not isinstance(data.get("sets"), dict):
        faults.append(document.fault((), "is no registry of data sets", "give `registry: 1` and `sets:`"))
        return {}
    found = {}
    for name, entry in data["sets"].items():
        if not isinstance(entry, dict):
            faults.append(document.fault(("sets", name), "must be a mapping", "write keys with values"))
            continue
        model = validated(MappingModel, _Laid(document, name, _whole(name, entry, data)), (), faults)
        if model is not None:
            found[name] = model
    return found


def _whole(name: str, entry: dict[str, object], data: dict[str, dict[str, object]]) -> dict[str, object]:
    """*entry* over the defaults, with its name, its file, and its digest under the file's name."""
    whole = {"files": f"{name}.jsonl.gz", **(data.get("defaults") or {}), **entry, "name": name}
    if isinstance(whole.get("sha256"), str):
        whole["sha256"] = {str(whole["files"]): whole["sha256"]}
    return whole


class _Laid(Document):
    """A set as a document of its own, whose faults stand where the registry has them."""

    __slots__ = ("_name", "_registry")

    def __init__(self, registry: Document, name: str, data: dict[str, object]) -> None:
        super().__init__(registry.file)
        self.data = data
        self._registry = registry
        self._name = name

    def place(self, path: tuple[str | int, ...], *, key: bool = False) -> tuple[int, int]:
        """As :meth:`Document.place`, inside the registry."""
        return self._registry.place(("sets", self._name, *path), key=key)
