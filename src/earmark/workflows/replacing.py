"""Whether a training may write its model where there is one already."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from earmark import jsontext
from earmark.errors import BundleError
from earmark.models import bundle as bundles
from earmark.workflows.runfolder import REMARKS, SETTINGS

if TYPE_CHECKING:
    from earmark.workflows.train import TrainRequest

# What may be asked for otherwise without making another model.
_OF_NO_EFFECT = ("run_dir", "hardware", "about", "licence")


def check_replaced(request: TrainRequest) -> None:
    """Refuse to put a model in the place of one made from other data, labels or recipe.

    What a model was made from is noted in its run folder. One whose run folder is gone counts as
    another.

    Raises
    ------
    BundleError
    """
    if not (request.out / bundles.META_NAME).is_file():
        return
    noted = _noted(request.run_folder)
    asked = json.loads(jsontext.dumps(dataclasses.asdict(request), default=str))
    wanted = _made_from(asked, str(Path.cwd()))
    if noted is None or noted["out"] != wanted["out"]:
        what = ""
    elif noted == wanted:
        return
    else:
        what = f" (made from {noted['labels']['root']} by recipe {noted['recipe']['name']})"
    raise BundleError(
        f"{request.out} holds another model{what}, which would be lost",
        "choose another --out, or add --force to replace it",
    )


def _noted(run_dir: Path) -> dict[str, Any] | None:
    """What the run in that folder makes its model from, if that can be read."""
    try:
        settings = json.loads((run_dir / SETTINGS).read_text(encoding="utf-8"))
        return _made_from(settings["request"], settings["folder"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _made_from(request: Mapping[str, Any], folder: str) -> dict[str, Any]:
    """A request as JSON has it, without what has no effect; `folder` is what paths start from."""

    def whole(path: str | None) -> str | None:
        return path and os.path.normpath(os.path.join(folder, path))  # noqa: PTH118 - as it is written

    made = {name: value for name, value in request.items() if name not in _OF_NO_EFFECT}
    labels = made["labels"]
    is_table = labels["source"].lower().endswith(".csv")
    made["labels"] = {
        **labels,
        "root": whole(labels["root"]),
        "source": whole(labels["source"]) if is_table else labels["source"],
        "meta": whole(labels["meta"]),
    }
    made["out"] = whole(made["out"])
    for name in ("unlabelled", "not_music"):
        made[name] = [whole(path) for path in made[name]]
    made["recipe"] = {k: v for k, v in made["recipe"].items() if k not in REMARKS}
    return made
