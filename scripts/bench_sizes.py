"""How long an hour takes: frames/s of whole commands at several picture sizes with several people.

The clip, which should show ten people or more, is cut to the sizes' shape and scaled; ``--max-people`` keeps so many of
its people. For more than `IN_ONE` people its pictures are put together two by two, from four times, so that people are
half as large. A command is timed twice, to the seconds SHORT and LONG: the difference is without what starting costs.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from pipeline.store.folder import RunFolder
from pipeline.video.decode import open_reader
from pipeline.video.encode import VideoWriter
from pipeline.video.index import index_video

SIZES = ((640, 480), (1280, 720), (1920, 1080))
PEOPLE, IN_ONE = (1, 5, 20), 8
FPS, SHORT_S, LONG_S = 30, 1, 4
ROOT = Path(__file__).resolve().parents[1]


def measure(clip: Path, configs: list[str], more: list[str]) -> None:
    """Print a row for every size, number of people and configuration; ``more`` are further words of each command."""
    print("| picture | at most | found a frame | configuration | frames/s | hours for an hour at 30 frames/s |")
    print("| --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory(prefix="poseline-bench-") as folder:
        for size in SIZES:
            for people in PEOPLE:
                made = scaled(clip, size, people > IN_ONE, Path(folder) / "clip.mp4")
                for config in configs:
                    words = ["--config", config, "--max-people", str(people), *more]
                    took = [command(made, end, Path(folder) / str(end), words) for end in (SHORT_S, LONG_S)]
                    rate = FPS * (LONG_S - SHORT_S) / (took[1][0] - took[0][0])
                    told = f"{size[0]}×{size[1]} | {people} | {took[1][1]:.1f} | {config}"
                    print(f"| {told} | {rate:.1f} | {FPS / rate:.1f} |", flush=True)


def scaled(clip: Path, size: tuple[int, int], by_four: bool, out: Path) -> Path:
    """LONG_S seconds of the clip, or of four of its times in one picture, as a video of ``size`` at FPS frames/s."""
    info, count = index_video(clip), FPS * LONG_S
    with open_reader(info) as reader:
        every = [_fitted(image, size) for batch in reader.read(0, len(info), 8) for image in batch.image]
    with VideoWriter(out, size, Fraction(1, FPS), Fraction(FPS), crf=18) as writer:
        for i in range(count):
            four = [every[(i + k * len(every) // 4) % len(every)] for k in range(4)]
            picture = np.vstack([np.hstack(four[:2]), np.hstack(four[2:])]) if by_four else four[0]
            writer.write(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), i)
    return out


def _fitted(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The middle of an image (H, W, 3) in the shape of ``size``, scaled to it."""
    height, width = image.shape[:2]
    wide, high = min(width, height * size[0] // size[1]), min(height, width * size[1] // size[0])
    x, y = (width - wide) // 2, (height - high) // 2
    return cv2.resize(image[y : y + high, x : x + wide], size, interpolation=cv2.INTER_AREA)


def command(clip: Path, end_s: int, out: Path, more: list[str]) -> tuple[float, float]:
    """Wall seconds of ``poseline run`` with video, tables and report, in a process of its own, and rows a frame."""
    words = [sys.executable, "-m", "pipeline.cli", "run", str(clip), "--out", str(out), "--end", str(end_s), "--force"]
    start = time.perf_counter()
    if subprocess.run([*words, "--quiet", *more], cwd=ROOT, stdout=subprocess.DEVNULL).returncode:
        raise SystemExit(f"{' '.join(words[1:])} failed")
    took, manifest = time.perf_counter() - start, RunFolder(out / clip.stem).manifest()
    low, high = manifest["frames_observed"]
    return took, manifest["rows"] / (high - low)
