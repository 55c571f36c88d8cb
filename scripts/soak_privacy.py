"""Live with blurred heads, killed at random moments: is a head left sharp in any file that was written?

    python scripts/soak_privacy.py [--kills 30] [--seed 0] [--blur faces|people|none] [--out NEW_FOLDER]

Three synthetic people, whose heads alone have edges, enter, cross and leave; a detector overlooks them now and then
(`tests/live/world.py`). After each kill, and when all is finished, every picture in every file is looked at: videos,
also unfinished ones, parts of observations, PNG and JPEG. Status 1 where a head is left.
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
    parser.add_argument("--out", type=Path, help="keeps the files; else they are removed")
    args = parser.parse_args()
    with contextlib.ExitStack() as stack:
        out = args.out or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="soak_privacy_")))
        out.mkdir(parents=True, exist_ok=True)
        found = soak(write_stream(out / "stream.ts"), out / "live", args.kills, args.seed, args.blur)
    sharp = {name: [i for i, n in enumerate(some) if n > LEAST] for name, some in found.items()}
    pictures = sum(map(len, found.values()))
    print(f"{args.kills} kills, {len(found)} files with pictures, {pictures} pictures,")
    print(f"{sum(map(len, sharp.values()))} of them with a head that is not hidden")
    for name, frames in sharp.items():
        if frames:
            print(f"  {name}: frames {frames}")
    return 1 if any(sharp.values()) else 0


if __name__ == "__main__":
    raise SystemExit(main())
