"""What goes wrong in a request, and how it is answered: one shape for all of it.

The processes of jobs use this too, and do without FastAPI.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from earmark.errors import (
    BundleError,
    ConfigError,
    DataError,
    EarmarkError,
    FileError,
    LibraryError,
    MissingExtraError,
)
from earmark.web.protection import BARE
from earmark.web.schemas.common import Fault, Refusal

if TYPE_CHECKING:
    from fastapi import FastAPI

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
    429: "too_many_tries",
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


# --- answers -------------------------------------------------------------------------------------


def answer(status: int, fault: Fault, headers: dict[str, str] | None = None) -> JSONResponse:
    """The one shape of every answer that is no success."""
    return JSONResponse(Refusal(error=fault).model_dump(), status, headers)


def status_of(e: EarmarkError) -> int:
    """HTTP's number for one of our errors."""
    if isinstance(e, FileError | DataError | ConfigError):
        return 422
    if isinstance(e, MissingExtraError):
        return 501
    if isinstance(e, LibraryError):
        return 409
    return 500 if isinstance(e, BundleError) else 503


def install(app: FastAPI) -> None:
    """Have every error answered in the one shape."""
    from fastapi.encoders import jsonable_encoder
    from fastapi.exceptions import RequestValidationError

    @app.exception_handler(HTTPException)
    def http(_: Request, e: HTTPException) -> JSONResponse:
        if isinstance(e, Refused):
            fault = e.fault
        else:
            fault = Fault(code=CODES.get(e.status_code, "failed"), message=str(e.detail), hint="")
        return answer(e.status_code, fault, dict(e.headers or {}))

    @app.exception_handler(RequestValidationError)
    def invalid(_: Request, e: RequestValidationError) -> JSONResponse:
        first = jsonable_encoder(e.errors())[0]
        where = ".".join(str(part) for part in first["loc"])
        fault = Fault(code="invalid", message=readable(f"{where}: {first['msg']}"), hint="")
        return answer(422, fault)

    @app.exception_handler(EarmarkError)
    def ours(_: Request, e: EarmarkError) -> JSONResponse:
        return answer(status_of(e), fault_of(e, "failed"))

    @app.exception_handler(Exception)
    def bug(_: Request, __: Exception) -> JSONResponse:
        # The server logs it with its traceback; nothing of that is for strangers.
        fault = Fault(code="failed", message="the server has made a mistake", hint="see its log")
        # This comes from outside of all that would add the headers.
        return answer(500, fault, dict(BARE))
