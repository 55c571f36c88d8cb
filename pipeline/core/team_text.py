"""Which teams there are, as users say it: auto, off, or A=red,B=white, with colours, #rrggbb or people's numbers."""

from __future__ import annotations

import re
from typing import NamedTuple

OTHER = "other"  # referees, goalkeepers, whoever wears neither kit
FORM = "A=red,B=white, A=#c01020,B=#ffffff or, with people's numbers, A=3,B=7"
COLOURS: dict[str, tuple[int, int, int]] = {
    "white": (255, 255, 255), "silver": (190, 190, 190), "grey": (128, 128, 128), "gray": (128, 128, 128),
    "black": (0, 0, 0), "red": (220, 20, 40), "maroon": (120, 15, 40), "claret": (125, 20, 50),
    "orange": (250, 130, 20), "brown": (120, 75, 40), "gold": (220, 170, 30), "yellow": (250, 225, 30),
    "lime": (150, 220, 40), "green": (20, 140, 60), "teal": (10, 130, 130), "turquoise": (50, 200, 190),
    "cyan": (40, 200, 230), "skyblue": (120, 190, 240), "lightblue": (140, 200, 240), "blue": (30, 70, 200),
    "navy": (20, 30, 90), "purple": (120, 40, 150), "violet": (130, 60, 180), "pink": (245, 130, 180),
}  # fmt: skip
_HEX = re.compile(r"#[0-9a-fA-F]{6}")
_NAME = re.compile(r"[\w .&'-]{1,40}")


class Told(NamedTuple):
    """A team as it is told: by a colour of its shirts, or by people who are in it."""

    team: str
    rgb: tuple[int, int, int] | None
    person: int  # 0: told by colour


def read_told(text: str) -> list[Told]:
    """What ``A=red,B=white`` says.

    Raises:
        ValueError: a text of another form, an unknown colour, or not two teams.
    """
    told = [_read(part) for part in text.split(",")]
    names = dict.fromkeys(t.team for t in told if t.team != OTHER)
    if len(names) != 2:
        raise ValueError(f"two teams are wanted, not {len(names)}; write it like {FORM}")
    for name in names:
        colours = [t for t in told if t.team == name and t.rgb is not None]
        if len(colours) > 1:
            raise ValueError(f"{name} has two colours; give the one of its shirts")
    if len({(t.rgb, t.person) for t in told}) < len(told):
        raise ValueError("one colour, or one person, is told twice; give each team its own")
    return told


def people_told(text: str) -> list[tuple[str, str]]:
    """The team and who is in it, in words, of each part of ``A=3,B=Ann``; ValueError for another form."""
    pairs = [tuple(p.strip() for p in part.partition("=")[::2]) for part in text.split(",")]
    if not all(who and _NAME.fullmatch(team) for team, who in pairs):
        raise ValueError("write it like A=3,B=7")
    return [(team, who) for team, who in pairs]


def _read(part: str) -> Told:
    team, sign, what = (p.strip() for p in part.partition("="))
    if not sign or not what or not _NAME.fullmatch(team):
        raise ValueError(f"{part.strip()!r}: write it like {FORM}")
    if what.isdecimal():
        if int(what) < 1:
            raise ValueError(f"{what} is no person's number")
        return Told(team, None, int(what))
    if team == OTHER:
        raise ValueError(f"{OTHER} is told by people's numbers, not by the colour {what}")
    if _HEX.fullmatch(what):
        return Told(team, (int(what[1:3], 16), int(what[3:5], 16), int(what[5:7], 16)), 0)
    rgb = COLOURS.get(re.sub(r"[ _-]", "", what.lower()))
    if rgb is None:
        raise ValueError(f"{what} is no colour of {', '.join(COLOURS)}, no #rrggbb and no person's number")
    return Told(team, rgb, 0)
