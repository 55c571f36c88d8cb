"""A stream of people whose heads carry a pattern that nothing else has, a detector that often misses them, and what is
left of such heads in the files of a live folder.

As a program, ``python -m tests.live.world URL OUT SEED SETTING…``, it is ``poseline live`` with that detector, without
anything drawn over the pictures.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import av
import cv2
import numpy as np
import pyarrow.parquet as pq

from pipeline.core.keypoint_sets import HALPE26
from pipeline.models.detections import Detections
from pipeline.models.registry import Models
from tests import synthetic
from tests.live.given import Sight, faults, in_lines, in_parts, in_tables
from tests.live.station import Station, encode

ROOT = Path(__file__).resolve().parents[2]
SIZE_PX, FPS, FRAMES = (320, 240), 25, 300
GREY = (120, 120, 120)
BODIES = ((70, 145, 120), (190, 85, 110), (120, 105, 220))  # of the same luma: only heads have edges
BLIND_S, ALERT_S, _BITS = 0.33, 0.2, 9
SHARP, LEAST = 50, 10  # neighbours' difference in luma, and how many such px of a picture show a head
STANDING_PX = (200, 150, 110)
_EVERYBODY = synthetic.walker(np.zeros(1), height_px=1.0, start_px=(0.0, 0.0), velocity_px_s=(0.0, 0.0))[0]


def pictures(frames: int, seed: int = 0) -> Iterator[np.ndarray]:
    """(h, w, 3) u8 RGB: three people who enter, cross and leave, some beside others."""
    rng = np.random.default_rng(seed)
    for i in range(frames):
        image = np.full((SIZE_PX[1], SIZE_PX[0], 3), GREY, np.uint8)
        noise = np.repeat(np.repeat(rng.integers(0, 2, (SIZE_PX[1] // 3, SIZE_PX[0] // 3 + 1)) * 200 + 25, 3, 0), 3, 1)
        for n, height in enumerate(STANDING_PX):
            way = SIZE_PX[0] + 2 * height
            x = (i * (1.5 + 0.7 * n) + 90 * n) % way - height
            x = SIZE_PX[0] - x if n % 2 else x
            _draw(image, noise, x, 232 - 25 * n, height, BODIES[n])
        for bit in range(_BITS):  # the number of the picture, fainter than any edge of a head
            image[-6:, 16 * bit : 16 * bit + 16] = 138 if i >> bit & 1 else 102
        yield image


def number_of(image: np.ndarray) -> int:
    """Which of the pictures it is."""
    return sum(int(image[-5:-1, 16 * bit + 4 : 16 * bit + 12].mean() > 120) << bit for bit in range(_BITS))


def _draw(
    image: np.ndarray, noise: np.ndarray, x: float, foot: float, height: float, body: tuple[int, int, int]
) -> None:
    """A body of one colour and above it a head of the pattern."""
    left, right = (int(np.clip(x + side * 0.11 * height, 0, SIZE_PX[0])) for side in (-1, 1))
    image[int(foot - 0.84 * height) : int(foot), left:right] = body
    y_px, x_px = np.mgrid[: SIZE_PX[1], : SIZE_PX[0]] + 0.5
    head = np.hypot(x_px - x, y_px - (foot - 0.92 * height)) <= 0.07 * height
    image[head] = noise[:, : SIZE_PX[0]][head][:, None]


def write_stream(path: Path, frames: int = FRAMES) -> Path:
    return encode(path, pictures(frames), Fraction(FPS), SIZE_PX)


class Watchman:
    """Finds bodies by their colours, once a sixth of them is in the picture. It overlooks each now and then, and all of
    them for a third of a second, but nobody after `ALERT_S` without a picture. Of some it is so unsure that no
    tracker takes them."""

    skeleton, sessions = HALPE26, ()

    def __init__(self, seed: int) -> None:
        self._rng, self._blind_s = np.random.default_rng(seed), 0.0
        self._last = -FRAMES // 2

    def detect(self, images: np.ndarray) -> Detections:
        parts = [Detections.empty(len(HALPE26))]
        for i, image in enumerate(images):
            number = number_of(image)
            step_s, self._last = (number - self._last) % FRAMES / FPS, number
            self._blind_s -= step_s
            if self._blind_s <= 0 and self._rng.random() < 0.04:
                self._blind_s = BLIND_S
            alert = step_s > ALERT_S
            blind = self._blind_s > 0 and not alert
            for body in BODIES:
                here = (np.abs(image.astype(int) - body).max(2) < 20).astype(np.uint8)
                here = cv2.morphologyEx(here, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
                x, y, w, h = cv2.boundingRect(here)
                if here.sum() > 0.03 * h * h and not blind and (alert or self._rng.random() > 0.1):
                    parts.append(self._person(i, x, y, w, h))
        return Detections.concat(parts)

    def _person(self, image: int, x: int, y: int, w: int, h: int) -> Detections:
        height = h / 0.84
        middle = x + w - 0.11 * height if x == 0 else x + 0.11 * height
        points = (_EVERYBODY - [_EVERYBODY[:, 0].mean(), _EVERYBODY[:, 1].max()]) * height + [middle, y + h]
        box = np.array([[x, y - 0.16 * height, x + w, y + h]], np.float32)
        sure = 0.9 if self._rng.random() > 0.1 else 0.3
        known, score = np.zeros((1, len(HALPE26), 2), np.float32), np.zeros((1, len(HALPE26)), np.float32)
        known[0, :17], score[0, :17] = points, sure
        return Detections(np.array([image]), box, np.array([sure], np.float32), known, score)


def sharp_px(luma: np.ndarray) -> int:
    """How many px of a picture (h, w) differ from their neighbour as they do in heads."""
    return int((np.abs(np.diff(luma.astype(int), axis=1)) > SHARP).sum())


def written(folder: Path, looked: dict[tuple, list[int]]) -> dict[str, list[int]]:
    """Of each file below a folder that holds pictures: `sharp_px` of each of them.

    Files that are the same as at an earlier call are left out; ``looked`` holds what was looked at.
    """
    found: dict[str, list[int]] = {}
    # A process that finishes a segment may still be at work: its temporary files are renamed, its folders vanish.
    for path in sorted(Path(at) / name for at, _, names in os.walk(folder) for name in names):
        try:
            name, now = str(path.relative_to(folder)), path.stat()
        except FileNotFoundError:
            continue
        key = (now.st_ino, now.st_size, now.st_mtime_ns)
        if key not in looked and (sharp := _sharp_px(path)) is not None:
            found[name] = looked[key] = sharp
    return found


def _sharp_px(path: Path) -> list[int] | None:
    """Of each picture in a file; None where it holds none."""
    if ".mp4" in path.name:
        return [sharp_px(luma) for luma in _video(path)]
    if path.suffix == ".parquet" and path.name.startswith("part-"):
        return [sharp_px(luma) for luma in _part(path)]
    if path.suffix in (".png", ".jpg") and path.name != "heatmap.png":
        return [sharp_px(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE))]
    return None


def _video(path: Path) -> Iterator[np.ndarray]:
    """Luma of the pictures that can be decoded, of a file that may be cut short."""
    with contextlib.suppress(av.FFmpegError, IndexError), av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="gray")


def _part(path: Path) -> Iterator[np.ndarray]:
    """The pictures that the camera's motion was found in."""
    from pipeline.observe.camera import unpacked

    text = (pq.read_schema(path).metadata or {}).get(b"camera", b"").decode()
    stored = json.loads(text) if text else {}
    for packed in [*stored.get("edges", []), *stored.get("keys", {}).values()]:
        yield unpacked(packed).grey


