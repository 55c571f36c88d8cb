"""The index of a stream whose packets cannot be trusted: it is decoded once, and nothing is kept of the pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import av
import numpy as np

from pipeline.core.types import SAME_RATE, SeenPackets
from pipeline.video.media import limit_pixels, open_media, video_stream
from pipeline.video.packets import BROADCAST, NO_TIME, RAW, Packets

LONGEST_DELAY = 32  # packets that a decoder may hold before it gives out a picture


@dataclass(frozen=True)
class SeenFrames:
    """The T pictures that decoding yields, in the order in which they come out."""

    pts: np.ndarray  # (T,) i64 strictly ascending
    is_key: np.ndarray  # (T,) bool
    seen: SeenPackets
    joins: np.ndarray  # (J,) i64 frames that a new clock starts with
    damaged: int  # packets that could not be decoded
    in_order: bool  # whether each packet is a picture, and they come out in the order of their times


def numbered(packets: Iterator[av.Packet], first: int = 0) -> Iterator[av.Packet]:
    """The packets with content, each with its number in the file's order as its pts, so that pictures carry it.

    A decoder hands the pts of a packet on to the picture that begins in it, whatever the order of pictures.
    """
    for packet in packets:
        if packet.size:
            packet.pts, packet.dts = int(first), None
            first += 1
        yield packet


@dataclass(frozen=True)
class Decoded:
    """What decoding tells of N pictures, in the order in which they come out."""

    number: np.ndarray  # (N,) i64 packet that the picture begins in, -1 where the decoder does not tell
    is_key: np.ndarray  # (N,) bool
    damaged: int = 0  # packets that could not be decoded


def decode_all(
    container: av.container.InputContainer, stream: av.VideoStream, packets: Packets, most: int | None = None
) -> Decoded:
    """Decode the stream of a container that was just opened, and keep nothing of the pictures.

    Args:
        most: stop after so many packets; None: at the end.
    """
    limit_pixels(stream)
    rows: list[tuple[int, bool]] = []
    damaged, source = 0, islice(numbered(container.demux(stream)), most)
    while True:
        try:
            frames = next(source).decode()
        except StopIteration:
            break
        except av.error.InvalidDataError:
            damaged += 1
            continue
        except av.FFmpegError:
            break
        rows += [(-1 if frame.pts is None else frame.pts, bool(frame.key_frame)) for frame in frames]
    rows = [(number, key) for number, key in rows if number < 0 or packets.shown[number]]
    return Decoded(np.array([row[0] for row in rows], np.int64), np.array([row[1] for row in rows], bool), damaged)


def decode_file(path: Path, number: int, packets: Packets, most: int | None = None) -> Decoded:
    """`decode_all` of a file's stream, ``number`` as `pipeline.video.media.video_stream` takes it."""
    with open_media(path) as container:
        stream = video_stream(container, number)
        assert stream is not None  # the packets are its
        return decode_all(container, stream, packets, most)


def starts_in_order(decoded: Decoded, packets: Packets, most: int) -> bool:
    """Whether the pictures of the first packets, ``most`` of them, come out whole and in the order of their times."""
    number, least = decoded.number, most - LONGEST_DELAY
    expected = np.flatnonzero(packets.shown[: max(least, 0)])
    if decoded.damaged or (number < 0).any() or not np.isin(expected, number).all():
        return False
    return bool((np.diff(packets.pts[number]) > 0).all())


def seen_frames(decoded: Decoded, packets: Packets, joined: np.ndarray, step: int) -> SeenFrames | None:
    """The table of frames; None where nothing decodes.

    Args:
        joined: (P,) bool, packets that a new clock starts with.
        step: ticks between frames where no packet has a time.
    """
    number, key = decoded.number, decoded.is_key
    if not len(number) or number.max() >= len(packets):
        return None
    piece = np.maximum.accumulate(np.cumsum(joined)[np.maximum(number, 0)])
    pts = _times(number, piece, packets, step)
    is_key = key & packets.is_key[number] & (number >= 0)  # a packet may say so and hold no picture (packed XviD)
    is_key &= np.maximum.accumulate(number) == number  # a later packet was shown before it: no place to start from
    told = bool((number >= 0).all() and (packets.pts[packets.shown] != NO_TIME).all())
    in_order = told and np.array_equal(packets.pts[number], np.unique(packets.pts[packets.shown]))
    seen = SeenPackets(number, packets.pos[number], packets.size[number], np.maximum(packets.dts, packets.pts)[number])
    return SeenFrames(pts, is_key, seen, np.flatnonzero(np.diff(piece)) + 1, decoded.damaged, in_order)


def _times(number: np.ndarray, piece: np.ndarray, packets: Packets, step: int) -> np.ndarray:
    """(T,) i64 strictly ascending ticks; each piece goes on one usual step behind the one before."""
    parts = [_of_piece(number[piece == k], packets, step) for k in np.unique(piece)]
    steps = np.concatenate([np.diff(part) for part in parts])
    usual = max(int(np.median(steps)), 1) if len(steps) else step
    for i in range(1, len(parts)):
        parts[i] = parts[i] - parts[i][0] + parts[i - 1][-1] + usual
    return np.concatenate(parts)


def _of_piece(number: np.ndarray, packets: Packets, step: int) -> np.ndarray:
    """Ticks of one clock's frames: their packets' own, or these in order, or even steps."""
    pts = packets.pts[number]
    if (pts != NO_TIME).all() and (np.diff(pts) > 0).all():
        return pts
    for stamp in (pts, packets.dts[number]):
        stamp = np.sort(stamp)
        if len(stamp) and stamp[0] != NO_TIME and (np.diff(stamp) > 0).all():
            return _without_delay(stamp)
    known = pts[pts != NO_TIME]
    first = int(known.min()) if len(known) else 0
    return first + np.arange(len(number), dtype=np.int64) * step


def _without_delay(stamp: np.ndarray) -> np.ndarray:
    """Times in the order of decoding, without the hole that an encoder's delay leaves behind the first picture."""
    steps = np.diff(stamp)
    if len(steps) < 3:
        return stamp
    usual = int(np.median(steps[1:]))
    even = (np.abs(steps[1:] - usual) <= max(1, SAME_RATE * usual)).all()
    return np.concatenate([[stamp[1] - usual], stamp[1:]]) if even and steps[0] > 1.5 * usual else stamp


def seek_seen(container: av.container.InputContainer, stream: av.VideoStream, seen: SeenPackets, row: int) -> None:
    """Move to the packet of a frame, or somewhere before it; `packets_from` then finds it or nothing."""
    try:
        if container.format.name in (*BROADCAST, *RAW) and seen.pos[row] >= 0:
            container.seek(int(seen.pos[row]), backward=True, unsupported_byte_offset=True)
        elif seen.stamp[row] != NO_TIME:
            container.seek(int(seen.stamp[row]), stream=stream, backward=True)
    except (av.FFmpegError, OSError):
        return  # then the packet is not found, and the file is read from its start


def packets_from(packets: Iterator[av.Packet], seen: SeenPackets, row: int) -> Iterator[av.Packet]:
    """The packets from that of a frame on; none where it does not come or its place is unknown."""
    place, size = int(seen.pos[row]), int(seen.size[row])
    for packet in packets:
        if packet.size == 0 or place < 0 or (packet.pos is not None and packet.pos > place):
            return
        if packet.pos == place and packet.size == size and packet.is_keyframe:
            yield packet
            yield from packets
