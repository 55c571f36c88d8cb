"""The settings a run was made with, and whether its video was made with them."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pipeline.core.config import Config, without_gone
from pipeline.core.errors import PoselineError
from pipeline.store.folder import RunFolder


def stored_config(folder: RunFolder) -> Config:
    """The settings a run was made with."""
    try:
        return Config.model_validate(without_gone(folder.manifest()["config"]))
    except (AttributeError, KeyError, ValueError) as error:
        raise PoselineError(f"{folder.manifest_file}: settings of another version; run again with --force") from error


def later_config(folder: RunFolder, config: Config) -> Config:
    """A run's settings for observe, with the settings of ``config`` for all later stages.

    How fast the video plays, and when its time is 0, are facts of the video: the run keeps them unless ``config`` says
    them anew.
    """
    stored = stored_config(folder)
    later = {
        name: getattr(config, name)
        for name in ("track", "teams", "smooth", "lift", "metres", "render", "report", "runtime")
    }
    said = {key: value for key, value in config.time if value is not None}
    later["time"] = stored.time.model_copy(update=said)
    return stored.model_copy(update=later)


def video_is_current(folder: RunFolder, manifest: dict[str, Any], config: Config) -> bool:
    """Whether annotated.mp4, or annotated.jpg, is there and was made from the tables as they are."""
    return folder.drawn.is_file() and manifest.get("rendered") == render_digest(manifest, config)


def render_digest(manifest: dict[str, Any], config: Config) -> str:
    """Digest of everything that annotated.mp4 is made from."""
    content = [manifest["observe_digest"], manifest["config_digest"], config.digest("render")]
    content += [manifest["edits_digest"]] if manifest.get("edits_digest") else []
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]
