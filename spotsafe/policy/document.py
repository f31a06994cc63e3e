"""YAML text → plain data and where each value stands, on PyYAML's composer.

Stricter than YAML: booleans are ``true`` and ``false`` only (so ``no`` stays a language), no anchors,
aliases, merge keys or tags, no key twice, one document, at most 1 MiB and 20 levels. Errors name places
and keys, never values.
"""

from __future__ import annotations

import re
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from spotsafe.core.errors import Fault
from spotsafe.policy.wording import shown

MAX_BYTES = 1 << 20
MAX_DEPTH = 20

Path = tuple[str | int, ...]
"""Where a value stands: keys and 0-based indexes from the top."""

_NULL, _BOOL, _INT, _FLOAT, _STR = (f"tag:yaml.org,2002:{t}" for t in ("null", "bool", "int", "float", "str"))

ALIAS = "aliases are not allowed"
TOO_DEEP = f"nested deeper than {MAX_DEPTH} levels"
STOOD_IN = (ALIAS, TOO_DEEP)
"""Faults at whose place nothing stands in for the value: what it lacks is no fault of its own."""

ABANDONED = 4 * MAX_DEPTH
"""Levels from which the rest of a document is not read: PyYAML's scanner takes quadratic time on them."""


class _Refused(Exception):
    """The rest of this document is not read; the fault is already noted."""


