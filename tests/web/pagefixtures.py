"""Browser and servers for the tests of the page; conftest.py hands them on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.web import browser as browsers

OpenPage = Callable[..., Any]
# Browser, server and tests share a busy machine.
_PATIENCE_MS = 60_000


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A browser, or the reason why there is none."""
    path = browsers.chromium()
    if path is None:
        pytest.skip("no Chromium found: apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=browsers.FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Any) -> Iterator[OpenPage]:
    """Open an address as a person with a fresh browser does; any trouble fails the test.

    Trouble is a request to anywhere but the server, an error that no code has caught, a script
    that gets to run out of a name, and whatever the content security policy had to stop.
    """
    trouble: list[str] = []
    with ExitStack() as stack:

        def open_(url: str, *, path: str = "", **context: Any) -> Any:
            base = url.split("#")[0].rstrip("/")
            made = stack.enter_context(_context(chromium, **context))
            page = made.new_page()
            page.set_default_timeout(_PATIENCE_MS)

            def on_request(request: Any) -> None:
                if not request.url.startswith((f"{base}/", "blob:", "data:")):
                    trouble.append(f"request to {request.url}")

            def on_console(message: Any) -> None:
                if "Content Security Policy" in message.text:
                    trouble.append(message.text)

            def on_dialog(dialog: Any) -> None:
                trouble.append(f"a script has run: {dialog.message}")
                dialog.dismiss()

            page.on("request", on_request)
            page.on("console", on_console)
            page.on("dialog", on_dialog)
            page.on("pageerror", lambda error: trouble.append(f"uncaught: {error}"))
            page.goto(f"{url}{path}")
            return page

        yield open_
    assert not trouble


@contextmanager
def _context(chromium: Any, **options: Any) -> Iterator[Any]:
    context = chromium.new_context(accept_downloads=True, **options)
    yield context
    context.close()


@pytest.fixture(scope="session")
def plain_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a server without a library, for what changes nothing on it."""
    with browsers.serving(tmp_path_factory.mktemp("home")) as served:
        yield served.url


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo library: real music, partly without genres."""
    return browsers.copy_music(tmp_path_factory.mktemp("library") / "Music")