class Host:
    """A process that has imported the program, and forks to run it: a start costs next to nothing."""

    def __init__(self, log: Path) -> None:
        self._log, self.pid = log, 0
        command = [sys.executable, "-m", "tests.live.world", "host"]
        with open(log, "w") as out:
            self._process = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=out, text=True
            )

    def __enter__(self) -> Host:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.communicate(timeout=60)

    def start(self, url: str, out: Path, seed: int, *settings: str) -> None:
        """Run the program until it has written a part."""
        before = parts(out)
        print(json.dumps([url, str(out), str(seed), *settings]), file=self._process.stdin, flush=True)
        self.pid = int(self._process.stdout.readline())
        end = time.monotonic() + 120
        while parts(out) <= before:
            assert Path(f"/proc/{self.pid}").exists(), self._log.read_text()
            assert time.monotonic() < end, "no part within 120 s"
            time.sleep(0.02)

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        assert self._process.stdout.readline() == "ended\n"


def host() -> None:
    """Forks a run for each line of arguments, one after another."""
    import pipeline.live.run
    import pipeline.prepare  # noqa: F401

    for line in sys.stdin:
        if (child := os.fork()) == 0:
            run(*json.loads(line))
            os._exit(0)
        print(child, flush=True)
        os.waitpid(child, 0)
        print("ended", flush=True)


