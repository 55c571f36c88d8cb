"""Small clips of every container, and seeded ways to damage them."""

from __future__ import annotations

import io
import json
import shutil
import struct
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import cv2
import numpy as np
from soak_process import QUICK, Case, Ended, call, outcome, poseline

CLIP = Path(__file__).resolve().parent.parent / "data" / "laboratory.mp4"
FRAMES, SIDE_PX, FPS = 48, 256, 30
H264 = {"g": "12", "bf": "2", "preset": "veryfast"}
# name: codec, pixel format, encoder's options
CLIPS: dict[str, tuple[str, str, dict[str, str]]] = {
    "h264.mp4": ("libx264", "yuv420p", H264),
    "h264.mkv": ("libx264", "yuv420p", H264),
    "h264.ts": ("libx264", "yuv420p", H264),
    "mpeg4.avi": ("mpeg4", "yuv420p", {"g": "12", "bf": "0"}),
    "mjpeg.avi": ("mjpeg", "yuvj420p", {}),
    "mpeg2.ts": ("mpeg2video", "yuv420p", {"g": "12", "bf": "2"}),
    "vp8.webm": ("libvpx", "yuv420p", {"g": "12", "deadline": "realtime", "cpu-used": "8"}),
    "vp9.webm": ("libvpx-vp9", "yuv420p", {"g": "12", "deadline": "realtime", "cpu-used": "8"}),
    "hevc.mp4": ("libx265", "yuv420p", {"preset": "ultrafast", "x265-params": "log-level=none:keyint=12"}),
    "ffv1.mkv": ("ffv1", "yuv420p", {"g": "12"}),
    "raw.h264": ("libx264", "yuv420p", H264),
    "fragmented.mp4": ("libx264", "yuv420p", H264),
}
# What stands before numbers that a demuxer believes: boxes of MP4, elements of Matroska, chunks of AVI, packets of TS.
FIELDS: dict[str, tuple[bytes, ...]] = {
    ".mp4": (b"mvhd", b"tkhd", b"mdhd", b"stts", b"ctts", b"stsz", b"stsc", b"stco", b"stss", b"elst", b"avc1", b"hvc1",
             b"avcC", b"hvcC", b"trun", b"tfdt", b"tfhd", b"moov", b"trak", b"stsd", b"moof"),
    ".mkv": (b"\x44\x89", b"\x2a\xd7\xb1", b"\xb0", b"\xba", b"\xe7", b"\x23\xe3\x83", b"\xa3", b"\x1f\x43\xb6\x75",
             b"\x16\x54\xae\x6b", b"\x63\xa2", b"\xe0"),
    ".avi": (b"avih", b"strh", b"strf", b"idx1", b"00dc", b"movi", b"LIST"),
    ".ts": (b"\x00\x00\x01\xe0", b"\x47\x40", b"\x47\x41", b"\x00\x00\x01\x67", b"\x00\x00\x01\xb3"),
    ".h264": (b"\x00\x00\x01\x67", b"\x00\x00\x01\x68", b"\x00\x00\x01\x65"),
}  # fmt: skip
FIELDS[".webm"] = FIELDS[".mkv"]
NUMBERS = (0, 1, 2, 0x7FFF, 0x8000, 0x7FFF7FFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF, 32768, 32768 << 16)


def pictures(frames: int = FRAMES, side_px: int = SIDE_PX) -> list[np.ndarray]:
    """Square pictures (side, side, 3) u8 RGB of the people of the project's clip."""
    with av.open(str(CLIP)) as container:
        found = []
        for frame in container.decode(video=0):
            image = frame.to_ndarray(format="rgb24")
            h, w = image.shape[:2]
            side, top = min(h, w), max(h - w, 0) // 2
            found.append(cv2.resize(image[top : top + side, :side], (side_px, side_px), interpolation=cv2.INTER_AREA))
            if len(found) == frames:
                break
    return found


def write(
    path: Path, images: list[np.ndarray], codec: str, pixels: str, options: dict[str, str], fps: int = 30
) -> Path:
    """Encode pictures of one size."""
    muxer = {"movflags": "frag_keyframe+empty_moov"} if path.stem == "fragmented" else {}
    with av.open(str(path), "w", options=muxer) as out:
        stream = out.add_stream(codec, rate=FPS, options=options)
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = pixels
        stream.codec_context.thread_count = 1
        for i, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=pixels)
            frame.pts, frame.time_base = i, Fraction(1, FPS)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def write_clips(folder: Path) -> list[Path]:
    """Every clip, whole."""
    folder.mkdir(parents=True, exist_ok=True)
    images = pictures()
    return [write(folder / name, images, *how) for name, how in CLIPS.items()]


