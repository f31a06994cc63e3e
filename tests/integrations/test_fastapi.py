"""FastAPI: handlers work as they did, refusals are answers, open routes are refused."""

from __future__ import annotations

import types
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Body, Depends, FastAPI, Request
from fastapi.responses import StreamingResponse
from fastapi.testclient import TestClient
from pydantic import BaseModel

from spotsafe import ConfigurationError, Decision, SurfaceHeld, Text, safe_surface
from spotsafe.integrations.fastapi import aopened, guard, opened
from spotsafe.testing import FakeDetector


class Comment(BaseModel):
    author: str
    body: Annotated[str, Text]


class Published(BaseModel):
    body: str
    action: str


def app_with_handlers() -> FastAPI:
    app = FastAPI()
    guard(app)

    @app.post("/async", response_model=Published)
    @safe_surface("comments.create", actor="comment.author")
    async def create(comment: Comment, decision: Decision) -> Published:
        return Published(body=comment.body, action=decision.action)

    @app.post("/sync")
    @safe_surface("comments.create")
    def create_sync(comment: Comment, decision: Decision) -> dict[str, str]:
        return {"body": comment.body, "action": decision.action}

    @app.post("/field")
    @safe_surface("comments.create")
    async def create_field(body: Annotated[str, Body(embed=True), Text]) -> dict[str, str]:
        return {"body": body}

    @app.get("/query")
    @safe_surface("comments.create")
    async def search(q: Annotated[str, Text] = "") -> dict[str, str]:
        return {"q": q}

    return app


@pytest.mark.parametrize("path", ["/async", "/sync"])
def test_models_arrive_and_refusals_are_problem_documents(path: str) -> None:
    """200 with the decision at hand; 422 and 202 as RFC 9457 documents without content or rules."""
    with TestClient(app_with_handlers()) as http:
        fine = http.post(path, json={"author": "ann", "body": "fine"})
        assert fine.json() == {"body": "fine", "action": "allow"}
        refused = http.post(path, json={"author": "ann", "body": "refused"})
        held = http.post(path, json={"author": "ann", "body": "this is held"})
    assert (refused.status_code, held.status_code) == (422, 202)
    for answer, slug in ((refused, "blocked"), (held, "held")):
        assert answer.headers["content-type"] == "application/problem+json"
        body = answer.json()
        assert set(body) == {"type", "title", "status", "detail", "decision_id", "remedy"}
        assert body["type"] == f"urn:spotsafe:problem:{slug}"
        assert body["status"] == answer.status_code
        assert "this is held" not in answer.text
        assert "spam" not in answer.text.replace("spotsafe", "")
    assert refused.json()["detail"] == "Not like this."
    assert http.post(path, json={"author": "ann"}).status_code == 422


def test_fields_and_queries_are_guarded() -> None:
    """Content of body fields and query parameters is found beside FastAPI's own annotations."""
    with TestClient(app_with_handlers()) as http:
        assert http.post("/field", json={"body": "fine"}).json() == {"body": "fine"}
        assert http.post("/field", json={"body": "refused"}).json()["title"] == "The content was refused"
        assert http.get("/query", params={"q": "refused"}).json()["title"] == "The content was refused"


