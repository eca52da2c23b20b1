"""Headers by which a browser keeps an answer from harm, and from doing any."""

from __future__ import annotations

from collections.abc import Mapping

HEADERS: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(self)",
}
"""Sent with every answer."""

NO_CONTENT_POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox"
"""For whatever is no page: should it be taken for one, nothing in it runs."""

BARE: Mapping[str, str] = {
    **HEADERS,
    "Content-Security-Policy": NO_CONTENT_POLICY,
    "Cache-Control": "no-store",
}
"""For answers that are given where no route has been asked."""


def page_policy() -> str:
    """Content security policy of the page: nothing from elsewhere, no inline script or style."""
    parts = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' blob: data:",
        "media-src": "'self' blob:",
        "connect-src": "'self'",
        "font-src": "'self'",
        "worker-src": "'self'",
        "manifest-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in parts.items())
