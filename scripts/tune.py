"""Settings of tracking chosen by leaving one sequence out: what is reported of a sequence was chosen on the others.

    python scripts/tune.py FOLDER --out RUNS [--set KEY=VALUE]… [--grid track.high_score=0.5,0.55,0.6]…

FOLDER holds NAME.mp4 and gt/NAME/gt/gt.txt of MOTChallenge; of a video that stops early only the rows with its frames
count. Each video is observed once into RUNS, and tracked again for every point of the grid. A point is as good as the
mean over the sequences of HOTA, MOTA and IDF1 with the worst sequence's counted once more.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pipeline import run, track
from pipeline.core.config import load_config
from pipeline.evaluate.mot import MotTable, read_mot, score_mot
from pipeline.export.run import export_run
from pipeline.store.folder import RunFolder

WHAT = ("HOTA", "MOTA", "IDF1")
QUIET = ["lift.name=none", "render.enabled=false", "report.enabled=false"]


def truth(folder: Path, name: str, frames: int) -> MotTable:
    """The ground truth of the first ``frames`` frames."""
    lines = (folder / "gt" / name / "gt" / "gt.txt").read_text().splitlines(keepends=True)
    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary) / "gt.txt"
        file.write_text("".join(line for line in lines if int(line.split(",")[0]) <= frames))
        return read_mot(file)


def scores(run_folder: RunFolder, gt: MotTable) -> np.ndarray:
    """HOTA, MOTA and IDF1 in percent."""
    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary) / "pred.txt"
        export_run(run_folder, "mot", file)
        found = score_mot(gt, read_mot(file))
    return np.array([found[name] for name in WHAT])


def worth(table: np.ndarray) -> float:
    """Of the scores (sequences, 3) of a point of the grid."""
    return float((table.mean(1).sum() + table.mean(1).min()) / (len(table) + 1))


def names_of(folder: Path) -> dict[str, Path]:
    """The sequences: the name of each truth that has a video."""
    videos = {}
    for place in sorted((folder / "gt").iterdir()):
        for video in sorted(folder.glob(f"{place.name}*.mp4")):
            videos[place.name] = video
    return videos


def main() -> int:
    """Observe, track at every point of the grid, print what each sequence gets from the others' choice."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--config", default="default")
    parser.add_argument("--set", dest="sets", action="append", default=[])
    parser.add_argument("--grid", action="append", default=[], help="section.key=value,value,…")
    args = parser.parse_args()
    axes = [[f"{axis.partition('=')[0]}={v}" for v in axis.partition("=")[2].split(",")] for axis in args.grid]
    points = list(itertools.product(*axes))
    videos = names_of(args.folder)
    table = np.zeros((len(points), len(videos), len(WHAT)))
    for s, (name, video) in enumerate(videos.items()):
        base = load_config(args.config, [*QUIET, *args.sets])
        folder = run(video, args.out, base, render=False, report=False)[0]
        gt = truth(args.folder, name, folder.manifest()["video"]["frames"])
        for p, point in enumerate(points):
            track(folder, load_config(args.config, [*QUIET, *args.sets, *point]))
            table[p, s] = scores(folder, gt)
    worths = np.array([worth(rows) for rows in table])
    for p in np.argsort(-worths)[:12]:
        means = " ".join("/".join(f"{v:.1f}" for v in row) for row in table[p])
        print(f"{worths[p]:.2f}  {' '.join(points[p])}  {means}")
    print(f"left out ({'/'.join(WHAT)}):")
    for s, name in enumerate(videos):
        others = [worth(np.delete(rows, s, 0)) for rows in table]
        best = int(np.argmax(others))
        print(f"  {name}: {'/'.join(f'{v:.1f}' for v in table[best, s])}  by {' '.join(points[best])}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
