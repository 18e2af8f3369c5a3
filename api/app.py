"""The application factory."""

from flask import Flask, Response, request
from werkzeug.routing import BaseConverter

from api import problems
from api.inputs import BODY_LIMIT
from api.pages import mail, mailbox
from api.resources import (
    account,
    aliases,
    articles,
    bounces,
    channels,
    cluster,
    deliveries,
    discovery,
    health,
    keys,
    news,
    notices,
    previews,
    short_forms,
    source_lists,
    sources,
    subscriptions,
    websub,
)
from api.resources.health import Readiness
from api.services import EXTENSION, Services

RESOURCES = (
    channels,
    subscriptions,
    previews,
    sources,
    source_lists,
    discovery,
    articles,
    news,
    deliveries,
    notices,
    aliases,
    account,
    keys,
    cluster,
    short_forms,
    websub,
    bounces,
    mail,
    mailbox,
)


class IdConverter(BaseConverter):
    """An id in a path; anything else is an address where there is nothing."""

    regex = "[A-Za-z0-9_]{1,64}"


def create_app(services: Services) -> Flask:
    """Return the API's application on the given services."""
    app = _bare_app()
    app.extensions[EXTENSION] = services
    app.register_blueprint(health.probes(services.readiness))
    for resource in RESOURCES:
        app.register_blueprint(resource.blueprint)
    return app


def create_health_app(readiness: Readiness) -> Flask:
    """Return an application of the probes alone, for roles that serve nothing else."""
    app = _bare_app()
    app.register_blueprint(health.probes(readiness))
    return app


def _bare_app() -> Flask:
    app = Flask("api", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = BODY_LIMIT
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.url_map.converters["id"] = IdConverter
    app.url_map.merge_slashes = False  # an unknown address is an error, not a redirect to a page
    problems.install(app)
    app.after_request(_protect)
    return app


def _protect(response: Response) -> Response:
    response.headers["X-Content-Type-Options"] = "nosniff"
    if request.endpoint is None or not request.endpoint.startswith("health."):
        response.headers["Cache-Control"] = "no-store"
    return response
