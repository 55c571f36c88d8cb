"""poseline beside other programs on one clip, in one run: speed, memory, time to the first poses, cost of a person.

Every contestant is a process of its own on the same cores; they take turns, and medians are compared. All but
ultralytics run the same networks with the same weights. Loading is not counted in frames/s. What is: for the peers,
from the opened video to their last result; for poseline, the whole of ``run --no-render --no-report`` with identities,
smoothing, lifting and tables. Trackers are given what poseline's networks see on the clip.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import av
import bench_track
import numpy as np
from install_openmm import TORCH

from pipeline.core.types import Observations
from pipeline.store.index import stored_video
from pipeline.store.parts import read_part
from pipeline.workflow import run

ROOT = Path(__file__).resolve().parents[1]
HERE = Path(__file__).parent
RTMLIB = "rtmlib==0.0.16"
OTHERS = ("sports2d==0.8.34", "pose2sim==0.10.49", RTMLIB, "ultralytics==8.4.190", "lap>=0.5.12")
PEOPLE = (4, 8)  # found in every frame: the first number is what the table is of, both give the cost of a person
OURS, REFERENCE = "poseline onnx", "rtmlib PoseTracker"
HOMES = {  # contestant: its environment; in the order of their turns
    "MMPoseInferencer": "models",
    "poseline torch": "models",
    REFERENCE: "models",
    OURS: "models",
    "Sports2D": "others",
    "ultralytics track": "others",
}
OWN_NETWORKS = ("ultralytics track",)
Row = dict[str, Any]


def measure(clip: Path, environment: Path, repeat: int, seconds: float | None, only: list[str]) -> None:
    """Make the environments where they are missing, run everybody ``repeat`` times in turn, print tables."""
    make(environment)
    names = [n for n in HOMES if not only or any(o.lower() in n.lower() for o in only)]
    with tempfile.TemporaryDirectory(prefix="poseline-bench-") as text:
        folder = Path(text)
        used = _cut(clip, seconds, folder / f"clip{clip.suffix}") if seconds else clip
        rows: dict[tuple[str, int], list[Row]] = {}
        for people in PEOPLE:
            _networks(environment, folder / str(people), used, people)
        for turn in range(repeat):
            for people in PEOPLE:
                for name in names:
                    row = _contest(environment, name, folder / str(people), used, people)
                    rows.setdefault((name, people), []).append(row)
                    said = row.get("failed") or f"{row['frames'] / row['seconds']:.2f} frames/s"
                    print(f"  turn {turn + 1}, {people} people: {name} {said}", flush=True)
        _table(clip, names, rows)
        if not only or "trackers" in only:
            _trackers(environment, used, folder, repeat)


def make(environment: Path) -> None:
    """One environment with poseline, the OpenMMLab packages and rtmlib, and one with all other peers."""
    for name in ("models", "others"):
        home = environment / name
        if (home / ".ready").exists():
            continue
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        python = _python(environment, name)
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        if name == "models":
            subprocess.run([*pip, "-e", f"{ROOT}[dev]"], check=True)
            subprocess.run([python, str(HERE / "install_openmm.py")], check=True)
            subprocess.run([*pip, "--no-deps", RTMLIB], check=True)  # it asks for other OpenCV distributions
        else:
            subprocess.run([*pip, TORCH, *OTHERS, *bench_track.PEERS], check=True)
        (home / ".ready").touch()


def _python(environment: Path, name: str) -> str:
    return str(environment / name / ("Scripts" if os.name == "nt" else "bin") / "python")


def _cut(clip: Path, seconds: float, out: Path) -> Path:
    """The first seconds of a clip's video, as they were encoded."""
    with av.open(str(clip)) as source, av.open(str(out), "w") as target:
        stream = source.streams.video[0]
        copy = target.add_stream_from_template(stream)
        first = None
        for packet in source.demux(stream):
            if packet.dts is None:
                continue
            first = packet.dts if first is None else first
            if float((packet.dts - first) * stream.time_base) >= seconds:
                break
            packet.stream = copy
            target.mux(packet)
    return out


def _networks(environment: Path, folder: Path, clip: Path, people: int) -> None:
    """Configs, checkpoints, and the ONNX files: of the pose network as poseline writes it, of the detector with
    suppression inside."""
    folder.mkdir()
    python = _python(environment, "models")
    maker = [python, str(HERE / "bench_peers_networks.py")]
    said = {"env": {**os.environ, "PYTHONPATH": str(ROOT)}, "cwd": ROOT, "check": True, "capture_output": True}
    subprocess.run([*maker, "make", str(folder), str(clip), str(people)], **said)
    export = [python, "-m", "pipeline.cli", "models", "export"]
    for prefix, stem, out in (("mmpose", "pose", "pose.onnx"), ("mmdet", "det", "raw.onnx")):
        network = f"{prefix}:{folder}/{stem}.py@{folder}/{stem}.pth"
        subprocess.run([*export, network, "--out", str(folder / out)], **said)
    subprocess.run([*maker, "wrap", str(folder / "raw.onnx"), str(folder / "det.onnx"), str(people)], **said)


