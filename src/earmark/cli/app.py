"""The commands put together, and the one place where errors become exit codes."""

from __future__ import annotations

import os
import sys

import typer

from earmark.cli import audit, classify, duplicates, evaluate, look, scan, tag, train, tune, undo
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
        from earmark import __version__

        typer.echo(f"earmark {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_show_version, is_eager=True, help="Say the version and stop."
    ),
) -> None:
    """Options before the verb."""


for verb in (scan, audit, train, tune, evaluate, classify, look, duplicates, tag, undo):
    app.command(verb.__name__.rpartition(".")[2])(verb.command)


def main() -> None:
    """Run the command line; exits with the codes of `earmark.cli`."""
    # Music has names in every encoding: bytes that are not UTF-8 pass through as they are.
    sys.stdout.reconfigure(errors="surrogateescape")  # type: ignore[union-attr]
    sys.stderr.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        app()
    except (ConfigError, MissingExtraError) as e:
        complain(str(e))
        sys.exit(2)
    except EarmarkError as e:
        complain(str(e))
        sys.exit(1)
    except BrokenPipeError:
        # The reader (`| head`) has enough. Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt:
        complain("interrupted")
        sys.exit(130)
