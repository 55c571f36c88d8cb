"""Frames of a video file read by decord, held to a bounded amount of memory and checked against the index.

decord decodes ahead without bound: given a whole file and a consumer slower than the decoder it held 2.8 GB after 300
frames of 1768x994, and it replaces a lost frame by a copy of its neighbour. So decord never gets a whole file. It gets
one closed run of pictures at a time, copied without re-encoding into memory, and the frames are used only if all frames
of the run came out. PyAV reads runs that would not fit in ``SEGMENT_BYTES``, and all runs from the first one on that
decord cannot read.
"""

from __future__ import annotations

import io
import os
import re
from collections import deque
from collections.abc import Callable, Iterator
from itertools import pairwise

import av
import numpy as np

os.environ.setdefault("PATH", os.defpath)  # decord cannot be imported without a PATH
import decord

from pipeline.core.types import VideoInfo
from pipeline.video.convert import ToRGB
from pipeline.video.sources import STEPS_BACK, Picture, PyAVSource, key_frames, open_video, stored_size_px

SEGMENT_BYTES = 256 << 20  # RGB bytes of one run of pictures given to decord: the most that it may hold
SEGMENT_FRAMES = 32  # short runs are joined up to this many frames
_DECORD_CODECS = frozenset({"h264", "hevc", "mpeg4", "vp9", "av1", "libdav1d"})
_DECORD_FORMATS = frozenset({"yuv420p", "yuvj420p", "yuv422p", "yuv444p", "yuv420p10le"})
_DECORD_ERRORS = (decord.DECORDError, decord.DECORDLimitReachedError, RuntimeError, AssertionError, StopIteration)


def decord_reads(info: VideoInfo) -> bool:
    """Whether decord is used for this video: a codec and pixel format tried with it, most frames in runs that fit.

    Measured with decord2 3.4 and PyAV 18.1 (both FFmpeg 8): PyAV gives decord's bytes for all of these formats, odd
    sizes and interlaced pictures included, when it converts with the same filters (see ``ToRGB``).
    """
    return (
        info.kind == "file"
        and info.seen is None
        and not info.deinterlace
        and not info.hdr
        and info.pixel_aspect == 1  # scaling stored pixels and colours at once gives other bits than one after another
        and info.codec in _DECORD_CODECS
        and info.pixel_format in _DECORD_FORMATS
        and 2 * sum(b - a for a, b in segments(info) if _fits(info, a, b)) >= len(info)  # else decord does not pay
    )


def segments(info: VideoInfo) -> list[tuple[int, int]]:
    """The runs [start, stop) that decord is given, as a function of the index alone: they tile the video, start at key
    frames, and join whole groups of pictures up to SEGMENT_FRAMES frames."""
    keys = [*(int(k) for k in key_frames(info)), len(info)]
    # decord stops where a packet releases two pictures at once, as HEVC key frames do behind B-frames.
    longest = 1 if info.codec == "hevc" else SEGMENT_FRAMES
    starts = [0]
    for key, following in pairwise(keys):
        if following - starts[-1] > longest and key > starts[-1]:
            starts.append(key)
    return list(pairwise([*starts, len(info)]))


def _fits(info: VideoInfo, start: int, stop: int) -> bool:
    return (stop - start) * info.size_px[0] * info.size_px[1] * 3 <= SEGMENT_BYTES


class DecordSource:
    """Closed runs of pictures decoded whole by decord; PyAV where that is not possible."""

    def __init__(self, info: VideoInfo, threads: int, tell: Callable[[str], None], to_rgb: ToRGB) -> None:
        self._info, self._threads, self._tell, self._to_rgb = info, threads, tell, to_rgb
        self._size_px = stored_size_px(info)
        self._segments = segments(info)
        self._packets = _RunPackets(info)
        self._pyav: PyAVSource | None = None
        self._failed_at = len(info)  # PyAV reads everything from here on
        self._ready: deque[Picture] = deque()
        decord.logging.set_level(decord.logging.QUIET)

    def frames(self, start: int, stop: int) -> Iterator[Picture]:
        for a, b in self._segments:
            first, last = max(a, start), min(b, stop)
            if first >= last:
                continue
            if not self._load(a, b, first):
                self._ready.clear()
                self._pyav = self._pyav or PyAVSource(self._info, self._threads, self._to_rgb)
                yield from self._pyav.frames(first, last)
                continue
            while self._ready and self._ready[0][0] < last:
                picture = self._ready.popleft()
                if picture[0] >= first:
                    yield picture

    def _load(self, a: int, b: int, first: int) -> bool:
        """Decode the pictures of run [a, b) from ``first`` on; False where PyAV must read them."""
        if self._ready and self._ready[0][0] <= first and self._ready[-1][0] == b - 1:
            return True
        if a >= self._failed_at or not _fits(self._info, a, b):
            return False
        self._ready.clear()
        try:
            data = self._packets.remux(a, b)
            self._ready = self._decode(data, a, b)
        except (*_DECORD_ERRORS, av.FFmpegError, ValueError) as error:
            self._failed_at = a
            # decord's messages begin with times and with source lines of its own, once per thread.
            reason = re.sub(r"\[[\d:]+\] \S+:\d+: ", "", str(error)).strip().split("\n")[0] or type(error).__name__
            self._tell(
                f"{self._info.path}: decord cannot read frames {a} to {b - 1} ({reason}); PyAV reads from"
                f" {self._info.time_s[a]:.3f} s on"
            )
        return bool(self._ready)

    def _decode(self, data: io.BytesIO, a: int, b: int) -> deque[Picture]:
        # One thread: with more, decord fails on some clips and takes damaged pictures differently. The fault
        # tolerance is nearly 0, because decord must not replace a lost frame by a copy of its neighbour.
        reader = decord.VideoReader(data, num_threads=1, fault_tol="1e-9")
        if len(reader) != b - a:
            raise ValueError(f"{len(reader)} frames instead of {b - a}")
        return deque([(i, self._checked(reader.next().asnumpy())) for i in range(a, b)])

    def _checked(self, picture: np.ndarray) -> np.ndarray:
        """The picture without its row padding, which decord returns as a fourth channel at some widths."""
        width, height = self._size_px
        if picture.shape[:2] != (height, width):
            raise ValueError(f"pictures of {picture.shape[1]}x{picture.shape[0]} instead of {width}x{height}")
        return picture.reshape(height, -1)[:, : 3 * width].reshape(height, width, 3)

    def close(self) -> None:
        self._ready.clear()
        self._packets.close()
        if self._pyav is not None:
            self._pyav.close()


