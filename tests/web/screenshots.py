"""Make docs/img/*.png: each view of the page, as it is with the music of examples/.

python -m tests.web.screenshots
"""

from __future__ import annotations

import io
import re
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import ViewportSize, sync_playwright

from tests.web.browser import FLAGS, MUSIC, ROOT, chromium, copy_music, serving

PICTURES = ROOT / "docs" / "img"
WIDE: ViewportSize = {"width": 1100, "height": 860}
TALL: ViewportSize = {"width": 1100, "height": 1120}
PHONE: ViewportSize = {"width": 390, "height": 844}
SONGS = [
    MUSIC / "Obsidian Shell" / "Angelic Asylum" / "09 Wings of Cruelty.mp3",
    MUSIC
    / "Johann Sebastian Bach"
    / "Brandenburg Concertos"
    / "No. 2 in F, BWV 1047, 1st movement.flac",
    MUSIC / "Omri Lahav" / "0 A.D" / "Celtic Pride.ogg",
    MUSIC / "Beating That Thing.mp3",
]
MERGES = {
    "Electronic": ["Electronica", "House", "Ambient", "Chiptune"],
    "Metal": ["Death Metal", "Female Fronted Metal", "Instrumental Rock"],
    "Classical": ["Orchestral", "Celtic", "Soundtrack"],
}
LONG_MS = 240_000


def main() -> None:
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        library = copy_music(folder / "Music")
        with (
            serving(folder / "home", "--library", library, "--allow-write") as served,
            sync_playwright() as driver,
        ):
            browser = driver.chromium.launch(executable_path=chromium(), args=FLAGS)
            page = browser.new_page(viewport=WIDE)
            page.goto(served.url)
            listen(page)
            library_(page)
            train(page)
            phone = browser.new_page(viewport=PHONE, color_scheme="dark")
            phone.goto(served.url)
            listen(phone, SONGS[:1], "phone")
            browser.close()


def listen(page: Any, songs: list[Path] = SONGS, name: str = "listen") -> None:
    page.locator("input[type=file]").set_input_files([str(song) for song in songs])
    for _ in songs:
        page.locator(".slice:enabled").first.wait_for()
    page.wait_for_function("() => !document.querySelector('progress')")
    page.locator(".slice").nth(1).click()
    page.wait_for_timeout(1500)
    page.get_by_role("region", name=re.compile("^Result")).scroll_into_view_if_needed()
    save(page, name)


def library_(page: Any) -> None:
    page.get_by_role("link", name="Library").click()
    page.get_by_role("button", name="Scan and listen").click()
    review = page.get_by_role("region", name="Plan", exact=True)
    review.wait_for(timeout=LONG_MS)
    review.locator("li.track").first.wait_for()
    review.get_by_role("button", name="Accept these").click()
    review.get_by_text(re.compile(r"[1-9]\d* tracks? accepted")).wait_for()
    review.evaluate("(panel) => window.scrollTo(0, panel.offsetTop - 70)")
    save(page, "library")


def train(page: Any) -> None:
    page.get_by_role("link", name="Train").click()
    genres = page.get_by_role("list", name="Genres to learn")
    genres.wait_for()
    for into, others in MERGES.items():
        for other in others:
            merge = genres.get_by_role("button", name=f"Merge {other} into…", exact=True)
            if merge.count():
                merge.click()
                genres.get_by_role("button", name=f"Here: {other} counts as {into}").click()
    page.get_by_label("Fewest tracks of a genre").fill("3")
    page.get_by_text(re.compile(r"tracks of \d+ genres")).wait_for()
    save(page, "train-genres")
    page.get_by_role("button", name="Start training").click()
    page.get_by_role("region", name="What came of it").wait_for(timeout=LONG_MS)
    page.get_by_role("region", name="Confusion matrix").wait_for()
    page.wait_for_timeout(500)
    page.set_viewport_size(TALL)
    outcome = page.get_by_role("region", name="What came of it")
    outcome.evaluate("(panel) => window.scrollTo(0, panel.offsetTop - 70)")
    save(page, "train")


def save(page: Any, name: str) -> None:
    """With few colours: a quarter of the size, and nothing that is seen is lost."""
    page.wait_for_timeout(300)
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    small = picture.quantize(256, dither=Image.Dither.NONE)
    small.save(PICTURES / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
