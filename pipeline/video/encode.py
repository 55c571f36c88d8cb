"""H.264 in MP4 with the times and the sound of the source."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np

from pipeline.errors import PoselineError

# What MP4 may hold and players expect there; any other codec becomes AAC.
_COPIED_AUDIO = frozenset({"aac", "mp3", "mp3float", "ac3", "eac3", "alac", "opus", "libopus", "flac"})
_AAC_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)
_MAX_TIMESCALE = 2**31 - 1  # MP4 keeps it in 32 bits
# Matrix, primaries and transfer as FFmpeg numbers them; players that ignore tags go by the size in this same way.
_BT709 = (1, 1, 1)
_BT601 = (6, 6, 6)


class VideoWriter:
    """Writes RGB pictures at given pts, and the source's audio, to an MP4 file; a context manager.

    The time ``start_s`` of the source becomes 0 in the output; without it, the time of the first picture written does.
    Pictures keep their distances exactly: the output's ticks are those of ``time_base`` or an integer fraction of them
    (a time base finer than MP4 can hold, 1 / 2^31 s, is rounded to microseconds). Audio between ``start_s`` and
    ``stop_s`` (None: to its end) is moved by the same amount, copied where MP4 may hold its codec, else made AAC.

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
        crf: int = 23,
        preset: str = "veryfast",
        threads: int = 0,
        fragment_s: float | None = None,
    ) -> None:
        self.path = Path(path)
        self._partial = self.path.with_name(f".{self.path.name}.{os.getpid()}.partial")
        self._size_px = size_px
        self._tick = time_base if time_base.denominator <= _MAX_TIMESCALE else Fraction(1, 1_000_000)
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
            options = {"movflags": "+faststart"}
            if fragment_s is not None:
                length = str(round(1e6 * fragment_s))
                options = {"movflags": "+empty_moov+default_base_moof", "frag_duration": length, "flush_packets": "1"}
            self._out = av.open(str(self._partial), "w", format="mp4", options=options)
            coding = {"crf": str(crf), "preset": preset}
            if fragment_s is not None:
                coding["tune"] = "zerolatency"  # the encoder holds no pictures back
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

    def write(self, image: np.ndarray, pts: int) -> None:
        """Add one picture, (h, w, 3) u8 RGB of ``size_px``, shown at ``pts`` in ``time_base`` units.

        Raises ValueError for a picture of another shape or a pts that does not ascend, PoselineError when the file
        cannot be written.
        """
        width, height = self._size_px
        if image.shape != (height, width, 3) or image.dtype != np.uint8:
            raise ValueError(f"image must be ({height}, {width}, 3) uint8, got {image.shape} {image.dtype}")
        ticks = round(pts * self._scale)
        if self._origin is None:
            self._origin = ticks if self._start_s is None else round(Fraction(self._start_s) / self._tick)
        if self._last is not None and ticks <= self._last:
            raise ValueError(f"pts must ascend, got {pts} at or before the one written last")
        self._last = ticks
        if width % 2 or height % 2:
            image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24").reformat(
            format="yuv420p",
            dst_colorspace="ITU709" if self._matrix == _BT709 else "ITU601",
            dst_color_range="MPEG",
            threads=1,
        )
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
        width, height = (n + n % 2 for n in self._size_px)
        assert self._out is not None  # not closed
        stream = self._out.add_stream("libx264", rate=fps, options=options)
        context = stream.codec_context
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = context.time_base = self._tick
        context.thread_count = threads
        self._matrix = _BT709 if height >= 720 else _BT601
        context.colorspace, context.color_primaries, context.color_trc = self._matrix
        context.color_range = 1  # 16…235
        return stream

    def _add_audio(self, path: Path) -> None:
        self._source = av.open(str(path))
        source = self._source.streams.best("audio")
        # A stream that FFmpeg has no decoder for has no context, whatever the stubs say: it cannot be named or kept.
        if not isinstance(source, av.AudioStream) or source.codec_context is None:
            self._close_source()
            return
        assert self._out is not None  # not closed
        if source.codec_context.name in _COPIED_AUDIO:
            target = self._out.add_stream_from_template(source)
            self._audio = self._copied(source, target)
        else:
            rate = source.codec_context.sample_rate
            rate = rate if rate in _AAC_RATES else 48000
            target = self._out.add_stream("aac", rate=rate, layout=source.codec_context.layout.name)
            self._audio = self._encoded(source, target)

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
        """The source's sound as AAC packets on the output's clock."""
        context = target.codec_context
        resampler = av.AudioResampler(format="fltp", layout=context.layout, rate=context.sample_rate, frame_size=1024)
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
