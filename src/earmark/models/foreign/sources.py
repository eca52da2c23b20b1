"""Models of others that Earmark can turn into bundles, and where they are to be had."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path

from earmark import extras
from earmark.models.bundle import BundleMeta


@dataclass(frozen=True, slots=True)
class Converted:
    """A bundle's contents.

    Attributes
    ----------
    meta : BundleMeta
    network : bytes
        ONNX.
    licence : str
        Full text.
    """

    meta: BundleMeta
    network: bytes
    licence: str


@dataclass(frozen=True, slots=True)
class Source:
    """A file that a model is made from.

    Attributes
    ----------
    about : str
        What the model is, on a line.
    licence : str
        Name of the licence.
    file : str
        Name of the file.
    sha256 : str
        Of the file; another one is refused.
    n_bytes : int
    url : str
        Where the file is published.
    fetched : bool
        Whether Earmark fetches it; otherwise the person does.
    converter : str
        ``module:function`` from the file's path to `Converted`.
    extra : str
        Extra of the libraries that the conversion needs.
    """

    about: str
    licence: str
    file: str
    sha256: str
    n_bytes: int
    url: str
    fetched: bool
    converter: str
    extra: str

    def convert(self, path: Path) -> Converted:
        """Make a bundle's contents of the file at `path`.

        Raises
        ------
        BundleError
            If the file is not what it should be.
        MissingExtraError
            If a library is missing.
        """
        module, _, name = self.converter.partition(":")
        extras.require(self.extra, module)
        made: Converted = getattr(importlib.import_module(module), name)(path)
        return made


SOURCES = {
    "musicnn": Source(
        about="50 tags of the Million Song Dataset, 200 numbers a slice (MSD_musicnn)",
        licence="ISC",
        file="musicnn-0.1.0-py3-none-any.whl",
        sha256="f38a4890c648c1ddbb141c5d96d2b0a8cfcd36746002d896989f7b88beb65cfa",
        n_bytes=29_292_476,
        url="https://files.pythonhosted.org/packages/1b/6f/"
        "38229e7d99c438e11114bbfa39c8c39185458c398011d0b6d7d7c7401617/"
        "musicnn-0.1.0-py3-none-any.whl",
        fetched=True,
        converter="earmark.models.foreign.musicnn:convert",
        extra="head",
    ),
    "mn04": Source(
        about="527 classes of AudioSet, 384 numbers a slice (EfficientAT's mn04_as)",
        licence="MIT",
        file="mn04_as_mAP_432.pt",
        sha256="899a8c6217063f6941793102a2780b3dd788ab11fce468d9cf5f0577c453321c",
        n_bytes=4_066_513,
        url="https://github.com/fschmid56/EfficientAT/releases/download/v0.0.1/mn04_as_mAP_432.pt",
        fetched=False,
        converter="earmark.models.foreign.efficientat:convert",
        extra="train",
    ),
}
