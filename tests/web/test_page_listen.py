"""Songs dropped in, as a person does it: their genre, why, and hearing them."""

import base64
import csv
import io
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from tests.audiofiles import synth, write
from tests.web.browser import MUSIC

pytest.importorskip("fastapi", reason="needs earmark[web]")

SONG = MUSIC / "Beating That Thing.mp3"
# Playwright's way of dropping: files made in the page, and the event that a browser would send.
DROP = """async (files) => {
    const data = new DataTransfer();
    for (const [name, bytes] of files) {
        const content = Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0));
        data.items.add(new File([content], name));
    }
    const zone = document.querySelector(".drop");
    for (const type of ["dragover", "drop"]) {
        const event = {dataTransfer: data, bubbles: true, cancelable: true};
        zone.dispatchEvent(new DragEvent(type, event));
    }
}"""


def upload(page: Any, *files: object) -> None:
    page.locator("input[type=file]").set_input_files([str(file) for file in files])


def test_a_song_gets_its_genre_with_the_reason_and_can_be_heard(
    open_page: Any, plain_server: str
) -> None:
    page = open_page(plain_server)
    upload(page, SONG)
    result = page.get_by_role("region", name=f"Result for {SONG.name}")
    result.locator(".verdict .genre").wait_for()
    verdict = result.locator(".verdict").inner_text()
    assert re.search(r"\d+% sure; \d+ of \d+ slices|I don’t know\s+Why: .+", verdict)

    chart = result.get_by_role("img", name=re.compile("^Probabilities for"))
    shares = [float(p) for p in re.findall(r"([\d.]+)%", chart.get_attribute("aria-label"))]
    assert len(shares) == 12
    # The rest is how likely it is that the song is no music.
    assert 50 < sum(shares) < 101
    assert shares == sorted(shares, reverse=True)
    assert drawn(chart)
    assert "“ear”" in result.inner_text()

    slices = result.get_by_role("button", name=re.compile("^Hear "))
    slices.first.wait_for()
    n_slices = slices.count()
    assert n_slices >= 3
    votes = result.locator(".votes").inner_text()
    assert sum(map(int, re.findall(r": (\d+) of", votes))) == n_slices

    result.get_by_role("button", name=f"Play {SONG.name}").click()
    page.wait_for_function("() => parseFloat(document.querySelector('.scrubber').value) > 0.3")
    left = cursor(page)
    page.wait_for_function(
        f"() => parseFloat(document.querySelector('.cursor').style.left) > {left}"
    )
    result.get_by_role("button", name=f"Pause {SONG.name}").click()

    second = slices.nth(1)
    words = second.get_attribute("aria-label")
    minutes, seconds = map(int, re.findall(r"Hear (\d+):(\d+)", words)[0])
    start = 60 * minutes + seconds
    second.click()
    page.wait_for_function(
        f"() => Math.abs(document.querySelector('.scrubber').value - {start}) < 4"
        f" && document.querySelector('.scrubber').value >= {start}"
    )
    # A slice is heard to its end, and no further.
    result.get_by_role("button", name=f"Play {SONG.name}").wait_for(timeout=8000)
    heard_to = float(page.locator(".scrubber").input_value())
    assert start < heard_to < start + 5


def drawn(canvas: Any) -> bool:
    """Whether something gets drawn: a canvas of one colour is blank, as all are at first."""
    until = time.monotonic() + 30
    while not canvas.evaluate(
        """(canvas) => {
            const {width, height} = canvas;
            const {data} = canvas.getContext("2d").getImageData(0, 0, width, height);
            return new Set(new Uint32Array(data.buffer)).size > 3;
        }"""
    ):
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True


def cursor(page: Any) -> float:
    return float(page.evaluate("() => parseFloat(document.querySelector('.cursor').style.left)"))


def test_the_spectrogram_lies_under_the_slices(open_page: Any, plain_server: str) -> None:
    page = open_page(plain_server)
    upload(page, SONG)
    picture = page.get_by_role("img", name=f"Spectrogram of {SONG.name}")
    picture.wait_for()
    assert page.wait_for_function(
        "() => document.querySelector('.spectrogram img').naturalWidth > 100"
    )
    box = picture.bounding_box()
    inside = page.locator(".slice").all()
    assert inside
    for element in inside:
        place = element.bounding_box()
        assert box["x"] <= place["x"]
        assert place["x"] + place["width"] <= box["x"] + box["width"] + 6
    # Beside the slices, a click goes to that place.
    page.locator(".spectrogram").click(position={"x": 0.6 * box["width"], "y": box["height"] - 3})
    page.wait_for_function(
        "() => { const s = document.querySelector('.scrubber');"
        " return Math.abs(s.value / s.max - 0.6) < 0.05; }"
    )


