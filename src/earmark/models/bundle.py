"""The model bundle: a folder with ``model.json``, ``model.onnx`` and their ``SHA256SUMS``.

``vote.onnx`` is there where a network over tracks decides (see `earmark.decision.track_network`).
The text of a licence and a card for people may lie beside them.

``model.json`` says everything that is needed to use the model (genres, what to listen to and how,
how to vote) and to assess it (data, split, scores, licence). There are no pickles: opening a
bundle from a stranger runs none of the stranger's code.

The network takes ``slices``, uint8 or uint16 (n, n_bins, n_frames), and gives ``logits``, float32
(n, n_classes), and ``embedding``, float32 (n, n_features), from which the last layer makes them.
Scaling of the input is part of the graph.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import reprlib
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

from earmark import jsontext
from earmark.decision import stacking, track_network
from earmark.errors import BundleError
from earmark.features.listen import check as check_listening
from earmark.models import bundle_files
from earmark.models.external import has_external_data
from earmark.types import ExcerptConfig, LevelMode, ListenConfig, VoteConfig
from earmark.values import Recipe, within

FORMAT = 1
META_NAME = "model.json"
NETWORK_NAME = "model.onnx"
VOTE_NAME = "vote.onnx"
SUMS_NAME = "SHA256SUMS"
LICENCE_NAME = "LICENSE"
CARD_NAME = "README.md"
TEXT_NAMES = (LICENCE_NAME, CARD_NAME)
"""Texts that a bundle may hold besides: the licence, and the model card."""

# Files larger than this, in bytes, are no part of a model that anybody has made.
_MOST_TEXT = 16 * 2**20
_MOST_META = 64 * 2**20  # names of all tracks that were learned from are in it
_MOST_NETWORK = 2**31 - 1  # nor can ONNX be larger
# Tables and lists in each other; what is written has five at most.
_MOST_DEEP = 50
_MOST_LABELS = 10_000
# What others go by of what a bundle notes about itself; all of it may be missing, or None.
_NOTED: dict[str, dict[str, type | tuple[type, ...]]] = {
    "data": {
        **dict.fromkeys(("learned", "backbone_learned"), dict),
        "backbone_known": bool,
        **dict.fromkeys(("backbone_leak", "not_music_learned"), str),
    },
    "scores": {"accuracy": (int, float), "accuracy_interval_95": list},
    "training": dict.fromkeys(("recipe", "track_network"), dict),
}


@dataclass(frozen=True, slots=True)
class BundleMeta(Recipe):
    """Contents of ``model.json``.

    Attributes
    ----------
    name : str
    labels : tuple of str
        Genres in the order of the network's outputs.
    listen : ListenConfig
    vote : VoteConfig
        What the training found best; a person's own options come before it.
    temperature : float
        Divides the logits before the softmax.
    data : mapping
        Training data and split: tracks, artists and genres of each part, how it was split, seed.
    scores : mapping
        Measured on the test part, with n and how it was split.
    training : mapping
        Network, settings, versions, commit.
    created, licence, format
    """

    called: ClassVar[str] = "the"

    name: str
    labels: tuple[str, ...]
    listen: ListenConfig
    vote: VoteConfig
    temperature: float = within(1.0, 0.001, 1000)
    data: Mapping[str, Any] = field(default_factory=dict)
    scores: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    created: str = ""
    licence: str = "unspecified"
    format: int = FORMAT

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        made_for = values.get("format")
        if made_for != FORMAT:
            raise BundleError(
                f"bundle format {reprlib.repr(made_for)}, this version reads {FORMAT}",
                "upgrade earmark, or train the model again",
            )
        meta = super(BundleMeta, cls).from_dict(values)
        _check_labels(meta.labels)
        _check_notes(meta)
        stacker = meta.vote.stacker
        if stacker is not None and not stacking.fits(stacker, len(meta.labels)):
            raise BundleError(
                f"the stacker in {META_NAME} does not fit {len(meta.labels)} genres",
                "get or train the model again",
            )
        return meta


def _check_labels(labels: tuple[str, ...]) -> None:
    n = len(labels)
    if not 1 <= n <= _MOST_LABELS or not all(map(str.strip, labels)) or len(set(labels)) < n:
        raise BundleError(
            f"the labels in {META_NAME} are not 1 to {_MOST_LABELS} genres, each with a name of its"
            " own",
            "get or train the model again",
        )


def _check_notes(meta: BundleMeta) -> None:
    for part, kinds in _NOTED.items():
        notes = getattr(meta, part)
        for name, kind in kinds.items():
            value = notes.get(name)
            if value is not None and not isinstance(value, kind):
                raise BundleError(
                    f"{part}: {name} in {META_NAME} is {reprlib.repr(value)}, which says nothing",
                    "get or train the model again",
                )


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle whose checksums have been found right.

    Attributes
    ----------
    path : Path
    meta : BundleMeta
    model_id : str
        Hash of the recipe and the network; what was computed with the bundle is filed under it.
    """

    path: Path
    meta: BundleMeta
    model_id: str

    @property
    def network(self) -> Path:
        return self.path / NETWORK_NAME

    def read_network(self) -> bytes:
        """ONNX.

        Raises
        ------
        BundleError
            It cannot be read any more.
        """
        return bundle_files.read(self.network, _MOST_NETWORK)

    def listening(
        self, excerpts: ExcerptConfig | None = None, level: LevelMode | None = None
    ) -> Bundle:
        """The same network, but listening to other stretches of a track, or at another level."""
        own = self.meta.listen
        listen = dataclasses.replace(
            own, excerpts=excerpts or own.excerpts, level=level or own.level
        )
        meta = dataclasses.replace(self.meta, listen=listen)
        return Bundle(self.path, meta, _model_id(meta, _sha256(self.read_network())))


