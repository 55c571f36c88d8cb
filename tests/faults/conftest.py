"""``pytest tests/faults --two-threads``: each test runs in two threads of one process at once.

Each thread has a temporary folder, and a copy of the finished run, of its own. What a test patches is patched for both.
"""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pipeline.store.folder import RunFolder


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--two-threads", action="store_true", help="run each test in two threads at once")


def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if not pyfuncitem.config.getoption("--two-threads"):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    given: dict[str, Any] = {name: pyfuncitem.funcargs[name] for name in names}
    base: Path = pyfuncitem.funcargs.get("tmp_path", Path())
    seconds = given | {name: _own(value, base) for name, value in given.items() if name in ("tmp_path", "copy")}
    with ThreadPoolExecutor(2) as threads:
        for result in [threads.submit(pyfuncitem.obj, **arguments) for arguments in (given, seconds)]:
            result.result()
    return True


def _own(value: Any, base: Path) -> Any:
    """What the second thread gets in place of a path or a run folder of the first."""
    other = base.with_name(f"{base.name}-second")
    other.mkdir(exist_ok=True)
    if not isinstance(value, RunFolder):
        return other
    shutil.copytree(value.path, other / value.path.name)
    return RunFolder(other / value.path.name)