def _contest(environment: Path, name: str, folder: Path, clip: Path, people: int) -> Row:
    """One contestant's JSON line, with the CPU seconds and the peak memory of its process; ``failed`` where it did."""
    command = [_python(environment, HOMES[name]), str(HERE / "bench_peers_worker.py"), name, str(folder), str(clip)]
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        variables = {**os.environ, "PYTHONPATH": str(ROOT), "BENCH_BEGAN": str(time.time())}
        process = subprocess.Popen([*command, str(people)], stdout=out, stderr=err, env=variables)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        told = [line for line in out if line.startswith("RESULT ")]
        if process.returncode or not told:
            lines = [line.strip() for line in err if line.strip()]
            return {"failed": f"failed: {lines[-1] if lines else process.returncode}"}
    row = json.loads(told[-1].removeprefix("RESULT "))
    return row | {"cpu_s": used.ru_utime + used.ru_stime, "peak_mb": used.ru_maxrss / 1024}


# --- the tables ------------------------------------------------------------------------------------------------------


def _table(clip: Path, names: list[str], rows: dict[tuple[str, int], list[Row]]) -> None:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    few, many = PEOPLE
    good = {key: [r for r in some if "failed" not in r] for key, some in rows.items()}
    turns = max(len(some) for some in good.values())
    print(f"\n{clip.name}, {cores} cores, {few} people a frame, medians of {turns} turns\n")
    heads = ["", "frames/s", "to rtmlib", "CPU ms a frame", "peak MB", "first poses after, s", "ms for one more person"]
    print("| " + " | ".join(heads) + " |\n" + "| --- " * len(heads) + "|")
    for name in names:
        some = good[name, few]
        if not some:
            print(f"| {name} | {rows[name, few][0]['failed']} |" + " |" * 5)
            continue
        ratio = _ratio(some, good.get((REFERENCE, few), [])) if name not in OWN_NETWORKS else None
        cells = [
            name,
            f"{_median(some, _fps):.1f}",
            f"{ratio:.2f}" if ratio else "",
            f"{_median(some, lambda r: r['cpu_s'] / r['frames'] * 1e3):.0f}",
            f"{_median(some, lambda r: r['peak_mb']):.0f}",
            f"{_median(some, lambda r: r['first_s']):.1f}",
            _slope(some, good[name, many]),
        ]
        print("| " + " | ".join(cells) + " |", flush=True)
    for people in PEOPLE:
        ours, theirs = good.get((OURS, people), []), good.get((REFERENCE, people), [])
        each = [_fps(a) / _fps(b) for a, b in zip(ours, theirs, strict=False)]
        if each:
            listed = ", ".join(f"{e:.2f}" for e in each)
            print(f"\n{OURS} / {REFERENCE}, {people} people: {statistics.median(each):.2f} × ({listed})")


def _fps(row: Row) -> float:
    return row["frames"] / row["seconds"]


def _median(rows: list[Row], value: Any) -> float:
    return statistics.median(value(r) for r in rows)


def _ratio(rows: list[Row], reference: list[Row]) -> float | None:
    turns = [_fps(a) / _fps(b) for a, b in zip(rows, reference, strict=False)]
    return statistics.median(turns) if turns else None


def _slope(few: list[Row], many: list[Row]) -> str:
    """Milliseconds that one more person in a frame takes; empty where both had as many."""

    def person(a: Row, b: Row) -> float | None:
        more = b["people"] / b["frames"] - a["people"] / a["frames"]
        return (1 / _fps(b) - 1 / _fps(a)) / more * 1e3 if more > 0.5 else None

    known = [p for p in (person(a, b) for a, b in zip(few, many, strict=False)) if p is not None]
    return f"{statistics.median(known):.1f}" if known else ""


def _trackers(environment: Path, clip: Path, folder: Path, repeat: int) -> None:
    """Trackers on the clip's observations by poseline's own networks, in one thread, in turn: frames/s and ids."""
    made = run(clip, folder / "observed", render=False)[0]
    info = stored_video(made)
    obs = Observations.concat([read_part(p) for p in made.parts()])
    sure = np.flatnonzero(obs.score >= 0.3)  # those that poseline would start a person from
    np.savez(
        folder / "clip.npz",
        frame=obs.frame[sure],
        box=obs.box_px[sure],
        score=obs.score[sure],
        points=obs.keypoints_px[sure],
        point_score=obs.keypoint_score[sure],
        frames=len(info),
        size=np.array(info.size_px),
        fps=float(info.fps),
    )
    took: dict[str, list[float]] = {}
    ids: dict[str, int] = {}
    for _ in range(repeat):
        for name in bench_track.NAMES:
            python = sys.executable if name == "poseline" else _python(environment, "others")
            said, spent = bench_track.work(python, name, folder, "clip")
            took.setdefault(name, []).append(spent)
            ids[name] = len(np.unique(said[said >= 0]))
    each = len(sure) / len(info)
    print(f"\n{clip.name}: identities alone, {len(info)} frames, {each:.1f} people a frame, one thread\n")
    print("| | frames/s | ids |\n| --- | --- | --- |")
    for name, times in took.items():
        print(f"| {name} | {len(info) / statistics.median(times):.0f} | {ids[name]} |")
