"""What a server is started with."""

from __future__ import annotations

import ipaddress
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from earmark.errors import ConfigError
from earmark.library.catalogue import FILE_NAME as CATALOGUE
from earmark.models.bundle import Bundle
from earmark.types import VoteConfig

SHORTEST_TOKEN = 16
_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is taken at a time.

    Attributes
    ----------
    max_files : int
        In one request.
    max_upload_bytes, max_request_bytes : int
        Of one file; of all files of a request.
    max_body_bytes : int
        Of a request that is no upload.
    max_duration_s : float
        Longer tracks, by what they claim, are refused.
    max_overview_s : float
        A picture or a preview shows no more.
    n_uploads : int
        Requests with uploads at a time; further ones are told to come back.
    max_kept_bytes, kept_s
        Uploads that may be played afterwards: together, and for how long.
    stall_s : float
        An upload that sends nothing for so long is cut off.
    min_bytes_a_s : float
        So is one that is slower than this, after `stall_s`.
    headers_s : float
        A request whose headers have not arrived by then is cut off.
    time_limit_s : float
        For decoding one file.
    memory_bytes : int
        What decoding one file may take.
    n_events : int
        Streams of events at a time.
    n_quiet, n_quiet_of_one : int
        Connections on which no request has come yet, in all and of one address; as many again that
        are kept after an answer. Beyond, the one that has been quiet longest is ended.
    n_requests, n_requests_of_one : int
        Requests at a time, in all and of one address that is not this machine's own; further ones
        are told to come back.
    """

    max_files: int = 50
    max_upload_bytes: int = 300 * _MIB
    max_request_bytes: int = 1000 * _MIB
    max_body_bytes: int = 4 * _MIB
    max_duration_s: float = 3 * 3600.0
    max_overview_s: float = 1200.0
    n_uploads: int = 64
    max_kept_bytes: int = 2000 * _MIB
    kept_s: float = 1800.0
    stall_s: float = 20.0
    min_bytes_a_s: float = 1024.0
    headers_s: float = 5.0
    time_limit_s: float = 30.0
    memory_bytes: int = 1024 * _MIB
    n_events: int = 50
    n_quiet: int = 200
    n_quiet_of_one: int = 50
    n_requests: int = 400
    n_requests_of_one: int = 200


@dataclass(frozen=True, slots=True)
class WebSettings:
    """All that `earmark.web.app.create_app` has to know.

    Attributes
    ----------
    data_dir : Path
        Home of catalogue, journal, jobs and uploads.
    model : Bundle
        Answers until another is chosen.
    vote : VoteConfig
        How slices decide with that model.
    libraries : tuple of Path
        Folders that may be looked into; nothing outside of them is.
    allow_write : bool
        Whether tags may be written.
    host, port
        Address that is listened on.
    token : str
        Empty: none is asked for.
    allowed_hosts : tuple of str
        Further names under which the server is called, as behind a proxy.
    n_workers : int
        Processes that listen.
    file_time_limit_s : float
        For one file in a job.
    """

    data_dir: Path
    model: Bundle
    vote: VoteConfig
    libraries: tuple[Path, ...] = ()
    allow_write: bool = False
    host: str = "127.0.0.1"
    port: int = 8010
    token: str = ""
    allowed_hosts: tuple[str, ...] = ()
    n_workers: int = 1
    file_time_limit_s: float = 60.0
    bounds: Bounds = field(default_factory=Bounds)

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the server."""
        return is_loopback(self.host)

    @property
    def home(self) -> Path:
        """Folder of what the server keeps for itself."""
        return self.data_dir / "web"

    @property
    def catalogue(self) -> Path:
        return self.data_dir / CATALOGUE


def is_loopback(host: str) -> bool:
    """Whether a name or an address is this machine for itself."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def choose_token(host: str, given: str) -> str:
    """The token to ask for: as given, made up where others can reach the server, else none.

    Raises
    ------
    ConfigError
        It is too short to be safe.
    """
    if given:
        if len(given) < SHORTEST_TOKEN or not given.isascii() or not given.isprintable():
            raise ConfigError(
                f"a token needs {SHORTEST_TOKEN} characters of plain ASCII or more",
                'make one: python3 -c "import secrets; print(secrets.token_urlsafe(24))"',
            )
        return given
    return "" if is_loopback(host) else secrets.token_urlsafe(24)


def check_libraries(folders: tuple[Path, ...]) -> tuple[Path, ...]:
    """Folders in full, with links resolved.

    Raises
    ------
    ConfigError
        One is no folder, or given twice.
    """
    found: dict[Path, Path] = {}
    for folder in folders:
        try:
            real = folder.expanduser().resolve(strict=True)
        except OSError as e:
            raise ConfigError(f"--library {folder}: {e.strerror}", "name a folder") from e
        if not real.is_dir():
            raise ConfigError(f"--library {folder} is no folder")
        if real in found:
            raise ConfigError(f"--library {folder} is given twice")
        found[real] = folder
    return tuple(found)
