"""The methods of a path, which several routes may share."""

from starlette.routing import BaseRoute, Match
from starlette.types import Scope


def allowed_methods(scope: Scope) -> str:
    """Return the methods of the request's path for the header Allow (RFC 9110, 10.2.1); empty outside an app.

    The framework names those of one route alone.
    """
    routes: list[BaseRoute] = scope["app"].routes if "app" in scope else []
    found: set[str] = set()
    for route in routes:
        if route.matches(scope)[0] is not Match.NONE:
            found |= getattr(route, "methods", None) or set()
    return ", ".join(sorted(found))
