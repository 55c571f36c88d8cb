"""A live run against a stream on 127.0.0.1 that is cut: are the tables whole, is every frame accounted for?

    python scripts/soak_live.py [CLIP] [--config fast] [--seconds 60] [--cuts 2] [--cut-s 5] [--fps 25] [--segment 20s]

The clip (default: the project's own) plays over and over at ``--fps``. Prints the books and the checks; status 1 when
one of them fails.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np

IN_FLIGHT = 12  # frames that may be on the way when a connection ends
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from pipeline import read_run  # noqa: E402
from tests.live.station import Station, encode  # noqa: E402


def main() -> int:
    args = _arguments()
    out = args.out or Path(tempfile.mkdtemp(prefix="soak_live_"))
    out.mkdir(parents=True, exist_ok=True)
    clip = _as_stream(args.clip, out / "clip.ts", args.fps)
    command = [sys.executable, "-m", "pipeline.cli", "live", "", "--config", args.config, "--out", str(out)]
    command += ["--name", "live", "--segment", args.segment, "--max-seconds", str(args.seconds)]
    command += ["--jsonl", str(out / "people.jsonl")] + [f"--set={s}" for s in args.set or []]
    with Station(clip) as station:
        command[4] = station.url
        process = subprocess.Popen(command, cwd=ROOT)
        memory: list[float] = []
        threading.Thread(target=_watch, args=(process.pid, memory), daemon=True).start()
        while not (out / "live" / "segments").is_dir() and process.poll() is None:
            time.sleep(0.1)
        quiet = (args.seconds - args.cuts * args.cut_s) / (args.cuts + 1)
        for _ in range(args.cuts):
            time.sleep(quiet)
            station.cut()
            print(f"-- cut for {args.cut_s:g} s", flush=True)
            time.sleep(args.cut_s)
            station.resume()
        status = process.wait()
        print(f"{station.sent} frames played, {station.delivered} of them while connected")
    return _check(out / "live", out / "people.jsonl", args, status, memory, station.delivered)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", nargs="?", type=Path, default=ROOT / "data" / "laboratory.mp4")
    parser.add_argument("--config", default="fast")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--cuts", type=int, default=2)
    parser.add_argument("--cut-s", type=float, default=5.0)
    parser.add_argument("--fps", type=int, default=25)
    parser.add_argument("--segment", default="20s")
    parser.add_argument("--set", action="append")
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


def _as_stream(source: Path, target: Path, fps: int) -> Path:
    """The clip as a stream of ``fps`` frames per second, half a second between key frames."""
    with av.open(str(source)) as container:
        stream = container.streams.video[0]
        step = max(round(float(stream.average_rate or fps) / fps), 1)  # at about its own pace
        size = (stream.width // 2 * 2, stream.height // 2 * 2)

        def images() -> Iterator[np.ndarray]:
            for i, frame in enumerate(container.decode(stream)):
                if i % step == 0:
                    yield frame.to_ndarray(format="rgb24")[: size[1], : size[0]]

        return encode(target, images(), fps, size)


def _watch(process: int, memory: list[float]) -> None:
    """Resident memory in MB, once a second."""
    while True:
        try:
            fields = Path(f"/proc/{process}/statm").read_text().split()
        except OSError:
            return
        memory.append(int(fields[1]) * 4096 / 1e6)
        time.sleep(1)


def _check(folder: Path, lines: Path, args: argparse.Namespace, status: int, memory: list[float], sent: int) -> int:
    books = json.loads((folder / "run.json").read_text())
    tables = {path.name: read_run(path) for path in sorted((folder / "segments").iterdir())}
    observed = {name: t["manifest"]["frames_observed"][1] for name, t in tables.items()}
    pictures = {name: _pictures(folder / "segments" / name / "annotated.mp4") for name in tables}
    told = lines.read_text().splitlines()[1:]
    long_gaps = [g for g in books["gaps"] if g["to_s"] - g["from_s"] >= 0.9 * args.cut_s]
    times = np.concatenate([np.unique(t["tracks"]["time_s"]) for t in tables.values()])
    # On the way when a connection ends.
    unseen = sent - books["received"]
    checks = {
        "status 0": status == 0,
        "received = processed + dropped": books["received"] == books["processed"] + books["dropped"],
        "dropped = sum over reasons": books["dropped"] == sum(books["dropped_by_reason"].values()),
        "frames of the segments = processed": sum(observed.values()) == books["processed"],
        "pictures of the videos = frames of the segments": pictures == observed,
        "received = frames sent while connected, but for what was on the way at its end": (
            0 <= unseen <= (args.cuts + 1) * IN_FLIGHT
        ),
        "lines of JSON = processed": len(told) == books["processed"],
        f"{args.cuts} gaps of {args.cut_s:g} s or more": len(long_gaps) == args.cuts,
        f"{args.cuts} reconnects": books["reconnects"] == args.cuts,
        "times rise from segment to segment": bool(np.all(np.diff(times) > 0)),
    }
    shown = ("received", "processed", "dropped", "dropped_by_reason", "gap_count", "reconnects", "latency_s")
    print(json.dumps({key: books[key] for key in shown}, indent=1))
    for gap in books["gaps"]:
        print(f"gap of {gap['to_s'] - gap['from_s']:.2f} s from {gap['from_s']} s: {gap['why']}")
    for name, t in tables.items():
        print(f"{name}: {observed[name]} frames, people {t['people']['person_id'].tolist()}")
    if memory:
        first, last = np.array_split(memory[len(memory) // 3 :], 2)
        print(f"memory: {np.median(first):.0f} MB, then {np.median(last):.0f} MB")
    for name, good in checks.items():
        print(f"{'ok  ' if good else 'FAIL'} {name}")
    print(folder)
    return 0 if all(checks.values()) else 1


def _pictures(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


if __name__ == "__main__":
    raise SystemExit(main())
