"""Sound out of music files: which seconds, decoded, mixed, resampled; and what identifies it."""

from earmark.audio.excerpts import plan as plan_excerpts
from earmark.audio.identity import audio_id, packet_hash
from earmark.audio.reading import read_excerpts
from earmark.audio.samples import excerpts_of
from earmark.audio.source import AudioInfo, cover, probe
from earmark.audio.streaming import mono_chunks

__all__ = [
    "AudioInfo",
    "audio_id",
    "cover",
    "excerpts_of",
    "mono_chunks",
    "packet_hash",
    "plan_excerpts",
    "probe",
    "read_excerpts",
]
