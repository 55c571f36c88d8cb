"""Video files with the times and the sound of the source: H.264, H.265, VP9 or AV1, in MP4, Matroska or WebM."""

from __future__ import annotations

import contextlib
import errno
import os
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np

from pipeline.core.errors import PoselineError
from pipeline.store.atomic import temporary_name
from pipeline.video.audio import AudioCopy
from pipeline.video.containers import ENCODERS, MAX_TIMESCALE, container_of, encoder_options
from pipeline.video.planes import BT601, BT709, HD_PX, Colours, even_size, of_rgb

MOST_LATE = 10  # ticks


class VideoWriter:
    """Writes pictures at given pts, and the source's audio, to a video file; a context manager.

    The time ``start_s`` of the source becomes 0 in the output; without it, the time of the first picture written does.
    Pictures keep their distances exactly: the output's ticks are those of ``time_base`` or an integer fraction of them
    (a time base finer than MP4 can hold, 1 / 2^31 s, is rounded to microseconds; Matroska and WebM have milliseconds).
    A picture whose tick is taken gets the next free tick, at most `MOST_LATE` ticks late.
    Audio between ``start_s`` and ``stop_s`` (None: to its end) is moved by the same amount, copied where the file may
    hold its codec, else encoded as AAC, or as Opus in WebM.

    4:2:0 has no odd sizes: the last column or row of an odd picture is repeated once, so its pixels keep their places.

    The file appears under its name when it is completely written, and not at all when an error ends the ``with`` block.
    With ``fragment_s`` the temporary file can be played at any time, except for about its last ``fragment_s`` seconds.
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
        self._partial = temporary_name(self.path, "partial")
        self._size_px = size_px
        self._tick = self._tick_of(time_base)
        self._scale = time_base / self._tick
        self._start_s = start_s
        self._audio: AudioCopy | None = None
        self._origin: int | None = None  # ticks of the source's clock that are 0 in the output
        self._last: int | None = None
        self._last_pts: int | None = None
        self._out: av.container.OutputContainer | None = None  # None when closed
        try:
            self._partial.open("wb").close()  # an early test: FFmpeg opens the file only at the first packet
            flags = {"movflags": "+faststart"} if self._container.muxer in ("mp4", "mov") else {}
            coding = encoder_options(codec, crf, preset)
            if fragment_s is not None:
                length = str(round(1e6 * fragment_s))
                flags = {"movflags": "+empty_moov+default_base_moof", "frag_duration": length, "flush_packets": "1"}
                coding["tune"] = "zerolatency"  # the encoder holds no pictures back
            self._out = av.open(f"file:{self._partial}", "w", format=self._container.muxer, options=flags)
            self._video = self._add_video(fps, coding, threads)
            if audio_from is not None:
                self._audio = AudioCopy(audio_from, self._out, self._container, stop_s)
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
        if self._container.timescale == MAX_TIMESCALE:
            return time_base if time_base.denominator <= MAX_TIMESCALE else Fraction(1, 1_000_000)
        return Fraction(1, self._container.timescale)

    def write(self, image: np.ndarray, pts: int) -> None:
        """Add one picture, (h, w, 3) u8 RGB of ``size_px``, shown at ``pts`` in ``time_base`` units.

        Raises ValueError for a picture of another shape or a pts that does not ascend, PoselineError when the file
        cannot be written, or cannot hold pictures so close to one another.
        """
        width, height = self._size_px
        if image.shape != (height, width, 3) or image.dtype != np.uint8:
            raise ValueError(f"image must be ({height}, {width}, 3) uint8, got {image.shape} {image.dtype}")
        if width % 2 or height % 2:
            image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        self.write_frame(of_rgb(image, self._colours, even_size(self._size_px)), pts)

    def write_frame(self, frame: av.VideoFrame, pts: int) -> None:
        """Add one yuv420p frame, limited range, even size, as `pipeline.video.planes` gives it. Raises as `write`."""
        size = even_size(self._size_px)
        if (frame.width, frame.height) != size or frame.format.name != "yuv420p":
            raise ValueError(f"frame must be {size} yuv420p, got {(frame.width, frame.height)} {frame.format.name}")
        ticks = self._next_ticks(pts)
        if self._origin is None:
            self._origin = ticks if self._start_s is None else round(Fraction(self._start_s) / self._tick)
        self._last, self._last_pts = ticks, pts
        frame.pts, frame.time_base = ticks - self._origin, self._tick
        assert self._out is not None  # not closed
        try:
            self._out.mux(self._video.encode(frame))
            self._copy_audio(ticks * self._tick)
        except (av.FFmpegError, OSError) as error:
            self._discard()
            raise self._error(error) from error

    def _next_ticks(self, pts: int) -> int:
        """The file's tick for a picture: the nearest tick, or the one after the last picture's if that is taken."""
        exact = round(pts * self._scale)
        if self._last is None or self._last_pts is None:
            return exact
        if pts <= self._last_pts:
            raise ValueError(f"pts must ascend, got {pts} at or before the one written last")
        if (ticks := max(exact, self._last + 1)) - exact > MOST_LATE:
            raise PoselineError(
                f"{self.path}: its pictures are closer than {float(self._tick):g} s, which {self.path.suffix} cannot"
                " hold; end its name in .mp4"
            )
        return ticks

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
            self._close_audio()
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
            os.environ.setdefault("SVT_LOG", "1")  # errors only: SVT-AV1's reports would mix with poseline's output
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

    def _copy_audio(self, until_s: Fraction | None) -> None:
        if self._audio is not None:
            assert self._origin is not None  # audio waits for the first picture
            self._audio.copy(self._origin * self._tick, until_s)

    def _close_audio(self) -> None:
        if self._audio is not None:
            self._audio.close()

    def _discard(self) -> None:
        """Close everything and leave no file behind."""
        self._close_audio()
        out, self._out = self._out, None
        if out is not None:
            with contextlib.suppress(av.FFmpegError, OSError):  # the first error is the one to report
                out.close()
        self._partial.unlink(missing_ok=True)

    def _error(self, error: OSError | av.FFmpegError) -> PoselineError:
        if error.errno == errno.ENOSPC:
            return PoselineError(f"{self.path}: the disk is full; free some space or choose another folder")
        return PoselineError(f"{self.path}: cannot be written ({error.strerror or error}); choose another folder")
