"""Proof that somebody knows the token: its bearer, or a cookie that a browser got for it."""

from __future__ import annotations

import hashlib
import hmac
import http.cookies
import json
import secrets
import time

from starlette.datastructures import Headers
from starlette.types import Scope

from earmark import jsontext
from earmark.web.brake import Brake
from earmark.web.store import Store

COOKIE = "earmark_session"
LIFETIME_S = 30 * 24 * 3600
_SECRET = "cookie_secret"
_ENDED = "ended_sessions"


class Auth:
    """Checks tokens and makes cookies; without a token everybody is signed in.

    A cookie is the time at which it ends, a number of its own, and a keyed hash of both. The key is
    made of the token and of a secret of this server's: who guesses at tokens cannot do it by way of
    cookies, and another token ends them all. Remembered are only those that were signed out before
    their time.
    """

    def __init__(self, token: str) -> None:
        self.required = bool(token)
        self._token = token.encode("ascii")
        self._brake = Brake()
        self._ended: dict[str, int] = {}
        self._use(secrets.token_hex(32))

    def start(self, store: Store) -> None:
        """Go on with the cookies of before a restart."""
        with store.transaction():
            if not store.setting(_SECRET):
                store.set_setting(_SECRET, secrets.token_hex(32))
            self._use(store.setting(_SECRET))
            self._ended = json.loads(store.setting(_ENDED) or "{}")

    def is_token(self, given: str, address: str) -> bool:
        """Whether that is the token; where it is not, `address` has made a wrong try.

        Raises
        ------
        Refused
            Too many wrong tries have come from there (429).
        """
        self._brake.check(address)
        if hmac.compare_digest(given.encode("utf-8", "surrogatepass"), self._token):
            return True
        self._brake.note_wrong(address)
        return False

    def new_cookie(self, now: float | None = None) -> str:
        ends = int((time.time() if now is None else now) + LIFETIME_S)
        text = f"{ends}.{secrets.token_hex(8)}"
        return f"{text}.{self._sign(text)}"

    def is_signed_in(self, scope: Scope) -> bool:
        """Whether a request brings a cookie that is still good, or the token.

        Raises
        ------
        Refused
            See `is_token`.
        """
        if not self.required:
            return True
        headers = Headers(scope=scope)
        if self._session(headers) is not None:
            return True
        scheme, _, given = headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and self.is_token(given.strip(), address_of(scope))

    def sign_out(self, scope: Scope) -> bool:
        """End the session whose cookie a request brings; whether there was one."""
        session = self._session(Headers(scope=scope))
        if session is None:
            return False
        now = time.time()
        # Cookies that have ended by themselves need not be remembered.
        left = {text: ends for text, ends in self._ended.items() if ends > now}
        self._ended = {**left, session: int(session.partition(".")[0])}
        return True

    def remember(self, store: Store) -> None:
        """Keep what was signed out beyond a restart."""
        store.set_setting(_ENDED, jsontext.dumps(self._ended))

    def _session(self, headers: Headers) -> str | None:
        """What the hash of a good cookie is made of."""
        text, _, signature = _cookie(headers.get("cookie", "")).rpartition(".")
        if not hmac.compare_digest(signature.encode("utf-8", "replace"), self._sign(text).encode()):
            return None
        is_good = int(text.partition(".")[0]) > time.time() and text not in self._ended
        return text if is_good else None

    def _use(self, secret: str) -> None:
        text = b"earmark session\0" + secret.encode() + b"\0" + self._token
        self._key = hashlib.sha256(text).digest()

    def _sign(self, text: str) -> str:
        return hmac.new(self._key, text.encode("utf-8", "replace"), "sha256").hexdigest()


def address_of(scope: Scope) -> str:
    """Where a request comes from, as far as it is known."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def _cookie(header: str) -> str:
    try:
        found = http.cookies.SimpleCookie(header).get(COOKIE)
    except http.cookies.CookieError:
        return ""
    return found.value if found else ""
