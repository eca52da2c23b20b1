"""The models at hand: the shipped one, the one given at the start, those trained here."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from earmark.errors import BundleError
from earmark.jsontext import finite
from earmark.models import bundle as bundles
from earmark.models.bundle import META_NAME, SUMS_NAME, Bundle
from earmark.models.catalog import shipped_model
from earmark.types import VoteConfig
from earmark.web.faults import Refused, not_found
from earmark.web.schemas.models import ModelCard, ModelSource, ModelSummary
from earmark.web.settings import WebSettings
from earmark.web.store import Store

_IN_USE = "model_id"


@dataclass(frozen=True, slots=True)
class KnownModel:
    source: ModelSource
    bundle: Bundle


class Models:
    """Finds bundles; each is read and verified once, and again when it has changed."""

    def __init__(self, settings: WebSettings) -> None:
        self._settings = settings
        self._read: dict[Path, tuple[int, Bundle | None]] = {}
        # Only this server changes it, so that it is read from the store once.
        self._chosen = ""

    def all(self) -> list[KnownModel]:
        """Those that can be used, each once."""
        given = self._settings.model.path
        folders: list[tuple[ModelSource, Path]] = [("trained", p) for p in self._trained()]
        folders.insert(0, ("shipped", shipped_model()))
        if given.resolve() != shipped_model().resolve():
            folders.insert(0, ("given", given))
        found: dict[str, KnownModel] = {}
        for source, folder in folders:
            bundle = self._load(folder)
            if bundle is not None:
                found.setdefault(bundle.model_id, KnownModel(source, bundle))
        return list(found.values())

    def get(self, model_id: str) -> KnownModel:
        known = next((k for k in self.all() if k.bundle.model_id == model_id), None)
        if known is None:
            raise not_found("such model")
        return known

    def start(self, store: Store) -> None:
        """Remember what was chosen before a restart."""
        self._chosen = store.setting(_IN_USE)

    def in_use(self) -> Bundle:
        """What answers where no model is named: as chosen last, else as given at the start."""
        if not self._chosen:
            return self._settings.model
        found = (known.bundle for known in self.all() if known.bundle.model_id == self._chosen)
        return next(found, self._settings.model)

    def choose(self, model_id: str | None) -> Bundle:
        """The model named, or the one in use."""
        return self.get(model_id).bundle if model_id else self.in_use()

    def use(self, store: Store, model_id: str) -> KnownModel:
        """Let a model answer from now on."""
        known = self.get(model_id)
        store.set_setting(_IN_USE, model_id)
        self._chosen = model_id
        return known

    def vote_of(self, bundle: Bundle) -> VoteConfig:
        """As the options at the start say for the model that they were given for, else its own."""
        given = self._settings
        return given.vote if bundle.model_id == given.model.model_id else bundle.meta.vote

    def summary(self, known: KnownModel, in_use: Bundle) -> ModelSummary:
        return ModelSummary(**_summary(known, in_use))

    def card(self, known: KnownModel, in_use: Bundle) -> ModelCard:
        meta = known.bundle.meta
        return ModelCard(
            **_summary(known, in_use),
            data=finite({k: v for k, v in meta.data.items() if not k.endswith("learned")}),
            scores=finite(meta.scores),
            training=finite(meta.training),
            listen=meta.listen.to_dict(),
            vote={k: v for k, v in meta.vote.to_dict().items() if k != "network"},
            temperature=meta.temperature,
            confusion=self._confusion(known),
        )

    def folder_for(self, name: str) -> Path:
        """Where a model to be trained goes.

        Raises
        ------
        Refused
            There is one of that name (409).
        """
        folder = trained_folder(self._settings.data_dir) / name
        if folder.exists():
            raise Refused(409, f"there is a model {name} already", "choose another name")
        return folder

    def _trained(self) -> list[Path]:
        folder = trained_folder(self._settings.data_dir)
        return sorted(p for p in folder.glob("*") if (p / META_NAME).is_file())

    def _load(self, folder: Path) -> Bundle | None:
        try:
            changed = (folder / SUMS_NAME).stat().st_mtime_ns
        except OSError:
            return None
        if folder not in self._read or self._read[folder][0] != changed:
            try:
                self._read[folder] = (changed, bundles.load(folder))
            except BundleError:  # of a newer version, or damaged: it cannot be used
                self._read[folder] = (changed, None)
        return self._read[folder][1]

    def _confusion(self, known: KnownModel) -> list[list[int]] | None:
        if known.source != "trained":
            return None
        return read_confusion(run_folder(self._settings.data_dir, known.bundle.path.name))


def trained_folder(data_dir: Path) -> Path:
    return data_dir / "models"


def run_folder(data_dir: Path, name: str) -> Path:
    """Where the training of the model of that name is recorded."""
    return data_dir / "runs" / name


def read_confusion(run_dir: Path) -> list[list[int]] | None:
    """Counts by reference and answer, None where the run folder is gone."""
    try:
        counts = json.loads((run_dir / "scores.json").read_text("utf-8")).get("confusion")
    except (OSError, ValueError):
        return None
    return counts if isinstance(counts, list) else None


def _summary(known: KnownModel, in_use: Bundle) -> dict[str, Any]:
    bundle = known.bundle
    scores = finite(bundle.meta.scores)
    return {
        "model_id": bundle.model_id,
        "name": bundle.meta.name,
        "labels": list(bundle.meta.labels),
        "created": bundle.meta.created,
        "licence": bundle.meta.licence,
        "source": known.source,
        "in_use": bundle.model_id == in_use.model_id,
        "accuracy": scores.get("accuracy"),
        "accuracy_interval_95": scores.get("accuracy_interval_95"),
    }
