"""The training recipe: all that makes one model different from another, as readable TOML.

A recipe says what is listened to and how (``[excerpts]``, ``[features]``, ``[slices]``,
``level``), what learns (``[network]``), how (``[optimiser]``, ``[schedule]``,
``[augmentation]``), how slices then decide about a track (``[vote]``, ``[track]``), which of its
values are worth trying others for (``[tune]``), and what its author reported of it (``[paper]``).
A recipe of ``kind = "head"`` listens as its backbone does and has ``[head]`` instead of all that;
one of ``kind = "distilled"`` first makes that backbone of other models and has ``[distil]`` and
``[imitation]``;
one of ``kind = "summary"`` takes statistics of excerpts and has ``[summary]``.
What a file leaves out has the default of the section's class.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, Self, get_type_hints

from earmark import features
from earmark.errors import BundleError, ConfigError
from earmark.evaluation.paper import PaperConfig, check_paper
from earmark.features.listen import check_slices
from earmark.training.recipes import toml
from earmark.training.recipes.checks import check_keys, check_table, check_value
from earmark.training.recipes.settings import (
    AugmentConfig,
    DistilConfig,
    HeadConfig,
    ImitationConfig,
    NetworkConfig,
    OptimiserConfig,
    ScheduleConfig,
    SummaryConfig,
    TrackConfig,
)
from earmark.types import (
    ExcerptConfig,
    FeatureConfig,
    LevelMode,
    ListenConfig,
    SliceConfig,
    VoteConfig,
)
from earmark.values import UNBOUNDED

Kind = Literal["network", "head", "distilled", "summary"]

_SECTIONS: dict[str, Any] = {
    "excerpts": ExcerptConfig,
    "features": FeatureConfig,
    "slices": SliceConfig,
    "network": NetworkConfig,
    "optimiser": OptimiserConfig,
    "schedule": ScheduleConfig,
    "augmentation": AugmentConfig,
    "head": HeadConfig,
    "distil": DistilConfig,
    "imitation": ImitationConfig,
    "summary": SummaryConfig,
    "vote": VoteConfig,
    "track": TrackConfig,
    "paper": PaperConfig,
}
_OF_OTHER_KINDS = ("head", "distil", "imitation", "summary")
_SECTIONS_OF: dict[Kind, tuple[str, ...]] = {
    "network": tuple(name for name in _SECTIONS if name not in _OF_OTHER_KINDS),
    "head": ("head", "vote", "track", "paper"),
    "distilled": ("distil", "imitation", "vote", "track", "paper"),
    "summary": ("excerpts", "features", "summary", "vote", "paper"),
}
# What a recipe of that kind leaves out is other than the sections' own defaults.
_DEFAULTS_OF: dict[Kind, dict[str, dict[str, Any]]] = {
    "summary": {
        "excerpts": {"n_excerpts": 1, "excerpt_s": 30.0},
        "features": {"frontend": "summary"},
    },
}
# Another value of these would mean listening to all music again for every trial.
_NOT_TUNED = ("excerpts", "features", "slices", "track", "paper")
# Part of a section, but found by training rather than written by anybody.
_LEARNED = {"vote": ("stacker", "network")}


@dataclass(frozen=True, slots=True)
class Range:
    """Values worth trying: `choices`, or from `low` to `high` (whole numbers where both are)."""

    low: float = 0
    high: float = 0
    log: bool = False
    choices: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class TrainingRecipe:
    """A recipe, checked; its fields are the file's sections.

    Attributes
    ----------
    name : str
        Of the file, without ``.toml``.
    kind : {'network', 'head', 'distilled', 'summary'}
        What learns: a network from slices, a classifier from a backbone's embeddings (distilled:
        from those of a backbone that is made first), or one of scikit-learn's from statistics of
        excerpts.
    description : str
    seed : int
        Of weights, order and augmentation.
    level : {'none', 'rms'} or None
        Whether all tracks are brought to one loudness; None: they are not, or, of a head, as its
        backbone has it.
    tune : mapping of str to Range
        By ``section.key``.
    """

    name: str = "cnn"
    kind: Kind = "network"
    description: str = ""
    seed: int = 0
    level: LevelMode | None = None
    excerpts: ExcerptConfig = field(default_factory=ExcerptConfig)
    features: FeatureConfig = field(default_factory=FeatureConfig)
    slices: SliceConfig = field(default_factory=SliceConfig)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    augmentation: AugmentConfig = field(default_factory=AugmentConfig)
    head: HeadConfig = field(default_factory=HeadConfig)
    distil: DistilConfig = field(default_factory=DistilConfig)
    imitation: ImitationConfig = field(default_factory=ImitationConfig)
    summary: SummaryConfig = field(default_factory=SummaryConfig)
    vote: VoteConfig = field(default_factory=VoteConfig)
    track: TrackConfig = field(default_factory=TrackConfig)
    paper: PaperConfig = field(default_factory=PaperConfig)
    tune: Mapping[str, Range] = field(default_factory=dict)

    @property
    def listen(self) -> ListenConfig:
        """What is listened to and how; of a head, distilled or not, that is its backbone's."""
        return ListenConfig(self.excerpts, self.features, self.slices, self.level or "none")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], name: str, where: str) -> Self:
        """Check `values`, as a file holds them, and take them.

        Raises
        ------
        ConfigError
            For a section or key that there is not, or a value that makes no sense; `where` is
            named in it.
        """
        kind: Kind = values.get("kind", "network")
        check_value(kind, Kind, f"{where}: kind")
        sections = _SECTIONS_OF[kind]
        check_keys(values, ("kind", "description", "seed", "level", *sections, "tune"), where)
        check_value(values.get("description", ""), str, f"{where}: description")
        check_value(values.get("seed", 0), int, f"{where}: seed", (0, float("inf")))
        if "level" in values:
            check_value(values["level"], LevelMode, f"{where}: level")
        parsed = dict(values)
        defaults = _DEFAULTS_OF.get(kind, {})
        for section in sections:
            if section in values or section in defaults:
                given = values.get(section, {})
                parsed[section] = _section(section, given, where, defaults.get(section, {}))
        parsed["tune"] = _ranges(values.get("tune", {}), sections, f"{where}: [tune]")
        if kind == "summary":
            parsed["slices"] = SliceConfig(1, 1)
        recipe = cls(name=name, **parsed)
        _check_features(recipe.features, where)
        _check_augmentation(recipe, where)
        if recipe.vote.mode == "network" and "track" not in sections:
            raise ConfigError(
                f"{where}: a recipe of kind {kind} cannot vote by a network over tracks",
                "choose mean, majority, confident or stacker",
            )
        _check_slices(recipe.listen, where)
        if kind == "summary" and recipe.features.frontend != "summary":
            raise ConfigError(
                f"{where}: a recipe of kind summary cannot have the front end"
                f" {recipe.features.frontend}",
                'leave it out, or choose kind = "network"',
            )
        return recipe

    def to_dict(self) -> dict[str, Any]:
        """What `from_dict` takes: everything, defaults too."""
        values: dict[str, Any] = {
            "kind": self.kind,
            "description": self.description,
            "seed": self.seed,
        }
        if self.level is not None:
            values["level"] = self.level
        for section in _SECTIONS_OF[self.kind]:
            table = getattr(self, section).to_dict()
            learned = _LEARNED.get(section, ())
            values[section] = {key: value for key, value in table.items() if key not in learned}
        if not self.paper.figure:
            del values["paper"]
        if self.vote.mode != "network" and self.track == TrackConfig():
            values.pop("track", None)
        if self.kind == "network":
            values["network"] = {"name": self.network.name, **self.network.options}
        values["tune"] = {path: _range_to_dict(wanted) for path, wanted in self.tune.items()}
        return values

    def to_toml(self) -> str:
        """Text of a recipe file with the same contents."""
        return toml.dumps(self.to_dict())

    def replaced(self, changes: Mapping[str, Any], where: str) -> Self:
        """The recipe with other values, by ``section.key`` or ``seed``, checked as a file's are.

        Raises
        ------
        ConfigError
            As `from_dict`.
        """
        values = self.to_dict()
        for path, value in changes.items():
            section, _, key = path.rpartition(".")
            if section and section not in values:
                raise ConfigError(
                    f"{where}: there is no {key} in recipe {self.name}",
                    f"recipes of kind {self.kind} have no [{section}]",
                )
            (values[section] if section else values)[key] = value
        return self.from_dict(values, self.name, where)


