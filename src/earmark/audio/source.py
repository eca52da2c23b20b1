"""Opening a music file safely, seeking in it and decoding it.

A file comes from anywhere, so FFmpeg is given as little room as possible: an open file instead of
a name, so that it cannot be a pipe that never answers; only demuxers that hold music, so that a
playlist or a script named ``.mp3`` stays text; and no protocols, so that nothing inside the file
can make it open another file or the network.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeAlias

import av
import av.error
from av.packet import Packet
from av.stream import Discard, Disposition

from earmark.audio.regions import end_of_audio
from earmark.errors import AudioError

if TYPE_CHECKING:
    # Generic in its stubs only.
    AudioPacket: TypeAlias = Packet[av.AudioStream]

# FFmpeg's demuxers, by its own names.
_DEMUXERS = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,dsf,eac3,flac,loas,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,"
    "mp3,mpc,mpc8,mpeg,mpegts,ogg,tak,tta,w64,wav,wv"
)
# These hold nothing but a row of frames: no duration, and no way to find a second but to count.
_BARE_STREAMS = frozenset({"aac", "ac3", "amr", "eac3", "loas"})
# Enough to recognise a format and its codec; with FFmpeg's own 5 MB a WAV takes 16 ms to open.
_PROBE_BYTES = 1 << 17
_FAST_SEEK = 1 << 19  # AVFMT_FLAG_FAST_SEEK

MIN_RATE_HZ, MAX_RATE_HZ = 2_000, 768_000
"""A sample rate outside of these comes from a damaged header."""

MAX_DSD_RATE_HZ = 5_644_800
"""So for recordings of one bit: FFmpeg makes a sample of eight bits, 352,800 a second of DSD64, the
double and so on of DSD128 to DSD1024."""


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """What a file's header says of its sound.

    Attributes
    ----------
    duration_s : float or None
        As claimed, which may be wrong; None where nothing is claimed.
    sr : int
        Samples a second and channel.
    n_channels : int
    codec : str
        FFmpeg's name of the coding, e.g. ``mp3``, ``aac``, ``pcm_s16le``.
    seekable : bool
        Whether a second in the middle can be found without reading all before it.
    """

    duration_s: float | None
    sr: int
    n_channels: int
    codec: str
    seekable: bool


class Source:
    """A music file opened for decoding; to be used in a ``with`` statement.

    Attributes
    ----------
    path : str
    info : AudioInfo
    extradata : bytes
        The codec's own header, as the container keeps it.

    Raises
    ------
    AudioError
        Not a regular file, empty, missing, unreadable, not music, or without sound.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self._cause: Exception | None = None
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(open_regular(self.path))
            self._container = stack.enter_context(self._open_container(file))
            self._stream = self._choose_stream()
            for other in self._container.streams:
                if other is not self._stream:
                    other.discard = Discard.all
            # One thread a worker: FFmpeg's own would only get in the way of the other workers.
            self._stream.codec_context.thread_count = 1
            if self._container.format.name != "mp3":
                self._container.flags &= ~_FAST_SEEK
            self.info = self._read_info()
            self.extradata = bytes(self._stream.codec_context.extradata or b"")
            self._tick_s = float(self._stream.time_base or 1)
            # MP3 numbers its samples from before the encoder's delay.
            self._origin = self._stream.start_time or 0
            self._stack = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def _open_container(self, file: io.FileIO) -> av.container.InputContainer:
        options = {
            "format_whitelist": _DEMUXERS,
            "protocol_whitelist": "none",
            "probesize": str(_PROBE_BYTES),
            # MP3 only: by its table of contents or in proportion to bytes, not by parsing all of
            # the file up to there.
            "fflags": "fastseek",
        }
        try:
            self._file = _Untailed(file)
            return av.open(self._file, "r", metadata_errors="replace", container_options=options)
        except av.error.FFmpegError as e:
            self._raise_read_error()
            raise AudioError(
                self.path, "not a music file, or damaged beyond reading", _detail(e)
            ) from e
        except OSError as e:
            raise AudioError(self.path, f"cannot be read: {e.strerror}") from e

    def _raise_read_error(self) -> None:
        error = self._file.error
        if error is not None:
            raise AudioError(self.path, f"cannot be read: {error.strerror}") from error

    def _choose_stream(self) -> av.AudioStream:
        streams = self._container.streams.audio
        if not streams:
            raise AudioError(self.path, "holds no sound, only pictures or other data")
        for stream in streams:
            # Not so in its stubs, but there is none for a coding that FFmpeg does not know.
            if stream.codec_context is not None:
                return stream
        raise AudioError(self.path, "its sound is of a coding that is not known")

    def _read_info(self) -> AudioInfo:
        context = self._stream.codec_context
        sr, n_channels = context.sample_rate, context.channels
        codec = context.codec.canonical_name
        highest = MAX_DSD_RATE_HZ if codec.startswith("dsd_") else MAX_RATE_HZ
        if not (MIN_RATE_HZ <= sr <= highest and n_channels > 0):
            raise AudioError(
                self.path, f"damaged header: {n_channels} channels of {sr} samples a second"
            )
        micros = self._container.duration
        bare = self._container.format.name in _BARE_STREAMS
        duration_s = micros / av.time_base if micros and micros > 0 and not bare else None
        return AudioInfo(
            duration_s=duration_s,
            sr=sr,
            n_channels=n_channels,
            codec=codec,
            seekable=duration_s is not None,
        )

    def seek(self, at_s: float) -> bool:
        """Go to the last packet before `at_s`, as far as the container knows; False if it fails."""
        target = self._origin + max(0, int(at_s / self._tick_s))
        try:
            self._container.seek(target, stream=self._stream)
        except (av.error.FFmpegError, OverflowError) as e:
            self._cause = e
            return False
        return True

    def packets(self) -> Iterator[AudioPacket]:
        """Encoded packets of the sound from here on, to where the file ends or breaks off.

        The last one is empty: decoding it brings out what the decoder still holds.

        Raises
        ------
        AudioError
            The disk failed.
        """
        demux = self._container.demux(self._stream)
        while True:
            try:
                packet = next(demux)
            except StopIteration:
                break
            except av.error.FFmpegError as e:
                self._cause = e
                break
            yield packet
        self._raise_read_error()

    def decode(self, packet: AudioPacket) -> list[av.AudioFrame]:
        """Frames that come out for one packet; none where it is damaged."""
        try:
            return self._stream.codec_context.decode(packet)
        except av.error.FFmpegError as e:
            self._cause = e
            return []

    def start_s(self, item: AudioPacket | av.AudioFrame) -> float | None:
        """When a packet or frame starts in the track, by its time stamp."""
        return None if item.pts is None else (item.pts - self._origin) * self._tick_s

    def length_s(self, packet: AudioPacket) -> float:
        """How long a packet claims to last; 0 where it does not say."""
        return packet.duration * self._tick_s if packet.duration else 0.0

    def picture(self) -> bytes:
        """The first picture that comes with the sound, encoded as it is; empty where none does."""
        for stream in self._container.streams.video:
            if stream.disposition & Disposition.attached_pic:
                stream.discard = Discard.default
                try:
                    packets = [bytes(packet) for packet in self._container.demux(stream)]
                except av.error.FFmpegError as e:
                    self._cause = e
                    return b""
                return next(filter(None, packets), b"")
        return b""

    def failure(self) -> AudioError:
        """What to raise when nothing came out, with the last trouble met as its cause."""
        if self._cause is None:
            return AudioError(self.path, "holds no audio samples")
        error = AudioError(self.path, "its sound cannot be decoded", _detail(self._cause))
        error.__cause__ = self._cause
        return error