def test_ten_files_dropped_give_a_table_to_sort_and_to_take_away(
    open_page: Any, plain_server: str, tmp_path: Path
) -> None:
    files = []
    for i in range(9):
        kind = ("music", "noise", "tone")[i % 3]
        path = write(tmp_path / f"{i}.ogg", synth(kind, 4.0, 44100, seed=i), 44100, "ogg")  # type: ignore[arg-type]
        files.append(path)
    broken = tmp_path / "<img src=x onerror=alert(1)>.mp3"
    broken.write_bytes(b"no music at all" * 100)
    page = open_page(plain_server)
    drop(page, [*files, broken])
    table = page.get_by_role("region", name="Table of results")
    page.get_by_text("10 files,").wait_for()
    page.wait_for_function(
        "() => ![...document.querySelectorAll('.scroll tbody tr')]"
        ".some((row) => row.textContent.includes('…'))"
    )
    assert table.locator("tbody tr").count() == 10
    assert page.locator("td img, td script").count() == 0
    assert table.get_by_text(broken.name).is_visible()
    assert "not a music file, or damaged beyond reading: " in table.inner_text()
    # On a phone all of it can be read without scrolling sideways, names in words.
    wide = page.viewport_size
    page.set_viewport_size({"width": 360, "height": 740})
    assert table.evaluate("(box) => box.scrollWidth <= box.clientWidth")
    assert table.get_by_role("button", name="0.ogg").bounding_box()["height"] < 60
    page.set_viewport_size(wide)

    table.get_by_role("button", name=re.compile("Sure")).click()
    assert table.locator("th[aria-sort=descending]").inner_text().startswith("Sure")
    sure = [int(text[:-1]) for text in table.locator("td:nth-child(3)").all_inner_texts()]
    assert len(sure) == 9
    assert sure == sorted(sure, reverse=True)
    table.get_by_role("button", name=re.compile("File")).click()
    first = table.locator("tbody tr").first
    first.get_by_role("button").click()

    rows = list(csv.DictReader(io.StringIO(downloaded(page, "CSV"))))
    assert {row["file"] for row in rows} == {file.name for file in [*files, broken]}
    assert sum(bool(row["error"]) for row in rows) == 1
    tracks = json.loads(downloaded(page, "JSON"))["tracks"]
    good = [track for track in tracks if not track["error"]]
    assert len(good) == 9
    assert all(0 < sum(track["proba"].values()) < 1.01 for track in good)


def drop(page: Any, files: list[Path]) -> None:
    page.locator(".drop").wait_for()
    page.evaluate(
        DROP, [[file.name, base64.b64encode(file.read_bytes()).decode()] for file in files]
    )


def downloaded(page: Any, button: str) -> str:
    with page.expect_download() as waiting:
        page.get_by_role("button", name=button, exact=True).click()
    return Path(waiting.value.path()).read_bytes().decode("utf-8")


def test_a_recording_is_listened_to(open_page: Any, plain_server: str) -> None:
    page = open_page(plain_server, permissions=["microphone"])
    page.get_by_role("button", name="Record").click()
    page.wait_for_timeout(4000)
    page.get_by_role("button", name="Stop recording and listen").click()
    result = page.get_by_role("region", name=re.compile("^Result for Recording"))
    result.locator(".verdict .genre").wait_for()
    result.get_by_role("button", name=re.compile("^Hear ")).first.wait_for()


def test_what_cannot_be_heard_is_told_with_its_reason(
    open_page: Any, plain_server: str, tmp_path: Path
) -> None:
    page = open_page(plain_server)
    empty = tmp_path / "empty.mp3"
    empty.touch()
    upload(page, empty)
    page.get_by_role("alert").get_by_text("The file is empty.").wait_for()
    page.get_by_role("button", name="Remove empty.mp3").click()
    text = tmp_path / "letter.mp3"
    text.write_text("Dear Sir or Madam, " * 99)
    upload(page, text)
    alert = page.get_by_role("alert")
    alert.wait_for()
    assert len(alert.inner_text()) > 10


def test_results_survive_a_look_at_another_view(open_page: Any, plain_server: str) -> None:
    page = open_page(plain_server)
    upload(page, SONG)
    page.locator(".verdict .genre").wait_for()
    page.get_by_role("link", name="Train").click()
    page.get_by_role("heading", name="Train").wait_for()
    page.get_by_role("link", name="Listen").click()
    page.locator(".verdict .genre").wait_for(timeout=5000)


def test_the_models_card_says_how_good_it_is(open_page: Any, plain_server: str) -> None:
    page = open_page(plain_server)
    page.get_by_role("button", name="Card of the model ear").first.click()
    card = page.get_by_role("dialog")
    card.get_by_text("that it was not trained on").wait_for()
    text = card.inner_text()
    assert re.search(r"\d+\.\d% \(95% interval \d+% to \d+%\)", text)
    assert "Licence" in text
    page.keyboard.press("Escape")
    card.wait_for(state="detached")