# --- damage: (bytes, suffix, generator) to bytes ---------------------------------------------------------------------

Damage = Callable[[bytes, str, np.random.Generator], bytes]


def _flipped(data: bytes, rng: np.random.Generator, low: int, high: int, count: int) -> bytes:
    out = np.frombuffer(data, np.uint8).copy()
    at = rng.integers(low, max(high, low + 1), count)
    out[at] ^= (1 << rng.integers(0, 8, count)).astype(np.uint8)
    return out.tobytes()


def flips(data: bytes, suffix: str, rng: np.random.Generator) -> bytes:
    """Bits anywhere."""
    return _flipped(data, rng, 0, len(data), int(2 ** rng.uniform(0, 9)))


def head_flips(data: bytes, suffix: str, rng: np.random.Generator) -> bytes:
    """Bits in the first or last two kilobytes, where headers are."""
    low = 0 if rng.random() < 0.6 else max(len(data) - 2048, 0)
    return _flipped(data, rng, low, min(low + 2048, len(data)), int(rng.integers(1, 24)))


def truncated(data: bytes, suffix: str, rng: np.random.Generator) -> bytes:
    return data[: int(rng.integers(0, len(data)))]


def holes(data: bytes, suffix: str, rng: np.random.Generator) -> bytes:
    """Stretches of zeros, as of files that were copied in part."""
    out = bytearray(data)
    for _ in range(int(rng.integers(1, 4))):
        at = int(rng.integers(0, len(data)))
        n = min(int(2 ** rng.uniform(4, 13)), len(data) - at)
        out[at : at + n] = bytes(n)
    return bytes(out)


def cut_out(data: bytes, suffix: str, rng: np.random.Generator) -> bytes:
    a, b = sorted(rng.integers(0, len(data), 2).tolist())
    return data[:a] + data[b:] if rng.random() < 0.5 else data[:b] + data[a:]  # gone, or twice


def wrong_header(data: bytes, suffix: str, rng: np.random.Generator) -> bytes:
    """Noise or another format's beginning."""
    heads = (b"RIFF\x00\x00\x00\x00AVI LIST", b"\x1a\x45\xdf\xa3\x93\x42\x82\x88matroska", b"\x00\x00\x00\x20ftypisom",
             b"GIF89a", b"\xff\xd8\xff\xe0\x00\x10JFIF", b"PK\x03\x04", b"#EXTM3U\n/etc/passwd\n",
             b"ffconcat version 1.0\nfile /etc/passwd\n", bytes(rng.integers(0, 256, 32, np.uint8)))  # fmt: skip
    head = heads[int(rng.integers(len(heads)))]
    return head + data[len(head) :] if rng.random() < 0.5 else head + data


def claims(data: bytes, suffix: str, rng: np.random.Generator) -> bytes:
    """Numbers of the container made absurd: sizes, durations, times, counts, offsets."""
    out = bytearray(data)
    marks = FIELDS[suffix]
    for _ in range(int(rng.integers(1, 5))):
        mark = marks[int(rng.integers(len(marks)))]
        found, at = [], data.find(mark)
        while at >= 0 and len(found) < 200:
            found.append(at)
            at = data.find(mark, at + 1)
        if not found:
            continue
        at = found[int(rng.integers(len(found)))] + len(mark) + int(rng.integers(0, 40 if len(mark) > 3 else 4))
        value = NUMBERS[int(rng.integers(len(NUMBERS)))] if rng.random() < 0.8 else int(rng.integers(2**32))
        kind = ">I" if suffix != ".avi" else "<I"
        out[at : at + 4] = struct.pack(kind, value)
    return bytes(out[: len(data)])


def odd_times(data: bytes, suffix: str, rng: np.random.Generator) -> bytes:
    """Times that jump, stand, are negative or huge, around the packets as they were."""
    target = io.BytesIO()
    with av.open(io.BytesIO(data)) as source:
        stream = source.streams.video[0]
        packets = [p for p in source.demux(stream) if p.size]
        start = int(rng.choice([0, -(2**33), 2**40, 2**52, 10**9]))
        steps = 1 + (rng.random(len(packets)) < 0.2) * rng.choice([0, 10**3, 10**6, 10**9], len(packets))
        times = start + np.cumsum(steps)
        with av.open(target, "w", format="matroska" if suffix in (".mkv", ".webm", ".h264") else "mp4",
                     options={"avoid_negative_ts": "disabled"}) as out:  # fmt: skip
            copy = out.add_stream_from_template(stream)
            for packet, at in zip(packets, times.tolist(), strict=True):
                packet.stream, packet.time_base = copy, Fraction(1, 30)
                packet.pts = packet.dts = int(at)
                try:
                    out.mux(packet)
                except (av.FFmpegError, OverflowError, ValueError):
                    continue
    return target.getvalue()


