"""The commands put together, and the one place where errors become exit codes."""

from __future__ import annotations

import codecs
import os
import sys

import typer

from earmark.cli import (
    audit,
    classify,
    compare,
    duplicates,
    evaluate,
    explain,
    look,
    models,
    scan,
    serve,
    tag,
    train,
    tune,
    undo,
)
from earmark.cli.console import complain
from earmark.errors import ConfigError, EarmarkError, MissingExtraError

app = typer.Typer(
    name="earmark",
    help="Listens to music and says its genre; fills missing genre tags, harming no file.",
    no_args_is_help=True,
    # Rich would take "[default: …]" for markup, and swallow it.
    rich_markup_mode="markdown",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from earmark.version import __version__

        typer.echo(f"earmark {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_show_version, is_eager=True, help="Say the version and stop."
    ),
) -> None:
    """Options before the verb."""


_VERBS = (
    scan,
    audit,
    train,
    tune,
    evaluate,
    compare,
    classify,
    look,
    explain,
    duplicates,
    tag,
    undo,
    serve,
)
for verb in _VERBS:
    app.command(verb.__name__.rpartition(".")[2])(verb.command)
app.add_typer(models.app, name="models")


def run() -> None:
    """Run the command line; exits with the codes of `earmark.cli`."""
    _prepare_outputs()
    try:
        app()
    except SystemExit as e:
        sys.exit(_finished(e.code))
    except (ConfigError, MissingExtraError) as e:
        complain(str(e))
        sys.exit(2)
    except EarmarkError as e:
        complain(str(e))
        sys.exit(1)
    except BrokenPipeError:
        # The reader (`| head`) has enough.
        _silence_stdout()
        sys.exit(1)
    except OSError as e:
        _silence_stdout()
        complain(str(e))
        sys.exit(1)


def _prepare_outputs() -> None:
    """Let every file name and every sign pass, and outputs be closed."""
    codecs.register_error("earmark", _encode_anyhow)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123
        getattr(sys, name).reconfigure(errors="earmark")


def _encode_anyhow(e: UnicodeError) -> tuple[str | bytes, int]:
    """Bytes of names that are not UTF-8 as they are; what the terminal cannot show, spelled out."""
    assert isinstance(e, UnicodeEncodeError)
    sign = e.object[e.start]
    if "\udc80" <= sign <= "\udcff":
        return bytes([ord(sign) - 0xDC00]), e.start + 1
    return sign.encode("ascii", "backslashreplace"), e.start + 1


def _finished(code: str | int | None) -> str | int | None:
    """The exit code, when all that was printed has arrived."""
    try:
        sys.stdout.flush()
    except OSError as e:
        _silence_stdout()
        if not isinstance(e, BrokenPipeError):
            complain(f"the output could not be written: {e.strerror}")
        return 1
    if code == 130:
        complain("interrupted")
    return code


def _silence_stdout() -> None:
    """Drop what is still to be printed: Python would complain of it once more at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