class _Untailed:
    """A file without the tags at its end, which MP3 and FLAC demuxers would take for sound.

    FFmpeg calls it and cannot pass exceptions on: a disk that fails looks like the end of the file,
    and the `error` is kept.
    """

    def __init__(self, file: io.FileIO) -> None:
        self.error: OSError | None = None
        self._file = file
        self._end = end_of_audio(file)
        self.tell = file.tell
        file.seek(0)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_END:
            offset, whence = self._end + offset, io.SEEK_SET
        try:
            return self._file.seek(offset, whence)
        except (OSError, OverflowError):
            # A damaged header points out of the file. This is FFmpeg's code for it.
            return -errno.EINVAL

    def read(self, n: int) -> bytes:
        try:
            return self._file.read(max(0, min(n, self._end - self._file.tell())))
        except OSError as e:
            self.error = e
            return b""


def probe(path: str | os.PathLike[str]) -> AudioInfo:
    """What the header of the file at `path` says of its sound.

    Raises
    ------
    AudioError
        As `Source` does.
    """
    with Source(path) as source:
        return source.info


def cover(path: str | os.PathLike[str]) -> bytes:
    """The picture in a music file, such as the album's cover; empty where there is none.

    Raises
    ------
    AudioError
        As `Source` does.
    """
    with Source(path) as source:
        return source.picture()


def open_regular(path: str) -> io.FileIO:
    """Open a regular file that holds something; whatever else is there, never wait for it.

    Raises
    ------
    AudioError
        A folder, pipe, socket or device; missing, unreadable or empty.
    """
    try:
        status = Path(path).stat()
        kind = _KINDS.get(stat.S_IFMT(status.st_mode))
        if kind:
            raise AudioError(path, f"{kind}, not a music file")
        if status.st_size == 0:
            raise AudioError(path, "empty file (zero bytes)")
        # If a pipe takes its place just now, this still does not wait for a writer.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        return io.FileIO(os.open(path, flags), "rb")
    except ValueError as e:
        raise AudioError(path, "no path: it holds a zero byte") from e
    except OSError as e:
        reason = _OPEN_REASONS.get(e.errno or 0, f"cannot be opened: {e.strerror}")
        raise AudioError(path, reason) from e


_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
_OPEN_REASONS = {
    errno.ENOENT: "no such file",
    errno.EACCES: "no permission to read it",
    errno.ELOOP: "a link that leads in circles",
}


def _detail(error: Exception) -> str:
    return str(getattr(error, "strerror", "") or error).lower()