def load(path: str | os.PathLike[str]) -> Bundle:
    """Read and verify a bundle: its files, their checksums, and every value in ``model.json``.

    Raises
    ------
    BundleError
        If it is not there, incomplete, altered since it was written, or asks for something that
        this version cannot compute.
    """
    folder = Path(path)
    if not (folder / META_NAME).is_file():
        raise BundleError(
            f"{folder} is not a model: it has no {META_NAME}",
            "give the folder that `earmark train --out` wrote",
        )
    sums = _read_sums(folder)
    text = _verified(folder / META_NAME, sums, _MOST_META)
    _verify_network(folder / NETWORK_NAME, sums)
    has_vote = VOTE_NAME in sums or os.path.lexists(folder / VOTE_NAME)
    vote = _verify_network(folder / VOTE_NAME, sums) if has_vote else None
    values = _parsed(text, folder / META_NAME)
    texts(folder)
    try:
        meta = BundleMeta.from_dict(values)
        check_listening(meta.listen)
        if vote is not None:
            meta = _with_vote_network(meta, vote)
    except BundleError as e:
        raise BundleError(f"{folder}: {e.reason}", e.hint) from e
    if vote is None and meta.vote.mode == "network":
        raise BundleError(
            f"{folder / VOTE_NAME}, by which the model votes, is missing", "get the model again"
        )
    return Bundle(folder, meta, _model_id(meta, sums[NETWORK_NAME]))


def _verified(path: Path, sums: Mapping[str, str], most: int) -> bytes:
    content = bundle_files.read(path, most)
    if sums.get(path.name) != _sha256(content):
        raise BundleError(
            f"{path} is not what it was when the model was written (wrong checksum)",
            "get or train the model again",
        )
    return content


def _verify_network(path: Path, sums: Mapping[str, str]) -> bytes:
    """ONNX that is whole by itself."""
    network = _verified(path, sums, _MOST_NETWORK)
    try:
        if not has_external_data(network):
            return network
    except ValueError as e:
        raise BundleError(
            f"{path} is not a network that onnxruntime can run: {e}", "get or train the model again"
        ) from e
    raise BundleError(
        f"{path} keeps weights in other files, of which the model has no checksums",
        "get the model in one file",
    )


def _parsed(text: bytes, path: Path) -> dict[str, Any]:
    too_deep = BundleError(f"{path} is nested too deeply", "get the model again")
    try:
        values = json.loads(text.decode())
    except ValueError as e:
        raise BundleError(f"{path} is not JSON: {e}", "get the model again") from e
    except RecursionError as e:
        raise too_deep from e
    if not isinstance(values, dict):
        raise BundleError(f"{path} holds no settings", "get the model again")
    level: list[Any] = [values]
    for _ in range(_MOST_DEEP):
        held = [v.values() if isinstance(v, dict) else v for v in level]
        level = [v for of_one in held for v in of_one if isinstance(v, dict | list)]
        if not level:
            return values
    raise too_deep


def _with_vote_network(meta: BundleMeta, network: bytes) -> BundleMeta:
    track_network.check(network, len(meta.labels))
    return dataclasses.replace(meta, vote=dataclasses.replace(meta.vote, network=network))


