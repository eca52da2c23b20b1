"""The API's description for people: plain HTML made of the OpenAPI document, without script."""

from __future__ import annotations

import html
import json
import secrets
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from earmark.web.routes import PREFIX

routes = APIRouter(include_in_schema=False)

_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
code, pre { font: 0.9em ui-monospace, monospace; }
pre { overflow-x: auto; padding: 0.75rem; border: 1px solid; border-radius: 4px; }
section { margin: 2rem 0; }
td, th { text-align: left; vertical-align: top; padding: 0.1rem 1rem 0.1rem 0; }
"""


@routes.get(f"{PREFIX}/docs")
def docs(request: Request) -> HTMLResponse:
    """Every route with its parameters, and the shapes of what is sent."""
    document = request.app.openapi()
    page_nonce = secrets.token_urlsafe(16)
    policy = f"default-src 'none'; style-src 'nonce-{page_nonce}'; frame-ancestors 'none'"
    return HTMLResponse(_page(document, page_nonce), headers={"Content-Security-Policy": policy})


def _page(document: dict[str, Any], page_nonce: str) -> str:
    title = html.escape(f"{document['info']['title']} {document['info']['version']}")
    parts = [
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>',
        '<meta name="viewport" content="width=device-width">',
        f'<style nonce="{page_nonce}">{_STYLE}</style><body><h1>{title}</h1>',
        f'<p><a href="{PREFIX}/openapi.json">OpenAPI document</a></p>',
    ]
    for path, methods in document["paths"].items():
        parts += [_operation(method, path, described) for method, described in methods.items()]
    parts.append("<h2>Shapes</h2>")
    for name, schema in sorted(document["components"]["schemas"].items()):
        text = html.escape(json.dumps(schema, indent=2, ensure_ascii=False))
        parts.append(f'<section id="{html.escape(name)}"><h3>{html.escape(name)}</h3>')
        parts.append(f"<pre>{text}</pre></section>")
    return "".join(parts)


def _operation(method: str, path: str, described: dict[str, Any]) -> str:
    rows = [
        (parameter["name"], parameter["in"], parameter.get("description", ""))
        for parameter in described.get("parameters", [])
    ]
    for kind, content in described.get("requestBody", {}).get("content", {}).items():
        rows.append(("body", kind, _shape(content.get("schema", {}))))
    for status, response in described["responses"].items():
        for kind, content in response.get("content", {}).items():
            rows.append((status, kind, _shape(content.get("schema", {}))))
    cells = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    heading = f"<h2><code>{html.escape(f'{method.upper()} {path}')}</code></h2>"
    about = f"<p>{html.escape(described.get('description', ''))}</p>"
    return f"<section>{heading}{about}<table>{cells}</table></section>"


def _shape(schema: dict[str, Any]) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]
