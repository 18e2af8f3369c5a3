"""Pages as they are answered: rendered from templates, and closed to whatever is not theirs."""

import secrets
from importlib.resources import files
from typing import Any

import structlog
from flask import Blueprint, Response, g, request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from werkzeug.exceptions import HTTPException

from core.errors import Unavailable

log = structlog.get_logger()

RETRY_AFTER_SECONDS = 5
_TEMPLATES = Environment(
    loader=FileSystemLoader(str(files("templates"))),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def page(template: str, status: int = 200, **words: Any) -> Response:
    """Return a page rendered from `templates/pages`."""
    html = _TEMPLATES.get_template(f"pages/{template}").render(words, nonce=_nonce())
    return Response(html, status, content_type="text/html; charset=utf-8")


def protected(blueprint: Blueprint) -> Blueprint:
    """Give all of a blueprint's answers strict headers, and its errors pages; addresses are never logged.

    They hold tokens.
    """
    blueprint.after_request(_protect)
    blueprint.register_error_handler(Unavailable, _on_unavailable)
    blueprint.register_error_handler(HTTPException, _on_http_exception)
    blueprint.register_error_handler(Exception, _on_exception)
    return blueprint


def _nonce() -> str:
    if "style_nonce" not in g:
        g.style_nonce = secrets.token_urlsafe(16)
    return str(g.style_nonce)


def _protect(response: Response) -> Response:
    response.headers.setdefault(
        "Content-Security-Policy",
        f"default-src 'none'; style-src 'nonce-{_nonce()}'; frame-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'",
    )
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    response.headers["Cache-Control"] = "no-store"
    return response


def _on_unavailable(error: Unavailable) -> Response:
    log.warning("a page failed: a server is away", endpoint=request.endpoint, problem=str(error))
    answer = page(
        "message.html",
        503,
        title="Please try again",
        text="Something that is needed does not answer just now.",
    )
    answer.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return answer


def _on_http_exception(error: HTTPException) -> Response:
    return page("message.html", error.code or 500, title="That did not work", text=error.name + ".")


def _on_exception(error: Exception) -> Response:
    log.error("a page failed", endpoint=request.endpoint, method=request.method, exc_info=error)
    return page(
        "message.html", 500, title="Something went wrong", text="It is in our log. Please try again later."
    )
