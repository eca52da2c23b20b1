"""Proof that somebody knows the token: its bearer, or a cookie that a browser got for it."""

from __future__ import annotations

import hashlib
import hmac
import http.cookies
import time

from starlette.datastructures import Headers

COOKIE = "earmark_session"
LIFETIME_S = 30 * 24 * 3600


class Auth:
    """Checks tokens and makes cookies; without a token everybody is signed in.

    A cookie is the time at which it ends, and a keyed hash of that: nothing has to be remembered,
    and another token at the next start ends them all.
    """

    def __init__(self, token: str) -> None:
        self.required = bool(token)
        self._token = token.encode("ascii")
        self._key = hashlib.sha256(b"earmark session\0" + self._token).digest()

    def is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), self._token)

    def new_cookie(self, now: float | None = None) -> str:
        ends = str(int((time.time() if now is None else now) + LIFETIME_S))
        return f"{ends}.{self._sign(ends)}"

    def is_signed_in(self, headers: Headers) -> bool:
        """Whether a request brings the token, or a cookie that is still good."""
        if not self.required:
            return True
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.is_token(given.strip()):
            return True
        return self._is_good(_cookie(headers.get("cookie", "")))

    def _is_good(self, cookie: str) -> bool:
        ends, _, signature = cookie.partition(".")
        if not hmac.compare_digest(signature.encode("utf-8", "replace"), self._sign(ends).encode()):
            return False
        return int(ends) > time.time()

    def _sign(self, ends: str) -> str:
        return hmac.new(self._key, ends.encode("utf-8", "replace"), "sha256").hexdigest()


def _cookie(header: str) -> str:
    try:
        found = http.cookies.SimpleCookie(header).get(COOKIE)
    except http.cookies.CookieError:
        return ""
    return found.value if found else ""
