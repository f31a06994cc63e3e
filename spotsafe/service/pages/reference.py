"""``/docs``: the OpenAPI document as one page for people, made on the server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from typing import Any

_STYLES = {"get": "good", "post": "blue"}


def reference(document: Mapping[str, Any]) -> str:
    """The page's body for an OpenAPI *document*."""
    operations = "".join(
        _operation(path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    )
    schemas = "".join(_schema(name, schema) for name, schema in document["components"]["schemas"].items())
    info = document["info"]
    about = escape(info["description"]).replace("`", "")
    return (
        f"<h1>{escape(info['title'])} {escape(info['version'])}</h1>"
        f'<p class="dim">{about} <a href="/openapi.json">openapi.json</a></p>'
        f"<h2>Operations</h2>{operations}<h2>Schemas</h2>{schemas}"
    )


def _operation(path: str, method: str, operation: Mapping[str, Any]) -> str:
    head = (
        f'<span class="method {_STYLES.get(method, "")}">{escape(method.upper())}</span> '
        f"<code>{escape(path)}</code> {escape(operation.get('summary', ''))}"
    )
    parts = [f"<p>{escape(operation.get('description', ''))}</p>"]
    if operation.get("parameters"):
        parts.append(_table(("Parameter", "In", "About"), map(_parameter, operation["parameters"])))
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        parts.append(f"<p>Body <code>{escape(media_type)}</code>: {_name(content['schema'])}</p>")
        if "example" in content:
            parts.append(_pre(content["example"]))
    answers = (
        (escape(status), escape(answer["description"]).replace("`", ""), _answer(answer))
        for status, answer in sorted(operation["responses"].items())
    )
    parts.append(_table(("Status", "Meaning", "Body"), answers))
    return f"<details><summary>{head}</summary>{''.join(parts)}</details>"


def _parameter(parameter: Mapping[str, Any]) -> tuple[str, str, str]:
    about = parameter.get("description", "")
    about = f"{about} {json.dumps(parameter.get('schema', {}))}".strip()
    return f"<code>{escape(parameter['name'])}</code>", escape(parameter["in"]), escape(about)


def _answer(answer: Mapping[str, Any]) -> str:
    return ", ".join(_name(content["schema"]) for content in answer.get("content", {}).values())


def _name(schema: Mapping[str, Any]) -> str:
    name = schema.get("$ref", "").rpartition("/")[2]
    if name:
        return f'<a href="#{escape(name)}">{escape(name)}</a>'
    return escape(str(schema.get("type", "object")))


def _schema(name: str, schema: Mapping[str, Any]) -> str:
    return (
        f'<details id="{escape(name)}"><summary><code>{escape(name)}</code></summary>{_pre(schema)}</details>'
    )


def _pre(value: object) -> str:
    return f"<pre>{escape(json.dumps(value, indent=2, ensure_ascii=False))}</pre>"


def _table(heads: tuple[str, ...], rows: Any) -> str:
    head = "".join(f"<th>{name}</th>" for name in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
