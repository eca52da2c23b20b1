"""What all front ends have in common, and how what they give is stored."""

from __future__ import annotations

import dataclasses
import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from earmark import features
from earmark.errors import BundleError, ConfigError, MissingExtraError
from earmark.features.store import FeatureStore, recipe_key
from earmark.models import bundle as bundles
from earmark.training.recipes.recipe import TrainingRecipe
from earmark.types import FRONTEND_PARAMETERS, FeatureConfig, ListenConfig, SliceConfig, Slices
from tests.audiofiles import synth
from tests.frontends import EXAMPLES

SR = 22050
OF_TODAY = "27111f7aa147b283"
SHIPPED = Path(features.__file__).parents[1] / "models" / "shipped"


def need(name: str) -> None:
    for library in features.FRONTENDS[name].needs:
        if find_spec(library) is None:
            pytest.skip(f"the front end {name} needs {library}")


@pytest.fixture(params=sorted(features.FRONTENDS))
def config(request: pytest.FixtureRequest) -> FeatureConfig:
    need(request.param)
    return EXAMPLES[request.param]


def test_every_front_end_has_an_example_and_says_its_parameters() -> None:
    assert EXAMPLES.keys() == features.FRONTENDS.keys() == FRONTEND_PARAMETERS.keys()


def test_shape_type_and_axis_are_as_foretold(config: FeatureConfig) -> None:
    y = synth("music", 1.0, SR, 1)[0]
    S = features.compute(y, config)
    Q = features.quantise(S, config)
    axis = features.axis(config)
    assert S.dtype == np.float32
    assert np.isfinite(S).all()
    assert S.shape[0] == features.n_bins(config) == len(axis.values)
    n_frames = 1 if config.frontend == "summary" else y.size / config.hop_length
    assert abs(S.shape[1] - n_frames) <= 1
    assert Q.dtype == features.dtype(config)
    assert (np.diff(axis.values) > 0).all()
    assert axis.label


@pytest.mark.parametrize("n_samples", [1, 700])
@pytest.mark.parametrize("level", [0.0, 1.0])
def test_the_shortest_signals_and_silence_can_be_computed(
    config: FeatureConfig, n_samples: int, level: float
) -> None:
    y = np.full(n_samples, level, dtype=np.float32)
    S = features.compute(y, config)
    assert np.isfinite(S).all()
    assert S.shape[1] >= 1


def test_quantisation_is_off_by_half_a_step(config: FeatureConfig) -> None:
    S = features.compute(synth("music", 1.0, SR, 1)[0] / 4, config)
    Q = features.quantise(S, config)
    back = features.dequantise(Q, config)
    if features.in_decibels(config):
        S = S.clip(config.db_min, config.db_max)
    steps = np.iinfo(features.dtype(config)).max
    low, high = (features.dequantise(np.full_like(Q, level), config) for level in (0, steps))
    assert (np.abs(back - S) <= (high - low) / steps / 2 * 1.01 + 1e-5 * np.abs(S)).all()


def test_music_uses_the_stored_range(config: FeatureConfig) -> None:
    y = synth("music", 3.0, SR, 1)[0] + synth("noise", 3.0, SR, 1)[0] / 100
    Q = features.quantise(features.compute(y, config), config)
    top = np.iinfo(Q.dtype).max
    assert ((Q > 0) & (top > Q)).mean() > 0.7
    assert len(np.unique(Q)) > 50


def test_a_store_holds_every_type(config: FeatureConfig, tmp_path: Path) -> None:
    listen = ListenConfig(features=config, slices=SliceConfig(5, 5))
    rng = np.random.default_rng(0)
    top = np.iinfo(features.dtype(config)).max
    shape = (3, features.n_bins(config), 5)
    X = rng.integers(0, top, shape, dtype=features.dtype(config), endpoint=True)
    with FeatureStore(tmp_path, listen) as store:
        store.add(Slices(X, np.zeros(3, np.float32), "a"))
    with FeatureStore(tmp_path, listen) as store:
        found = store.read(store.locate(["a"])[0])
        assert found.dtype == X.dtype
        np.testing.assert_array_equal(found, X)


def test_a_configuration_survives_its_dictionary(config: FeatureConfig) -> None:
    assert FeatureConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    assert set(config.to_dict()) == set(config.uses)


def test_only_what_the_front_end_takes_is_written_down(config: FeatureConfig) -> None:
    """Two recipes that compute the same share their store."""
    listen, same = ListenConfig(features=config), ListenConfig(features=FeatureConfig())
    assert (recipe_key(listen) == recipe_key(same)) == (config == FeatureConfig())
    for name in config.uses:
        value = getattr(config, name)
        if not isinstance(value, str):
            changed = ListenConfig(features=dataclasses.replace(config, **{name: value + 1}))
            assert recipe_key(changed) != recipe_key(listen)


def test_the_store_and_the_model_of_mel_recipes_stay_as_they_were() -> None:
    """Settings that came later must not make anybody listen to all music again."""
    assert recipe_key(ListenConfig()) == OF_TODAY
    written = json.loads((SHIPPED / "model.json").read_text(encoding="utf-8"))["listen"]
    assert ListenConfig.from_dict(written).to_dict() == written


@pytest.mark.parametrize("name", sorted(features.FRONTENDS))
def test_a_missing_library_is_told_with_its_extra(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "find_spec", lambda library: None)
    if not features.FRONTENDS[name].needs:
        features.check(EXAMPLES[name])
        return
    with pytest.raises(MissingExtraError, match=r"pip install .* '\.\[features\]'"):
        features.check(EXAMPLES[name])


@pytest.mark.parametrize(
    ("section", "reason"),
    [
        ({"frontend": "wave"}, "a frame for each sample, not one every 512"),
        ({"frontend": "wave", "hop_length": 1, "n_mels": 64}, "the front end wave takes no n_mels"),
        ({"n_mfcc": 13}, "the front end mel takes no n_mfcc"),
        ({"frontend": "mfcc", "n_mfcc": 13, "n_mels": 8}, "13 coefficients cannot be made of 8"),
        ({"db_min": 50}, "db_min 50 is not below db_max 45"),
    ],
)
def test_a_recipe_that_makes_no_sense_is_refused(section: dict[str, object], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        TrainingRecipe.from_dict({"features": section}, "odd", "odd.toml")


def test_a_bundle_that_makes_no_sense_is_refused() -> None:
    meta = bundles.load(SHIPPED).meta
    bad = dataclasses.replace(meta.listen.features, fmin=20_000.0)
    with pytest.raises(BundleError, match="no mel spectrogram"):
        features.check(bad)
