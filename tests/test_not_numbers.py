"""What is no number is nobody's answer, and is written nowhere as one."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from earmark import jsontext
from earmark.decision.stacking import FEATURES
from earmark.decision.voting import decide
from earmark.errors import BundleError
from earmark.models import bundle as bundles
from earmark.types import Stacker, VoteConfig
from tests import backbones
from tests.audiofiles import synth, write
from tests.cli import earmark

LABELS = ("Blues", "Jazz", "Rock")


def strict(text: str) -> Any:
    """JSON as others read it."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    return json.loads(text, parse_constant=refuse)


# --- deciding -------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("mode", ["mean", "majority", "confident"])
@pytest.mark.parametrize("where", [(), (0,), (1, 2)])
def test_an_answer_that_is_no_number_is_none(bad: float, mode: Any, where: Any) -> None:
    proba = np.full((3, 3), 1 / 3, dtype=np.float32)
    proba[where] = bad
    decision = decide(proba, LABELS, VoteConfig(mode=mode))
    assert decision.genre is None
    assert decision.rejected == "what the network says of it is not a number"
    assert (decision.confidence, decision.agreement) == (0.0, 0.0)
    assert decision.proba == dict.fromkeys(LABELS, 0.0)
    assert decision.n_slices == 3


def test_a_learned_decision_that_is_no_number_is_none() -> None:
    stacker = Stacker((1e308,) * len(FEATURES), (1e308, -1e308, 0.0))
    config = VoteConfig(mode="stacker", stacker=stacker)
    with np.errstate(all="ignore"):
        decision = decide(np.full((3, 3), 1 / 3, dtype=np.float32), LABELS, config)
    assert decision.genre is None
    assert decision.rejected == "what the model's stacker makes of it is not a number"


def test_a_broken_network_says_that_it_does_not_know(tmp_path: Path) -> None:
    model = backbones.write(tmp_path / "model", broken=True)
    song = write(tmp_path / "song.wav", synth("music", 6.0, 22050), 22050, "wav")
    words = ("classify", song, "--model", model.path, "--min-confidence", "0")
    ran = earmark(*words, "--json")
    (track,) = strict(ran.out)["tracks"]
    assert track["genre"] is None
    assert track["rejected"] == "what the network says of it is not a number"
    assert track["confidence"] == 0.0
    shown = earmark(*words).out
    assert "?" in shown
    assert "nan" not in shown.lower().replace(str(tmp_path).lower(), "")


# --- models ---------------------------------------------------------------------------------------


def reseal(folder: Path, text: str) -> None:
    (folder / "model.json").write_text(text)
    lines = [
        f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n"
        for name in ("model.json", "model.onnx")
    ]
    (folder / "SHA256SUMS").write_text("".join(lines))


@pytest.mark.parametrize("value", ["0", "-1", "NaN", "Infinity", '"warm"', "null", "true", "[1]"])
def test_a_temperature_that_is_none_is_refused(value: str, tmp_path: Path) -> None:
    model = backbones.write(tmp_path / "model")
    text = (model.path / "model.json").read_text()
    reseal(model.path, text.replace('"temperature": 1.0', f'"temperature": {value}'))
    with pytest.raises(BundleError, match=r"the temperature is .*, which is no number from"):
        bundles.load(model.path)


@pytest.mark.parametrize(
    "name", ["min_confidence", "min_agreement", "min_music", "slice_confidence"]
)
@pytest.mark.parametrize("value", [math.nan, math.inf, -0.1, 1.1, "0.5", None, True])
def test_a_threshold_that_is_none_is_refused(name: str, value: object, tmp_path: Path) -> None:
    model = backbones.write(tmp_path / "model")
    values = json.loads((model.path / "model.json").read_text())
    values["vote"][name] = value
    reseal(model.path, json.dumps(values))
    with pytest.raises(BundleError, match=f"the vote's {name} is .*, which is no number from 0 to"):
        bundles.load(model.path)


@pytest.mark.parametrize("mode", ["lottery", None, ["mean"], 3])
def test_a_way_to_vote_that_is_not_known_is_refused(mode: object) -> None:
    with pytest.raises(BundleError, match="slices cannot vote by"):
        VoteConfig.from_dict({"mode": mode})


def test_a_stacker_of_what_is_no_number_is_refused() -> None:
    stacker = {"weights": [0.0] * (len(FEATURES) - 1) + [math.nan], "bias": [0.0, 0.0]}
    with pytest.raises(BundleError, match="a number in the stacker's weights is nan"):
        VoteConfig.from_dict({"mode": "stacker", "stacker": stacker})


# --- JSON -----------------------------------------------------------------------------------------


def test_json_has_null_where_there_is_no_number() -> None:
    value = {"a": math.nan, "b": [1.5, -math.inf, (2, math.inf)], "c": "NaN", "d": {"e": None}}
    expected = {"a": None, "b": [1.5, None, [2, None]], "c": "NaN", "d": {"e": None}}
    assert strict(jsontext.dumps(value)) == expected
    assert jsontext.dumps({"b": 1, "a": 0.5}, sort_keys=True) == '{"a": 0.5, "b": 1}'


def test_scores_that_are_no_numbers_go_into_a_model_as_null(tmp_path: Path) -> None:
    made = backbones.write(tmp_path / "first")
    meta = bundles.BundleMeta(
        name="toy", labels=made.meta.labels, listen=made.meta.listen, vote=VoteConfig(),
        scores={"loss": math.nan},
    )  # fmt: skip
    model = bundles.write(tmp_path / "model", meta, made.network.read_bytes())
    assert model.meta.scores == {"loss": None}
    assert strict((model.path / "model.json").read_text())["scores"] == {"loss": None}


def test_every_json_that_holds_numbers_is_written_without_nan() -> None:
    """`json.dump` alone is left where there are names, paths and whole numbers only."""
    source = Path(bundles.__file__).parents[1]
    named = {
        "library/catalogue.py",
        "tags/journal.py",
        "tags/records.py",
        "training/recipes/toml.py",
    }
    named |= {"web/plans.py", "web/routes/docs.py", "web/routes/jobs.py", "jsontext.py"}
    for path in source.rglob("*.py"):
        for line in path.read_text(encoding="utf-8").splitlines():
            if "json.dump" in line and "jsontext." not in line and "`" not in line:
                short = path.relative_to(source).as_posix()
                assert "allow_nan=False" in line or short in named, f"{short}: {line.strip()}"
