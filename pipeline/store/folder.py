"""The run folder: its paths, its manifest and its keypoint set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pipeline.core.errors import PoselineError
from pipeline.core.skeleton import SKELETONS, Skeleton
from pipeline.store.atomic import write_text
from pipeline.store.manifest import Manifest, check_manifest, checksum_of


class RunFolder:
    """Paths and the manifest of one run."""

    def __init__(self, path: Path | str):
        self.path = Path(path)
        self.manifest_file = self.path / "run.json"
        self.observations = self.path / "observations"
        self.tracks = self.path / "tracks.parquet"
        self.people = self.path / "people"
        self.people_csv = self.path / "people.csv"
        self.people_parquet = self.path / "people.parquet"
        self.gait_cycles = self.path / "gait_cycles.parquet"
        self.gait_means = self.path / "gait_means.parquet"
        self.cycles_csv = self.path / "cycles.csv"
        self.shots_csv = self.path / "shots.csv"
        self.jumps_csv = self.path / "jumps.csv"
        self.players_csv = self.path / "players.csv"  # only where the ground is known
        self.video = self.path / "annotated.mp4"
        self.photo = self.path / "annotated.jpg"
        self.report = self.path / "report.html"
        self.methods_md = self.path / "methods.md"
        self.methods_txt = self.path / "methods.txt"

    @classmethod
    def existing(cls, path: Path | str) -> RunFolder:
        """The folder of a run that was made before; PoselineError for a folder that holds no run."""
        folder = cls(path)
        if not folder.manifest_file.is_file():
            raise PoselineError(f"{path}: is not a run folder (no run.json); make one with poseline run VIDEO")
        if folder.manifest().get("kind") == "live":
            raise PoselineError(f"{path}: is a live stream's folder; give one of its run folders in {path}/segments")
        return folder

    @property
    def drawn(self) -> Path:
        """The file in which people are drawn: annotated.mp4, or annotated.jpg of a photograph."""
        return self.photo if self.manifest().get("video", {}).get("kind") == "photo" else self.video

    def part(self, number: int) -> Path:
        """The file of one observation part."""
        return self.observations / f"part-{number:05d}.parquet"

    def parts(self) -> list[Path]:
        """All observation parts, in order."""
        return sorted(self.observations.glob("part-*.parquet"))

    def manifest(self) -> dict[str, Any]:
        """run.json as a dict; empty when there is none, PoselineError when it cannot be read or is damaged."""
        if not self.manifest_file.is_file():
            return {}
        try:
            manifest = json.loads(self.manifest_file.read_text(encoding="utf-8"))
            if not isinstance(manifest, dict):
                raise ValueError("not a JSON object")
            told = manifest.pop("checksum", None)  # old runs have none
            if told is not None and told != checksum_of(manifest):
                raise ValueError("its checksum is not that of its content")
            check_manifest(manifest)
            return manifest
        except (OSError, ValueError, KeyError, TypeError, ArithmeticError, RecursionError) as error:
            why = f"{type(error).__name__} {error}" if isinstance(error, KeyError) else str(error)
            raise PoselineError(f"{self.manifest_file}: damaged ({why}); poseline run on the video mends it") from error

    def names(self) -> dict[int, str]:
        """What the user calls people, by id, as run.json says."""
        return {int(i): str(name) for i, name in (self.manifest().get("names") or {}).items()}

    def begun(self) -> Manifest:
        """run.json of a run that has begun; PoselineError where run.json is missing or names no video."""
        manifest = self.manifest()
        if "video" not in manifest:
            raise PoselineError(f"{self.manifest_file}: gone, or says nothing of a video; run poseline run on it again")
        return Manifest(manifest)

    def write_manifest(self, manifest: Manifest) -> None:
        """Write run.json."""
        told = {**manifest.told, "checksum": checksum_of(dict(manifest.told))}
        write_text(self.manifest_file, json.dumps(told, indent=2, ensure_ascii=False) + "\n")


def skeleton_of_run(folder: RunFolder) -> Skeleton:
    """The keypoint set of a run."""
    manifest = folder.begun().told
    try:
        # Runs of the first version have the name only.
        return Skeleton.from_spec(manifest["keypoints"]) if "keypoints" in manifest else SKELETONS[manifest["skeleton"]]
    except (KeyError, TypeError, ValueError) as error:
        raise PoselineError(f"{folder.manifest_file}: names no keypoint set; run again with --force") from error
