"""Flask: refusals are answers, open views are refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import pytest
from flask import Blueprint, Flask, current_app, request

from spotsafe import ConfigurationError, SurfaceHeld, Text, safe_surface
from spotsafe.integrations.flask import guard

proxy = current_app
"""A proxy among the module's names must not be touched outside of a request."""


def app_with_views() -> Flask:
    app = Flask(__name__)
    app.testing = True
    guard(app)

    @safe_surface("comments.create", actor="author")
    def publish(author: str, body: Annotated[str, Text]) -> str:
        return body

    @app.post("/comments")
    def create() -> str:
        form = request.get_json()
        return publish(form["author"], form["body"])

    @app.get("/say/<text>")
    @safe_surface("comments.create")
    def say(text: Annotated[str, Text]) -> str:
        return text

    return app


@pytest.mark.parametrize("get", ["/say/", None])
def test_refusals_are_problem_documents(get: str | None) -> None:
    """200, 422 and 202, from views and from functions below them."""
    http = app_with_views().test_client()

    def ask(text: str) -> Any:
        return http.get(get + text) if get else http.post("/comments", json={"author": "a", "body": text})

    assert ask("fine").text == "fine"
    for text, status in (("refused", 422), ("held", 202)):
        answer = ask(text)
        assert answer.status_code == status
        assert answer.content_type == "application/problem+json"
        assert set(answer.get_json()) == {"type", "title", "status", "detail", "decision_id", "remedy"}


def test_the_product_keeps_its_draft_of_a_held_call() -> None:
    """on_hold runs inside the request, with the receipt."""
    kept: list[tuple[str, str]] = []

    def keep(held: SurfaceHeld) -> None:
        kept.append((request.path, held.receipt.surface))

    app = Flask(__name__)
    guard(app, on_hold=keep)

    @app.get("/say/<text>")
    @safe_surface("comments.create")
    def say(text: Annotated[str, Text]) -> str:
        return text

    app.test_client().get("/say/held")
    assert kept == [("/say/held", "comments.create")]


module_blueprint = Blueprint("module", __name__)


def test_the_wrong_order_is_refused_at_decoration() -> None:
    """@safe_surface above a route's decorator is a ConfigurationError, for apps and for blueprints that
    are not registered yet, sync and async."""
    app, blueprint = Flask(__name__), Blueprint("b", __name__)
    routers: list[Callable[..., Any]] = [app.get, blueprint.get, module_blueprint.get]
    for register in routers:
        with pytest.raises(ConfigurationError, match=r"already serves.*put @safe_surface directly above"):

            @safe_surface("comments.create")
            @register("/sync/<text>")
            def say(text: Annotated[str, Text]) -> str:
                return text

        with pytest.raises(ConfigurationError, match=r"already serves.*put @safe_surface directly above"):

            @safe_surface("comments.create")
            @register("/async/<text>")
            async def later(text: Annotated[str, Text]) -> str:
                return text


def test_an_open_view_is_refused_before_the_first_request() -> None:
    """What decoration could not see, guard() finds: every request fails, so that it is noticed."""

    def say(text: Annotated[str, Text]) -> str:
        return text

    apps = [Flask(__name__)]
    apps[0].testing = True
    guard(apps[0])
    hidden = [Blueprint("hidden", __name__)]
    hidden[0].get("/say/<text>")(say)
    apps[0].register_blueprint(hidden[0])
    safe_surface("comments.create")(say)
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="already serves"):
            apps[0].test_client().get("/say/refused")
