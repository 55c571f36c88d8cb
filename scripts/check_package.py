"""Whether the installed package has every module of this checkout, and whether each can be imported:
python -P scripts/check_package.py. Modules that need torch or Ray are only looked for."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OPTIONAL = ("pipeline.models.openmm.", "pipeline.lift.mmpose", "pipeline.engines.ray")


def main() -> None:
    """An AssertionError names what is missing."""
    import pipeline

    installed = Path(pipeline.__file__).resolve().parent
    assert installed != ROOT / "pipeline", f"{installed} is the checkout and not an installed package"
    files = sorted(path.relative_to(ROOT).with_suffix("") for path in (ROOT / "pipeline").rglob("*.py"))
    names = [".".join(path.parts).removesuffix(".__init__") for path in files if path.name != "__main__"]
    for name in names:
        if name.startswith(OPTIONAL):
            assert importlib.util.find_spec(name), f"{name} is not in the package"
        else:
            importlib.import_module(name)
    for file in [
        *(f"configs/{path.name}" for path in (ROOT / "configs").glob("*.toml")),
        "models/catalogue.toml",
        *(f"assets/{p.name}" for p in (ROOT / "pipeline/assets").iterdir()),
    ]:
        assert (installed / file).is_file(), f"{file} is not in the package"
    print(f"{len(names)} modules, the configs and the networks are in the package")


if __name__ == "__main__":
    main()
