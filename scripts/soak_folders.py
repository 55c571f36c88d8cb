"""Damaged, half-written and foreign files in a run folder; what reads them, and what mends them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soak_kills
import soak_videos
from soak_process import QUICK, Case, outcome, poseline

# What is damaged, and the commands that read it.
TARGETS: dict[str, tuple[tuple[str, ...], ...]] = {
    "observations/part-*.parquet": (("track",), ("people", "--name", "1=Ann"), ()),
    "observations/index.parquet": (("track",), ("export", "--format", "coco"), ("render",), ()),
    "run.json": (("track",), ("render",), ("people",), ("export", "--format", "csv"), ()),
    "tracks.parquet": (("export", "--format", "mot"), ("export", "--format", "coco"), ("people", "--name", "1=A"), ()),
    "people/person_*.parquet": (("render",), ("export", "--format", "csv"), ("export", "--format", "trc"), ()),
    "people.parquet": (("people",), ("export", "--format", "csv"), ()),
    "edits.toml": (("track",), ("people",), ("people", "--undo"), ()),
}


def cases(folder: Path, number: int, seed: int) -> Iterator[Case]:
    """Damage one file, let a command read it, then run again: the tables must be what they were."""
    rng = np.random.default_rng([seed, 2])
    log = folder / "log"
    clip = soak_videos.write_clips(folder / "clips")[0].rename(folder / "clip.mp4")
    done = folder / "done"
    for arguments in (["run", clip, "--out", done, *QUICK], ["people", done / "clip", "--name", "1=Ann"]):
        if (ended := poseline(arguments, log=log)).code:
            raise SystemExit(f"the clip does not run: {ended.said}")
    expected = soak_kills.tables(done / "clip")
    for n in range(number):
        out = folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(done, out)
        target = list(TARGETS)[n % len(TARGETS)]
        file = sorted((out / "clip").glob(target))[0]
        how = damage(file, sorted(p for p in (out / "clip").rglob("*") if p.is_file()), rng)
        readers = TARGETS[target]
        reader = readers[int(rng.integers(len(readers)))]
        what = f"{target} {how}, then {' '.join(reader) or 'run'}, number {n}"
        first = poseline([reader[0], out / "clip", *reader[1:]], log=log) if reader else None
        again = poseline(["run", clip, "--out", out, *QUICK], log=log)
        fault = (first.fault() if first else "") or again.fault()
        mendable = target != "edits.toml" and "people" not in reader  # these change the edits, and so the tables
        if not fault and mendable:
            now = soak_kills.tables(out / "clip")
            differ = [name for name in expected if now.get(name) != expected[name]]
            if again.code:
                fault = f"does not mend it: {again.said.strip()[-200:]}"
            elif differ:
                fault = f"other bytes: {', '.join(differ)}"
        said = f"read: {outcome(first)}" if first else f"mended: {outcome(again)}"
        peak = max(e.peak_bytes for e in (first, again) if e)
        yield Case(what, fault, said, max(e.seconds for e in (first, again) if e), peak)


def damage(file: Path, others: list[Path], rng: np.random.Generator) -> str:
    """Damage a file in place; says how."""
    data = file.read_bytes()
    how = str(
        rng.choice(["flips", "truncated", "hole", "foreign", "empty", "noise"], p=[0.5, 0.15, 0.1, 0.1, 0.05, 0.1])
    )
    if how == "flips":
        data = soak_videos.flips(data, "", rng)
    elif how == "truncated":
        data = data[: int(rng.integers(0, len(data)))]
    elif how == "hole":
        data = soak_videos.holes(data, "", rng)
    elif how == "foreign":
        data = others[int(rng.integers(len(others)))].read_bytes()
    else:
        data = b"" if how == "empty" else bytes(rng.integers(0, 256, len(data), np.uint8))
    file.write_bytes(data)
    return how
