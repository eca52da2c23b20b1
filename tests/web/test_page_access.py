"""Whether everybody can use the page: with a screen reader, with keys, on a phone, in the dark."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.web.browser import AXE, MUSIC, STATIC, serving, violations

pytest.importorskip("fastapi", reason="needs earmark[web]")

SONG = MUSIC / "Beating That Thing.mp3"
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
TOO_WIDE = """() => [...document.querySelectorAll("body *")]
    .filter((e) => e.getBoundingClientRect().right > 361 && !e.parentElement.closest(".scroll"))
    .map((e) => e.outerHTML.slice(0, 120))"""
needs_axe = pytest.mark.skipif(not AXE.exists(), reason="needs axe-core: run make check-page")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One with a small library, of which there is a plan already."""
    root = tmp_path_factory.mktemp("music")
    files = [path for kind in ("mp3", "ogg") for path in sorted(MUSIC.rglob(f"*.{kind}"))]
    for path in files[:8]:
        (root / path.name).write_bytes(path.read_bytes())
    with serving(tmp_path_factory.mktemp("home"), "--library", root, "--allow-write") as served:
        yield served.url


def show(page: Any, view: str) -> None:
    """Each view with something in it."""
    if view == "listen":
        page.locator("input[type=file]").set_input_files(str(SONG))
        page.locator(".slice:enabled").first.wait_for()
        page.get_by_role("img", name=re.compile("^Probabilities")).wait_for()
    elif view == "library":
        page.locator("h1").get_by_text("Library").wait_for()
        page.get_by_role("button", name="Scan and listen").click()
        page.get_by_role("region", name="Plan", exact=True).wait_for(timeout=60_000)
        page.get_by_role("button", name=re.compile("^All")).click()
        page.locator("li.track").first.wait_for()
    else:
        page.locator("h1").get_by_text("Train").wait_for()
        genres = page.get_by_role("list", name="Genres to learn")
        scan = page.get_by_role("button", name="Scan")
        genres.or_(scan).first.wait_for()
        if scan.is_visible():
            scan.click()
        genres.wait_for(timeout=60_000)


@needs_axe
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", ["listen", "library", "train"])
def test_axe_finds_nothing_wrong(open_page: Any, server: str, view: str, scheme: str) -> None:
    page = open_page(server, path=f"#/{view}", color_scheme=scheme)
    show(page, view)
    assert violations(page) == []


@needs_axe
def test_axe_finds_nothing_wrong_with_the_dialogs(open_page: Any, server: str) -> None:
    page = open_page(server)
    page.get_by_role("button", name=re.compile("^Card")).first.click()
    page.get_by_role("dialog").get_by_text("Licence").wait_for()
    assert violations(page) == []


@pytest.mark.parametrize("view", ["listen", "library", "train"])
def test_a_phone_needs_no_scrolling_sideways(open_page: Any, server: str, view: str) -> None:
    page = open_page(server, path=f"#/{view}", **PHONE)
    show(page, view)
    assert page.evaluate(TOO_WIDE) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    if view == "library":
        page.get_by_label(re.compile("^Accept all")).first.tap()
        page.get_by_text(re.compile(r"[1-9]\d* tracks? accepted")).wait_for()


def background(page: Any) -> str:
    return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))


def test_dark_as_the_system_wishes_or_by_the_switch(open_page: Any, plain_server: str) -> None:
    light = background(open_page(plain_server, color_scheme="light"))
    page = open_page(plain_server, color_scheme="dark")
    dark = background(page)
    assert dark != light
    page.get_by_role("button", name="Theme: as the system").click()
    assert background(page) == dark
    page.get_by_role("button", name="Theme: dark").click()
    assert background(page) == light
    page.reload()
    page.get_by_role("button", name="Theme: light").wait_for()
    assert background(page) == light


def test_the_views_are_reached_with_keys_alone(open_page: Any, plain_server: str) -> None:
    page = open_page(plain_server)
    page.get_by_role("heading", name="Listen").wait_for()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Choose files…"
    page.get_by_role("link", name="Library").focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Library").wait_for()
    page.wait_for_function("document.title === 'Library · Earmark'")
    assert page.locator("[aria-current=page]").inner_text() == "Library"


def test_a_token_is_taken_from_the_link_or_asked_for(
    open_page: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    token = "correct-horse-battery-staple"
    with serving(tmp_path_factory.mktemp("home"), "--token", token) as served:
        base = served.url.split("#")[0]
        page = open_page(f"{base}#token={token}")
        page.get_by_role("heading", name="Listen").wait_for()
        assert token not in page.url

        page = open_page(base)
        page.get_by_label("Token").fill("something-else-altogether")
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("alert").wait_for()
        page.get_by_label("Token").fill(token)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("heading", name="Listen").wait_for()


def test_the_built_files_come_with_their_licences() -> None:
    notice = (STATIC / "NOTICE.txt").read_text(encoding="utf-8")
    for name in ("preact", "wavesurfer.js", "chart.js"):
        assert f"\n{name} " in notice
    built = "".join(path.read_text(encoding="utf-8") for path in STATIC.rglob("*.js"))
    assert "<style" not in built
    assert "eval(" not in built
