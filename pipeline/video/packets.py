"""The packets of a stream as the demuxer gives them, and whether their times can be trusted without decoding."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from pipeline.core.words import counted
from pipeline.video.media import fraction

NO_TIME = np.iinfo(np.int64).min  # of a packet without a pts or dts
_SLACK_S = 1.0  # a video may end so much earlier than its header says
# Reasons that the start of a file refutes, if they do not hold: cameras say that they reorder pictures, and never do.
AVI_TIMES = "AVI has no presentation times, and pictures are stored in another order"
ASCENDING = "pictures are stored in another order, and times ascend as stored"
START = 500  # packets
GAP_S = 10.0  # in streams of broadcasts a longer step between packets is a new clock, as for FFmpeg
USUAL_FPS, MOST_BASE_FPS = Fraction(25), 2000  # a bare stream without a rate has FFmpeg's clock of 1.2 MHz as its base
BROADCAST = ("mpegts", "mpeg")  # FFmpeg's names of formats whose clock may start anew
RAW = frozenset({"h264", "hevc", "vvc", "m4v", "mpegvideo", "h263", "vc1", "mjpeg", "dirac", "obu"})  # no times at all


@dataclass(frozen=True)
class Packets:
    """All packets of the stream with content, in the file's order: P of them."""

    pts: np.ndarray  # (P,) i64 ticks, NO_TIME where there is none
    dts: np.ndarray  # (P,) i64 ticks, NO_TIME where there is none
    is_key: np.ndarray  # (P,) bool
    shown: np.ndarray  # (P,) bool: not discarded by an edit list, not hidden
    pos: np.ndarray  # (P,) i64 place in the file in bytes, -1 unknown
    size: np.ndarray  # (P,) i64 bytes
    reason: str  # why the file could not be read to its end, or empty

    def __len__(self) -> int:
        return len(self.pts)


def read_packets(container: av.container.InputContainer, stream: av.VideoStream) -> Packets:
    """Demux the stream to its end, or to where the file is damaged."""
    hides = stream.codec_context.name == "vp8"
    rows: list[tuple[int, int, bool, bool, int, int]] = []
    reason = ""
    try:
        for packet in container.demux(stream):
            if packet.size == 0:
                continue
            # VP8 keeps a show_frame bit in the first byte: reference-only frames are packets of their own.
            shown = not (packet.is_discard or (hides and not bytes(packet)[0] & 0x10))
            pts = NO_TIME if packet.pts is None else packet.pts
            dts = NO_TIME if packet.dts is None else packet.dts
            pos = -1 if packet.pos is None else packet.pos
            rows.append((pts, dts, packet.is_keyframe, shown, pos, packet.size))
    except av.FFmpegError as error:
        reason = reason_of(error)  # a truncated file ends here: the frames before are good
    columns = list(zip(*rows, strict=True)) or [()] * 6
    pts_, dts_, is_key, shown_, pos_, size = (
        np.array(column, kind)
        for column, kind in zip(columns, (np.int64, np.int64, bool, bool, np.int64, np.int64), strict=True)
    )
    return Packets(pts_, dts_, is_key, shown_, pos_, size, reason)


def reason_of(error: Exception) -> str:
    """What FFmpeg or the system says, without numbers and names of files."""
    return getattr(error, "strerror", None) or type(error).__name__


def why_doubtful(
    packets: Packets, container: av.container.InputContainer, stream: av.VideoStream, interlaced: bool
) -> str:
    """Why frames and their times cannot be told from the packets alone; empty where they can.

    Args:
        interlaced: whether the first picture is.
    """
    pts, context = packets.pts[packets.shown], stream.codec_context
    reorders = bool(context.has_b_frames or context.reorder_depth)
    if (pts == NO_TIME).any():
        return "some packets have no time"
    if interlaced and context.name == "h264":
        return "two packets may hold one picture (fields)"
    if reorders and container.format.name == "avi":
        return AVI_TIMES
    if joins(packets, container, stream).any():
        return "the clock starts anew on the way"
    if reorders and len(pts) > 1 and (np.diff(pts) > 0).all():
        return ASCENDING
    return "several packets have one time" if len(np.unique(pts)) < len(pts) and reorders else ""