def parts(out: Path) -> set[Path]:
    return set(out.glob("cam/segments/*/observations/part-00000.parquet"))


class Soaked(NamedTuple):
    """``sharp``: of each file with pictures, after each kill and at the end, how sharp each of them is."""

    sharp: dict[str, list[int]]
    faults: list[str]  # of the numbers of people
    numbers: int  # that were given out


def soak(
    stream: Path, out: Path, kills: int, seed: int, blur: str, speed: float = 1.0, finishers: bool = True
) -> Soaked:
    """A live folder after each of so many kills, and when all of it is finished.

    ``speed`` is that of the stream; its own times are the same. Without ``finishers`` segments are finished at the end
    only.
    """
    from pipeline.live.run import live

    rng, found, looked = np.random.default_rng(seed), dict[str, list[int]](), dict[tuple, list[int]]()
    run_of: dict[Path, int] = {}
    given: dict[str, list[Sight]] = {"parts": [], "tables": []}
    settings = [f"render.blur={blur}", *([] if finishers else [LATER])]
    with Station(stream, speed) as station, Host(out.parent / f"{out.name}.log") as runs:
        for n in range(kills):
            runs.start(station.url, out, seed + n, *settings)
            time.sleep(float(rng.uniform(1.0, 5.0)) / speed)
            runs.kill()
            found |= {f"{name} after kill {n}": sharp for name, sharp in written(out, looked).items()}
            for segment in sorted((out / "cam" / "segments").iterdir()):
                if run_of.setdefault(segment, n) == n:
                    given["parts"] += in_parts(segment, n)
    live(str(out / "cam"))
    given["lines"] = in_lines(out / "cam.jsonl")
    for segment, n in run_of.items():
        given["tables"] += in_tables(segment, n)
    numbers = {sight.number for some in given.values() for sight in some}
    return Soaked(found | written(out, looked), faults(given), len(numbers))


LATER = "finish at the end"  # instead of a setting


def run(url: str, out: str, seed: str, *settings: str) -> None:
    """``poseline live`` with the watchman."""
    from pipeline.cli.app import main as program
    from pipeline.live import engine, painter

    engine.build_models = lambda config: Models(Watchman(int(seed)), None, HALPE26)
    painter.draw_people = lambda *args: None
    if LATER in settings:
        engine.Finishers = lambda say: SimpleNamespace(add=lambda path: None, poll=lambda: None, wait=lambda: None)
    sets = ["lift.name=none", "live.part_s=0.5", "observe.detect_every_s=0", *(s for s in settings if s != LATER)]
    command = ["live", url, "--config", "fast", "--out", out, "--name", "cam", "--segment", "3s", "-q"]
    command += ["--jsonl", str(Path(out) / "cam.jsonl")]
    sys.argv = ["poseline", *command, *(f"--set={s}" for s in sets)]
    program()


if __name__ == "__main__":
    host() if sys.argv[1:] == ["host"] else run(*sys.argv[1:])
