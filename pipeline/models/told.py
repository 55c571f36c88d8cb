"""What a run says of its networks: digests by name, and who is left out before posing."""

from __future__ import annotations

from pipeline.core.config import Config


def by_role(digests: dict[str, dict[str, str]]) -> dict[str, str]:
    """Digests by name, of roles' digests by name; where roles have other files of one name, the role is put before."""
    named: dict[str, set[str]] = {}
    for mine in digests.values():
        for name, digest in mine.items():
            named.setdefault(name, set()).add(digest)
    found = {
        name if len(named[name]) == 1 else f"{role} {name}": digest
        for role, mine in digests.items()
        for name, digest in mine.items()
    }
    return dict(sorted(found.items()))


def narrowed(config: Config) -> tuple[str, ...]:
    """Lines that say who is left out before posing."""
    c = config.detect
    lines = []
    if c.roi:
        lines.append(f"only people whose middle lies in {','.join(f'{v:g}' for v in c.roi)} px are looked at (--roi)")
    if c.min_height_px:
        lines.append(f"people of less than {c.min_height_px:g} px are left out (--min-height)")
    if c.max_people:
        which = "largest" if c.prefer == "largest" else "nearest to the middle"
        lines.append(f"at most {c.max_people} people in a frame are looked at, the {which} (--max-people)")
    return tuple(lines)