def joins(packets: Packets, container: av.container.InputContainer, stream: av.VideoStream) -> np.ndarray:
    """(P,) bool: packets where the clock starts anew.

    A key picture is shown after all pictures stored before it. Where its time is not, a new clock has started; and in
    a broadcast also where the time leaps by more than GAP_S.
    """
    found = np.zeros(len(packets), bool)
    if not len(packets):
        return found
    stamp = np.where(packets.pts == NO_TIME, packets.dts, packets.pts)
    gap = np.inf
    if container.format.name in BROADCAST:
        gap = GAP_S / float(fraction(stream.time_base or Fraction(1, 90000)))
    candidates = packets.is_key & (stamp != NO_TIME) & packets.shown
    before = np.maximum.accumulate(np.append(NO_TIME, stamp[:-1]))
    known = candidates & (before != NO_TIME)
    if not (known & ((stamp < before) | (stamp.astype(float) - before > gap))).any():
        return found  # nearly all videos
    latest = NO_TIME
    for i in np.flatnonzero(stamp != NO_TIME):
        if candidates[i] and latest != NO_TIME and (stamp[i] < latest or stamp[i] - latest > gap):
            found[i], latest = True, NO_TIME
        latest = max(latest, int(stamp[i]))
    return found


def is_bare(container: av.container.InputContainer, packets: Packets) -> bool:
    """Whether this is a stream without a container, which has a rate at most, and no times."""
    return container.format.name in RAW and bool((packets.pts == NO_TIME).all())


def bare_rate(path: Path, stream: av.VideoStream, fps: Fraction | None) -> tuple[Fraction, list[str]]:
    """Frames a second of a bare stream, as the user or the stream says; else USUAL_FPS, and a line that says so."""
    if fps is not None and fps > 0:
        return Fraction(fps), []
    said = fraction(stream.guessed_rate) if stream.guessed_rate else Fraction(0)
    base = fraction(stream.base_rate) if stream.base_rate else Fraction(0)
    if 0 < base <= MOST_BASE_FPS and said > 0:
        return said, []
    return USUAL_FPS, [f"{path}: says no frame rate; {USUAL_FPS} frames/s are taken; give it by --fps"]


def promised(
    path: Path,
    container: av.container.InputContainer,
    stream: av.VideoStream,
    packets: Packets,
    pts: np.ndarray,
) -> list[str]:
    """Warnings about frames or times that the container announces and does not hold."""
    tick = fraction(stream.time_base or Fraction(1, 1_000_000))
    lines, end_s = [], float(pts[-1] * tick)
    usual = float(np.median(np.diff(pts)) * tick) if len(pts) > 1 else 0.0
    slack_s = max(_SLACK_S, 2 * usual)  # the last picture is shown for a while
    if packets.reason:
        lines.append(f"{path}: damaged: nothing behind {end_s:.3f} s can be read ({packets.reason})")
    promised_s = _promised_end_s(container, stream)
    gone = _behind_the_end(path, stream)
    if gone:
        told = counted(stream.frames, "frame")
        lines.append(f"{path}: cut short or damaged: {stream.frames - gone} of the {told} are in it")
    elif promised_s is not None and promised_s > end_s + slack_s and not packets.reason:
        lines.append(f"{path}: cut short or damaged: ends at {end_s:.3f} s and should at {promised_s:.3f} s")
    return lines


def _promised_end_s(container: av.container.InputContainer, stream: av.VideoStream) -> float | None:
    """The end of the pictures in s from the file's header; None where the header does not state the end."""
    if stream.duration is not None and stream.time_base is not None:
        return float((stream.duration + (stream.start_time or 0)) * fraction(stream.time_base))
    if container.duration is None or container.streams.audio or container.format.name == "mpegts":
        return None  # it is the longest stream's, or a guess of FFmpeg's for a transport stream
    return (container.duration + (container.start_time or 0)) / av.time_base


def _behind_the_end(path: Path, stream: av.VideoStream) -> int:
    """How many frames of the file's own list lie behind its end.

    The header's count alone tells nothing: an edit list leaves frames out, and AVI counts pictures that were dropped.
    """
    size = path.stat().st_size
    return sum(entry.pos + entry.size > size for entry in stream.index_entries)
