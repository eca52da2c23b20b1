"""What no contract of import-linter sees: circles that pass through a package's own file."""

import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

grimp = pytest.importorskip("grimp", reason="needs earmark[dev]")


def circle(imports: dict[str, set[str]]) -> list[str]:
    """Modules that import each other in a circle, the first one again at its end; or none."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as e:
        return list(e.args[1])
    return []


def imports_of(package: str) -> dict[str, set[str]]:
    """What each module imports of its own package."""
    graph = grimp.build_graph(package, cache_dir=None)
    return {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}


def test_no_module_imports_itself_by_way_of_others() -> None:
    imports = imports_of("earmark")
    assert len(imports) > 200
    assert circle(imports) == []


def test_a_circle_through_a_package_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = tmp_path / "roundhouse"
    (house / "room").mkdir(parents=True)
    (house / "__init__.py").touch()
    (house / "room" / "__init__.py").write_text("from roundhouse.room.door import key\n")
    (house / "room" / "door.py").write_text("from roundhouse import hall\nkey = hall\n")
    (house / "hall.py").write_text("def enter():\n    from roundhouse.room import key\n")
    monkeypatch.syspath_prepend(tmp_path)
    try:
        found = circle(imports_of("roundhouse"))
    finally:
        sys.modules.pop("roundhouse", None)
    assert set(found) == {"roundhouse.room", "roundhouse.room.door", "roundhouse.hall"}
