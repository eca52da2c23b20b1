"""A report: whole, self-contained, true to the numbers, and safe with any name."""

import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("matplotlib", reason="needs earmark[train]")

from earmark.errors import EarmarkError
from earmark.evaluation.report.report import write_report
from tests.evaluations import LABELS, detection, evaluation

VOID = {"meta", "img"}


class Page(HTMLParser):
    """Checks that tags nest, and keeps tables, images, headings and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.images: list[str] = []
        self.headings: list[str] = []
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        given = dict(attrs)
        self.links += [str(given[name]) for name in ("href", "src") if name in given]
        if tag == "img":
            assert given["alt"]
            self.images.append(str(given["src"]))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("td", "th"):
            self.tables[-1][-1].append("")
        if tag in ("h1", "h2", "h3"):
            self.headings.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("td", "th"):
            self.tables[-1][-1][-1] += data
        if self.open and self.open[-1] in ("h1", "h2", "h3"):
            self.headings[-1] += data
        self.text += data


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report") / "new" / "folder"
    honest = evaluation(
        unknown=[detection(["Folk", "Polka"])],
        nonmusic=[detection(["white noise"], "entropy")],
    )
    page = write_report(
        folder,
        [evaluation("slice-random", skill=4), honest],
        title="A small model",
        command="earmark evaluate small music",
    )
    assert page == folder / "report.html"
    return folder


@pytest.fixture(scope="module")
def page(folder: Path) -> Page:
    return Page((folder / "report.html").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def metrics(folder: Path) -> Any:
    return json.loads((folder / "metrics.json").read_text(encoding="utf-8"))


def shown(score: dict[str, Any]) -> str:
    """A score of metrics.json as the report writes it."""
    if score["value"] is None:
        return "–"
    low, high = score["interval_95"]
    return f"{100 * score['value']:.1f} % ({100 * low:.1f}–{100 * high:.1f})"


def test_the_page_needs_nothing_else(folder: Path, page: Page) -> None:
    assert len(page.images) == 11
    for source in page.images:
        data = source.removeprefix("data:image/png;base64,")
        assert base64.b64decode(data, validate=True).startswith(b"\x89PNG")
    assert page.links == page.images
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert "http:" not in text
    assert "https:" not in text
    assert "default-src 'none'" in text
    assert "prefers-color-scheme: dark" in text


def test_markdown_shows_the_same_pictures_from_files(folder: Path, page: Page) -> None:
    text = (folder / "report.md").read_text(encoding="utf-8")
    files = re.findall(r"^!\[.+\]\((.+)\)$", text, flags=re.MULTILINE)
    assert len(files) == len(set(files)) == len(page.images)
    for file, source in zip(files, page.images, strict=True):
        data = base64.b64decode(source.removeprefix("data:image/png;base64,"))
        assert (folder / file).read_bytes() == data
    assert {path.name for path in folder.glob("*.png")} == set(files)


def test_numbers_are_those_of_metrics_json(page: Page, metrics: Any) -> None:
    side_by_side, *others = page.tables
    for row, result in zip(side_by_side[1:], metrics["evaluations"], strict=True):
        assert row[0].startswith(f"{result['name']}, {result['protocol']}")
        assert row[1:3] == [str(result["n_tracks"]), str(result["n_groups"])]
        assert row[3:6] == [
            shown(result["slice"]["accuracy"]),
            shown(result["track"]["accuracy"]),
            shown(result["track"]["macro_f1"]),
        ]
        assert row[6] == f"{100 * result['baselines']['majority']:.1f} %"
    # Of each evaluation: scores, genres, coverages; then two of what is unknown.
    honest = metrics["evaluations"][1]
    scores, genres, coverages, unknown, nonmusic = others[3:]
    names = ("accuracy", "macro_f1", "top_2_accuracy")
    assert [row[1:] for row in scores[1:4]] == [
        [shown(honest["track"][name]), shown(honest["slice"][name])] for name in names
    ]
    for row, (genre, result) in zip(genres[1:], honest["per_genre"].items(), strict=True):
        n = [str(result["recall"]["n"]), str(result["recall"]["n_groups"])]
        assert row == [genre, *n, *(shown(result[name]) for name in ("precision", "recall", "f1"))]
    for row, result in zip(coverages[1:], honest["coverage_at_precision"], strict=True):
        assert row[1] == f"{100 * result['coverage']:.1f} %"
    for table, key in ((unknown, "unknown"), (nonmusic, "nonmusic")):
        (result,) = honest[key]
        kinds = {**result["kinds"], "mean": result["mean"]}
        expected = [
            [kind, str(s["auroc"]["n"]), shown(s["auroc"]), shown(s["fpr_at_95_tpr"])]
            for kind, s in kinds.items()
        ]
        assert table[1:] == expected
    for name in ("expected_calibration_error", "aurc", "answered", "precision_when_answered"):
        assert shown(honest["track"][name]) in page.text


def test_markdown_has_the_same_tables(folder: Path, page: Page) -> None:
    lines = (folder / "report.md").read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.startswith("| ") and not line.startswith("| ---")]
    plain = [
        [re.sub(r"\\(.)", r"\1", cell) for cell in re.split(r"(?<!\\) ?\| ?", row)[1:-1]]
        for row in rows
    ]
    assert plain == [row for table in page.tables for row in table]


def test_a_reader_learns_what_was_measured_and_what_to_doubt(folder: Path, page: Page) -> None:
    assert page.headings[0] == "A small model"
    assert "earmark evaluate small music" in page.text
    assert "made up for a test" in page.text
    assert "60 tracks" in page.text
    assert "20 artists" in page.text
    assert "slices of the same recording are in training and in test" in page.text
    markdown = (folder / "report.md").read_text(encoding="utf-8")
    assert "> **Warning:** this protocol leaks" in markdown
    assert "which is no real speech" in page.text


def test_no_name_becomes_markup(tmp_path: Path) -> None:
    evil = '<script>alert("x")</script>'
    labels = (evil, "a|b*c_d`e", "[x](y) &lt; ~~z~~", "\udcff\x00\n# title")
    bad = evaluation(
        name=evil, protocol=f"{evil}|", labels=labels, unknown=[detection([evil], method=evil)]
    )
    write_report(tmp_path, [bad, bad], title=f"{evil} & co", command=f"earmark {evil}\n```\n# x")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert "script" not in page.tags
    assert page.headings[0] == f"{evil} & co"
    names = [row[0] for row in page.tables[2][1:]]
    assert names == [*labels[:3], "\\udcff\N{REPLACEMENT CHARACTER} # title"]
    markdown = (tmp_path / "report.md").read_text(encoding="utf-8")
    outside_code = [line for line in markdown.splitlines() if not line.startswith("    ")]
    assert not any(re.search(r"(?<!\\)<", line) for line in outside_code)
    assert r"\[x\](y) \&lt; \~\~z\~\~" in markdown
    assert r"a\|b\*c\_d\`e" in markdown
    assert json.loads((tmp_path / "metrics.json").read_text())["evaluations"][0]["name"] == evil


def test_one_evaluation_needs_no_comparison(tmp_path: Path) -> None:
    page = Page(write_report(tmp_path, [evaluation()], title="t", command="c").read_text("utf-8"))
    assert "Side by side" not in page.headings
    assert "Unknown genres" not in page.headings
    assert not (tmp_path / "comparison.png").exists()
    assert [row[0] for row in page.tables[1][1:]] == list(LABELS)


def test_a_report_written_twice_is_the_same(tmp_path: Path) -> None:
    once, again = (
        write_report(tmp_path / name, [evaluation()], title="t", command="c").read_bytes()
        for name in ("a", "b")
    )
    assert once == again


def test_a_folder_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("here first")
    with pytest.raises(EarmarkError, match=r"the report cannot be written to .*file"):
        write_report(tmp_path / "file", [evaluation()], title="t", command="c")
    assert (tmp_path / "file").read_text() == "here first"
