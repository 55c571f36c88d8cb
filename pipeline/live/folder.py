"""The folder of a live stream: segments, events (events.jsonl), and the frame counts of all runs (run.json)."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from pipeline.core.config import Config
from pipeline.core.errors import PoselineError
from pipeline.core.names import written
from pipeline.live.finish import SEGMENTS
from pipeline.live.ledger import GAPS_KEPT, KILLED, Ledger, iso
from pipeline.store.atomic import write_text

SUMS = (
    "received",
    "processed",
    "dropped",
    "reconnects",
    "failed_connections",
    "gap_count",
    "gap_total_s",
    "clock_jumps",
)
SESSIONS_KEPT = 100


class LiveFolder:
    """run.json and events.jsonl of one live stream, over all runs that went into this folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.manifest_file = path / "run.json"
        self._lock = threading.Lock()
        self.before = self._read()
        self.sessions: list[dict[str, Any]] = self.before.get("sessions", [])
        if self.sessions and self.sessions[-1]["end"] == "running":
            self._close_killed()

    def _read(self) -> dict[str, Any]:
        if not self.manifest_file.is_file():
            return {}
        try:
            manifest = json.loads(self.manifest_file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise PoselineError(f"{self.manifest_file}: cannot be read ({error}); move it away") from error
        if manifest.get("kind") != "live":
            raise PoselineError(f"{self.path}: is the folder of another run; choose another one with --out")
        return manifest

    def _close_killed(self) -> None:
        """After a kill of the last run: count the frames that were waiting at its last entry as dropped."""
        last, waiting = self.sessions[-1], self.sessions[-1].get("waiting", 0)
        for books in (self.before, last):
            reasons = Counter(books.get("dropped_by_reason", {}))
            reasons[KILLED] += waiting
            books |= {"dropped": books.get("dropped", 0) + waiting, "waiting": 0}
            books["dropped_by_reason"] = {k: n for k, n in reasons.items() if n}
        last["end"] = "killed"

    @property
    def next_segment(self) -> int:
        """The number of the next segment."""
        names = [p.name.partition("_")[0] for p in (self.path / SEGMENTS).glob("*_*")]
        return max((int(n) for n in names if n.isdigit()), default=-1) + 1

    @property
    def next_person(self) -> int:
        """The lowest number that no person of this folder has."""
        return int(self.before.get("next_person", 1))

    def event(self, what: str, facts: dict[str, Any]) -> None:
        """Add a line to events.jsonl."""
        line = written(json.dumps({"at": iso(time.time()), "what": what, **facts}, ensure_ascii=False))
        with self._lock, open(self.path / "events.jsonl", "a", encoding="utf-8") as out:
            out.write(line + "\n")

    def write(self, ledger: Ledger, session: dict[str, Any], facts: dict[str, Any], config: Config) -> None:
        """Write run.json: the counts of all runs together, and those of this ``session`` (its start and end)."""
        books = {**ledger.facts(), "clock_jumps": facts.pop("clock_jumps")}
        total = {key: round(self.before.get(key, 0) + books[key], 3) for key in SUMS}
        reasons = Counter(self.before.get("dropped_by_reason", {})) + Counter(books["dropped_by_reason"])
        gaps = [*self.before.get("gaps", []), *books["gaps"]][-GAPS_KEPT:]
        own = {key: value for key, value in books.items() if key not in ("gaps",)}
        manifest = {
            "poseline": "1",
            "kind": "live",
            "finished": session["end"] != "running",
            **facts,
            **total,
            "dropped_by_reason": dict(reasons),
            "waiting": books["waiting"],
            "latency_s": books["latency_s"],
            "gaps": gaps,
            "sessions": [*self.sessions, {**session, **own}][-SESSIONS_KEPT:],
            "segments": sorted(p.name for p in (self.path / SEGMENTS).glob("*_*")),
            "config": config.model_dump(mode="json"),
        }
        write_text(self.manifest_file, json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")
