"""run.json: its entries about the run and its video, and the check that they are as written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from pipeline.core.config import Config
from pipeline.core.shots import Shots, shots_told
from pipeline.core.skeleton import Skeleton
from pipeline.core.types import VideoInfo

FORMAT_VERSION = "1"
OBSERVED_VERSION = "3"  # of the observations; those of another version are made again


@dataclass(frozen=True)
class Manifest:
    """The entries of run.json of a run that has begun, and their changes by stages; unknown entries are kept."""

    told: Mapping[str, Any]

    @property
    def frames(self) -> tuple[int, int]:
        """The first frame that is observed, and the last one plus 1."""
        low, high = self.told["frames_observed"]
        return low, high

    @property
    def shots(self) -> Shots:
        """The shots of the observed frames; one, where run.json has none."""
        return shots_told(self.told.get("shots"), self.frames)

    @property
    def recorded_fps(self) -> float | None:
        """Frames recorded in a second, as the user said it; None: as many as the video plays."""
        told = ((self.told.get("config") or {}).get("time") or {}).get("recorded_fps")
        return told if isinstance(told, int | float) and told > 0 else None

    @property
    def zero_s(self) -> float | None:
        """The time on the video's own clock at which real time is 0, as the user said it; None: none was chosen."""
        told = ((self.told.get("config") or {}).get("time") or {}).get("zero_s")
        return float(told) if isinstance(told, int | float) else None

    def but(self, **entries: Any) -> Manifest:
        """A copy with these entries set."""
        return Manifest({**self.told, **entries})

    def without(self, name: str) -> Manifest:
        """A copy without this entry."""
        return Manifest({k: v for k, v in self.told.items() if k != name})

    def after(self, stages_s: Mapping[str, float]) -> Manifest:
        """A copy with the seconds that these stages took."""
        return self.but(stages_s={**self.told.get("stages_s", {}), **stages_s})

    def warned(self, warnings: Iterable[str]) -> Manifest:
        """A copy with further warnings, each one once."""
        return self.but(warnings=list(dict.fromkeys([*self.told.get("warnings", []), *warnings])))

    def finished(
        self,
        config: Config,
        lifter: Mapping[str, str],
        people: Sequence[Mapping[str, Any]],
        said: Mapping[str, Any],
        lines: Iterable[str],
    ) -> Manifest:
        """A copy for a run whose tables are written.

        ``lifter`` has the digests of the lifter's networks by name, ``people`` the rows of people.csv, ``said`` the
        entries found while the rows were made, and ``lines`` are warnings that concern no single person.
        """
        before = [*self.told.get("video_warnings", []), *self.told.get("network_warnings", [])]
        return self.but(
            finished=True,
            config_digest=config.digest(),
            config=config.model_dump(mode="json"),
            people=len(people),
            rows=int(sum(p["frames_measured"] + p["frames_interpolated"] for p in people)),
            lifter={"name": config.lift.name, "networks": dict(lifter)},
            **said,
            names={str(p["person_id"]): p["name"] for p in people if p["name"]},
            suspicious=[f"person {p['person_id']}: {p['suspicious']}" for p in people if p["suspicious"]],
            warnings=[*before, *lines, *(f"person {p['person_id']}: {p['warnings']}" for p in people if p["warnings"])],
        )


def begun(
    config: Config,
    video: Mapping[str, Any],
    skeleton: Skeleton,
    frames: tuple[int, int],
    digest: str,
    networks: Mapping[str, str],
    versions: Mapping[str, str],
    network_warnings: Iterable[str],
    computes: str = "",
) -> Manifest:
    """The manifest of a run without observations yet; ``digest`` is the digest of its settings.

    ``computes`` says what the networks' last bits depend on; "" for ONNX Runtime in f32.
    """
    return Manifest(
        {
            "poseline": FORMAT_VERSION,
            "finished": False,
            "video": dict(video),
            "skeleton": skeleton.name,
            "keypoints": skeleton.spec(),
            "frames_observed": list(frames),
            "observe_digest": digest,
            "config_digest": config.digest(),
            "config": config.model_dump(mode="json"),
            "networks": dict(networks),
            "computes": computes,
            "network_warnings": list(network_warnings),
            "versions": dict(versions),
        }
    )


# How pictures are read where that is not as stored, and when they were taken; earlier versions did not say it.
_SHAPE = {
    "mirrored": False,
    "pixel_aspect": "1",
    "deinterlace": "",
    "hdr": "",
    "hdr_peak_nits": 0.0,
    "stream": -1,
    "bits": 16,
    "timecode": "",
    "created": "",
}


def checksum_of(manifest: dict[str, Any]) -> str:
    """Hex digest of all entries of run.json except the video's path, which a user may correct when the video moves."""
    told = {**manifest, "video": {**manifest.get("video", {}), "path": ""}}
    text = json.dumps(told, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def check_manifest(manifest: dict[str, Any]) -> None:
    """Raise ValueError, KeyError or TypeError for data that are no run.json; missing optional entries are filled in."""
    if "video" not in manifest:
        return
    facts = manifest["video"]
    for name in ("path", "digest", "kind", "fps", "time_base", "codec", "pixel_format"):
        if not isinstance(facts[name], str):
            raise ValueError(f"video.{name} is no text")
    sizes = [facts[name] for name in ("width_px", "height_px", "frames")]
    if not all(type(n) is int and n >= 0 for n in sizes) or facts["rotation_deg"] not in (0, 90, 180, 270):
        raise ValueError("video has no size")
    for name, usual in _SHAPE.items():
        if type(facts.setdefault(name, usual)) is not type(usual):
            raise ValueError(f"video.{name} = {facts[name]!r}")
    if Fraction(facts["pixel_aspect"]) <= 0:
        raise ValueError("video has no shape")
    if Fraction(facts["fps"]) <= 0 or Fraction(facts["time_base"]) <= 0:
        raise ValueError("video has no rate")
    for name in ("observe_digest", "config_digest"):
        manifest.setdefault(name, "")
    low, high = manifest.setdefault("frames_observed", [0, facts["frames"]])
    if not (type(low) is int and type(high) is int and 0 <= low <= high <= facts["frames"]):
        raise ValueError(f"frames_observed = {low!r}, {high!r} are no frames of the video")


def video_facts(info: VideoInfo) -> dict[str, Any]:
    """The entries of run.json about the video."""
    return {
        "path": str(info.path),
        "digest": info.digest,
        "kind": info.kind,
        "width_px": info.size_px[0],
        "height_px": info.size_px[1],
        "rotation_deg": info.rotation_deg,
        "mirrored": info.mirrored,
        "pixel_aspect": str(info.pixel_aspect),
        "deinterlace": info.deinterlace,
        "hdr": info.hdr,
        "hdr_peak_nits": info.peak_nits,
        "stream": info.stream,
        "bits": info.bits,
        "timecode": info.timecode,
        "created": info.created,
        "frames": len(info),
        "fps": str(info.fps),
        "time_base": str(info.time_base),
        "start_s": float(info.time_s[0]),
        "end_s": float(info.time_s[-1]),
        "codec": info.codec,
        "pixel_format": info.pixel_format,
        "has_audio": info.has_audio,
    }
