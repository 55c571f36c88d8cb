"""The counts of a live run: every received frame is processed, dropped for a reason, or waiting; gaps and delays."""

from __future__ import annotations

import threading
from collections import Counter, deque
from datetime import UTC, datetime
from typing import Any

import numpy as np

# Why a frame is not processed.
BEHIND = "behind"  # newer frames came before this one could be processed
BEFORE_KEY = "before_key_frame"  # nothing can be decoded before the first key frame of a connection
UNDECODABLE = "undecodable"  # the decoder made no picture of the packet
DAMAGED = "damaged"  # decoded, but the decoder says that parts are missing
STOPPED = "stopped"  # still waiting when the run was stopped
KILLED = "killed"  # still waiting when the process was killed
REASONS = (BEHIND, BEFORE_KEY, UNDECODABLE, DAMAGED, STOPPED, KILLED)
GAPS_KEPT = 200  # run.json lists so many of the latest gaps; events.jsonl has all


class Delays:
    """A histogram of delays in s with bins of 2 %; its memory does not grow with the number of values."""

    _LEAST, _RATIO, _BINS = 1e-3, 1.02, 800

    def __init__(self, counts: dict[str, int] | None = None) -> None:
        self.counts = np.zeros(self._BINS, np.int64)
        for i, n in (counts or {}).items():
            self.counts[int(i)] += n

    def add(self, seconds: float) -> None:
        at = np.log(max(seconds, self._LEAST) / self._LEAST) / np.log(self._RATIO)
        self.counts[min(int(at), self._BINS - 1)] += 1

    def quantile(self, q: float) -> float | None:
        """Seconds below which a share ``q`` of all delays lies; None without any."""
        total = int(self.counts.sum())
        if not total:
            return None
        bin_ = int(np.searchsorted(np.cumsum(self.counts), q * total))
        return float(self._LEAST * self._RATIO ** (min(bin_, self._BINS - 1) + 0.5))

    def summary(self) -> dict[str, Any]:
        values = {name: self.quantile(q) for name, q in (("median", 0.5), ("p95", 0.95), ("p99", 0.99))}
        return {name: None if v is None else round(v, 4) for name, v in values.items()}


class Ledger:
    """Counts of one run, from several threads. ``received`` = ``processed`` + all ``dropped`` + waiting frames."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.received = 0
        self.processed = 0
        self.dropped: Counter[str] = Counter()
        self.connections = 0
        self.failed = 0
        self.gaps: deque[dict[str, Any]] = deque(maxlen=GAPS_KEPT)
        self.gap_count, self.gap_total_s = 0, 0.0
        self.latency, self.recent = Delays(), Delays()

    def receive(self, frames: int = 1) -> None:
        with self._lock:
            self.received += frames

    def drop(self, reason: str, frames: int = 1) -> None:
        if frames:
            with self._lock:
                self.dropped[reason] += frames

    def process(self, frames: int) -> None:
        with self._lock:
            self.processed += frames

    def gap(self, start_s: float, end_s: float, wall_start: float, why: str) -> dict[str, Any]:
        """Note that no frame came between two times of the run."""
        entry = {
            "from_s": round(start_s, 3),
            "to_s": round(end_s, 3),
            "from": iso(wall_start + start_s),
            "to": iso(wall_start + end_s),
            "why": why,
        }
        with self._lock:
            self.gaps.append(entry)
            self.gap_count += 1
            self.gap_total_s += end_s - start_s
        return entry

    def told(self, seconds: float) -> None:
        """Count a frame's result, which came ``seconds`` after the frame."""
        self.latency.add(seconds)
        self.recent.add(seconds)

    def counts(self) -> dict[str, Any]:
        """The counts at one moment: received = processed + dropped + waiting."""
        with self._lock:
            dropped = {reason: self.dropped[reason] for reason in REASONS if self.dropped[reason]}
            total = sum(dropped.values())
            return {
                "received": self.received,
                "processed": self.processed,
                "dropped": total,
                "dropped_by_reason": dropped,
                "waiting": self.received - self.processed - total,
            }

    def facts(self) -> dict[str, Any]:
        """The facts for run.json."""
        return {
            **self.counts(),
            "reconnects": max(self.connections - 1, 0),
            "failed_connections": self.failed,
            "gap_count": self.gap_count,
            "gap_total_s": round(self.gap_total_s, 3),
            "gaps": list(self.gaps),
            "latency_s": self.latency.summary(),
        }


def iso(wall_s: float) -> str:
    """A Unix time as UTC, to the millisecond."""
    return datetime.fromtimestamp(wall_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
