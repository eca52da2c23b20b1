"""``earmark models``: models that have a name, one's own and those of others."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from earmark.errors import BundleError, ConfigError, MissingExtraError
from earmark.events import Progress, Workflow
from earmark.models import bundle as bundles
from earmark.models import catalog
from earmark.models.bundle import Bundle, BundleMeta
from earmark.models.fetch import check_sha256, fetch
from earmark.models.foreign.sources import SOURCES, Source


@dataclass(frozen=True, slots=True)
class NamedModel:
    """A model that can be given by name, or in `error` why it cannot be used."""

    name: str
    path: Path
    bundle: Bundle | None
    error: str = ""


def named_models(home: Path) -> list[NamedModel]:
    """The model that comes with the package, and all that were added, by name."""
    added = {name: catalog.folder_of(name, home) for name in catalog.names(home)}
    found = []
    for name, path in ({catalog.SHIPPED: catalog.shipped_model()} | added).items():
        try:
            found.append(NamedModel(name, path, bundles.load(path)))
        except (BundleError, MissingExtraError) as e:
            found.append(NamedModel(name, path, None, str(e)))
    return found


def add(name: str, home: Path, given: Path | None = None) -> Workflow[Bundle]:
    """Add a model under a name; the same model again is written again, another one refused.

    Parameters
    ----------
    name : str
        Of one of `SOURCES`, or any for a model of one's own.
    home : Path
        Earmark's home.
    given : Path, optional
        The source's file, where it is at hand; a model's folder, which is copied.

    Raises
    ------
    BundleError
        If the file cannot be had or is another one, or the folder is no model.
    ConfigError
        If nothing is known of the name, and no folder is given; if another model has the name.
    MissingExtraError
        If a library that a conversion needs is missing.
    """
    folder = catalog.folder_of(name, home)
    instead = f"move {folder} away"
    if given is not None and given.is_dir():
        bundles.check_target(folder, instead)
        return _copied(given, folder)
    source = SOURCES.get(name)
    if source is None:
        raise ConfigError(
            f"no model called {name} is known",
            f"known are {', '.join(sorted(SOURCES))}; a model of your own is added by"
            f" `earmark models add {name} --from FOLDER`",
        )
    if given is None and not source.fetched:
        raise ConfigError(
            f"the file that {name} is made from has to be fetched by hand",
            f"get {source.url}, and give it by --from {source.file}",
        )
    bundles.check_target(folder, instead)
    if given is not None:
        check_sha256(given, source.sha256)
        return _made(source, given, folder)
    with _scratch(folder) as scratch:
        fetched = scratch / source.file
        for n_done in fetch(source.url, fetched, source.n_bytes):
            yield Progress(f"fetching {source.file}", n_done, source.n_bytes)
        check_sha256(fetched, source.sha256)
        return _made(source, fetched, folder)


def _made(source: Source, file: Path, folder: Path) -> Bundle:
    made = source.convert(file)
    meta = dataclasses.replace(made.meta, name=folder.name, licence=source.licence)
    return _write(folder, meta, made.network, {bundles.LICENCE_NAME: made.licence})


def _copied(given: Path, folder: Path) -> Bundle:
    bundle = bundles.load(given)
    meta = dataclasses.replace(bundle.meta, name=folder.name)
    return _write(folder, meta, bundle.read_network(), bundles.texts(given))


def _write(folder: Path, meta: BundleMeta, network: bytes, texts: Mapping[str, str]) -> Bundle:
    with _scratch(folder) as scratch:
        fresh = bundles.write(scratch / folder.name, meta, network, texts)
        sums = folder / bundles.SUMS_NAME
        other = not sums.is_file() or sums.read_bytes() != (fresh.path / sums.name).read_bytes()
    if other and (folder / bundles.META_NAME).is_file():
        raise ConfigError(
            f"another model is called {folder.name}", f"`earmark models remove {folder.name}` first"
        )
    return bundles.write(folder, meta, network, texts)


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """A folder for a while, on the disk that has to have room anyway."""
    try:
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as name:
            yield Path(name)
    except OSError as e:
        raise BundleError(f"cannot write to {folder.parent}: {e.strerror}") from e
