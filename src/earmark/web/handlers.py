"""How what goes wrong is answered: one shape for all of it."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from earmark.errors import (
    BundleError,
    ConfigError,
    DataError,
    EarmarkError,
    FileError,
    LibraryError,
    MissingExtraError,
)
from earmark.web.faults import CODES, Refused, fault_of, readable
from earmark.web.schemas.common import Fault, Refusal


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
        return answer(500, fault, {"Cache-Control": "no-store"})
