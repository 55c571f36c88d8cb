"""The kinds of video files, with their codecs for pictures and sound and their ticks; and the encoders' options."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from pipeline.core.errors import PoselineError

_MP4_AUDIO = frozenset({"aac", "mp3", "mp3float", "ac3", "eac3", "alac", "opus", "libopus", "flac"})
_NOT_IN_MOV = frozenset({"opus", "libopus", "flac"})
_WEBM_AUDIO = frozenset({"opus", "libopus", "vorbis", "libvorbis"})
_AAC_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)
MAX_TIMESCALE = 2**31 - 1  # MP4 keeps it in 32 bits


class Container(NamedTuple):
    """A kind of file: FFmpeg's name, its picture codecs, its sound codecs, and the codec that other sound becomes."""

    muxer: str
    codecs: tuple[str, ...]
    copied: frozenset[str]
    audio: str
    rates: tuple[int, ...]  # sample rates in Hz of that codec; other rates become 48 kHz
    samples: int  # audio samples in a packet of that codec
    timescale: int  # most ticks a second


_ALL = ("h264", "h265", "vp9", "av1")
_MP4 = Container("mp4", _ALL, _MP4_AUDIO, "aac", _AAC_RATES, 1024, MAX_TIMESCALE)
_MKV_AUDIO = _MP4_AUDIO | _WEBM_AUDIO
CONTAINERS: dict[str, Container] = {
    ".mp4": _MP4,
    ".m4v": _MP4,
    ".mov": _MP4._replace(muxer="mov", codecs=("h264", "h265"), copied=_MP4_AUDIO - _NOT_IN_MOV),
    ".mkv": Container("matroska", _ALL, _MKV_AUDIO, "aac", _AAC_RATES, 1024, 1000),
    ".webm": Container("webm", ("vp9", "av1"), _WEBM_AUDIO, "libopus", (48000,), 960, 1000),
}
PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow")
_VP9_SPEED, _AV1_SPEED = (8, 7, 6, 5, 4, 3, 2, 1, 0), (12, 11, 10, 9, 8, 7, 5, 4, 2)  # speeds for the presets above
_CRF = {"h264": 23, "h265": 26, "vp9": 33, "av1": 34}  # values of about equal quality
ENCODERS = {"h264": "libx264", "h265": "libx265", "vp9": "libvpx-vp9", "av1": "libsvtav1"}


def container_of(path: Path, codec: str) -> Container:
    """The kind of file by the name's suffix; PoselineError where such files may not hold the codec."""
    container = CONTAINERS.get(path.suffix.lower())
    if container is None:
        raise PoselineError(f"{path}: unknown kind of video; end its name in one of {', '.join(CONTAINERS)}")
    if codec not in container.codecs:
        fitting = [end for end, each in CONTAINERS.items() if codec in each.codecs]
        raise PoselineError(f"{path}: {path.suffix} does not hold {codec}; end its name in {' or '.join(fitting)}")
    return container


def encoder_options(codec: str, crf: int | None, preset: str) -> dict[str, str]:
    """The encoder's options; ``preset`` is one of x264's speed names, which holds for all codecs."""
    quality = {"crf": str(_CRF[codec] if crf is None else crf)}
    if codec == "h264":
        # One step of subpixel search: a sixth less time than veryfast's two, 2 % more bytes, .1 dB less.
        return quality | {"preset": preset} | ({"x264-params": "subme=1"} if preset == "veryfast" else {})
    if codec == "h265":
        return quality | {"preset": preset, "x265-params": "log-level=none"}
    speed = PRESETS.index(preset)
    if codec == "vp9":
        return quality | {"b:v": "0", "deadline": "good", "cpu-used": str(min(_VP9_SPEED[speed], 5)), "row-mt": "1"}
    return quality | {"preset": str(_AV1_SPEED[speed])}
