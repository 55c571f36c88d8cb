"""The report of a run: its size, how long and in how much memory it is made, and when a browser has drawn it."""

from __future__ import annotations

import resource
import shutil
import statistics
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.config import Config
from pipeline.core.skeleton import COCO17
from pipeline.core.types import VideoInfo
from pipeline.report.columns import CONTACTS
from pipeline.store.columns import person_name, person_schema
from pipeline.store.folder import RunFolder
from pipeline.store.index import write_index
from pipeline.store.manifest import Manifest, video_facts
from pipeline.store.people_csv import write_people_csv

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.report.browser import chromium_path

_NAMES_M = (*COCO17.names, "neck", "thorax", "head_top")
_PARTS_M = ("x_m", "y_m", "z_m", "std_m", "world_x_m", "world_y_m", "world_z_m")


def measure(run: Path, loads: int) -> None:
    """Make the report in a process of its own and load it in headless Chromium; print what that took."""
    command = [sys.executable, "-m", "pipeline.cli", "report", str(run), "-q"]
    start = time.perf_counter()
    subprocess.run(command, check=True)
    seconds = time.perf_counter() - start
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    page = RunFolder(run).report
    print(f"made in        {seconds:8.2f} s, start of Python included, in {memory:.0f} MB")
    print(f"size           {page.stat().st_size / 1e6:8.2f} MB")
    ready = ready_s(page, loads)
    print(f"ready          {statistics.median(ready):8.2f} s, median; " + ", ".join(f"{s:.2f}" for s in ready))


def ready_s(page: Path, loads: int) -> list[float]:
    """Seconds from opening the page to all of its first view being drawn, each in a browser without caches."""
    from playwright.sync_api import sync_playwright

    found = []
    with sync_playwright() as playwright:
        for _ in range(loads):
            browser = playwright.chromium.launch(executable_path=chromium_path(), args=["--no-sandbox"])
            tab = browser.new_page(viewport={"width": 1440, "height": 900})
            start = time.perf_counter()
            tab.goto(page.resolve().as_uri(), wait_until="commit")
            tab.wait_for_selector("html[data-ready]", state="attached", timeout=120_000)
            found.append(time.perf_counter() - start)
            browser.close()
    return found


def synthesise(path: Path, people: int, minutes: float, fps: int, stay_s: float) -> None:
    """A finished run of so many people who come and go, each there for about ``stay_s``; no video."""
    shutil.rmtree(path, ignore_errors=True)
    frames = round(minutes * 60 * fps)
    pts = np.arange(frames)
    info = VideoInfo(
        path=Path("hall.mp4"),
        size_px=(1920, 1080),
        rotation_deg=0,
        time_base=Fraction(1, fps),
        fps=Fraction(fps),
        pts=pts,
        time_s=pts / fps,
        is_key=np.ones(frames, bool),
        has_audio=False,
        digest="d",
    )
    folder = RunFolder(path)
    write_index(folder, info)
    folder.write_manifest(
        Manifest(
            {
                "finished": True,
                "video": video_facts(info),
                "keypoints": COCO17.spec(),
                "frames_observed": [0, frames],
                "config": Config().model_dump(mode="json"),
                "warnings": [],
            }
        )
    )
    joints = [f"{side}_{joint}" for joint in ("knee", "hip", "elbow", "shoulder") for side in ("left", "right")]
    angles = [f"{joint}_flexion_{unit}" for joint in joints for unit in ("deg", "deg_s")]
    speeds = [f"{j}_{q}" for j in COCO17.names[5:] for q in ("vx_px_s", "vy_px_s", "speed_px_s", "acceleration_px_s2")]
    schema = person_schema(COCO17, _NAMES_M, {}, [*angles, *speeds, "com_x_px", "com_speed_px_s", *CONTACTS], _PARTS_M)
    rows = [_write(folder, i, frames, fps, stay_s, schema) for i in range(1, people + 1)]
    write_people_csv(folder.people_csv, rows)
    print(f"{path}: {people} people, {sum(r['frames_measured'] for r in rows)} rows of {len(schema)} columns")


def _write(
    folder: RunFolder, person_id: int, frames: int, fps: int, stay_s: float, schema: pa.Schema
) -> dict[str, Any]:
    rng = np.random.default_rng(person_id)
    stay = min(round(stay_s * fps * rng.uniform(0.5, 1.5)), frames)
    first = int(rng.integers(0, frames - stay + 1))
    frame = np.arange(first, first + stay)
    away = rng.integers(0, frames // (7 * fps) + 1, 40)  # for 7 s, now and then
    frame = frame[~np.isin(frame // (7 * fps), away)]
    at = frame / fps
    columns: dict[str, pa.Array] = {"frame": pa.array(frame), "time_s": pa.array(at)}
    for field in schema:
        if field.name.endswith("_state"):
            codes = pa.array(np.ones(len(frame), np.int8))
            columns[field.name] = pa.DictionaryArray.from_arrays(codes, pa.array(["missing", "measured"]))
        elif field.name not in columns:
            wave = _wave(field.name, at, rng)
            columns[field.name] = pa.array(wave.astype(np.float32))
    path = folder.people / f"{person_name(person_id)}.parquet"
    path.parent.mkdir(exist_ok=True)
    pq.write_table(pa.table([columns[n] for n in schema.names], schema=schema), path, row_group_size=4096)
    row = {"person_id": person_id, "first_time_s": at[0], "last_time_s": at[-1], "duration_s": at[-1] - at[0]}
    doubt = f"{at[len(at) // 2]:.2f} s: taken for the same person after 2.0 s" if person_id % 5 == 0 else ""
    return row | {"frames_measured": len(frame), "coverage": 0.9, "gaps": 9, "suspicious": doubt}


def _wave(name: str, at: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Strides, a slow way and noise of the networks' kind."""
    if name.endswith("_contact"):
        return (np.sin(5 * at) > 0).astype(float)
    size = 0.3 if name.endswith("_m") else 30.0
    way = size * 20 * np.sin(at / 60 + rng.uniform(0, 6))
    return way + size * np.sin(6 * at + rng.uniform(0, 6)) + 0.01 * size * rng.normal(size=len(at))
