"""Content that is required and None is refused; generators and streamed responses get the right remedy."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Optional

import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from fastapi.testclient import TestClient

from spotsafe import Client, ConfigurationError, Text, safe_surface
from spotsafe.integrations.fastapi import guard
from spotsafe.surface.decorator import prepare
from spotsafe.testing import FakeDetector

MANIFEST = """
spotsafe: 1
team: t
owner: t@example.com
surfaces:
  required:
    about: A title
    direction: input
    audience: public
    content: {title: text}
  optional:
    about: A title or none
    direction: input
    audience: public
    content: {title: {type: text, optional: true}}
  nested:
    about: A title in a payload
    direction: input
    audience: public
    content: {payload.title: text}
  answers:
    about: What is answered
    direction: output
    audience: public
"""


@pytest.fixture
def spotsafe_manifests(tmp_path: Path) -> Path:
    path = tmp_path / "s.yaml"
    path.write_text(MANIFEST)
    return path


@dataclass
class Loose:
    title: str | None


@dataclass
class Strict:
    title: str


@dataclass
class Marked:
    title: Annotated[str, Text]


def plain(title: str) -> str:
    return "ran"


def marked(title: Annotated[str, Text]) -> str:
    return "ran"


def bare(title) -> str:  # type: ignore[no-untyped-def]  # no hint is the case
    return "ran"


def union(title: Annotated[str, Text] | None) -> str:
    return "ran"


def inside(title: Annotated[str | None, Text]) -> str:
    return "ran"


def old(title: Optional[Annotated[str, Text]]) -> str:  # noqa: UP045 - that spelling is the case
    return "ran"


def unmarked_union(title: str | None) -> str:
    return "ran"


def default(title: Annotated[str, Text] = None) -> str:  # noqa: RUF013 - as products write it
    return "ran"


def loose(payload: Loose) -> str:
    return "ran"


def strict(payload: Strict) -> str:
    return "ran"


def leaf(payload: Marked) -> str:
    return "ran"


def nothing_said(payload: Any) -> str:
    return "ran"


REFUSED = [
    ("required", plain, None, "'title'"), ("required", marked, None, "'title'"),
    ("required", bare, None, "'title'"), ("unlinked", marked, None, "'title'"),
    ("nested", strict, None, "'payload'"), ("nested", strict, Strict(None), "'payload.title'"),
    ("nested", leaf, Marked(None), "'payload.title'"), ("nested", nothing_said, {"title": None}, "'payload"),
    ("nested", strict, [Strict("fine"), Strict(None)], "'payload.title"),
]  # fmt: skip
ACCEPTED = [
    ("required", union, None), ("required", inside, None), ("required", old, None),
    ("required", unmarked_union, None), ("required", default, None), ("unlinked", union, None),
    ("optional", plain, None), ("optional", marked, None), ("optional", bare, None),
    ("nested", loose, Loose(None)),
]  # fmt: skip


@pytest.mark.parametrize(("surface", "handler", "value", "named"), REFUSED)
@pytest.mark.parametrize("driver", ["sync", "async"])
def test_none_for_a_required_part_is_refused(  # noqa: PLR0917 - a row of the table
    driver: str, surface: str, handler: Callable[..., str], value: Any, named: str, spotsafe_client: Client,
    guarded_as: Callable[..., Any],
) -> None:  # fmt: skip
    """A ConfigurationError names what is None and the remedies, as ``client.check`` does."""
    with pytest.raises(ConfigurationError, match=f"{named}.* is None, but its content is required"):
        guarded_as(driver, surface, handler)(value)
    with pytest.raises(ConfigurationError, match="'title' is None"):
        spotsafe_client.check("required", title=None)


@pytest.mark.parametrize(("surface", "handler", "value"), ACCEPTED)
@pytest.mark.parametrize("driver", ["sync", "async"])
def test_none_is_accepted_where_it_is_declared(  # noqa: PLR0917 - a row of the table
    driver: str, surface: str, handler: Callable[..., str], value: Any, spotsafe_client: Client,
    guarded_as: Callable[..., Any],
) -> None:  # fmt: skip
    """An Optional hint, a default of None, or ``optional: true``: the handler runs."""
    assert guarded_as(driver, surface, handler)(value) == "ran"


@pytest.fixture
def guarded_as() -> Callable[..., Any]:
    """The handler guarded, called through a function or a coroutine function."""
    import asyncio
    import functools

    def make(driver: str, surface: str, handler: Callable[..., str]) -> Callable[..., Any]:
        if driver == "sync":
            return safe_surface(surface)(handler)

        @functools.wraps(handler)
        async def coroutine(*args: Any) -> str:
            return handler(*args)

        # A wrapper has no hints of its own; those of the handler are what is compiled.
        guarded = safe_surface(surface)(coroutine)
        return lambda *args: asyncio.run(guarded(*args))

    return make


async def agen(prompt: str) -> AsyncIterator[str]:
    yield prompt


def gen(prompt: str) -> Iterator[str]:
    yield prompt


@pytest.mark.parametrize(("handler", "kind"), [(agen, "AsyncIterator"), (gen, "Iterator")])
def test_a_generator_is_told_to_annotate_what_it_yields(
    handler: Any, kind: str, spotsafe_client: Client
) -> None:
    """Without a manifest the remedy is the return annotation or the direction, not a parameter."""
    with pytest.raises(ConfigurationError) as caught:
        prepare(spotsafe_client, safe_surface("unlinked")(handler))
    assert f"`-> {kind}[Annotated[str, Text]]`, or say `direction: output`" in str(caught.value)
    assert "annotate a parameter" not in str(caught.value)


def test_the_app_finds_the_generator_behind_a_route(spotsafe_client: Client) -> None:
    """What the code of a route names is checked when the app starts, not at the first request."""
    app = FastAPI()
    guard(app)
    answer = safe_surface("unlinked")(agen)

    @app.get("/answer")
    async def show(prompt: str) -> StreamingResponse:
        return StreamingResponse(answer(prompt))

    with pytest.raises(ConfigurationError, match="annotate what it yields"), TestClient(app):
        raise AssertionError("must not start")


@pytest.mark.parametrize("surface", ["unlinked", "answers"])
def test_a_guarded_route_that_streams_is_told_to_guard_the_generator(
    surface: str, spotsafe_client: Client
) -> None:
    """By its return annotation when the plan is compiled; otherwise by what it returned."""

    async def show(prompt: str) -> StreamingResponse:
        return StreamingResponse(agen(prompt))

    with pytest.raises(ConfigurationError, match=r"guard the generator.*StreamingResponse\(await aopened"):
        prepare(spotsafe_client, safe_surface(surface)(show))


def test_a_streamed_response_that_nobody_announced(
    spotsafe_client: Client, spotsafe_detector: FakeDetector
) -> None:
    """Without a return annotation the returned value says what it is."""

    @safe_surface("answers")
    def show(prompt):  # type: ignore[no-untyped-def]  # no hint is the case
        return StreamingResponse(gen(prompt))

    with pytest.raises(ConfigurationError, match=r"StreamingResponse was returned: guard the generator"):
        show("hello")
    assert spotsafe_detector.requests == []
