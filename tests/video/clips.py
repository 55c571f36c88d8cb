"""Small clips whose frames carry their own number, so that a decoded frame can be told from its neighbours."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

BITS, SIDE, MARGIN = 8, 16, 8  # the number is a row of black and white squares, SIDE px wide, MARGIN px from the edges


def picture(number: int, size_px: tuple[int, int] = (160, 96)) -> np.ndarray:
    """(h, w, 3) u8 RGB: the number in squares over a coloured ground that moves."""
    width, height = size_px
    ground = np.add.outer(np.arange(height), np.arange(width) + 3 * number)[..., None] * np.array([1.0, 0.6, 0.3])
    image = (60 + ground % 120).astype(np.uint8)
    for bit in range(BITS):
        x = MARGIN + bit * SIDE
        image[MARGIN : MARGIN + SIDE, x : x + SIDE] = 235 if number >> bit & 1 else 20
    return image


def number_of(image: np.ndarray) -> int:
    """The number that ``picture`` drew."""
    row = image[MARGIN + 4 : MARGIN + SIDE - 4].astype(float).mean(axis=(0, 2))
    squares = [row[MARGIN + b * SIDE + 4 : MARGIN + (b + 1) * SIDE - 4].mean() for b in range(BITS)]
    return sum(1 << bit for bit, level in enumerate(squares) if level > 127)


@dataclass(frozen=True)
class Clip:
    """How a clip is made; ``size_px`` and ``rotation_deg`` (clockwise to upright) as ``VideoInfo`` has them."""

    name: str
    codec: str = "libx264"
    pixel_format: str = "yuv420p"
    size_px: tuple[int, int] = (160, 96)
    frames: int = 40
    rotation_deg: int = 0
    mirrored: bool = False  # left to right, once it is turned
    pixel_aspect: Fraction = Fraction(1)  # above 1: stored so much narrower than size_px; below 1: so much lower
    time_base: Fraction = Fraction(1, 30)
    pts: tuple[int, ...] | None = None
    rate: int | None = None  # what the file says; None: what fits
    audio: str | None = None
    audio_s: float = 1.0
    audio_start_s: float = 0.0
    color: tuple[int, int] | None = None  # matrix and range, as FFmpeg numbers them
    options: dict[str, str] = field(default_factory=lambda: {"g": "10", "bf": "0", "preset": "ultrafast"})

    def times(self) -> list[int]:
        return list(self.pts or range(self.frames))


def write_clip(clip: Clip, folder: Path) -> Path:
    """Write the clip into the folder, sound interleaved with pictures, and return its path."""
    path = folder / clip.name
    mp4 = {"movflags": "+faststart"} if path.suffix in (".mp4", ".mov") else {}
    with av.open(str(path), "w", options=mp4) as out:
        rate = clip.rate or (1 / clip.time_base if clip.time_base > Fraction(1, 100) else 30)
        stream = out.add_stream(clip.codec, rate=rate, options=clip.options)
        width, height = clip.size_px if clip.rotation_deg % 180 == 0 else clip.size_px[::-1]
        width, height = round(width / max(clip.pixel_aspect, 1)), round(height * min(clip.pixel_aspect, 1))
        stream.width, stream.height, stream.pix_fmt = width, height, clip.pixel_format
        stream.codec_context.sample_aspect_ratio = clip.pixel_aspect
        stream.time_base = stream.codec_context.time_base = clip.time_base
        stream.codec_context.thread_count = 1
        if clip.color:
            stream.codec_context.colorspace, stream.codec_context.color_range = clip.color
        if clip.rotation_deg or clip.mirrored:
            stream.set_display_rotation(-clip.rotation_deg, hflip=clip.mirrored)
        sound = out.add_stream(clip.audio, rate=48000, layout="mono") if clip.audio else None
        for number, pts in enumerate(clip.times()):
            shown = picture(number, clip.size_px)[:, :: -1 if clip.mirrored else 1]
            stored = np.ascontiguousarray(np.rot90(shown, clip.rotation_deg // 90))
            frame = av.VideoFrame.from_ndarray(stored, format="rgb24")
            frame = frame.reformat(width, height, format=clip.pixel_format)
            frame.pts, frame.time_base = pts, clip.time_base
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        if sound is not None:
            write_sound(out, sound, clip.audio_s, clip.audio_start_s)
    return path


def write_sound(out: av.container.OutputContainer, stream: av.AudioStream, length_s: float, start_s: float) -> None:
    """A click at the start of every tenth of a second from ``start_s`` on, silence between."""
    samples = np.zeros(int(length_s * 48000), np.float32)
    at = np.arange(len(samples)) + int(start_s * 48000)
    samples[at % 4800 < 48] = 0.8
    kind = stream.codec_context.format.name
    if kind.startswith("s"):
        whole = np.dtype(np.int16 if kind.startswith("s16") else np.int32)
        samples = (samples * np.iinfo(whole).max).astype(whole)
    for first in range(0, len(samples) - 1023, 1024):
        part = samples[None, first : first + 1024]
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(part), format=kind, layout="mono")
        frame.sample_rate, frame.time_base = 48000, Fraction(1, 48000)
        frame.pts = first + int(start_s * 48000)
        out.mux(stream.encode(frame))
    out.mux(stream.encode(None))


def remux(source: Path, target: Path, shift: int = 0, drop: frozenset[int] = frozenset()) -> Path:
    """Copy the video's packets, moved by ``shift`` ticks, without those whose number in the file is in ``drop``."""
    with av.open(str(source)) as container, av.open(str(target), "w") as out:
        stream = container.streams.video[0]
        copy = out.add_stream_from_template(stream)
        for number, packet in enumerate(p for p in container.demux(stream) if p.size):
            if number not in drop:
                packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, copy
                out.mux(packet)
    return target