class _Composer(yaml.SafeLoader):
    """SafeLoader's composer with its own scalars, and with what manifests do not need refused."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own hook

    def __init__(self, text: str, file: str, faults: list[Fault]) -> None:
        super().__init__(text)
        self.file = file
        self.faults = faults
        self.depth = 0

    def fault(self, mark: Any, message: str, hint: str) -> None:
        self.faults.append(Fault(self.file, mark.line + 1, mark.column + 1, message, hint))

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]  # PyYAML's stubs stop here
        mark: Any = event.start_mark
        if isinstance(event, yaml.AliasEvent):
            self.get_event()  # type: ignore[no-untyped-call]  # as above
            self.fault(mark, ALIAS, "write the value out where it is used")
            return ScalarNode(_NULL, "", mark, mark)
        if event.anchor is not None:
            self.fault(mark, "anchors are not allowed", "remove the &name and write values out")
            event.anchor = None
        if event.tag is not None:
            self.fault(mark, "tags are not allowed", "remove the !tag; quote the value to make it a string")
            event.tag = None
        if self.depth >= MAX_DEPTH:
            self.fault(mark, TOO_DEEP, "flatten the document")
            self.skip()
            return ScalarNode(_NULL, "", mark, mark)
        self.depth += 1
        try:
            node: Node | None = super().compose_node(parent, index)
        finally:
            self.depth -= 1
        return node

    def skip(self) -> None:
        """Read past the next node, however deep."""
        level = 0
        while True:
            event: Any = self.get_event()  # type: ignore[no-untyped-call]  # as above
            if isinstance(event, yaml.CollectionStartEvent):
                level += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                level -= 1
            if level <= 0:
                return
            if level > ABANDONED:
                raise _Refused


for _tag, _pattern, _first in (
    (_NULL, r"^(?:~|null|)$", ["~", "n", ""]),
    (_BOOL, r"^(?:true|false)$", list("tf")),
    (_INT, r"^[-+]?[0-9]+$", list("-+0123456789")),
    (_FLOAT, r"^[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?$", list("-+.0123456789")),
):
    _Composer.add_implicit_resolver(_tag, re.compile(_pattern), _first)


class Document:
    """One parsed file: *data* as plain dict, list, str, int, float, bool and None, with marks."""

    __slots__ = ("_keys", "_values", "data", "file", "kept")

    def __init__(self, file: str) -> None:
        self.file = file
        self.data: Any = None
        self._values: dict[Path, tuple[int, int]] = {(): (1, 1)}
        self._keys: dict[Path, tuple[int, int]] = {}
        self.kept: dict[Path, list[int]] = {}
        """For lists from which faulty entries were left out: the original indexes of those left."""

    def entry(self, path: Path, index: int) -> Path:
        """The path of the *index*-th entry of the list at *path* that was readable."""
        kept = self.kept.get(path)
        return (*path, index if kept is None else kept[index])

    def place(self, path: Path, *, key: bool = False) -> tuple[int, int]:
        """1-based line and column of the value at *path* (of its key with *key*), or of the nearest
        value around it that exists."""
        marks = self._keys if key else self._values
        while path:
            if path in marks:
                return marks[path]
            path = path[:-1]
        return self._values[()]

    def fault(self, path: Path, message: str, hint: str = "", *, key: bool = False) -> Fault:
        """A fault at *path*."""
        return Fault(self.file, *self.place(path, key=key), message, hint)

    def take(self, node: Node, faults: list[Fault]) -> None:
        """Fill in data and marks from a composed *node*."""
        self.data = self._build(node, (), faults)

    def _build(self, node: Node, path: Path, faults: list[Fault]) -> Any:
        self._values[path] = (node.start_mark.line + 1, node.start_mark.column + 1)
        if isinstance(node, MappingNode):
            return self._mapping(node, path, faults)
        if isinstance(node, SequenceNode):
            return [self._build(item, (*path, index), faults) for index, item in enumerate(node.value)]
        return scalar(node.tag, node.value)

    def _mapping(self, node: MappingNode, path: Path, faults: list[Fault]) -> dict[str, Any]:
        built: dict[str, Any] = {}
        for key_node, value_node in node.value:
            mark = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
            if not isinstance(key_node, ScalarNode):
                faults.append(Fault(self.file, *mark, "a key must be a plain word", "use a string as key"))
                continue
            key = str(key_node.value)
            if key == "<<":
                faults.append(
                    Fault(self.file, *mark, "merge keys are not allowed", "write the keys out; use 'extends'")
                )
                continue
            if key in built:
                first = self._keys[(*path, key)][0]
                faults.append(
                    Fault(
                        self.file,
                        *mark,
                        f"the key {shown(key)} is given twice",
                        f"first given in line {first}",
                    )
                )
                continue
            self._keys[(*path, key)] = mark
            built[key] = self._build(value_node, (*path, key), faults)
        return built


def scalar(tag: str, text: str) -> str | int | float | bool | None:
    """The value of a scalar whose *tag* the resolver chose."""
    if tag == _NULL:
        return None
    if tag == _BOOL:
        return text == "true"
    if tag == _INT and len(text) <= 19:
        return int(text)
    if tag in (_INT, _FLOAT):
        return float(text)
    return text


def read_document(file: str, raw: str | bytes, faults: list[Fault]) -> Document | None:
    """The document in *raw*; None where it could not be composed. Every fault found goes to *faults*."""
    text = _decoded(file, raw, faults)
    if text is None:
        return None
    document = Document(file)
    try:
        composer = _Composer(text, file, faults)
        node = composer.get_single_node()
    except _Refused:
        return None
    except yaml.YAMLError as error:
        faults.append(_syntax_fault(file, error))
        return None
    if not isinstance(node, MappingNode):
        hint = "a manifest starts with 'spotsafe: 1'; `spotsafe init` writes one"
        faults.append(Fault(file, 1, 1, "the document is empty" if node is None else "not a mapping", hint))
        return None
    document.take(node, faults)
    return document


def _decoded(file: str, raw: str | bytes, faults: list[Fault]) -> str | None:
    size = len(raw.encode("utf-8", "surrogatepass")) if isinstance(raw, str) else len(raw)
    if size > MAX_BYTES:
        faults.append(Fault(file, 1, 1, f"has {size} bytes; at most {MAX_BYTES} are read", "split the file"))
        return None
    if isinstance(raw, str):
        return raw.removeprefix("\ufeff")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        line = before.count(b"\n") + 1
        column = error.start - before.rfind(b"\n")
        faults.append(Fault(file, line, column, "is not UTF-8", "save the file as UTF-8"))
        return None


def _syntax_fault(file: str, error: yaml.YAMLError) -> Fault:
    """PyYAML's complaint as a fault. Its text may quote a character of the document; ours does not."""
    mark = getattr(error, "problem_mark", None)
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    problem = str(getattr(error, "problem", "") or "")
    if "but found another document" in problem:
        return Fault(
            file, line, column, "a second document starts here", "one document per file; remove '---'"
        )
    for sign, message, hint in _SYNTAX:
        if sign in problem:
            return Fault(file, line, column, message, hint)
    return Fault(file, line, column, "not readable as YAML", "check indentation and quotes at this place")


_SYNTAX = (
    ("could not find expected ':'", "a ':' is missing after a key", "write 'key: value'"),
    ("mapping values are not allowed here", "a ':' where no key can be", "quote values that contain ': '"),
    ("tab", "a tab where spaces are needed", "indent with spaces"),
    ("'\\t'", "a tab where spaces are needed", "indent with spaces"),
    ("cannot start any token", "a character that cannot start a value", "quote the value"),
    ("found unexpected end of stream", "a quote is not closed", "close the quote"),
    ("expected <block end>", "the indentation does not fit", "align the keys of one mapping"),
    ("expected ',' or '}'", "a flow mapping is not closed", "close it with '}' or separate with ','"),
    ("expected ',' or ']'", "a flow sequence is not closed", "close it with ']' or separate with ','"),
    ("unknown escape character", "an unknown escape in double quotes", "use single quotes, or \\\\"),
    ("undefined alias", ALIAS, "write the value out where it is used"),
)
