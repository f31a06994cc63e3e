"""Who may do what: the bearer key of a request against the scope of a route."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as Base64Error

from starlette.requests import Request

from spotsafe.service.keys import LOCAL, KeyRing, Principal
from spotsafe.service.problems import FORBIDDEN, UNAUTHORIZED, Problem


def authorised(request: Request, keys: KeyRing | None, scope: str | None, *, page: bool = False) -> Principal:
    """The caller, where its key has *scope* (None: any key). Without *keys* everybody is local.

    A *page* that a browser opens also takes the key as the password of HTTP Basic. Raises
    :class:`Problem` 401 or 403.
    """
    if keys is None:
        return LOCAL
    principal = keys.principal(_presented(request, page=page))
    if principal is None:
        challenge = 'Basic realm="spotsafe", charset="UTF-8"' if page else 'Bearer realm="spotsafe"'
        raise Problem(
            UNAUTHORIZED,
            "Send Authorization: Bearer KEY with a key of this service.",
            headers={"www-authenticate": challenge},
            code="invalid_api_key",
        )
    if scope is not None and not principal.may(scope):
        raise Problem(FORBIDDEN, f"This needs a key with scope {scope}.")
    return principal


def _presented(request: Request, *, page: bool) -> str:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if page and scheme.lower() == "basic":
        try:
            return b64decode(value, validate=True).decode().partition(":")[2]
        except (Base64Error, ValueError):
            return ""
    return ""
