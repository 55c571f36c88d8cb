"""Detectors and pose networks in pairs: accuracy on photographs and sequences with truth, CPU time, memory.

The folder has `keypoints/SET/*.json` with `keypoints/SET/images`, and `mot/NAME.mp4` with `mot/gt/NAME/gt/gt.txt`.
Networks are those of the package, or files NAME.onnx in a folder. What has been measured is kept in the folder of runs
(`measured.json`), and not measured again.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import tune

from pipeline.core.config import Config, load_config
from pipeline.core.errors import PoselineError
from pipeline.evaluate.images import evaluate_images
from pipeline.models.detections import Detections
from pipeline.models.registry import DETECTORS, POSES, build_models
from pipeline.store.folder import RunFolder
from pipeline.video.decode import open_reader
from pipeline.video.index import index_video

ONE_THREAD = "runtime.threads=1"
PICTURES = 30  # of a sequence, on which the networks' time is taken
SURE = 0.6  # score of the people whose poses are timed


def measure(
    bench: Path, networks: Path, out: Path, detectors: list[str], poses: list[str], sequences: list[str]
) -> None:
    """Measure every pair and print the rows of a table; no ``sequences``: all that have a video."""
    sets = sorted(gt.parent for gt in (bench / "keypoints").glob("*/person_keypoints*.json"))
    videos = {n: v for n, v in tune.names_of(bench / "mot").items() if n in sequences or not sequences}
    print("| detector, pose |", " | ".join(["CPU ms a frame, a person", *(s.name for s in sets), *videos, "MiB"]), "|")
    for detector in detectors:
        for pose in poses:
            pair = Pair(out / f"{detector}+{pose}", named(networks, detector, DETECTORS), named(networks, pose, POSES))
            cells = [pair.kept("ms", lambda p=pair: p.cost(next(iter(videos.values()))))]
            cells += [pair.kept(s.name, lambda s=s, p=pair: p.photographs(s)) for s in sets]
            ran = [pair.kept(n, lambda n=n, v=v, p=pair: p.sequence(bench / "mot", n, v)) for n, v in videos.items()]
            cells += [told[0] for told in ran] + [str(max(told[1] for told in ran))]
            print(f"| `{detector}`, `{pose}` |", " | ".join(cells), "|", flush=True)


def named(networks: Path, name: str, embedded: dict[str, Any]) -> str:
    """What `--detector` and `--pose` call a network."""
    file = networks / f"{name}.onnx"
    if name not in embedded and not file.is_file():
        raise PoselineError(f"{file}: no such file; give a network of the package, or --networks")
    return name if name in embedded else f"onnx:{file.resolve()}"


class Pair:
    """A detector and a pose network, and what was measured of them."""

    def __init__(self, folder: Path, detector: str, pose: str) -> None:
        self.folder, self.detector, self.pose = folder, detector, pose
        self.file = folder / "measured.json"
        folder.mkdir(parents=True, exist_ok=True)

    def kept(self, name: str, measured: Any) -> Any:
        """A figure from the file, else measured and written there."""
        known = json.loads(self.file.read_text()) if self.file.is_file() else {}
        if name not in known:
            known[name] = measured()
            self.file.write_text(json.dumps(known, indent=1) + "\n")
        return known[name]

    @property
    def config(self) -> Config:
        return load_config("default", [f"detect.name={self.detector}", f"pose.name={self.pose}", ONE_THREAD])

    def photographs(self, folder: Path) -> str:
        """OKS AP of the people detected."""
        gt = next(folder.glob("person_keypoints*.json"))
        return f"{evaluate_images(gt, folder / 'images', self.config, False)['AP']:.3f}".removeprefix("0")

    def sequence(self, mot: Path, name: str, video: Path) -> tuple[str, int]:
        """HOTA, MOTA and IDF1 of a run in a process of its own, and the MiB of its peak memory."""
        options = ["--no-render", "--no-report", "--no-3d", "--quiet", "--set", ONE_THREAD]
        told = ["--out", str(self.folder), "--detector", self.detector, "--pose", self.pose]
        command = [sys.executable, "-m", "pipeline", "run", str(video), *told, *options]
        child = subprocess.Popen(command, cwd=Path(__file__).resolve().parents[1])
        _, status, used = os.wait4(child.pid, 0)
        if status:
            raise PoselineError(f"{video}: the run ended with status {os.waitstatus_to_exitcode(status)}")
        folder = RunFolder(self.folder / video.stem)
        gt = tune.truth(mot, name, folder.manifest()["video"]["frames"])
        return " / ".join(f"{v:.1f}" for v in tune.scores(folder, gt)), used.ru_maxrss // 1024

    def cost(self, video: Path) -> str:
        """CPU ms of looking for people in a frame, and of one person's pose, on one thread."""
        models, info = build_models(self.config), index_video(video)
        assert models.pose is not None
        spent, people = np.zeros(2), 0
        with open_reader(info, "pyav") as reader:
            for frame in np.linspace(0, len(info) - 1, PICTURES + 1).astype(int):
                image = next(iter(reader.read(int(frame), int(frame) + 1, 1))).image
                start = time.process_time()
                found = models.detector.detect(image)
                middle = time.process_time()
                sure = _sure(found)
                models.pose.estimate(image, sure)
                if frame:  # the first call warms up
                    spent += [middle - start, time.process_time() - middle]
                    people += len(sure)
        return f"{1000 * spent[0] / PICTURES:.0f}, {1000 * spent[1] / max(people, 1):.0f}"


def _sure(found: Detections) -> Detections:
    return found.take(found.score >= SURE)