class _RunPackets:
    """Copies runs of packets out of a file, unchanged, into small files in memory."""

    def __init__(self, info: VideoInfo) -> None:
        self._info = info
        self._keys = key_frames(info)
        self._container, self._stream = open_video(info)
        self._demuxed = iter(self._container.demux(self._stream))
        self._first: av.Packet | None = None  # the key packet that ended the run before

    def remux(self, a: int, b: int) -> io.BytesIO:
        """Frames [a, b), which start at a key frame. Raises ValueError when the packets are not just theirs,
        as in an open group of pictures, where the next run's key packet is needed for the last pictures of this one."""
        packets = self._collect(a, b)
        pts = np.array([np.iinfo(np.int64).min if p.pts is None else p.pts for p in packets], np.int64)
        rank = np.argsort(np.argsort(pts, kind="stable"), kind="stable")
        if not packets or not packets[0].is_keyframe or rank[0] != 0:
            raise ValueError("they do not start with a key frame")
        if not np.array_equal(np.sort(pts), self._info.pts[a:b]):
            raise ValueError("they are not a closed group of pictures")
        if len({told for p in packets if p.is_keyframe and (told := _parameters(self._info.codec, bytes(p)))}) > 1:
            raise ValueError("the size of the pictures may change")
        data = io.BytesIO()
        # Simple times keep the muxer from dropping packets; decord only counts frames and does not use their times.
        delay = int(np.max(np.arange(len(packets)) - rank))
        with av.open(data, "w", format="mp4", options={"use_editlist": "0"}) as out:
            stream = out.add_stream_from_template(self._stream, opaque=True)
            stream.set_display_rotation(0)  # decord would turn the pictures; the reader does that for every source
            for i, packet in enumerate(packets):
                packet.stream = stream
                packet.dts, packet.pts, packet.duration = i, int(rank[i]) + delay, 1
                out.mux(packet)
        data.seek(0)
        return data

    def _collect(self, a: int, b: int) -> list[av.Packet]:
        packets = self._from(a)
        end = self._info.pts[b] if b < len(self._info) else None
        for packet in self._demuxed:
            if packet.size == 0:
                continue
            if end is not None and packet.is_keyframe and packet.pts is not None and packet.pts >= end:
                self._first = packet
                break
            packets.append(packet)
            if len(packets) > b - a:
                break
        return packets

    def _from(self, a: int) -> list[av.Packet]:
        """The key packet of frame ``a``, with the demuxer standing behind it, as a list; empty at the start."""
        held, self._first = self._first, None
        wanted = int(self._info.pts[a])
        if held is not None and held.pts == wanted:
            return [held]
        nearest = int(np.searchsorted(self._keys, a))
        for k in range(nearest, max(nearest - STEPS_BACK, 0) - 1, -1):
            if self._keys[k] == 0:
                self._container.close()
                self._container, self._stream = open_video(self._info)
            else:
                self._container.seek(int(self._info.pts[self._keys[k]]), stream=self._stream, backward=True)
            self._demuxed = iter(self._container.demux(self._stream))
            for packet in self._demuxed:
                if packet.size and packet.pts == wanted and packet.is_keyframe:
                    return [packet]
                if packet.size and packet.is_keyframe and packet.pts is not None and packet.pts > wanted:
                    break
        raise ValueError("no seek leads there")

    def close(self) -> None:
        self._demuxed, self._first = iter(()), None
        self._container.close()


def _parameters(codec: str, packet: bytes) -> bytes:
    """What a key packet says about the size of pictures: decord would scale others to the first one's, distorted.

    The sequence parameters of H.264 and HEVC between start codes, and the head of a VP9 packet; empty where it says
    nothing.
    """
    if codec == "vp9":
        return (int.from_bytes(packet[4:9], "big") >> 4).to_bytes(5, "big")
    for unit in packet[:4096].split(b"\0\0\1")[1:]:
        if unit and ((codec == "h264" and unit[0] & 31 == 7) or (codec == "hevc" and unit[0] >> 1 & 63 == 33)):
            return unit.rstrip(b"\0")
    return b""
