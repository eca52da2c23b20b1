"""Optional dependencies: asked for before hours of listening rather than after."""

from __future__ import annotations

from importlib import import_module

from earmark.errors import MissingExtraError


def require(extra: str, *modules: str) -> None:
    """Import modules that need what an extra installs.

    Parameters
    ----------
    extra : str
        As ``pip install 'earmark[extra]'`` has it.
    modules : str
        Of Earmark or of a library.

    Raises
    ------
    MissingExtraError
        If a library that they need is not installed.
    """
    for module in modules:
        try:
            import_module(module)
        except ModuleNotFoundError as e:
            if not e.name or e.name.startswith("earmark"):
                raise
            raise MissingExtraError(e.name, extra) from e
