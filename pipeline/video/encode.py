"""Video files with the times and the sound of the source: H.264, H.265, VP9 or AV1, in MP4, Matroska or WebM."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import av
import numpy as np

from pipeline.core.errors import PoselineError
from pipeline.video.media import open_media
from pipeline.video.planes import BT601, BT709, HD_PX, Colours, even_size, of_rgb

_MP4_AUDIO = frozenset({"aac", "mp3", "mp3float", "ac3", "eac3", "alac", "opus", "libopus", "flac"})
_WEBM_AUDIO = frozenset({"opus", "libopus", "vorbis", "libvorbis"})
_AAC_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)
_MAX_TIMESCALE = 2**31 - 1  # MP4 keeps it in 32 bits


class _Container(NamedTuple):
    """A kind of file: FFmpeg's name, the pictures it may hold, the sound it may hold, and what other sound becomes."""

    muxer: str
    codecs: tuple[str, ...]
    copied: frozenset[str]
    audio: str
    rates: tuple[int, ...]  # of that sound; others become 48 kHz
    samples: int  # in a packet of it
    timescale: int  # most ticks a second


_ALL = ("h264", "h265", "vp9", "av1")
_MP4 = _Container("mp4", _ALL, _MP4_AUDIO, "aac", _AAC_RATES, 1024, _MAX_TIMESCALE)
_MKV_AUDIO = _MP4_AUDIO | _WEBM_AUDIO
CONTAINERS: dict[str, _Container] = {
    ".mp4": _MP4,
    ".m4v": _MP4,
    ".mov": _MP4._replace(muxer="mov", codecs=("h264", "h265")),
    ".mkv": _Container("matroska", _ALL, _MKV_AUDIO, "aac", _AAC_RATES, 1024, 1000),
    ".webm": _Container("webm", ("vp9", "av1"), _WEBM_AUDIO, "libopus", (48000,), 960, 1000),
}
PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow")
_VP9_SPEED, _AV1_SPEED = (8, 7, 6, 5, 4, 3, 2, 1, 0), (12, 11, 10, 9, 8, 7, 5, 4, 2)  # of the presets above
_CRF = {"h264": 23, "h265": 26, "vp9": 33, "av1": 34}  # that look about alike
ENCODERS = {"h264": "libx264", "h265": "libx265", "vp9": "libvpx-vp9", "av1": "libsvtav1"}


def container_of(path: Path, codec: str) -> _Container:
    """The kind of file that a name asks for; PoselineError where it may not hold the codec."""
    container = CONTAINERS.get(path.suffix.lower())
    if container is None:
        raise PoselineError(f"{path}: unknown kind of video; end its name in one of {', '.join(CONTAINERS)}")
    if codec not in container.codecs:
        fitting = [end for end, each in CONTAINERS.items() if codec in each.codecs]
        raise PoselineError(f"{path}: {path.suffix} does not hold {codec}; end its name in {' or '.join(fitting)}")
    return container


def encoder_options(codec: str, crf: int | None, preset: str) -> dict[str, str]:
    """What the encoder is told; ``preset`` is x264's name of a speed, for all of them."""
    quality = {"crf": str(_CRF[codec] if crf is None else crf)}
    if codec == "h264":
        return quality | {"preset": preset}
    if codec == "h265":
        return quality | {"preset": preset, "x265-params": "log-level=none"}
    speed = PRESETS.index(preset)
    if codec == "vp9":
        return quality | {"b:v": "0", "deadline": "good", "cpu-used": str(min(_VP9_SPEED[speed], 5)), "row-mt": "1"}
    return quality | {"preset": str(_AV1_SPEED[speed])}