def check_target(path: str | os.PathLike[str], hint: str = "choose another --out") -> None:
    """Refuse a folder that a bundle must not or cannot be written to; makes the one above it.

    Parameters
    ----------
    path : str or path-like
    hint : str
        What to do instead.

    Raises
    ------
    BundleError
        If `path` is a file, a folder with other things in it, or cannot be written.
    """
    folder = Path(path)
    if folder.name in ("", ".."):
        raise BundleError(f"{folder} cannot be replaced by a model as a whole", hint)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        if not os.access(folder.parent, os.W_OK | os.X_OK):
            raise BundleError(f"cannot write the model to {folder}: Permission denied", hint)
        if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
            raise BundleError(f"{folder} is not a folder", hint)
        held = {entry.name for entry in folder.iterdir()} if folder.exists() else set()
    except OSError as e:
        raise BundleError(f"cannot write the model to {folder}: {e.strerror}", hint) from e
    if held and META_NAME not in held:
        raise BundleError(f"{folder} is not empty and holds no model", hint)
    others = sorted(held - {META_NAME, NETWORK_NAME, VOTE_NAME, SUMS_NAME, *TEXT_NAMES})
    if others:
        named = ", ".join(others[:3]) + (f" and {len(others) - 3} more" if others[3:] else "")
        raise BundleError(f"{folder} holds more than a model, which would be lost: {named}", hint)


def write(
    path: str | os.PathLike[str],
    meta: BundleMeta,
    network: bytes,
    texts: Mapping[str, str] | None = None,
) -> Bundle:
    """Write a bundle so that `path` holds, at every instant, none, the old or the new one whole.

    Parameters
    ----------
    path : str or path-like
    meta : BundleMeta
    network : bytes
        ONNX.
    texts : mapping of str to str, optional
        Texts by their names, which are of `TEXT_NAMES`.

    Raises
    ------
    BundleError
        If `path` holds something other than a bundle, or cannot be written.
    """
    check_target(path)
    folder = Path(path)
    try:
        fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            _fill(fresh, meta, network, texts or {})
            if folder.exists():
                old = Path(tempfile.mkdtemp(prefix=f".{folder.name}-old-", dir=folder.parent))
                folder.replace(old)
                fresh.replace(folder)
                shutil.rmtree(old)
            else:
                fresh.replace(folder)
        finally:  # of which nothing is left there unless it came to nothing
            shutil.rmtree(fresh, ignore_errors=True)
    except OSError as e:
        raise BundleError(f"cannot write the model to {folder}: {e.strerror}") from e
    return load(folder)


def _fill(folder: Path, meta: BundleMeta, network: bytes, texts: Mapping[str, str]) -> None:
    folder.chmod(0o755)
    vote = meta.vote.to_dict()
    contents = {NETWORK_NAME: network}
    if "network" in vote:
        contents[VOTE_NAME] = vote.pop("network")
    own = {"listen": meta.listen.to_dict(), "vote": vote}
    values = dataclasses.asdict(meta) | own
    text = jsontext.dumps(values, indent=2, ensure_ascii=False) + "\n"
    # A row of numbers on a line of its own, for those who read the file.
    text = re.sub(r"\[\n[-+.0-9e,\s]+\]", lambda row: "".join(row[0].split()), text)
    # Names of files may be no text; what cannot be written of them is not worth a training.
    (folder / META_NAME).write_text(text, encoding="utf-8", errors="replace")
    contents |= {name: content.encode() for name, content in texts.items()}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    sums = {name: _sha256((folder / name).read_bytes()) for name in (META_NAME, *contents)}
    lines = "".join(f"{digest}  {name}\n" for name, digest in sums.items())
    (folder / SUMS_NAME).write_text(lines, encoding="utf-8")


def texts(path: str | os.PathLike[str]) -> dict[str, str]:
    """The texts that a bundle holds besides, by name.

    Raises
    ------
    BundleError
        If one is a link, no regular file, or too large.
    """
    found = [Path(path) / name for name in TEXT_NAMES]
    return {
        text.name: _decoded(bundle_files.read(text, _MOST_TEXT))
        for text in found
        if os.path.lexists(text)
    }


def _decoded(text: bytes) -> str:
    """UTF-8, or what older programs wrote: people can read the most of it even then."""
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text.decode("latin-1")


def _read_sums(folder: Path) -> dict[str, str]:
    """Lines of ``sha256sum``; checking with `sha256sum -c SHA256SUMS` works as well."""
    lines = (
        bundle_files.read(folder / SUMS_NAME, _MOST_TEXT).decode("utf-8", "replace").splitlines()
    )
    pairs = (line.split(maxsplit=1) for line in lines if line.strip())
    return {pair[1].lstrip("*"): pair[0] for pair in pairs if len(pair) == 2}


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _model_id(meta: BundleMeta, network_sum: str) -> str:
    used = {"listen": meta.listen.to_dict(), "labels": meta.labels, "t": meta.temperature}
    text = jsontext.dumps(used, sort_keys=True) + network_sum
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()
