"""Every error that Earmark raises on purpose.

::

    EarmarkError
    ├── FileError              one music file; the run goes on without it
    │   ├── AudioError         cannot be decoded, holds no audio, too short
    │   ├── TagError           its tags cannot be read or written
    │   └── FileChangedError   no longer what it was when the plan was made
    ├── LibraryError           the folder, the catalogue or the journal
    ├── DataError              the labelled tracks cannot be learned from
    ├── BundleError            a model bundle is damaged or of an unknown recipe
    ├── ConfigError            a setting or an option makes no sense (exit code 2)
    └── MissingExtraError      an optional dependency is not installed (exit code 2)

Each message names what is wrong and, in ``hint``, what to do about it. The cause is kept by
``raise … from …``.
"""

from __future__ import annotations

import os


class EarmarkError(Exception):
    """Root of the tree.

    Parameters
    ----------
    reason : str
        What is wrong, one line, no trailing full stop.
    hint : str, optional
        What a person can do about it.
    """

    def __init__(self, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.reason} ({self.hint})" if self.hint else self.reason


class FileError(EarmarkError):
    """One file is at fault; `path` says which."""

    def __init__(self, path: str | os.PathLike[str], reason: str, hint: str = "") -> None:
        super().__init__(reason, hint)
        self.path = os.fspath(path)

    @property
    def explanation(self) -> str:
        """Reason and hint, for where the path is told anyway."""
        return super().__str__()

    def __str__(self) -> str:
        return f"{self.path}: {super().__str__()}"

    def __reduce__(self) -> tuple[type[FileError], tuple[str, str, str]]:
        # The default would rebuild it from `args` alone, which lacks the path; it has to survive
        # the way back from a worker process.
        return type(self), (self.path, self.reason, self.hint)


class AudioError(FileError):
    """The file cannot be decoded, or holds no usable audio."""


class TagError(FileError):
    """The file's tags cannot be read or written."""


class FileChangedError(FileError):
    """The file is no longer what it was when it was looked at."""


class LibraryError(EarmarkError):
    """The music folder, the catalogue or the journal cannot be used."""


class DataError(EarmarkError):
    """The labelled tracks at hand cannot be learned from or evaluated on."""


class BundleError(EarmarkError):
    """A model bundle is damaged, incomplete, or asks for what this version cannot compute."""


class ConfigError(EarmarkError):
    """A setting or an option makes no sense."""


class MissingExtraError(EarmarkError):
    """An optional dependency is needed and not installed."""

    def __init__(self, module: str, extra: str) -> None:
        super().__init__(
            f"{module} is not installed",
            # The constraints keep torch from bringing gigabytes of CUDA along.
            f"in Earmark's source folder: pip install -c constraints.txt '.[{extra}]'",
        )
        self.module = module
        self.extra = extra

    def __reduce__(self) -> tuple[type[MissingExtraError], tuple[str, str]]:
        return type(self), (self.module, self.extra)
