"""The plan of ``earmark tag``."""

from __future__ import annotations

import dataclasses
import os

import pytest

from earmark.library import Plan, TagMode, changes, is_wanted, make_plan
from earmark.types import Decision, TagChange, Tags, Track

ROCK = Decision("Rock", 0.8, 0.9, {"Rock": 0.8, "Pop": 0.15, "Jazz": 0.05}, 10)
UNSURE = Decision(None, 0.3, 0.4, {"Pop": 0.3, "Rock": 0.2}, 10, "confidence 0.30 is below 0.50")


def track(name: str, *genres: str, number: int = 0, **tags: str) -> Track:
    path = name if name.startswith("/") else f"/m/{name}"
    return Track(path, 10, 20, Tags(genres=genres, **tags), track_id=number)  # type: ignore[arg-type]


def plan_of(*tracks: Track, decision: Decision | str = ROCK, mode: TagMode = "fill") -> Plan:
    return make_plan(tracks, {t.path: decision for t in tracks}, mode)


def actions(plan: Plan) -> list[str]:
    return [item.action for item in plan.items]


@pytest.mark.parametrize(
    ("mode", "before", "action", "after"),
    [
        ("fill", (), "fill", ("Rock",)),
        ("fill", ("(255)",), "fill", ("Rock",)),
        ("fill", ("Other", "Unknown"), "fill", ("Rock",)),
        ("fill", ("Jazz",), "keep", ("Jazz",)),
        ("overwrite", (), "fill", ("Rock",)),
        ("overwrite", ("Jazz", "Pop"), "overwrite", ("Rock",)),
        ("overwrite", ("Rock",), "keep", ("Rock",)),
        ("append", ("Other",), "fill", ("Rock",)),
        ("append", ("Jazz",), "append", ("Jazz", "Rock")),
        ("append", ("rock", "Jazz"), "keep", ("rock", "Jazz")),
    ],
)
def test_modes(mode: TagMode, before: tuple[str, ...], action: str, after: tuple[str, ...]) -> None:
    plan = plan_of(track("a.mp3", *before), mode=mode)
    assert actions(plan) == [action]
    assert plan.items[0].after == after
    expected = [] if after == before else [TagChange("/m/a.mp3", "genre", before, after, 10, 20)]
    assert changes(plan) == expected
    assert bool(plan.items[0].reason) == (action == "keep")


@pytest.mark.parametrize(
    ("mode", "before", "after"),
    [
        ("fill", (), ("Rock",)),
        ("overwrite", ("Jazz",), ("Rock",)),
        ("append", ("Jazz",), ("Jazz; Rock",)),
        ("append", ("Größe;polka",), ("Größe; polka; Rock",)),
        ("append", ("(8)",), ("Jazz; Rock",)),
        ("append", ("(8)(32)Chamber", "8"), ("Jazz; Classical; Chamber Music; Rock",)),
        ("append", ("Jazz", "(199)"), ("Jazz; Rock",)),
        # What is there already is not added again.
        ("append", ("Jazz; Rock",), ("Jazz; Rock",)),
        ("append", ("(17)",), ("(17)",)),
        ("append", ("Rock/Pop",), ("Rock/Pop",)),
    ],
)
def test_joining(mode: TagMode, before: tuple[str, ...], after: tuple[str, ...]) -> None:
    plan = make_plan([track("a.mp3", *before)], {"/m/a.mp3": ROCK}, mode, join="; ")
    assert plan.items[0].after == after
    again = make_plan([track("a.mp3", *after)], {"/m/a.mp3": ROCK}, mode, join="; ")
    assert changes(again) == []


def test_joining_by_what_is_part_of_names() -> None:
    plan = make_plan([track("a.mp3", "Hip Hop")], {"/m/a.mp3": ROCK}, "append", join=" ")
    assert plan.items[0].after == ("Hip Hop Rock",)


@pytest.mark.parametrize("held", ["(17)", "17", "Rock/Pop", "rock; Jazz"])
def test_a_genre_that_is_there_in_other_words_is_not_appended(held: str) -> None:
    assert actions(plan_of(track("a.mp3", held), mode="append")) == ["keep"]


def test_only_what_can_be_proposed_for_is_wanted() -> None:
    broken = dataclasses.replace(track("a.mp3"), error="damaged")
    assert is_wanted(track("a.mp3", "(None)"), "fill")
    assert not is_wanted(track("a.mp3", "Jazz"), "fill")
    assert is_wanted(track("a.mp3", "Jazz"), "append")
    assert not is_wanted(broken, "overwrite")


def test_what_is_not_known_is_said() -> None:
    plan = plan_of(track("a.mp3"), decision=UNSURE)
    (item,) = plan.items
    assert (item.action, item.reason) == ("unknown", "confidence 0.30 is below 0.50")
    assert (item.confidence, item.runners_up) == (0.3, (("Pop", 0.3), ("Rock", 0.2)))
    assert changes(plan) == []


def test_errors_are_said() -> None:
    broken = dataclasses.replace(track("b.mp3"), error="damaged tag")
    plan = make_plan([track("a.mp3"), broken, track("c.mp3")], {"/m/a.mp3": "no audio"})
    assert [(i.action, i.reason) for i in plan.items] == [
        ("error", "no audio"),
        ("error", "damaged tag"),
        ("unknown", "not listened to"),
    ]
    assert changes(plan) == []


def test_runners_up_are_the_next_best() -> None:
    (item,) = plan_of(track("a.mp3")).items
    assert item.runners_up == (("Pop", 0.15), ("Jazz", 0.05))
    assert (item.confidence, item.agreement) == (0.8, 0.9)


def test_albums_stay_together() -> None:
    plan = plan_of(
        track("1/a.mp3", album="Mix", artist="A"),
        track("2/b.mp3", album="Solo", artist="B", album_artist="B"),
        track("1/c.mp3", album="mix", artist="C"),  # a compilation without album artist
        track("2/d.mp3"),
        track("3/e.mp3", album="Solo", artist="B", album_artist="b"),  # its second disc
        track("3/f.mp3", album="Mix", artist="F"),
        track("2/g.mp3"),
    )
    albums = [
        (heading, [os.path.basename(item.path)[0] for item in items])  # noqa: PTH119
        for heading, items in plan.albums()
    ]
    assert albums == [
        ("various artists – Mix", ["a", "c"]),
        ("B – Solo", ["b", "e"]),
        ("/m/2", ["d", "g"]),
        ("F – Mix", ["f"]),
    ]
    assert plan.counts() == {"fill": 7}
