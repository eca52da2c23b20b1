"""What goes wrong in a request. Light, as the processes of jobs use it too."""

from __future__ import annotations

from starlette.exceptions import HTTPException

from earmark.errors import EarmarkError
from earmark.web.schemas.common import Fault

CODES = {
    400: "bad_request",
    401: "unauthorised",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "too_slow",
    409: "conflict",
    413: "too_large",
    415: "unsupported_media_type",
    421: "wrong_host",
    422: "invalid",
    503: "busy",
}


class Refused(HTTPException):
    """A request that is turned down; an `HTTPException` so that it passes FastAPI unharmed.

    Parameters
    ----------
    status : int
    message, hint : str
    code : str, optional
        For programs; by default the status says it.
    close : bool
        Hang up: what the client is still sending is not wanted.
    """

    def __init__(
        self,
        status: int,
        message: str,
        hint: str = "",
        *,
        code: str = "",
        close: bool = False,
        retry_after_s: int | None = None,
    ) -> None:
        headers = {"Connection": "close"} if close else {}
        if retry_after_s is not None:
            headers["Retry-After"] = str(retry_after_s)
        super().__init__(status, message, headers)
        self.fault = Fault(code=code or CODES.get(status, "failed"), message=message, hint=hint)


def not_found(what: str) -> Refused:
    return Refused(404, f"there is no {what}")


def readable(text: str) -> str:
    """Text that JSON can carry: what is not valid Unicode is replaced."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def fault_of(e: EarmarkError, code: str) -> Fault:
    """An error of ours without the path, which the client may not know."""
    return Fault(code=code, message=readable(e.reason), hint=readable(e.hint))
