"""The feature store: what goes in comes out, and nothing half-written ever does."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from earmark.errors import LibraryError
from earmark.features.store import FeatureStore, stored_ids
from earmark.types import FeatureConfig, ListenConfig, SliceConfig, Slices
from tests.systems import KILLED

CONFIG = ListenConfig(features=FeatureConfig(n_mels=4), slices=SliceConfig(6, 6))


def slices(name: str, n: int, seed: int = 0) -> Slices:
    X = np.random.default_rng(seed).integers(0, 256, (n, 4, 6), dtype=np.uint8)
    return Slices(X, np.arange(n, dtype=np.float32), name)


def test_slices_come_back_as_they_went_in_and_after_reopening(tmp_path: Path) -> None:
    first, second = slices("a", 3, seed=1), slices("b", 2, seed=2)
    with FeatureStore(tmp_path, CONFIG) as store:
        store.add(first)
        store.add(second)
    with FeatureStore(tmp_path, CONFIG) as store:
        spans = store.locate(["b", "a", "absent"])
        np.testing.assert_array_equal(store.read(spans[0]), second.X)
        np.testing.assert_array_equal(store.read(spans[1][::-1]), first.X[::-1])
        assert len(spans[2]) == 0
    assert stored_ids(tmp_path, CONFIG) == {"a", "b"}


def test_another_recipe_finds_nothing(tmp_path: Path) -> None:
    with FeatureStore(tmp_path, CONFIG) as store:
        store.add(slices("a", 1))
    changed = ListenConfig(features=FeatureConfig(n_mels=4, fmin=20.0), slices=SliceConfig(6, 6))
    assert stored_ids(tmp_path, changed) == set()
    with FeatureStore(tmp_path, changed) as store:
        assert len(store.locate(["a"])[0]) == 0


def test_an_unflushed_tail_is_cut_away(tmp_path: Path) -> None:
    with FeatureStore(tmp_path, CONFIG) as store:
        store.add(slices("a", 2, seed=1))
    data = store.folder / "slices.u8"
    with data.open("ab") as file:
        file.write(b"cut off in mid-write")
    with FeatureStore(tmp_path, CONFIG) as store:
        store.add(slices("b", 1, seed=2))
        store.flush()
        np.testing.assert_array_equal(store.read(store.locate(["b"])[0]), slices("b", 1, seed=2).X)
    assert data.stat().st_size == 3 * 4 * 6


def test_a_killed_writer_leaves_all_that_it_flushed(tmp_path: Path) -> None:
    script = f"""
        import os, signal
        from pathlib import Path
        from earmark.features.store import FeatureStore
        from tests.test_store import CONFIG, slices
        store = FeatureStore(Path({str(tmp_path)!r}), CONFIG)
        store.add(slices("a", 3, seed=1))
        store.flush()
        store.add(slices("b", 3, seed=2))
        os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False)
    assert done.returncode == KILLED
    with FeatureStore(tmp_path, CONFIG) as store:
        found = store.locate(["a", "b"])
        assert [len(span) for span in found] == [3, 0]
        np.testing.assert_array_equal(store.read(found[0]), slices("a", 3, seed=1).X)


def test_data_shorter_than_its_index_is_refused(tmp_path: Path) -> None:
    with FeatureStore(tmp_path, CONFIG) as store:
        store.add(slices("a", 2))
    os.truncate(store.folder / "slices.u8", 10)
    with pytest.raises(LibraryError, match="shorter than its index"):
        FeatureStore(tmp_path, CONFIG)


def test_slices_of_another_shape_are_refused(tmp_path: Path) -> None:
    with FeatureStore(tmp_path, CONFIG) as store:
        store.add(slices("a", 1))
        odd = Slices(np.zeros((1, 5, 6), np.uint8), np.zeros(1, np.float32), "b")
        with pytest.raises(ValueError, match="slices of 5"):
            store.add(odd)


def test_two_programs_take_turns(tmp_path: Path) -> None:
    script = f"""
        import sys
        from pathlib import Path
        from earmark.features.store import FeatureStore
        from tests.test_store import CONFIG, slices
        with FeatureStore(Path({str(tmp_path)!r}), CONFIG) as store:
            for i in range(40):
                store.add(slices(f"{{sys.argv[1]}}{{i}}", 3, seed=i))
                store.add(slices(f"shared{{i}}", 2, seed=100 + i))
                store.flush()
    """
    program = [sys.executable, "-c", textwrap.dedent(script)]
    running = [subprocess.Popen([*program, name]) for name in ("a", "b")]
    assert [process.wait(timeout=120) for process in running] == [0, 0]
    with FeatureStore(tmp_path, CONFIG) as store:
        for i in range(40):
            spans = store.locate([f"a{i}", f"b{i}", f"shared{i}"])
            for span in spans[:2]:
                np.testing.assert_array_equal(store.read(span), slices("", 3, seed=i).X)
            np.testing.assert_array_equal(store.read(spans[2]), slices("", 2, seed=100 + i).X)
    assert (store.folder / "slices.u8").stat().st_size == 40 * (3 + 3 + 2) * 4 * 6


def test_a_full_disk_is_told_and_costs_only_what_was_not_flushed(tmp_path: Path) -> None:
    script = f"""
        import resource, signal
        from pathlib import Path
        from earmark.errors import LibraryError
        from earmark.features.store import FeatureStore
        from tests.test_store import CONFIG, slices
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        store = FeatureStore(Path({str(tmp_path)!r}), CONFIG)
        store.add(slices("a", 3, seed=1))
        store.flush()
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        store.add(slices("b", 20_000, seed=2))
        try:
            store.flush()
        except LibraryError as e:
            print(e)
    """
    program = [sys.executable, "-c", textwrap.dedent(script)]
    done = subprocess.run(program, capture_output=True, text=True, check=True)
    assert "cannot write to" in done.stdout
    assert "make room on the disk" in done.stdout
    with FeatureStore(tmp_path, CONFIG) as store:
        found = store.locate(["a", "b"])
        assert [len(span) for span in found] == [3, 0]
        np.testing.assert_array_equal(store.read(found[0]), slices("a", 3, seed=1).X)
