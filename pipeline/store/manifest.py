"""run.json: what it says of the video, and whether it is what was written."""

from __future__ import annotations

import hashlib
import json
from fractions import Fraction
from typing import Any

from pipeline.core.types import VideoInfo

FORMAT_VERSION = "1"
OBSERVED_VERSION = "2"  # of what is observed: observations of another are made again


def checksum_of(manifest: dict[str, Any]) -> str:
    """Hex digest of all that run.json says but the video's path, which a user may put right when the video moves."""
    told = {**manifest, "video": {**manifest.get("video", {}), "path": ""}}
    text = json.dumps(told, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def check_manifest(manifest: dict[str, Any]) -> None:
    """Raise ValueError, KeyError or TypeError for what is no run.json; what can be done without is filled in."""
    if "video" not in manifest:
        return
    facts = manifest["video"]
    for name in ("path", "digest", "kind", "fps", "time_base", "codec", "pixel_format"):
        if not isinstance(facts[name], str):
            raise ValueError(f"video.{name} is no text")
    sizes = [facts[name] for name in ("width_px", "height_px", "frames")]
    if not all(type(n) is int and n >= 0 for n in sizes) or facts["rotation_deg"] not in (0, 90, 180, 270):
        raise ValueError("video has no size")
    if Fraction(facts["fps"]) <= 0 or Fraction(facts["time_base"]) <= 0:
        raise ValueError("video has no rate")
    for name in ("observe_digest", "config_digest"):
        manifest.setdefault(name, "")
    low, high = manifest.setdefault("frames_observed", [0, facts["frames"]])
    if not (type(low) is int and type(high) is int and 0 <= low <= high <= facts["frames"]):
        raise ValueError(f"frames_observed = {low!r}, {high!r} are no frames of the video")


def video_facts(info: VideoInfo) -> dict[str, Any]:
    """What run.json says of the video."""
    return {
        "path": str(info.path),
        "digest": info.digest,
        "kind": info.kind,
        "width_px": info.size_px[0],
        "height_px": info.size_px[1],
        "rotation_deg": info.rotation_deg,
        "frames": len(info),
        "fps": str(info.fps),
        "time_base": str(info.time_base),
        "start_s": float(info.time_s[0]),
        "end_s": float(info.time_s[-1]),
        "codec": info.codec,
        "pixel_format": info.pixel_format,
        "has_audio": info.has_audio,
    }