def test_the_decision_is_not_part_of_the_interface() -> None:
    """OpenAPI shows body and response model, and no trace of the Decision parameter."""
    schema = app_with_handlers().openapi()
    assert "decision" not in str(schema["paths"]["/async"]["post"]).lower()
    body = schema["paths"]["/async"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/Comment"}


def test_dependencies_that_yield_are_guarded_as_such() -> None:
    """A guarded generator works as a dependency: its rest runs behind the handler, errors reach it."""
    seen: list[str] = []

    @safe_surface("comments.create")
    def draft(q: Annotated[str, Text]) -> Iterator[str]:
        try:
            yield q
        except KeyError:
            seen.append("error")
            raise
        finally:
            seen.append("closed")

    @safe_surface("comments.create")
    async def adraft(q: Annotated[str, Text]) -> AsyncIterator[str]:
        try:
            yield q
        except KeyError:
            seen.append("error")
            raise
        finally:
            seen.append("closed")

    app = FastAPI()
    guard(app)

    @app.get("/sync")
    async def use(text: str = Depends(draft)) -> str:
        return text

    @app.get("/async")
    async def use_async(text: str = Depends(adraft), fail: bool = False) -> str:
        if fail:
            raise KeyError
        return text

    http = TestClient(app, raise_server_exceptions=False)
    assert http.get("/sync", params={"q": "fine"}).json() == "fine"
    assert http.get("/async", params={"q": "fine"}).json() == "fine"
    assert seen == ["closed", "closed"]
    assert http.get("/async", params={"q": "fine", "fail": True}).status_code == 500
    assert seen[2:] == ["error", "closed"]
    assert http.get("/async", params={"q": "refused"}).status_code == 422


def test_a_stream_that_is_opened_is_refused_with_a_status() -> None:
    """aopened() turns a refusal before the first piece into 422, and ends a later one as the product says."""
    app = FastAPI()
    guard(app)

    @safe_surface("answers")
    async def answer(kind: str) -> AsyncIterator[str]:
        if kind == "late":
            yield "A first sentence that is long enough to be sent.\n"
        yield "refused" if kind != "fine" else "fine"

    @app.get("/answer")
    async def show(kind: str) -> StreamingResponse:
        return StreamingResponse(await aopened(answer(kind), on_refusal=lambda refusal: "[withheld]"))

    @app.get("/sync")
    def show_sync(kind: str) -> StreamingResponse:
        @safe_surface("answers")
        def answer_sync() -> Iterator[str]:
            yield "refused" if kind != "fine" else "fine"

        return StreamingResponse(opened(answer_sync()))

    with TestClient(app) as http:
        assert http.get("/answer", params={"kind": "fine"}).text == "fine"
        assert http.get("/answer", params={"kind": "early"}).status_code == 422
        late = http.get("/answer", params={"kind": "late"})
        assert (late.status_code, late.text) == (
            200, "A first sentence that is long enough to be sent.[withheld]",
        )  # fmt: skip
        assert http.get("/sync", params={"kind": "fine"}).text == "fine"
        assert http.get("/sync", params={"kind": "early"}).status_code == 422


@pytest.mark.parametrize("awaited", [False, True])
def test_the_product_keeps_its_draft_of_a_held_call(awaited: bool) -> None:
    """on_hold gets request and receipt before the answer goes out."""
    kept: list[tuple[str, str]] = []

    def keep(request: Request, held: SurfaceHeld) -> None:
        kept.append((request.url.path, held.receipt.decision_id))

    async def akeep(request: Request, held: SurfaceHeld) -> None:
        keep(request, held)

    app = FastAPI()
    guard(app, on_hold=akeep if awaited else keep)

    @app.post("/comments")
    @safe_surface("comments.create")
    async def create(comment: Comment) -> None: ...

    answer = TestClient(app).post("/comments", json={"author": "a", "body": "held"})
    assert kept == [("/comments", answer.json()["decision_id"])]


# ── the wrong order ───────────────────────────────────────────────────────────────────────────────

module_router = APIRouter()


def test_the_wrong_order_is_refused_at_decoration() -> None:
    """@safe_surface above the router's decorator is a ConfigurationError, sync and async, for apps and
    routers in the function, in its module, behind a module or an object."""
    app, router = FastAPI(), APIRouter()
    holder = types.SimpleNamespace(inner=FastAPI())

    class Web:
        def __init__(self) -> None:
            self.app = FastAPI()

    web = Web()
    for register in (app.post, router.post, module_router.post, holder.inner.post, web.app.post):
        with pytest.raises(ConfigurationError, match=r"already serves.*put @safe_surface directly above"):

            @safe_surface("comments.create")
            @register("/async")
            async def create(comment: Comment) -> None: ...

        with pytest.raises(ConfigurationError, match=r"already serves.*put @safe_surface directly above"):

            @safe_surface("comments.create")
            @register("/sync")
            def create_sync(comment: Comment) -> None: ...


def hidden(app: FastAPI, handler: Any) -> None:
    """Registers where the decorating code cannot see it."""
    app.post("/open")(handler)


@pytest.mark.parametrize("how", ["plain", "included", "mounted"])
def test_an_open_route_is_refused_at_start(how: str) -> None:
    """What decoration could not see, guard() finds at start-up and, without a lifespan, at the first
    request: the application does not serve."""

    async def create(comment: Comment) -> None: ...

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield

    apps = [FastAPI(lifespan=lifespan)]
    guard(apps[0])
    if how == "plain":
        hidden(apps[0], create)
    elif how == "included":
        routers = [APIRouter()]
        routers[0].post("/open")(create)
        apps[0].include_router(routers[0], prefix="/r")
    else:
        inner = [FastAPI()]
        hidden(inner[0], create)
        apps[0].mount("/m", inner[0])
    safe_surface("comments.create")(create)
    with pytest.raises(ConfigurationError, match="already serves"), TestClient(apps[0]):
        raise AssertionError("must not start")
    with pytest.raises(ConfigurationError, match="already serves"):
        TestClient(apps[0]).post("/open", json={"author": "a", "body": "b"})


def test_a_handler_that_does_not_fit_is_refused_at_start() -> None:
    """A ConfigurationError of the first call comes at start-up already."""
    app = FastAPI()
    guard(app)

    @app.post("/comments")
    @safe_surface("comments.create")
    async def create(author: str) -> None: ...

    with pytest.raises(ConfigurationError, match="carries no content"), TestClient(app):
        raise AssertionError("must not start")


def test_routes_in_the_right_order_pass(script: FakeDetector) -> None:
    """The check at start-up lets guarded, further decorated and unguarded routes be."""
    import functools

    app = FastAPI()
    guard(app)

    def logged(handler: Any) -> Any:
        @functools.wraps(handler)
        async def inner(*args: Any, **kwargs: Any) -> Any:
            return await handler(*args, **kwargs)

        return inner

    @app.post("/comments")
    @logged
    @safe_surface("comments.create")
    async def create(comment: Comment) -> str:
        return "ok"

    @app.get("/health")
    def health() -> str:
        return "ok"

    with TestClient(app) as http:
        assert http.get("/health").json() == "ok"
        assert http.post("/comments", json={"author": "a", "body": "refused"}).status_code == 422


def test_a_late_refusal_that_nobody_words_just_ends_the_stream(caplog: pytest.LogCaptureFixture) -> None:
    """Without ``on_refusal`` the answer stops where it was refused: one log line, no traceback."""
    app = FastAPI()
    guard(app)

    @safe_surface("answers")
    async def answer() -> AsyncIterator[str]:
        yield "A first sentence that is long enough to be sent.\n"
        yield "refused"

    @safe_surface("answers")
    def answer_sync() -> Iterator[str]:
        yield "A first sentence that is long enough to be sent.\n"
        yield "refused"

    @app.get("/async")
    async def show() -> StreamingResponse:
        return StreamingResponse(await aopened(answer()))

    @app.get("/sync")
    def show_sync() -> StreamingResponse:
        return StreamingResponse(opened(answer_sync()))

    with TestClient(app) as http:
        for path in ("/async", "/sync"):
            caplog.clear()
            assert http.get(path).text == "A first sentence that is long enough to be sent."
            (line,) = [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")]
            assert line.getMessage().startswith("surface answers: a stream was ended")
            assert line.exc_info is None
            assert "refused" not in line.getMessage()