def _section(
    name: str, values: Any, where: str, defaults: Mapping[str, Any] = MappingProxyType({})
) -> Any:
    place = f"{where}: [{name}]"
    check_table(values, place)
    values = {**defaults, **values}
    cls = _SECTIONS[name]
    if cls is NetworkConfig:
        return _network(values, NetworkConfig(), place)
    if cls is TrackConfig:
        return _track(values, place)
    fields = {f.name: f for f in dataclasses.fields(cls) if f.name not in _LEARNED.get(name, ())}
    check_keys(values, tuple(fields), place)
    wanted = get_type_hints(cls)
    parsed = {}
    for key, value in values.items():
        bounds = fields[key].metadata.get("bounds", UNBOUNDED)
        check_value(value, wanted[key], f"{place} {key}", bounds)
        parsed[key] = tuple(value) if isinstance(value, list) else value
    if cls is AugmentConfig:
        _check_snr(parsed.get("snr_db", ()), place)
    config = cls(**parsed)
    if isinstance(config, PaperConfig):
        check_paper(config, place)
    return config


def _network(values: Mapping[str, Any], default: NetworkConfig, place: str) -> NetworkConfig:
    """Its options are checked against the network's class, which takes torch to look at."""
    name = values.get("name", default.name)
    check_value(name, str, f"{place} name")
    return NetworkConfig(name, {key: value for key, value in values.items() if key != "name"})