DAMAGES: dict[str, Damage] = {
    "flips": flips,
    "head_flips": head_flips,
    "truncated": truncated,
    "holes": holes,
    "cut_out": cut_out,
    "wrong_header": wrong_header,
    "claims": claims,
    "odd_times": odd_times,
}


def damaged(clips: list[Path], number: int, seed: int, folder: Path) -> tuple[Path, str]:
    """The damaged file of this number, and what was done to it; a share gets another container's suffix."""
    rng = np.random.default_rng([seed, number])
    clip = clips[int(rng.integers(len(clips)))]
    kinds = list(DAMAGES)
    kind = kinds[number % len(kinds)]
    data = clip.read_bytes()
    try:
        data = DAMAGES[kind](data, clip.suffix, rng)
    except av.FFmpegError:  # a muxer's refusal of odd times
        kind, data = "flips", flips(data, clip.suffix, rng)
    suffix = clip.suffix if rng.random() < 0.85 else str(rng.choice([".mp4", ".avi", ".mkv", ".txt", ".jpg", ""]))
    path = folder / f"{number:04d}_{clip.stem}{suffix}"
    path.write_bytes(data)
    return path, f"{kind} of {clip.name}"


def enormous(folder: Path) -> list[Path]:
    """Files that truly hold very large pictures, of one colour, so that they are small."""
    found = []
    for side in (16000, 24000):
        image = np.zeros((side, side), np.uint8)
        ok, png = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 9])
        assert ok
        path = folder / f"large_{side}.avi"
        with av.open(str(path), "w") as out:
            stream = out.add_stream("png", rate=30)
            stream.width = stream.height = 64
            stream.pix_fmt = "gray"
            for i in range(3):
                packet = av.Packet(png.tobytes())
                packet.stream, packet.pts, packet.dts, packet.is_keyframe = stream, i, i, True
                packet.time_base = Fraction(1, 30)
                out.mux(packet)
        found.append(path)
    return found


WHOLE_RUNS = 8  # every so many files a whole run with its video; else all frames are decoded, and one part observed


def cases(folder: Path, number: int, seed: int) -> Iterator[Case]:
    """Damaged files and enormous pictures, each read by poseline under limits of memory and time."""
    clips = write_clips(folder / "clips")
    files = ((path, f"{path.name}", True) for path in enormous(folder))
    drawn = (damaged(clips, n, seed, folder) for n in range(number))
    for n, (path, what, *_) in enumerate(chain(files, drawn)):
        whole = n % WHOLE_RUNS == 0
        out, log = folder / "out", folder / "log"
        if whole:
            ended = poseline(["run", path, "--out", out, *QUICK], log=log)
        else:
            ended = call(lambda path=path: _decode(path), log=log)
        fault, lost = ended.fault(), _unsaid(path, out, ended) if whole else ""
        name = f"{what}, number {n} of seed {seed}"
        how = f"{'run' if whole else 'decoded'}: {outcome(ended)}"
        yield Case(name, fault or lost, how, ended.seconds, ended.peak_bytes, file=path)
        shutil.rmtree(out, ignore_errors=True)
        path.unlink()


def _decode(path: Path) -> None:
    """Index a file and read all of its frames, as a run does."""
    from pipeline.video.decode import open_reader
    from pipeline.video.index import index_video

    info = index_video(path)
    with open_reader(info) as reader:
        frames = sum(len(batch) for batch in reader.read(0, len(info), 4))
        if frames < len(info) and not reader.warnings:
            raise AssertionError(f"{len(info) - frames} frames lost without a word")


def _unsaid(path: Path, out: Path, ended: Ended) -> str:
    """What is wrong with the result of a whole run; empty where it is complete, or says what it lacks."""
    if ended.code != 0:
        return ""
    manifest = json.loads(next(out.glob("*/run.json")).read_text())
    if not manifest["finished"]:
        return "status 0, but not finished"
    if not (next(out.glob("*/run.json")).parent / "annotated.mp4").is_file():
        return "status 0, but no annotated.mp4"
    return ""
