"""Whatever operation fails, and however: the file is the old or the new one, whole, the journal
says which, and undo brings back the old one to the byte."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from earmark.errors import FileError, LibraryError
from earmark.tags import ChangeState, Journal, Written, apply_change, undo_change
from tests.faultylayer import KINDS, Fault, FaultyLayer
from tests.tagfiles import by_mutagen, edit_title, leftovers, make, plan, undo

# One for each way of writing: a family's containers, and what changes where in them.
SPECIMENS = (
    *("mp3_none", "mp3_v1", "mp3_v23", "mp3_all", "aac", "tta", "flac", "flac_id3", "ogg", "opus"),
    *("oggflac", "m4a", "m4a_bare", "m4a_fragmented", "wav", "wav_id3", "aiff", "wma", "wavpack"),
    *("musepack",),
)
AFTER = ("Zydeco", "Größe")


@dataclass(frozen=True)
class State:
    """A music file, and the folder of a journal that goes with it."""

    content: bytes
    mtime_ns: int


class Scene:
    """A folder with a music file and a journal, put back before each fault.

    Parameters
    ----------
    folder : Path
    specimen : str
    prepare, operate : callable
        What comes before the faults, and gives what meets them.
    """

    def __init__(
        self,
        folder: Path,
        specimen: str,
        prepare: Callable[[Path, Path], object],
        operate: Callable[[Path, Path], Callable[[], Written]],
    ) -> None:
        self.music, self.data, self._kept = folder / "music", folder / "data", folder / "kept"
        self.music.mkdir()
        self.data.mkdir()
        self._operate = operate
        self.path = make(self.music, specimen)
        self.first = self.state()
        prepare(self.path, self.data)
        self.before = self.state()
        shutil.copytree(self.data, self._kept)
        self.operations, result = self.run(None)
        assert isinstance(result, Written)
        self.after = self.state()
        assert self.after.content != self.before.content

    def state(self) -> State:
        return State(self.path.read_bytes(), self.path.stat().st_mtime_ns)

    def run(self, fault: Fault | None) -> tuple[list[str], object]:
        """What was called, and what came of it: a result, or an error of the expected kinds."""
        shutil.rmtree(self.data)
        shutil.copytree(self._kept, self.data)
        for stray in self.music.iterdir():
            stray.unlink()
        self.path.write_bytes(self.before.content)
        os.utime(self.path, ns=(self.before.mtime_ns, self.before.mtime_ns))
        operate = self._operate(self.path, self.data)
        with FaultyLayer(self.music, fault) as layer:
            try:
                return layer.operations, operate()
            except (FileError, LibraryError) as e:
                return layer.operations, e

    def faults(self) -> list[Fault]:
        """All that can go wrong."""
        return [
            Fault(n, how) for n, kind in enumerate(self.operations, start=1) for how in KINDS[kind]
        ]


def applying(path: Path, data: Path) -> Callable[[], Written]:
    change = plan(path, *AFTER)

    def apply() -> Written:
        with Journal(data) as journal:
            return apply_change(journal, journal.new_run(), change)

    return apply


def undoing(path: Path, data: Path) -> Callable[[], Written]:
    def take_back() -> Written:
        with Journal(data) as journal:
            run = journal.run_to_undo()
            (change,) = journal.changes_to_undo(run.run_id)
            written = undo_change(journal, change)
            journal.finish_undo(run.run_id)
            return written

    return take_back


def nothing(path: Path, data: Path) -> None:
    """No preparation."""


def applied(path: Path, data: Path) -> None:
    applying(path, data)()


def applied_and_edited(path: Path, data: Path) -> None:
    """Another program edits the file after us, so that undo brings the field back only."""
    applied(path, data)
    edit_title(by_mutagen(path))


def check_applied(scene: Scene, fault: Fault, result: object) -> None:
    found = scene.state()
    assert found.content in (scene.before.content, scene.after.content), "not whole"
    is_new = found.content == scene.after.content
    assert is_new or found == scene.before
    if is_new:
        assert isinstance(result, Written) or "cannot be told" in str(result), "written, and not so"
    if isinstance(result, Written):
        assert is_new
        assert (result.size, result.mtime_ns) == (len(found.content), found.mtime_ns)
    with Journal(scene.data) as journal:
        journal.recover()
        changes = [change for run in journal.runs() for change in journal.changes(run.run_id)]
        states = {change.state for change in changes}
        if is_new:
            assert states == {ChangeState.DONE}
        else:
            assert states <= {ChangeState.FAILED, ChangeState.ABANDONED}
        told = "".join([str(result), *(change.reason for change in changes)])
        for path in leftovers(scene.music):
            assert f"its temporary copy {path} stays" in told
            path.unlink()
        if not is_new:
            apply_change(journal, journal.new_run(), plan(scene.path, *AFTER))
            assert scene.path.read_bytes() == scene.after.content
        assert undo(journal) == []
    assert scene.state() == scene.before, "undo brought back something else"


def check_undone(scene: Scene, fault: Fault, result: object) -> None:
    found = scene.state()
    assert found.content in (scene.before.content, scene.after.content), "not whole"
    is_old = found.content == scene.after.content
    assert is_old or found == scene.before
    if isinstance(result, Written):
        assert is_old
    with Journal(scene.data) as journal:
        journal.recover()
        (change,) = journal.changes(1)
        assert change.state is (ChangeState.UNDONE if is_old else ChangeState.DONE)
        told = f"{result} {change.reason}"
        for path in leftovers(scene.music):
            assert f"its temporary copy {path} stays" in told
            path.unlink()
        if not is_old:
            assert undo(journal) == []
    assert scene.path.read_bytes() == scene.after.content


SCENARIOS = {
    "apply": (nothing, applying, check_applied),
    "undo": (applied, undoing, check_undone),
    "undo the field": (applied_and_edited, undoing, check_undone),
}


def run_faults(
    folder: Path, specimen: str, scenario: str, choose: Callable[[Scene], list[Fault]]
) -> None:
    prepare, operate, check = SCENARIOS[scenario]
    scene = Scene(folder, specimen, prepare, operate)
    for fault in choose(scene):
        _, result = scene.run(fault)
        try:
            check(scene, fault, result)
        except (AssertionError, FileError, LibraryError) as e:
            kind = scene.operations[fault.at - 1]
            raise AssertionError(f"{fault} ({kind}), which gave {result!r}: {e}") from e


CASES = [
    *((specimen, scenario) for specimen in SPECIMENS for scenario in ("apply", "undo")),
    *((specimen, "undo the field") for specimen in ("mp3_all", "flac", "ogg", "m4a", "wma")),
]


@pytest.mark.parametrize(("specimen", "scenario"), CASES)
def test_any_operation_may_fail(tmp_path: Path, specimen: str, scenario: str) -> None:
    """One of each kind, others for each file; one of those around the rename in every way."""
    draw = random.Random(f"{specimen} {scenario}")

    def sampled(scene: Scene) -> list[Fault]:
        faults, rename = scene.faults(), scene.operations.index("rename") + 1
        kinds = {kind: [f for f in faults if scene.operations[f.at - 1] == kind] for kind in KINDS}
        at = draw.randint(rename - 2, rename + 4)
        return [
            *(draw.choice(found) for found in kinds.values() if found),
            *(fault for fault in faults if fault.at == at),
        ]

    run_faults(tmp_path, specimen, scenario, sampled)


@pytest.mark.slow
@pytest.mark.parametrize(("specimen", "scenario"), CASES)
def test_every_operation_may_fail(tmp_path: Path, specimen: str, scenario: str) -> None:
    run_faults(tmp_path, specimen, scenario, Scene.faults)
