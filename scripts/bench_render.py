"""Speed of rendering beside decoding and encoding the same video with the same settings and nothing drawn."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pandas as pd

from pipeline.core.config import load_config
from pipeline.core.skeleton import COCO17
from pipeline.core.types import INTERPOLATED, MEASURED, STATE_NAMES, Motion
from pipeline.render.video import render
from pipeline.store.folder import RunFolder
from pipeline.store.index import stored_video, write_index
from pipeline.store.manifest import Manifest, video_facts
from pipeline.store.person_table import write_person
from pipeline.store.tracks import file_metadata
from pipeline.video.containers import ENCODERS, encoder_options
from pipeline.video.decode import open_reader
from pipeline.video.encode import VideoWriter
from pipeline.video.index import index_video

SIZE_PX, PEOPLE = (1920, 1080), 5


def measure(run: Path, frames: int, style: str, codec: str, preset: str, threads: int, repeat: int) -> None:
    """Print frames/s of both, taken in turn, and the ratio of each turn; from a finished run of an upright clip."""
    with tempfile.TemporaryDirectory() as name:
        folder = five_people(RunFolder.existing(run), Path(name), frames)
        config = load_config(
            "default",
            [f"render.style={style}", f"render.codec={codec}", f"render.preset={preset}", f"runtime.threads={threads}"],
        )
        info = stored_video(folder)
        options = encoder_options(codec, None, preset)
        out = Path(name) / "bare.mp4"
        tasks: dict[str, Callable[[], object]] = {
            "decode and encode": lambda: bare(info.path, out, options, codec, threads),
            f"render, style {style}": lambda: render(folder, config),
        }
        print(f"{SIZE_PX[0]}x{SIZE_PX[1]}, {len(info)} frames, {PEOPLE} people, {codec} {preset}, threads {threads}")
        seconds: dict[str, list[float]] = {name: [] for name in tasks}
        work: dict[str, list[float]] = {name: [] for name in tasks}
        for turn in range(repeat + 1):
            for task, do in tasks.items():
                started, spent = time.perf_counter(), time.process_time()
                do()
                if turn:  # the first turn fills caches
                    seconds[task].append(time.perf_counter() - started)
                    work[task].append(time.process_time() - spent)
        for task, times in seconds.items():
            rates = sorted(len(info) / t for t in times)
            each = statistics.median(work[task]) / len(info) * 1e3
            print(
                f"{task:32} {statistics.median(rates):7.1f} frames/s  ({rates[0]:.1f} to {rates[-1]:.1f}),"
                f" {each:.1f} ms of processors a frame"
            )
        for what, times in (("speed", seconds), ("processor time", work)):
            ratios = sorted(a / b for a, b in zip(*times.values(), strict=True))
            print(
                f"ratio by {what:23} {statistics.median(ratios):7.2f}           ({ratios[0]:.2f} to {ratios[-1]:.2f})"
            )


def bare(source: Path, target: Path, options: dict[str, str], codec: str, threads: int) -> None:
    """Decode and encode with nothing between, in FFmpeg's own threads, as `ffmpeg -i SOURCE TARGET` does."""
    with av.open(str(source)) as reader, av.open(str(target), "w") as writer:
        video = reader.streams.video[0]
        video.thread_type, video.codec_context.thread_count = "AUTO", threads
        out = writer.add_stream(ENCODERS[codec], rate=video.average_rate, options=options)
        out.width, out.height, out.pix_fmt = video.width, video.height, "yuv420p"
        out.codec_context.time_base, out.codec_context.thread_count = video.time_base, threads
        for frame in reader.decode(video):
            frame.pict_type = av.video.frame.PictureType.NONE
            writer.mux(out.encode(frame))
        writer.mux(out.encode(None))


def five_people(source: RunFolder, path: Path, frames: int) -> RunFolder:
    """A run whose video shows real people of an upright clip side by side, to and fro, and their tables."""
    info = stored_video(source)
    with open_reader(info) as reader:
        pictures = [image for batch in reader.read(0, len(info), 16) for image in batch.image]
    height = SIZE_PX[1]
    scale = height / info.size_px[1]
    width = round(info.size_px[0] * scale)
    order = [i % (2 * len(pictures) - 2) for i in range(frames)]
    order = [i if i < len(pictures) else 2 * len(pictures) - 2 - i for i in order]
    video = path / "five.mp4"
    with VideoWriter(video, SIZE_PX, Fraction(1, 30), Fraction(30), crf=18) as writer:
        for i, row in enumerate(order):
            one = cv2.resize(pictures[row], (width, height), interpolation=cv2.INTER_CUBIC)
            wide = np.concatenate([one, one, one, one], 1)[:, : SIZE_PX[0]]
            writer.write(np.ascontiguousarray(wide), i)
    made = index_video(video)
    folder, facts = RunFolder(path / "run"), video_facts(made)
    write_index(folder, made)
    folder.write_manifest(Manifest({"video": facts, "skeleton": "coco17"}))
    ids = sorted(source.people.glob("person_*.parquet"))
    for n in range(PEOPLE):
        table = pd.read_parquet(ids[n % len(ids)])
        motion = _moved(table, n + 1, order, made.time_s, scale, width * (n // len(ids)))
        write_person(folder.people, motion, COCO17, file_metadata(COCO17, facts, ""))
    return folder


def _moved(
    table: pd.DataFrame, person_id: int, order: list[int], time_s: np.ndarray, scale: float, shift: int
) -> Motion:
    """The person of a table in the frames of ``order``, enlarged and moved to the right."""
    row_of = {int(frame): row for row, frame in enumerate(table["frame"])}
    there = [i for i, frame in enumerate(order) if frame in row_of]
    rows = table.iloc[[row_of[order[i]] for i in there]]
    codes = {name: code for code, name in STATE_NAMES.items()}

    def points(end: str) -> np.ndarray:
        xy = [rows[[f"{joint}_{axis}_px{end}" for axis in "xy"]].to_numpy(np.float32) for joint in COCO17.names]
        return (np.stack(xy, 1) * scale + (shift, 0)).astype(np.float32)

    score = rows["score"].to_numpy(np.float32)
    box = rows[["box_x1_px", "box_y1_px", "box_x2_px", "box_y2_px"]].to_numpy(np.float32)
    joints = COCO17.names
    return Motion(
        person_id=person_id,
        frame=np.array(there, np.int64),
        time_s=time_s[there],
        box_px=(box * scale + (shift, 0, shift, 0)).astype(np.float32),
        score=score,
        state=np.where(np.isfinite(score), MEASURED, INTERPOLATED).astype(np.uint8),
        keypoints_px=points(""),
        keypoint_score=np.stack([rows[f"{j}_score"].to_numpy(np.float32) for j in joints], 1),
        keypoint_std_px=np.stack([rows[f"{j}_std_px"].to_numpy(np.float32) for j in joints], 1),
        provenance=np.stack([rows[f"{j}_state"].astype(str).map(codes).to_numpy(np.uint8) for j in joints], 1),
        raw_px=points("_raw"),
        quantities={
            name: rows[name].to_numpy(np.float32)
            for name in rows.columns
            if name.endswith(("flexion_deg", "flexion_3d_deg", "com_speed_px_s"))
        },
    )