def damage(path: Path, packet: int) -> Path:
    """Overwrite the whole of one video packet (counted in file order) with a constant, in place."""
    with av.open(str(path)) as container:
        found = [(p.pos, p.size) for p in container.demux(container.streams.video[0]) if p.size][packet]
    with open(path, "r+b") as file:
        file.seek(found[0] + 4)
        file.write(b"\xff" * (found[1] - 4))
    return path


B_FRAMES = {"g": "10", "bf": "3", "preset": "veryfast", "x264-params": "open-gop=0:b-adapt=0:scenecut=0"}
OPEN_H264 = B_FRAMES | {"x264-params": "open-gop=1:b-adapt=0:scenecut=0"}
X265 = "log-level=none:keyint=10:min-keyint=10:bframes=3:b-adapt=0:scenecut=0:pools=none:frame-threads=1:open-gop="
UNEVEN = tuple(int(t) for t in np.cumsum(np.random.default_rng(7).integers(200, 3000, 40)))

# Clips that decode whole; every one is read by both decoders.
HEALTHY = [
    Clip("constant.mp4"),
    Clip("variable.mp4", time_base=Fraction(1, 12800), pts=UNEVEN),
    Clip("b_frames.mp4", options=B_FRAMES),
    Clip(
        "b_frames.mkv", options=B_FRAMES, time_base=Fraction(1, 1000), pts=tuple(round(i * 33.3667) for i in range(40))
    ),
    Clip("b_frames.ts", options=B_FRAMES, time_base=Fraction(1, 90000), pts=tuple(range(0, 120000, 3000))),
    Clip("rotated_90.mp4", rotation_deg=90, options=B_FRAMES),
    Clip("rotated_180.mp4", rotation_deg=180),
    Clip("rotated_270.mp4", rotation_deg=270),
    Clip("mirrored_0.mp4", mirrored=True),
    Clip("mirrored_90.mp4", mirrored=True, rotation_deg=90, options=B_FRAMES),
    Clip("mirrored_180.mp4", mirrored=True, rotation_deg=180),
    Clip("mirrored_270.mov", mirrored=True, rotation_deg=270),
    Clip("odd.mkv", codec="ffv1", size_px=(161, 97), options={"g": "10"}),
    Clip(
        "odd_vp9.mkv",
        codec="libvpx-vp9",
        size_px=(161, 97),
        options={"g": "10", "cpu-used": "8", "deadline": "realtime"},
    ),
    Clip("wide_pixels.mp4", pixel_aspect=Fraction(4, 3), options=B_FRAMES),
    Clip("wide_pixels.ts", pixel_aspect=Fraction(2), time_base=Fraction(1, 90000), pts=tuple(range(0, 120000, 3000))),
    Clip("high_pixels.mp4", pixel_aspect=Fraction(1, 2)),
    Clip("wide_turned.mp4", pixel_aspect=Fraction(4, 3), rotation_deg=90),
    Clip("ten_bit.mp4", pixel_format="yuv420p10le"),
    Clip("full_chroma.mp4", pixel_format="yuv444p"),
    Clip("odd_full_chroma.mp4", pixel_format="yuv444p", size_px=(193, 97)),
    Clip("half_chroma.mp4", pixel_format="yuv422p"),
    Clip("full_range.mp4", pixel_format="yuvj420p", color=(1, 2)),
    Clip("bt709.mp4", color=(1, 1)),
    Clip("interlaced.mp4", options={"g": "10", "bf": "2", "flags": "+ildct+ilme", "preset": "veryfast"}),
    Clip(
        "late_start.mp4", time_base=Fraction(1, 12800), pts=tuple(range(64000, 64000 + 40 * 512, 512)), options=B_FRAMES
    ),
    Clip("open_h264.mp4", options=OPEN_H264),
    Clip("open_hevc.mp4", codec="libx265", options={"preset": "ultrafast", "x265-params": X265 + "1"}),
    Clip("closed_hevc.mp4", codec="libx265", options={"preset": "ultrafast", "x265-params": X265 + "0"}),
    Clip("intra_refresh.mp4", options={"g": "10", "preset": "veryfast", "bf": "0", "intra-refresh": "1"}),
    Clip("one_gop.mp4", options={"g": "250", "bf": "2", "preset": "veryfast"}),
    Clip("all_keys.mp4", codec="mpeg4", options={"g": "1"}),
    Clip("mpeg4.avi", codec="mpeg4", options={"g": "10", "bf": "0"}),
    Clip("mpeg4_b.avi", codec="mpeg4", options={"g": "10", "bf": "2"}),
    Clip("mpeg2.ts", codec="mpeg2video", options={"g": "10", "bf": "2"}, time_base=Fraction(1, 30)),
    Clip("motion_jpeg.avi", codec="mjpeg", pixel_format="yuvj420p", options={}),
    Clip("raw.h264", options=B_FRAMES),
    Clip(
        "vp8.webm", codec="libvpx", options={"g": "10", "auto-alt-ref": "1", "lag-in-frames": "10", "deadline": "good"}
    ),
    Clip("av1.mkv", codec="libsvtav1", options={"g": "10", "preset": "8", "crf": "4", "svtav1-params": "lp=1"}),
    Clip("long_sound.mp4", audio="aac", audio_s=3.0),
    Clip("single.mp4", frames=1),
]