class VideoWriter:
    """Writes pictures at given pts, and the source's audio, to a video file; a context manager.

    The time ``start_s`` of the source becomes 0 in the output; without it, the time of the first picture written does.
    Pictures keep their distances exactly: the output's ticks are those of ``time_base`` or an integer fraction of them
    (a time base finer than MP4 can hold, 1 / 2^31 s, is rounded to microseconds; Matroska and WebM have milliseconds).
    Audio between ``start_s`` and ``stop_s`` (None: to its end) is moved by the same amount, copied where the file may
    hold its codec, else made AAC, in WebM Opus.

    4:2:0 has no odd sizes: the last column or row of an odd picture is repeated once, so its pixels keep their places.

    The file appears under its name when all of it is written, and not at all when an error ends the ``with`` block.
    With ``fragment_s`` the temporary file can be played up to about so many seconds before the end at any time.
    """

    def __init__(
        self,
        path: Path | str,
        size_px: tuple[int, int],
        time_base: Fraction,
        fps: Fraction,
        audio_from: Path | None = None,
        start_s: float | None = None,
        stop_s: float | None = None,
        crf: int | None = None,
        preset: str = "veryfast",
        threads: int = 0,
        codec: str = "h264",
        colours: Colours | None = None,
        fragment_s: float | None = None,
    ) -> None:
        self.path = Path(path)
        self._container, self._codec = container_of(self.path, codec), codec
        self._colours = colours or (BT709 if size_px[1] >= HD_PX else BT601)
        self._partial = self.path.with_name(f".{self.path.name}.{os.getpid()}.partial")
        self._size_px = size_px
        self._tick = self._tick_of(time_base)
        self._scale = time_base / self._tick
        self._start_s, self._stop_s = start_s, stop_s
        self._audio_from = audio_from
        self._audio: Iterator[av.Packet] = iter(())
        self._waiting: av.Packet | None = None
        self._origin: int | None = None  # ticks of the source's clock that are 0 in the output
        self._last: int | None = None
        self._source: av.container.InputContainer | None = None
        self._out: av.container.OutputContainer | None = None  # None when closed
        try:
            self._partial.open("wb").close()  # FFmpeg opens it with the first packet only, when much work may be done
            flags = {"movflags": "+faststart"} if self._container.muxer in ("mp4", "mov") else {}
            coding = encoder_options(codec, crf, preset)
            if fragment_s is not None:
                length = str(round(1e6 * fragment_s))
                flags = {"movflags": "+empty_moov+default_base_moof", "frag_duration": length, "flush_packets": "1"}
                coding["tune"] = "zerolatency"  # the encoder holds no pictures back
            self._out = av.open(f"file:{self._partial}", "w", format=self._container.muxer, options=flags)
            self._video = self._add_video(fps, coding, threads)
            if audio_from is not None:
                self._add_audio(audio_from)
        except (av.FFmpegError, OSError) as error:
            self._discard()
            raise self._error(error) from error
        except BaseException:
            self._discard()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if error is None:
            self.close()
        else:
            self._discard()

    def _tick_of(self, time_base: Fraction) -> Fraction:
        if self._container.timescale == _MAX_TIMESCALE:
            return time_base if time_base.denominator <= _MAX_TIMESCALE else Fraction(1, 1_000_000)
        return Fraction(1, self._container.timescale)

    def write(self, image: np.ndarray, pts: int) -> None:
        """Add one picture, (h, w, 3) u8 RGB of ``size_px``, shown at ``pts`` in ``time_base`` units.

        Raises ValueError for a picture of another shape or a pts that does not ascend, PoselineError when the file
        cannot be written.
        """
        width, height = self._size_px
        if image.shape != (height, width, 3) or image.dtype != np.uint8:
            raise ValueError(f"image must be ({height}, {width}, 3) uint8, got {image.shape} {image.dtype}")
        if width % 2 or height % 2:
            image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        self.write_frame(of_rgb(image, self._colours, even_size(self._size_px)), pts)

    def write_frame(self, frame: av.VideoFrame, pts: int) -> None:
        """Add one yuv420p frame, limited range, of the even size, as `pipeline.video.planes` gives it. As `write`."""
        size = even_size(self._size_px)
        if (frame.width, frame.height) != size or frame.format.name != "yuv420p":
            raise ValueError(f"frame must be {size} yuv420p, got {(frame.width, frame.height)} {frame.format.name}")
        ticks = round(pts * self._scale)
        if self._origin is None:
            self._origin = ticks if self._start_s is None else round(Fraction(self._start_s) / self._tick)
        if self._last is not None and ticks <= self._last:
            raise ValueError(f"pts must ascend, got {pts} at or before the one written last")
        self._last = ticks
        frame.pts, frame.time_base = ticks - self._origin, self._tick
        assert self._out is not None  # not closed
        try:
            self._out.mux(self._video.encode(frame))
            self._copy_audio(ticks * self._tick)
        except (av.FFmpegError, OSError) as error:
            self._discard()
            raise self._error(error) from error

    def close(self) -> None:
        """Finish the file and give it its name. Raises PoselineError when that fails or nothing was written."""
        if self._out is None:
            return
        if self._last is None:
            self._discard()
            raise PoselineError(f"{self.path}: no picture to write; choose a part of the video that has some")
        try:
            self._out.mux(self._video.encode(None))
            self._copy_audio(None)
            self._out.close()
            self._close_source()
            os.replace(self._partial, self.path)
            self._out = None
        except (av.FFmpegError, OSError) as error:
            self._discard()
            raise self._error(error) from error
        except BaseException:
            self._discard()
            raise

    def _add_video(self, fps: Fraction, options: dict[str, str], threads: int) -> av.VideoStream:
        assert self._out is not None  # not closed
        if self._codec == "av1":
            os.environ.setdefault("SVT_LOG", "1")  # errors only: its reports would stand amid ours
        stream = self._out.add_stream(ENCODERS[self._codec], rate=fps, options=options)
        assert isinstance(stream, av.VideoStream)
        context = stream.codec_context
        (stream.width, stream.height), stream.pix_fmt = even_size(self._size_px), "yuv420p"
        stream.time_base = context.time_base = self._tick
        context.thread_count = threads
        if self._codec == "h265" and self._container.muxer in ("mp4", "mov"):
            context.codec_tag = "hvc1"  # without it Apple's players show nothing
        context.colorspace, context.color_primaries, context.color_trc = self._colours
        context.color_range = 1  # 16…235
        return stream

    def _add_audio(self, path: Path) -> None:
        self._source = open_media(path)
        source = self._source.streams.best("audio")
        # A stream that FFmpeg has no decoder for has no context, whatever the stubs say: it cannot be named or kept.
        if not isinstance(source, av.AudioStream) or source.codec_context is None:
            self._close_source()
            return
        assert self._out is not None  # not closed
        if source.codec_context.name in self._container.copied:
            target = self._out.add_stream_from_template(source)
            self._audio = self._copied(source, target)
        else:
            rate = source.codec_context.sample_rate
            rate = rate if rate in self._container.rates else 48000
            encoded = self._out.add_stream(self._container.audio, rate=rate, layout=source.codec_context.layout.name)
            assert isinstance(encoded, av.AudioStream)
            self._audio = self._encoded(source, encoded)

    def _origin_s(self) -> Fraction:
        assert self._origin is not None  # audio waits for the first picture
        return self._origin * self._tick

    def _inside(self, start_s: Fraction, stop_s: Fraction) -> bool:
        return stop_s > self._origin_s() and (self._stop_s is None or start_s < self._stop_s)

    def _copied(self, source: av.AudioStream, target: av.AudioStream) -> Iterator[av.Packet]:
        """The source's packets on the output's clock."""
        assert self._source is not None
        assert source.time_base is not None  # every demuxed stream has one
        shift = -round(self._origin_s() / source.time_base)
        for packet in self._source.demux(source):
            if packet.dts is None or packet.pts is None:
                continue
            # One packet more at the start: a decoder needs it for the next one, and the edit list hides it.
            end = packet.pts + 2 * (packet.duration or 1)
            if not self._inside(packet.pts * source.time_base, end * source.time_base):
                continue
            packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, target
            yield packet

    def _encoded(self, source: av.AudioStream, target: av.AudioStream) -> Iterator[av.Packet]:
        """The source's sound, encoded again, as packets on the output's clock."""
        context = target.codec_context
        form = "fltp" if self._container.audio == "aac" else "flt"
        resampler = av.AudioResampler(
            format=form, layout=context.layout, rate=context.sample_rate, frame_size=self._container.samples
        )
        assert self._source is not None
        tick = Fraction(1, context.sample_rate)
        shift = round(self._origin_s() / tick)
        for frame in self._source.decode(source):
            length = Fraction(frame.samples, frame.sample_rate)
            if frame.pts is None:
                continue
            assert frame.time_base is not None  # decoders set it with the pts
            at = frame.pts * frame.time_base
            if not self._inside(at, at + length):
                continue
            frame.pts, frame.time_base = round(at / tick) - shift, tick
            for part in resampler.resample(frame):
                yield from target.encode(part)
        for part in resampler.resample(None):
            yield from target.encode(part)
        yield from target.encode(None)

    def _copy_audio(self, until_s: Fraction | None) -> None:
        """Pass on the audio up to a time of the source's clock, so that little waits to be interleaved; None: all."""
        while (packet := self._waiting or next(self._audio, None)) is not None:
            self._waiting = packet
            if until_s is not None:
                assert packet.pts is not None  # the copied have one, encoders set it
                if packet.pts * packet.time_base + self._origin_s() > until_s:
                    return
            assert self._out is not None  # not closed
            self._out.mux(packet)
            self._waiting = None

    def _close_source(self) -> None:
        self._audio, self._waiting = iter(()), None
        if self._source is not None:
            self._source.close()
            self._source = None

    def _discard(self) -> None:
        """Close everything and leave no file behind."""
        self._close_source()
        out, self._out = self._out, None
        if out is not None:
            with contextlib.suppress(av.FFmpegError, OSError):  # the first error is the one to report
                out.close()
        self._partial.unlink(missing_ok=True)

    def _error(self, error: OSError | av.FFmpegError) -> PoselineError:
        if error.errno == errno.ENOSPC:
            return PoselineError(f"{self.path}: the disk is full; free some space or choose another folder")
        return PoselineError(f"{self.path}: cannot be written ({error.strerror or error}); choose another folder")
