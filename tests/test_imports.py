"""What is loaded when: the base install is light, and so is every start."""

import subprocess
import sys

import pytest

HEAVY = ("torch", "lightning_fabric", "sklearn", "scipy", "matplotlib", "librosa", "onnx", "pandas")


def loaded_by(code: str) -> set[str]:
    """Top-level modules that a fresh interpreter has loaded after running `code`."""
    program = f"import sys\n{code}\nprint(*sorted({{m.partition('.')[0] for m in sys.modules}}))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(done.stdout.splitlines()[-1].split())


def test_importing_earmark_loads_only_the_standard_library() -> None:
    extra = loaded_by("import earmark") - loaded_by("pass") - sys.stdlib_module_names
    assert {m for m in extra if not m.startswith("_")} == {"earmark"}


@pytest.mark.parametrize("verb", ["", "audit", "classify", "scan", "serve", "tag", "train", "undo"])
def test_help_loads_nothing_heavy(verb: str) -> None:
    code = (
        "from earmark.cli import main\n"
        f"sys.argv = ['earmark', *{verb.split()!r}, '--help']\n"
        "try:\n    main()\nexcept SystemExit as e:\n    assert e.code == 0, e.code"
    )
    loaded = loaded_by(code)
    assert "typer" in loaded
    assert not loaded & {*HEAVY, "av", "onnxruntime", "soxr", "fastapi"}


@pytest.mark.parametrize(
    "module",
    [
        "earmark.workflows.classify",
        "earmark.workflows.plan",
        "earmark.workflows.apply",
        "earmark.library.scan",
        "earmark.training.train",
        "earmark.training.learners.head",
        "earmark.workflows.audit",
        "earmark.models.runtime",
        "earmark.features.listen",
        "earmark.web.app",
        "earmark.web.jobs.process",
    ],
)
def test_the_way_through_needs_no_heavy_library(module: str) -> None:
    assert not loaded_by(f"import {module}") & set(HEAVY)
