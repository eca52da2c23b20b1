"""A library reviewed before it is written, written, and taken back: with the mouse or with keys."""

import filecmp
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from earmark.tags import read_tags
from tests.audiofiles import synth, write
from tests.web.browser import MUSIC, serving

pytest.importorskip("fastapi", reason="needs earmark[web]")

SCRIPT = "<script>alert('title')</script>"
LISTENS_MS = 180_000


@pytest.fixture(scope="module")
def server(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One for all: each test leaves the files as they were, and makes a plan of its own."""
    write(library / "hostile.flac", synth("music", 4.0), 44100, "flac", {"title": SCRIPT})
    with serving(tmp_path_factory.mktemp("home"), "--library", library, "--allow-write") as served:
        yield served.url


def genres(folder: Path) -> dict[str, tuple[str, ...]]:
    """Genres in the tags of the demo's files."""
    files = [p for p in sorted(MUSIC.rglob("*.*")) if p.suffix in {".mp3", ".flac", ".ogg", ".m4a"}]
    names = [path.relative_to(MUSIC) for path in files]
    return {str(name): read_tags(folder / name).genres for name in names}


def plan(page: Any) -> Any:
    """Ask for a plan and wait until it can be reviewed."""
    page.get_by_role("link", name="Library").click()
    page.get_by_role("button", name="Scan and listen").click()
    page.wait_for_url(re.compile(r"/plan/\d+$"), timeout=LISTENS_MS)
    review = page.get_by_role("region", name="Plan", exact=True)
    review.locator("li.track").first.wait_for()
    return review


def accepted(review: Any) -> int:
    found = re.search(r"(\d+) tracks? accepted", review.locator(".apply").inner_text())
    assert found
    return int(found[1])


def test_a_plan_is_reviewed_written_and_undone(open_page: Any, server: str, library: Path) -> None:
    before = genres(library)
    page = open_page(server)
    page.get_by_role("link", name="Library").click()
    page.get_by_role("button", name="Scan and listen").click()
    page.locator("section.job[data-state=running], section.job[data-state=done]").wait_for()
    page.context.close()  # the job goes on

    page = open_page(server, path="#/library")
    review = page.get_by_role("region", name="Plan", exact=True)
    review.wait_for(timeout=LISTENS_MS)
    review.locator("li.track").first.wait_for()
    n_proposed = review.locator("li.track").count()
    assert n_proposed >= 4
    assert accepted(review) == 0

    # All that is sure enough, then one taken out and one changed.
    slider = review.get_by_role("slider", name="Least confidence")
    slider.focus()
    page.keyboard.press("Home")
    review.get_by_role("button", name="Accept these").click()
    page.wait_for_function(
        "(n) => document.querySelector('.apply').textContent.includes(`${n} tracks accepted`)",
        arg=n_proposed,
    )
    rows = review.locator("li.track")
    rows.nth(0).get_by_role("button", name=re.compile("^Reject")).click()
    review.get_by_text("1 rejected").wait_for()
    rejected = rows.nth(0).locator(".what span").first.get_attribute("title")
    rows.nth(1).get_by_role("button", name=re.compile("^Change")).click()
    field = rows.nth(1).locator("input[type=text]")
    field.fill("Space Age; Easy Listening")
    field.press("Enter")
    rows.nth(1).get_by_text("Easy Listening", exact=True).wait_for()
    changed = rows.nth(1).locator(".what span").first.get_attribute("title")
    assert accepted(review) == n_proposed - 1
    assert genres(library) == before  # nothing yet

    review.get_by_role("button", name=re.compile("^Write")).click()
    page.get_by_role("dialog").get_by_role("button", name="Write", exact=True).click()
    page.get_by_text(f"{n_proposed - 1} files written").wait_for(timeout=60_000)
    # Nothing is left to be written.
    review.get_by_text(f"0 tracks accepted, 1 rejected, {n_proposed - 1} written").wait_for()
    assert review.get_by_role("button", name=re.compile("^Write")).is_disabled()
    assert read_tags(library / changed).genres == ("Space Age", "Easy Listening")
    assert read_tags(library / rejected).genres == read_tags(MUSIC / rejected).genres
    written = [name for name, found in genres(library).items() if found != before[name]]
    assert changed in written

    page.get_by_role("status").get_by_role("button", name="Undo").click()
    page.get_by_text("files put back").wait_for(timeout=60_000)
    assert genres(library) == before
    for name in before:
        assert filecmp.cmp(library / name, MUSIC / name, shallow=False), name
    journal = page.get_by_role("region", name="Journal")
    journal.locator("tbody tr").first.get_by_text("taken back").wait_for()


def test_an_undo_is_found_in_the_journal_later(open_page: Any, server: str, library: Path) -> None:
    page = open_page(server)
    review = plan(page)
    row = review.locator("li.track").first
    name = row.locator(".what span").first.get_attribute("title")
    row.get_by_role("checkbox").check()
    review.get_by_text("1 track accepted").wait_for()
    review.get_by_role("button", name=re.compile("^Write")).click()
    page.get_by_role("dialog").get_by_role("button", name="Write", exact=True).click()
    page.get_by_text("1 file written").wait_for(timeout=60_000)
    page.context.close()

    page = open_page(server, path="#/library")
    journal = page.get_by_role("region", name="Journal")
    latest = journal.locator("tbody tr").first
    latest.get_by_role("button", name=re.compile("^Undo")).click()
    latest.get_by_text("taken back").wait_for()
    assert filecmp.cmp(library / name, MUSIC / name, shallow=False)


def test_how_sure_is_sure_enough_can_be_said_beforehand(open_page: Any, server: str) -> None:
    page = open_page(server)
    plan(page)
    review = page.get_by_role("region", name="Plan", exact=True)
    n_proposed = review.locator("li.track").count()
    page.get_by_label("Not known if less sure than").fill("99")
    page.get_by_role("button", name="Scan and listen").click()
    review.get_by_role("button", name="Proposed 0").wait_for(timeout=LISTENS_MS)
    assert n_proposed > 0
    # Several plans to choose from, on a phone.
    assert page.get_by_label("Plan", exact=True).locator("option").count() >= 2
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_plan_is_reviewed_with_keys_alone(open_page: Any, server: str) -> None:
    page = open_page(server)
    review = plan(page)
    rows = review.locator("li.track")
    rows.nth(0).get_by_role("checkbox").focus()
    page.keyboard.press("a")
    review.get_by_text("1 track accepted").wait_for()
    page.keyboard.press("j")
    assert rows.nth(1).locator(".accept").evaluate("(box) => box === document.activeElement")
    page.keyboard.press("r")
    review.get_by_text("1 rejected").wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    review.get_by_text("2 tracks accepted").wait_for()
    page.keyboard.press("e")
    page.keyboard.type("Polka")
    page.keyboard.press("Enter")
    rows.nth(2).get_by_text("Polka", exact=True).wait_for()
    rows.nth(2).locator(".play").focus()
    page.keyboard.press("p")
    rows.nth(2).get_by_role("button", name=re.compile("^Pause")).wait_for()
    page.keyboard.press("p")
    page.keyboard.press("w")
    why = page.get_by_role("dialog")
    why.locator(".verdict").wait_for(timeout=60_000)
    why.get_by_role("button", name=re.compile("^Hear ")).first.wait_for()
    page.keyboard.press("Escape")
    why.wait_for(state="detached")


def test_a_title_that_is_a_script_is_text(open_page: Any, server: str) -> None:
    page = open_page(server)
    review = plan(page)
    review.get_by_role("button", name=re.compile("^All")).click()
    review.get_by_text(SCRIPT).first.wait_for()
    assert page.locator("main script").count() == 0


def test_without_leave_to_write_it_is_said_why(
    open_page: Any, library: Path, tmp_path: Path
) -> None:
    with serving(tmp_path / "home", "--library", library) as served:
        page = open_page(served.url, path="#/library")
        page.get_by_text("Nothing can be written here").wait_for()
        review = plan(page)
        review.locator("li.track").first.get_by_role("checkbox").check()
        review.get_by_text("1 track accepted").wait_for()
        assert review.get_by_role("button", name=re.compile("^Write")).count() == 0
        assert review.get_by_text("Read-only").is_visible()


def test_without_a_library_the_page_says_how_to_give_one(open_page: Any, plain_server: str) -> None:
    for view in ("library", "train"):
        page = open_page(plain_server, path=f"#/{view}")
        page.get_by_text("earmark serve --library").wait_for()
