"""The columns of a person's table in words: group, label, unit and side of the body."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from pipeline.store.columns import VIDEO_TIME, unit_of

# Groups in the order in which they are offered: key → (label, tier). Where a report would grow too large, curves of the
# last tier are thinned first.
GROUPS: dict[str, tuple[str, int]] = {
    "angles": ("Joint angles", 1),
    "space_angles": ("Joint angles in space", 1),
    "body": ("Body, way and floor", 1),
    "segments": ("Segments", 2),
    "turning": ("Angular velocities", 2),
    "speed": ("Speeds of joints", 2),
    "other": ("Other", 2),
    "world": ("Places in the world", 3),
    "camera": ("Places before the camera", 3),
    "picture": ("Places in the picture", 3),
    "raw": ("Places as measured", 3),
    "certainty": ("Certainty", 3),
}
CONTACTS = ("left_foot_contact", "right_foot_contact")
_LEFT_OUT = {"frame", "time_s", VIDEO_TIME, *CONTACTS}
# The first pattern that a column's name matches gives the group and the spelling of the rest of the name.
_PATTERNS: tuple[tuple[str, str, str], ...] = (
    (r"(.+)_([xy])_px_raw", "raw", "{} {}, as measured"),
    (r"(.+)_score|(score)", "certainty", "{} score"),
    (r"(.+)_std_px", "certainty", "{} deviation"),
    (r"(.+)_std_m", "certainty", "{} deviation in space"),
    (r"(.+)_segment_deg_std", "certainty", "{} segment, deviation"),
    (r"(.+)_segment_deg_s_std", "certainty", "{} segment, angular velocity, deviation"),
    (r"(.+)_segment_deg_jitter", "certainty", "{} segment, deviation between frames"),
    (r"(.+)_deg_jitter", "certainty", "{}, deviation between frames"),
    (r"(.+)_3d_deg_std", "certainty", "{}, in space, deviation"),
    (r"(.+)_deg_std", "certainty", "{}, deviation"),
    (r"(.+)_deg_s_std", "certainty", "{}, angular velocity, deviation"),
    (r"(.+)_speed_(?:px|m)_s_std", "certainty", "{} speed, deviation"),
    (r"(.+)_distance_m_std", "certainty", "{} distance, deviation"),
    (r"box_([xy])([12])_px", "picture", "Box {}{}"),
    (r"(.+)_segment_deg", "segments", "{} segment"),
    (r"(.+)_segment_deg_s", "turning", "{} segment, angular velocity"),
    (r"(.+)_3d_deg", "space_angles", "{}, in space"),
    (r"(.+)_deg_s2", "turning", "{}, angular acceleration"),
    (r"(.+)_deg_s", "turning", "{}, angular velocity"),
    (r"(.+)_deg", "angles", "{}"),
    (r"(com|path|ground)_([xy])_(?:px|m)", "body", "{} {}"),
    (r"(com|path|ground)_v([xy])_(?:px|m)_s", "body", "{} velocity {}"),
    (r"(com|path|ground)_(\w+?)_(?:px|m)(?:_s2|_s)?", "body", "{} {}"),
    (r"(.+)_v([xy])_(?:px|m)_s", "speed", "{} velocity {}"),
    (r"(.+)_(speed|acceleration)_(?:px|m)_s2?", "speed", "{} {}"),
    (r"(.+)_world_([xyz])_m", "world", "{} {}, world"),
    (r"(.+)_([xyz])_m", "camera", "{} {}, camera"),
    (r"(.+)_([xy])_px", "picture", "{} {}"),
)
_WORDS = {"com": "centre of mass", "path": "way in the picture", "ground": "floor", "score": "person"}


class Column(NamedTuple):
    """One quantity of a person's table."""

    name: str
    group: str  # a key of GROUPS
    label: str
    unit: str  # "" for scores and counts
    side: int  # -1 the person's left, 1 right, 0 neither


def describe(name: str) -> Column | None:
    """The column in words; None for a column that is not a curve (frames, times, states, contacts)."""
    if name in _LEFT_OUT or name.endswith("_state"):
        return None
    side = -1 if name.startswith("left_") else 1 if name.startswith("right_") else 0
    for pattern, group, form in _PATTERNS:
        if match := re.fullmatch(pattern, name):
            words = [_WORDS.get(part, part.replace("_", " ")) for part in match.groups() if part]
            return Column(name, group, _capital(form.format(*words)), _unit(name), side)
    return Column(name, "other", _capital(name.replace("_", " ")), _unit(name), side)


def by_group(names: Iterable[str]) -> dict[str, list[Column]]:
    """The columns in words by their groups, in the order of `GROUPS`; groups without any are left out."""
    columns = [c for c in map(describe, dict.fromkeys(names)) if c is not None]
    groups = {key: [c for c in columns if c.group == key] for key in GROUPS}
    return {key: found for key, found in groups.items() if found}


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _unit(name: str) -> str:
    try:
        unit = unit_of(name)
    except ValueError:  # a unit of a newer version: shown without a unit
        return ""
    return {"1": "", "deg": "°", "deg/s": "°/s", "deg/s²": "°/s²"}.get(unit, unit)
