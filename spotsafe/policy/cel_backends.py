"""The two CEL libraries behind one seam; which one is installed makes no difference to a policy.

``cel-expr-python`` (Google's C++ core) where a wheel exists, else ``common-expression-language``
(Rust). Both come with the extra ``cel``; neither is imported before a manifest uses ``when``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

Program = Callable[[Mapping[str, object]], "bool | None"]
"""Values of all fields that the condition reads → its truth, or None on an error."""


class Backend(NamedTuple):
    """One library: its distribution's *name* and how it *compiles* a text that was already checked.
    *compiles* takes the text and CEL types by name; it raises ValueError where the library objects."""

    name: str
    compiles: Callable[[str, Mapping[str, str]], Program]


@lru_cache(maxsize=1)
def installed() -> tuple[Backend, ...]:
    """The backends that can be imported here, the preferred one first."""
    found = []
    for probe in (_google, _rust):
        try:
            found.append(probe())
        except ImportError:
            continue
    return tuple(found)


def _google() -> Backend:
    from cel_expr_python import cel

    kinds: dict[str, Any] = {
        "string": cel.Type.STRING,
        "int": cel.Type.INT,
        "double": cel.Type.DOUBLE,
        "bool": cel.Type.BOOL,
        "list(string)": cel.Type.List(cel.Type.STRING),
    }

    def compiles(text: str, types: Mapping[str, str]) -> Program:
        environment = cel.NewEnv(variables={name: kinds[kind] for name, kind in types.items()})
        try:
            expression = environment.compile(text)
        except (RuntimeError, ValueError, TypeError):
            raise ValueError("not accepted by cel-expr-python") from None

        def run(values: Mapping[str, object]) -> bool | None:
            # The library answers errors with a value of type ERROR rather than an exception.
            result = expression.eval(data=dict(values))
            return bool(result.value()) if result.type() == cel.Type.BOOL else None

        return run

    return Backend("cel-expr-python", compiles)


def _rust() -> Backend:
    import cel

    def compiles(text: str, types: Mapping[str, str]) -> Program:
        try:
            program = cel.compile(text)
        except (RuntimeError, ValueError, TypeError):
            raise ValueError("not accepted by common-expression-language") from None

        def run(values: Mapping[str, object]) -> bool | None:
            try:
                result = program.execute(dict(values))
            except (ArithmeticError, RuntimeError, ValueError, TypeError):
                return None
            return result if isinstance(result, bool) else None

        return run

    return Backend("common-expression-language", compiles)
