"""Faults in numbers: kills, damaged videos, damaged run folders, full and vanished disks, two runs at once, signals.

python scripts/soak.py --seed 0 --kills 50 --videos 500 --parts 200 --out soak.json
python scripts/soak.py --only videos --minutes 60 --seed 7

Everything is drawn from the seed. With --minutes each kind goes on, beyond its number, until its share of the time is
over. Prints a table, writes it as JSON, and exits with 1 where anything ended without a reason that a user is told.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout need not be installed

import soak_folders
import soak_kills
import soak_process
import soak_videos
import soak_world

KINDS: dict[str, Any] = {  # kind: function of (folder, number, seed) that yields soak_process.Case
    "kills": soak_kills.cases,
    "videos": soak_videos.cases,
    "parts": soak_folders.cases,
    "world": soak_world.cases,
}


def main(
    only: Annotated[str | None, typer.Option(help=f"One kind: {', '.join(KINDS)}.")] = None,
    kills: Annotated[int, typer.Option(help="Kills at random moments.")] = 50,
    videos: Annotated[int, typer.Option(help="Damaged video files.")] = 500,
    parts: Annotated[int, typer.Option(help="Damaged files of a run folder.")] = 200,
    minutes: Annotated[float, typer.Option(help="Go on for at least so long.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Of everything.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Write the figures here, as JSON.")] = None,
    keep: Annotated[Path | None, typer.Option(help="Keep what failed in this folder.")] = None,
) -> None:
    """Run the soak."""
    if only is not None and only not in KINDS:
        raise SystemExit(f"--only {only}: choose one of {', '.join(KINDS)}")
    soak_process.warm_up()
    numbers = {"kills": kills, "videos": videos, "parts": parts, "world": 1}
    chosen = [only] if only else list(KINDS)
    figures: dict[str, Any] = {"seed": seed, "memory_limit_mib": soak_process.MEMORY_BYTES >> 20}
    figures["time_limit_s"] = soak_process.SECONDS
    for kind in chosen:
        figures[kind] = soak(kind, numbers[kind], seed, 60 * minutes / len(chosen), keep)
    print(json.dumps(figures, indent=2))
    if out is not None:
        out.write_text(json.dumps(figures, indent=2) + "\n")
    table(figures, chosen)
    if any(figures[kind]["faults"] for kind in chosen):
        raise SystemExit(1)


def soak(kind: str, number: int, seed: int, seconds: float, keep: Path | None) -> dict[str, Any]:
    """Figures of one kind of fault."""
    start, faults, outcomes = time.monotonic(), [], Counter()
    done, peak, slowest, lost = 0, 0, 0.0, 0
    while done == 0 or (seconds and time.monotonic() - start < seconds):
        with tempfile.TemporaryDirectory(prefix="soak-") as temporary:
            for case in KINDS[kind](Path(temporary), number, seed):
                done += 1
                outcomes[case.outcome] += 1
                peak, slowest = max(peak, case.peak_bytes), max(slowest, case.seconds)
                lost += case.lost_parts
                if case.fault:
                    faults.append(f"{case.what}: {case.fault}")
                    print(f"FAULT {kind} {faults[-1]}", flush=True)
                    if keep is not None and case.file is not None and case.file.exists():
                        keep.mkdir(parents=True, exist_ok=True)
                        shutil.copy(case.file, keep / f"{kind}-{seed}-{case.file.name}")
        seed += 1
    return {
        "cases": done,
        "faults": faults,
        "lost_parts": lost,
        "outcomes": dict(sorted(outcomes.items())),
        "slowest_s": round(slowest, 1),
        "peak_mib": peak >> 20,
        "minutes": round((time.monotonic() - start) / 60, 1),
    }


def table(figures: dict[str, Any], kinds: list[str]) -> None:
    print(f"{'':8}{'cases':>7}{'faults':>8}{'lost parts':>12}{'slowest s':>11}{'peak MiB':>10}  outcomes")
    for kind in kinds:
        f = figures[kind]
        outcomes = ", ".join(f"{count} {name}" for name, count in f["outcomes"].items())
        numbers = f"{f['cases']:7}{len(f['faults']):8}{f['lost_parts']:12}{f['slowest_s']:11}{f['peak_mib']:10}"
        print(f"{kind:8}{numbers}  {outcomes}")


if __name__ == "__main__":
    typer.run(main)
