"""Recipe files: what comes with Earmark, what a person writes, and what is wrong with it."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.errors import ConfigError
from earmark.training import recipes
from earmark.training.recipes import toml
from earmark.training.recipes.recipe import Range, TrainingRecipe
from earmark.types import FeatureConfig, ListenConfig


def written(folder: Path, text: str) -> str:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("name", recipes.names())
class TestThoseThatComeWithEarmark:
    def test_say_what_they_are(self, name: str) -> None:
        recipe = recipes.load(name)
        assert recipe.name == name
        assert recipe.description

    def test_are_written_as_they_are_read(self, name: str) -> None:
        recipe = recipes.load(name)
        again = TrainingRecipe.from_dict(tomllib.loads(recipe.to_toml()), name, "again")
        assert again == recipe


def test_cnn_listens_as_bundles_do_by_default() -> None:
    recipe = recipes.load("cnn")
    assert recipe.listen == ListenConfig()
    assert recipe.kind == "network"
    assert recipe.tune["optimiser.lr"] == Range(5e-4, 8e-3, log=True)


def test_what_a_file_leaves_out_is_the_default(tmp_path: Path) -> None:
    assert recipes.load(written(tmp_path, "")) == TrainingRecipe(name="mine")


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    text = """
    description = "Größe"
    seed = 3
    [features]
    n_mels = 64
    [network]
    name = "cnn"
    dropout = 0.1
    [augmentation]
    snr_db = [10, 20.5]
    [tune]
    "network.dropout" = { low = 0, high = 0.5 }
    "schedule.batch_size" = { choices = [16, 32] }
    """
    recipe = recipes.load(written(tmp_path, text))
    assert recipe.name == "mine"
    assert recipe.seed == 3
    assert recipe.features == FeatureConfig(n_mels=64)
    assert recipe.network.options == {"dropout": 0.1}
    assert recipe.augmentation.snr_db == (10, 20.5)
    assert recipe.tune == {
        "network.dropout": Range(0, 0.5),
        "schedule.batch_size": Range(choices=(16, 32)),
    }


def test_a_level_of_ones_own(tmp_path: Path) -> None:
    recipe = recipes.load(written(tmp_path, 'level = "rms"'))
    assert (recipe.level, recipe.listen.level) == ("rms", "rms")
    assert recipes.load(written(tmp_path, recipe.to_toml())).listen == recipe.listen
    plain = recipes.load(written(tmp_path, ""))
    assert (plain.level, plain.listen.level) == (None, "none")
    assert "level" not in plain.to_dict()


def test_a_head_listens_as_its_backbone_does(tmp_path: Path) -> None:
    recipe = recipes.load(written(tmp_path, 'kind = "head"\n[head]\nbackbone = "model"'))
    assert recipe.head.backbone == "model"
    assert set(recipe.to_dict()) == {"kind", "description", "seed", "head", "vote", "tune"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("epochs = 3", r"unknown key epochs \(there are kind"),
        ("[scedule]", r"unknown key scedule \(did you mean schedule\?\)"),
        ("[schedule]\nepoch = 3", r"\[schedule\]: unknown key epoch \(did you mean epochs\?\)"),
        ("[features]\nn_mel = 3", r"\[features\]: unknown key n_mel \(did you mean n_mels\?\)"),
        ("[vote]\nstacker = 1", r"\[vote\]: unknown key stacker"),
        ("[head]\nbackbone = 'x'", "unknown key head"),
        ("kind = 'head'\n[schedule]", r"unknown key schedule \(there are kind"),
        ("kind = 'forest'", "kind is 'forest', but should be one of network, head"),
        ("seed = -1", "seed is -1, but should be 0 or more"),
        ("level = 'loud'", "level is 'loud', but should be one of none, rms"),
        ("seed = true", "seed is True, but should be a whole number"),
        ("description = 3", "description is 3, but should be a text"),
        ("schedule = 3", "should be a section"),
        ("[schedule]\nepochs = 0", r"\[schedule\] epochs is 0, but should be 1 or more"),
        ("[schedule]\nepochs = 2.5", "epochs is 2.5, but should be a whole number"),
        ("[schedule]\nepochs = '3'", "epochs is '3', but should be a whole number"),
        ("[schedule]\ncosine = 1", "cosine is 1, but should be true or false"),
        ("[schedule]\nwarm_up = 1.5", "warm_up is 1.5, but should be from 0 to 1"),
        ("[optimiser]\nlr = inf", "lr is inf, but should be from 1e-07 to 10"),
        ("[optimiser]\nlr = nan", "lr is nan, but"),
        ("[optimiser]\nmax_norm = inf", "max_norm is inf, but should be 0.001 or more"),
        ("[optimiser]\nname = 'adma'", "name is 'adma', but should be one of adamw, adam"),
        ("[network]\nname = 3", "name is 3, but should be a text"),
        ("[augmentation]\nsnr_db = 20", "snr_db is 20, but should be a list"),
        ("[augmentation]\nsnr_db = [20]", r"snr_db should be \[lowest, highest\]"),
        ("[augmentation]\nsnr_db = [30, 20]", r"snr_db should be \[lowest, highest\]"),
        ("[augmentation]\nsnr_db = [10, 'x']", "snr_db is 'x', but should be a number"),
        ("[features]\nfrontend = 'ear'", r"\[features\]: unknown front end 'ear'"),
        ("[features]\nfmax = 20000.0", r"\[features\]: no mel spectrogram can be computed"),
        ("[features]\ndb_min = 100.0", "db_min 100.0 is not below db_max"),
        (
            '[features]\nfrontend = "mfcc"\nn_fft = 512\nn_mels = 40\n[augmentation]\ngain_db = 3',
            "gain_db is for front ends in decibels, which mfcc is not",
        ),
        ("kind = 'summary'\n[vote]\nmode = 'network'", "kind summary cannot vote by a network"),
        ("[features]\nsr = nan", "sr is nan, but should be a whole number"),
        ("[features]\nfmin = nan", "fmin is nan, but should be from 0 to 500000"),
        ("[excerpts]\nn_excerpts = 0", "n_excerpts is 0, but should be from 1 to 100000"),
        ("[slices]\nhop_frames = 0", "hop_frames is 0, but should be from 1 to 1e"),
        ("[vote]\nmode = 'loud'", "mode is 'loud', but should be one of mean"),
        ("[tune]\nlr = { low = 1, high = 2 }", '"lr" cannot be tuned'),
        ('[tune]\n"features.n_mels" = { choices = [32] }', '"features.n_mels" cannot be tuned'),
        ('[tune]\n"optimiser.lr" = 3', "should be a section of keys and values"),
        ('[tune]\n"optimiser.lr" = { low = 1e-3 }', "high is None, but should be a number"),
        ('[tune]\n"optimiser.lr" = { low = 2.0, high = 1.0 }', "low below high"),
        ('[tune]\n"optimiser.lr" = { low = 1e-3, high = 100 }', "lr is 100.0, but"),
        ('[tune]\n"network.dropout" = { low = 0, high = 1, log = true }', "above 0 where log"),
        ('[tune]\n"network.dropout" = { choices = [], log = true }', "unknown key log"),
        ('[tune]\n"network.dropout" = { choices = [] }', "choices should be a list of values"),
        ('[tune]\n"schedule.batchsize" = { low = 2, high = 3 }', "did you mean batch_size"),
        ("[schedule", "is no valid TOML"),
    ],
)
def test_what_makes_no_sense_is_named(text: str, complaint: str, tmp_path: Path) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError, match=complaint) as error:
        recipes.load(path)
    assert str(error.value).startswith(path)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_bytes(b'description = "\xff"')
    with pytest.raises(ConfigError, match="is no valid TOML"):
        recipes.load(str(tmp_path / "mine.toml"))


def test_a_recipe_that_there_is_not(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no recipe 'mel-2b' \(did you mean mel-2d\?"):
        recipes.load("mel-2b")
    with pytest.raises(ConfigError, match=r"gone.toml cannot be read: No such file"):
        recipes.load(str(tmp_path / "gone.toml"))


class TestReplaced:
    def test_values_by_section_and_key(self) -> None:
        recipe = recipes.load("cnn")
        changed = recipe.replaced({"seed": 7, "schedule.epochs": 3, "network.dropout": 0.2}, "x")
        assert changed.seed == 7
        assert changed.schedule.epochs == 3
        assert changed.network.options["dropout"] == 0.2
        assert changed.optimiser == recipe.optimiser

    @pytest.mark.parametrize(
        ("path", "value", "complaint"),
        [
            ("schedule.epochs", 0, r"flags: \[schedule\] epochs is 0"),
            ("schedule.epoch", 1, r"flags: \[schedule\]: unknown key epoch"),
            ("head.backbone", "x", "no backbone in recipe cnn .*kind network have no .head."),
        ],
    )
    def test_they_are_checked(self, path: str, value: object, complaint: str) -> None:
        with pytest.raises(ConfigError, match=complaint):
            recipes.load("cnn").replaced({path: value}, "flags")


_VALUES = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(st.characters(exclude_categories=["Cs"])),
)
_TABLES = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.one_of(_VALUES, st.lists(_VALUES), st.dictionaries(st.text("ab.é "), _VALUES)),
)


@given(st.dictionaries(st.text("abc_-. \"'é"), st.one_of(_VALUES, st.lists(_VALUES), _TABLES)))
def test_toml_reads_what_it_has_written(values: dict[str, Any]) -> None:
    assert tomllib.loads(toml.dumps(values)) == values


PAPER = """
[paper]
figure = "85 %"
accuracy = 0.85
counts = "tracks"
data = "9 genres, 101 tracks"
split = "slice-random"
shares = [0.7, 0.2, 0.1]
merges = { Blues = "Jazz" }
source = "somewhere"
"""


def test_what_an_author_reported(tmp_path: Path) -> None:
    recipe = recipes.load(written(tmp_path, PAPER))
    assert recipe.paper.merges == {"Blues": "Jazz"}
    assert recipe.paper.shares == (0.7, 0.2, 0.1)
    again = TrainingRecipe.from_dict(tomllib.loads(recipe.to_toml()), "mine", "again")
    assert again == recipe
    assert "paper" not in recipes.load("cnn").to_dict()


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("shares = [0.7, 0.2, 0.1]", "shares = [0.7, 0.2, 0.2]", "sum to 1"),
        ("shares = [0.7, 0.2, 0.1]", "shares = [0.7, 0.3]", "three numbers"),
        ("shares = [0.7, 0.2, 0.1]", "shares = [0.7, 0.3, 0.0]", "above 0"),
        ("accuracy = 0.85", "accuracy = 85", "from 0 to 1"),
        ('split = "slice-random"', 'split = "by ear"', "should be one of"),
        ('data = "9 genres, 101 tracks"', "", "on what data"),
        ('figure = "85 %"', "", "should say figure"),
        ('merges = { Blues = "Jazz" }', "merges = { Blues = 1 }", "merges Blues is 1"),
        ('merges = { Blues = "Jazz" }', 'merges = "Blues=Jazz"', "keys and values"),
        ('figure = "85 %"', 'figur = "85 %"', "did you mean figure"),
    ],
)
def test_a_report_that_makes_no_sense_is_refused(
    tmp_path: Path, old: str, new: str, reason: str
) -> None:
    with pytest.raises(ConfigError, match=reason) as caught:
        recipes.load(written(tmp_path, PAPER.replace(old, new)))
    assert "[paper]" in str(caught.value)
