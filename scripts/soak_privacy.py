"""Live with blurred heads, killed at random moments: is a head left sharp in any file, or a number given out twice?

    python scripts/soak_privacy.py [--kills 30] [--seed 0] [--blur faces|people|none] [--speed 1] [--finishers]
                                   [--out NEW_FOLDER]

Three synthetic people, whose heads alone have edges, enter, cross and leave; a detector overlooks them now and then
(`tests/live/world.py`). After each kill, and when all is finished, every picture in every file is looked at: videos,
also unfinished ones, parts of observations, PNG and JPEG. The numbers of people in JSON lines, parts and tables are
compared with who was there and, sight by sight, with one another. Status 1 where a head is left, a number is of two
people or was given out by two runs, or two sources give a sight different numbers.

On a machine that is busy with other work ``--speed 0.3`` plays the stream slowly: its times stay the same, and fewer
pictures are left out. With ``--finishers`` segments are finished beside the stream, as always but here.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.live.world import LEAST, soak, write_stream


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--blur", default="faces", choices=("faces", "people", "none"))
    parser.add_argument("--speed", type=float, default=1.0)
    parser.add_argument("--finishers", action="store_true")
    parser.add_argument("--out", type=Path, help="keeps the files; else they are removed")
    args = parser.parse_args()
    with contextlib.ExitStack() as stack:
        out = args.out or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="soak_privacy_")))
        out.mkdir(parents=True, exist_ok=True)
        stream = write_stream(out / "stream.ts")
        told = soak(stream, out / "live", args.kills, args.seed, args.blur, args.speed, args.finishers)
    found = told.sharp
    sharp = {name: [i for i, n in enumerate(some) if n > LEAST] for name, some in found.items()}
    files, pictures = sum(map(bool, found.values())), sum(map(len, found.values()))
    print(f"{args.kills} kills, {files} files with pictures, {pictures} pictures,")
    print(f"{sum(map(len, sharp.values()))} of them with a head that is not hidden")
    print(f"{told.numbers} numbers of people, {len(told.faults)} faults of them")
    for fault in told.faults:
        print(f"  {fault}")
    for name, frames in sharp.items():
        if frames:
            print(f"  {name}: frames {frames}")
    return 1 if any(sharp.values()) or told.faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
