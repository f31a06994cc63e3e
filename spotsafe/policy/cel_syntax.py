"""The part of CEL that ``when`` uses, parsed into a tree with offsets.

Left out on purpose: maps, macros, field selection, bytes, unsigned numbers, null, timestamps. What is
left means the same in every backend (``tests/policy/test_conditions.py`` holds the table).
Grammar: https://github.com/google/cel-spec/blob/master/doc/langdef.md
"""

from __future__ import annotations

import re
from typing import NamedTuple

MAX_DEPTH = 40


class CelError(ValueError):
    """A condition that cannot be used: 0-based *offset*, the *problem*, a *hint*."""

    def __init__(self, offset: int, problem: str, hint: str = "") -> None:
        self.offset = offset
        self.problem = problem
        self.hint = hint
        super().__init__(problem)


class Literal(NamedTuple):
    """A constant; *type* is int, double, string or bool."""

    offset: int
    type: str
    text: str


class Name(NamedTuple):
    """A context field."""

    offset: int
    name: str


class Listed(NamedTuple):
    """A list of expressions."""

    offset: int
    items: tuple[Node, ...]


class Operation(NamedTuple):
    """An operator with one, two or (``?``) three operands."""

    offset: int
    operator: str
    operands: tuple[Node, ...]


class Call(NamedTuple):
    """A function; a method's receiver is the first argument."""

    offset: int
    function: str
    method: bool
    arguments: tuple[Node, ...]


Node = Literal | Name | Listed | Operation | Call

_TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<double>[0-9]+\.[0-9]+(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+)
    |(?P<int>[0-9]+)(?![0-9A-Za-z_.])
    |(?P<string>r?(?:"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'))
    |(?P<word>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<sign>&&|\|\||==|!=|<=|>=|[-+*/%<>!?:(),.\[\]])""",
    re.VERBOSE,
)

BINARY = {
    "||": 1, "&&": 2, "==": 3, "!=": 3, "<": 3, "<=": 3, ">": 3, ">=": 3, "in": 3,
    "+": 4, "-": 4, "*": 5, "/": 5, "%": 5,
}  # fmt: skip
"""Binary operators and how strongly they bind."""

_RESERVED = frozenset((
    "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop", "namespace",
    "null", "package", "return", "var", "void", "while",
))  # fmt: skip


class _Token(NamedTuple):
    kind: str
    text: str
    offset: int


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            if text[position] in "\"'":
                raise CelError(position, "a string is not closed", "end it with the quote it starts with")
            raise CelError(position, "not readable here", "`&&`, `||`, `==`, `<`, `in`, quotes for strings")
        if match.lastgroup != "space":
            found.append(_Token(str(match.lastgroup), match.group(), position))
        position = match.end()
    found.append(_Token("end", "", len(text)))
    return found


class _Parser:
    """Precedence climbing over the tokens."""

    def __init__(self, text: str) -> None:
        self.tokens = _tokens(text)
        self.position = 0
        self.depth = 0

    @property
    def token(self) -> _Token:
        return self.tokens[self.position]

    def take(self) -> _Token:
        token = self.tokens[self.position]
        self.position += 1
        return token

    def accept(self, text: str) -> bool:
        if self.token.kind in ("sign", "word") and self.token.text == text:
            self.position += 1
            return True
        return False

    def expect(self, text: str) -> None:
        if not self.accept(text):
            raise CelError(self.token.offset, f"{text!r} is missing here", "close what was opened")

    def whole(self) -> Node:
        node = self.expression()
        if self.token.kind != "end":
            raise CelError(self.token.offset, "something is left over here", "join conditions with && or ||")
        return node

    def expression(self) -> Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise CelError(self.token.offset, f"nested deeper than {MAX_DEPTH} levels", "simplify it")
        node = self.binary(1)
        if self.token.text == "?" and self.token.kind == "sign":
            offset = self.take().offset
            then = self.expression()
            self.expect(":")
            node = Operation(offset, "?", (node, then, self.expression()))
        self.depth -= 1
        return node

    def binary(self, lowest: int) -> Node:
        left = self.unary()
        while True:
            token = self.token
            strength = BINARY.get(token.text, 0) if token.kind in ("sign", "word") else 0
            if strength < lowest:
                return left
            self.take()
            left = Operation(token.offset, token.text, (left, self.binary(strength + 1)))

    def unary(self) -> Node:
        token = self.token
        if token.kind == "sign" and token.text in "!-":
            self.take()
            self.depth += 1
            if self.depth > MAX_DEPTH:
                raise CelError(token.offset, f"nested deeper than {MAX_DEPTH} levels", "simplify it")
            node = Operation(token.offset, "not" if token.text == "!" else "negative", (self.unary(),))
            self.depth -= 1
            return node
        return self.member(self.primary())

    def member(self, node: Node) -> Node:
        while self.accept("."):
            token = self.take()
            if token.kind != "word" or not self.accept("("):
                raise CelError(token.offset, "fields of values cannot be read", "declare a context field")
            node = Call(token.offset, token.text, True, (node, *self.sequence(")")))
        return node

    def sequence(self, end: str) -> tuple[Node, ...]:
        items: list[Node] = []
        while not self.accept(end):
            if items:
                self.expect(",")
            items.append(self.expression())
        return tuple(items)

    def primary(self) -> Node:
        token = self.take()
        if token.kind in ("int", "double", "string"):
            return Literal(token.offset, token.kind, token.text)
        if token.kind == "word":
            return self.word(token)
        if token.text == "(":
            node = self.expression()
            self.expect(")")
            return node
        if token.text == "[":
            return Listed(token.offset, self.sequence("]"))
        raise CelError(token.offset, "a value is missing here", "a context field, a number, or 'text'")

    def word(self, token: _Token) -> Node:
        if token.text in ("true", "false"):
            return Literal(token.offset, "bool", token.text)
        if token.text in _RESERVED or token.text == "in":
            raise CelError(token.offset, f"{token.text!r} is reserved in CEL", "use another name")
        if self.accept("("):
            return Call(token.offset, token.text, False, self.sequence(")"))
        return Name(token.offset, token.text)


def parse(text: str) -> Node:
    """The tree of *text*. Raises CelError."""
    return _Parser(text).whole()