def _track(values: Mapping[str, Any], place: str) -> TrackConfig:
    own = TrackConfig()
    tables = {
        name: _section(name, values.get(name, {}), place, getattr(own, name).to_dict())
        for name in ("optimiser", "schedule")
    }
    options = {key: value for key, value in values.items() if key not in tables}
    return TrackConfig(_network(options, own.network, place), **tables)


def _check_snr(snr_db: tuple[float, ...], where: str) -> None:
    if snr_db and not (len(snr_db) == 2 and snr_db[0] <= snr_db[1]):
        raise ConfigError(f"{where} snr_db should be [lowest, highest], or [] for no noise")


def _check_slices(config: ListenConfig, where: str) -> None:
    try:
        check_slices(config)
    except BundleError as e:
        raise ConfigError(f"{where}: [slices]: {e.reason}", e.hint) from e


def _check_features(config: FeatureConfig, where: str) -> None:
    try:
        features.check(config)
    except BundleError as e:
        raise ConfigError(f"{where}: [features]: {e.reason}", e.hint) from e
    unused = [name for name in config.to_dict() if name not in config.uses]
    if unused:
        raise ConfigError(
            f"{where}: [features]: the front end {config.frontend} takes no {', '.join(unused)}",
            f"it takes {', '.join(config.uses[1:])}",
        )


def _check_augmentation(recipe: TrainingRecipe, where: str) -> None:
    """Refuse what changes levels as decibels where they are none."""
    if features.in_decibels(recipe.features):
        return
    for key in ("gain_db", "snr_db", "stretch", "pitch_semitones"):
        if getattr(recipe.augmentation, key):
            raise ConfigError(
                f"{where}: [augmentation] {key} is for front ends in decibels, which"
                f" {recipe.features.frontend} is not",
                "leave it out, or choose another front end; masks and mixup go with any",
            )


def _ranges(values: Any, sections: tuple[str, ...], where: str) -> dict[str, Range]:
    check_table(values, where)
    tunable = [name for name in sections if name not in _NOT_TUNED]
    for path in values:
        section, _, key = path.partition(".")
        if section not in tunable or not key:
            raise ConfigError(
                f'{where}: "{path}" cannot be tuned',
                f'give "section.key" with a section of {", ".join(tunable)}',
            )
    return {path: _range(path, given, where) for path, given in values.items()}


def _range(path: str, given: Any, where: str) -> Range:
    place = f'{where} "{path}"'
    check_table(given, place)
    if "choices" in given:
        check_keys(given, ("choices",), place)
        choices = given["choices"]
        if not isinstance(choices, list | tuple) or not choices:
            raise ConfigError(f"{place} choices should be a list of values")
        tried, wanted = tuple(choices), Range(choices=tuple(choices))
    else:
        check_keys(given, ("low", "high", "log"), place)
        for end in ("low", "high"):
            check_value(given.get(end), float, f"{place} {end}")
        check_value(given.get("log", False), bool, f"{place} log")
        wanted = Range(*_ends(path, given["low"], given["high"]), given.get("log", False))
        tried = (wanted.low, wanted.high)
        if not wanted.low < wanted.high or (wanted.log and wanted.low <= 0):
            raise ConfigError(f"{place} should have low below high, and both above 0 where log")
    section, _, key = path.partition(".")
    for value in tried:
        _section(section, {key: value}, where)
    return wanted


def _ends(path: str, low: float, high: float) -> tuple[float, float]:
    """Whole numbers stay whole unless the key takes fractions."""
    section, _, key = path.partition(".")
    cls = _SECTIONS[section]
    if cls is not NetworkConfig and get_type_hints(cls).get(key) is float:
        return float(low), float(high)
    return low, high


def _range_to_dict(wanted: Range) -> dict[str, Any]:
    if wanted.choices:
        return {"choices": list(wanted.choices)}
    return {"low": wanted.low, "high": wanted.high, "log": wanted.log}
