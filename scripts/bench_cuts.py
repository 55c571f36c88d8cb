"""How surely changes of shot are found, between joined clips and in clips by themselves.

Clips are joined as small pictures (`pipeline.observe.thumbs`) of one size, two clips at random places each time, from a
fixed seed. A change is found where its middle is off by at most three frames, or by a third of what it takes if that is
more; all others are false. Frames are taken to be 1/25 s apart.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from pipeline.observe.thumbs import thumb
from pipeline.observe.transitions import Change, changes
from pipeline.video.decode import open_reader
from pipeline.video.index import index_video

SIZE = (32, 18)  # places of a picture, columns and rows
BESIDE = 40  # frames on either side
FPS = 25.0
WHITE, DARK = np.array([250.0, 128.0, 128.0]), np.array([16.0, 128.0, 128.0])  # Y, Cr and Cb
CUTS = (("cut", 0), ("flash", 3))  # kind, frames of the change
GRADUAL = (("dissolve", 5), ("dissolve", 12), ("dissolve", 25), ("fade", 12), ("wipe", 12), ("wipe", 25))


def measure(clips: list[Path], each: int, most: int) -> None:
    """Print how many of ``each`` changes of every kind are found, and what is found in the clips by themselves."""
    seen = {path.name: pictures(path, most) for path in clips}
    print("| change | frames | made | found | false |\n| --- | --- | --- | --- | --- |")
    for number, (kind, frames) in enumerate(CUTS + GRADUAL):
        rng, found, false = np.random.default_rng([0, number]), 0, 0
        long = [shown for shown in seen.values() if len(shown) >= BESIDE + frames]
        for _ in range(each):
            one, other = (_part(long[i], BESIDE + frames, rng) for i in rng.choice(len(long), 2, replace=False))
            at = [change.at for change in _found(joined(one, other, kind, frames))]
            right = sum(abs(row - BESIDE - frames / 2) <= max(3, frames / 3) for row in at)
            found += right > 0
            false += len(at) - min(right, 1)
        print(f"| {kind} | {frames} | {each} | {found} | {false} |", flush=True)
    for name, shown in seen.items():
        told = [f"{change.kind} at {change.at}" for change in _found(shown)]
        print(f"{name}, {len(shown)} frames by themselves: {', '.join(told) or 'no change'}")


def pictures(path: Path, most: int) -> np.ndarray:
    """(n, 18, 32, 3) u8: small pictures of the first ``most`` frames of a video, in Y, Cr and Cb."""
    info = index_video(path)
    with open_reader(info) as reader:
        small = [thumb(image) for batch in reader.read(0, min(len(info), most), 8) for image in batch.image]
    return np.array([cv2.resize(picture, SIZE, interpolation=cv2.INTER_AREA) for picture in small])


def joined(one: np.ndarray, other: np.ndarray, kind: str, frames: int) -> np.ndarray:
    """(2 · BESIDE + frames, 18, 32, 3) u8: a clip, the change, another clip; both have BESIDE + frames pictures."""
    share = (np.arange(1, frames + 1) / (frames + 1))[:, None, None, None]
    before, after = one[BESIDE:].astype(float), other[:frames].astype(float)
    if kind == "flash":
        between = np.broadcast_to(WHITE, before.shape)
    elif kind == "fade":
        down, up = before + (DARK - before) * 2 * share, DARK + (after - DARK) * (2 * share - 1)
        between = np.where(share < 0.5, down, up)
    else:
        if kind == "wipe":
            share = (share * SIZE[0] - np.arange(SIZE[0])[:, None]).clip(0, 1)
        between = before * (1 - share) + after * share
    return np.concatenate([one[:BESIDE], between.round().astype(np.uint8), other[frames:]])


def _part(shown: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    first = int(rng.integers(0, len(shown) - count + 1))
    return shown[first : first + count]


def _found(shown: np.ndarray) -> list[Change]:
    return changes(shown, np.arange(len(shown)) / FPS)
