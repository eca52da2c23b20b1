"""A model learned in the browser: genres merged, curves and confusion seen, put to use."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from earmark.training import recipes
from tests.audiofiles import Kind, synth, write
from tests.web.browser import serving

pytest.importorskip("fastapi", reason="needs earmark[web]")
pytest.importorskip("sklearn", reason="needs earmark[head]")
pytest.importorskip("onnx", reason="needs earmark[head]")

KINDS: dict[str, tuple[Kind, int]] = {
    "Jazz": ("tone", 6), "Rock": ("noise", 4), "Metal": ("noise", 4), "Folk": ("music", 6),
}  # fmt: skip
TRAINS_MS = 180_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Each genre sounds different; every artist has two tracks of one genre."""
    root = tmp_path_factory.mktemp("labelled")
    for genre, (kind, n_artists) in KINDS.items():
        for i in range(2 * n_artists):
            y = synth(kind, 4.0, 22050, n_channels=1, seed=i if genre != "Metal" else 90 + i)
            tags = {"genre": genre, "artist": f"{genre} {i // 2}", "title": f"{genre} {i}"}
            write(root / f"{genre} {i:02d}.flac", y, 22050, "flac", tags)
    with serving(tmp_path_factory.mktemp("home"), "--library", root) as served:
        yield served.url


def scanned(page: Any) -> Any:
    """The list of genres, after a first look through the library."""
    genres = page.get_by_role("list", name="Genres to learn")
    scan = page.get_by_role("button", name="Scan")
    genres.or_(scan).first.wait_for()
    if scan.is_visible():
        scan.click()
    genres.wait_for(timeout=60_000)
    return genres


def group(genres: Any, name: str) -> Any:
    return genres.get_by_role("listitem").filter(has=genres.page.get_by_label(name, exact=True))


def test_genres_are_merged_by_dragging_and_learned(open_page: Any, server: str) -> None:
    page = open_page(server, path="#/train")
    genres = scanned(page)
    assert genres.get_by_role("listitem").count() == 4
    group(genres, "Metal").drag_to(group(genres, "Rock"))
    page.get_by_text("Metal as Rock").wait_for()
    assert genres.get_by_role("listitem").count() == 3
    page.get_by_text("40 tracks of 3 genres").wait_for()

    page.get_by_label("Fewest tracks of a genre").fill("6")
    page.get_by_label("Name of the model").fill("merged")
    page.get_by_role("button", name="Start training").click()
    outcome = page.get_by_role("region", name="What came of it")
    outcome.wait_for(timeout=TRAINS_MS)
    text = outcome.inner_text()
    assert re.search(r"Measured on \d+ tracks by \d+ artists that it was not trained on", text)
    assert re.search(r"\d+\.\d%", text)
    matrix = outcome.get_by_role("region", name="Confusion matrix")
    heads = matrix.locator("thead th").all_inner_texts()
    assert [h.lower() for h in sorted(heads)] == ["?", "folk", "jazz", "rock"]
    counts = [int(text or 0) for text in matrix.locator("tbody td").all_inner_texts()]
    n_tested = int(re.search(r"Measured on (\d+)", text)[1])  # type: ignore[index]
    assert sum(counts) == n_tested

    outcome.get_by_role("button", name="Use this model").click()
    outcome.get_by_text("in use", exact=True).wait_for()
    assert "Model in use: merged (3 genres" in page.locator("footer").inner_text()

    page.reload()  # a page opened again shows how the last training went
    page.get_by_role("region", name="What came of it").wait_for()


def test_genres_are_merged_with_keys_alone(open_page: Any, server: str) -> None:
    page = open_page(server, path="#/train")
    genres = scanned(page)
    genres.get_by_role("button", name="Merge Metal into…").focus()
    page.keyboard.press("Enter")
    here = genres.get_by_role("button", name="Here: Metal counts as Rock")
    here.focus()
    page.keyboard.press("Enter")
    page.get_by_text("Metal as Rock").wait_for()
    name = genres.get_by_label("Name of the merged genre")
    name.fill("Loud")
    name.press("Enter")
    page.get_by_text("Metal as Loud").wait_for()
    assert genres.get_by_role("listitem").count() == 3

    genres.get_by_role("button", name=re.compile("^Metal.*take out again")).click()
    assert genres.get_by_role("listitem").count() == 4
    genres.get_by_role("button", name="Merge Jazz into…").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    assert genres.get_by_role("button", name="Merge Jazz into…").is_visible()


def test_genres_not_ticked_are_not_learned(open_page: Any, server: str) -> None:
    page = open_page(server, path="#/train")
    genres = scanned(page)
    page.get_by_label("Fewest tracks of a genre").fill("5")
    page.get_by_text("of 4 genres").wait_for()
    group(genres, "Folk").get_by_role("checkbox").uncheck()
    page.get_by_text("of 3 genres").wait_for()
    for name in ("Jazz", "Rock"):
        group(genres, name).get_by_role("checkbox").uncheck()
    page.get_by_text("Two genres or more are needed").wait_for()
    assert page.get_by_role("button", name="Start training").is_disabled()


def test_recipes_are_those_that_the_server_has(open_page: Any, server: str) -> None:
    page = open_page(server, path="#/train")
    scanned(page)
    choice = page.get_by_label("Recipe")
    assert choice.input_value() == recipes.DEFAULT == "head"
    offered = choice.locator("option").evaluate_all("(all) => all.map((one) => one.value)")
    assert offered[0] == "head"
    assert sorted(offered) == recipes.names()
    page.get_by_text(recipes.load("head").description).wait_for()
    assert page.get_by_label("Epochs, at most").count() == 0
    usable = choice.locator("option:not([disabled])")
    if usable.filter(has_text="slices-2016").count():
        choice.select_option("slices-2016")
        page.get_by_text(recipes.load("slices-2016").description).wait_for()
        epochs = recipes.load("slices-2016").schedule.epochs
        assert page.get_by_label("Epochs, at most").input_value() == str(epochs)


@pytest.mark.slow
def test_a_networks_curves_are_drawn_while_it_learns(open_page: Any, server: str) -> None:
    pytest.importorskip("torch", reason="needs earmark[train]")
    page = open_page(server, path="#/train")
    scanned(page)
    page.get_by_label("Fewest tracks of a genre").fill("6")
    page.get_by_label("Recipe").select_option("cnn")
    page.get_by_label("Epochs, at most").fill("2")
    page.get_by_label("Name of the model").fill("network")
    page.get_by_role("button", name="Start training").click()
    curves = page.get_by_role("region", name="Learning curves")
    curves.wait_for(timeout=600_000)
    curves.get_by_role("img", name=re.compile("Learning curves over 2 epochs")).wait_for(
        timeout=600_000
    )
    page.get_by_role("region", name="What came of it").wait_for(timeout=600_000)
