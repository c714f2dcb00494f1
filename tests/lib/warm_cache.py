"""A copy of uv's cache in which packages are compiled already: each job of a workflow has a new environment.

Without it every job would compile what it imports, which takes longer than all else that it does to begin.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

# What the commands of the workflows import, between them; Locust first, which patches what others then import.
IMPORTED = ("locust", "deployment.cli", "deployment.azureml", "deployment.azure_checks", "model.__main__", "pytest")


def copy_warm(cache: Path, project: Path, copy: Path) -> Path:
    """Link the cache's files to the copy, and what the project's environment has compiled of them beside them.

    Answers the copy, or the cache itself where it is on another disk: there, nothing can be linked.
    """
    if cache.stat().st_dev != copy.parent.stat().st_dev:
        return cache
    writing = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    command = [".venv/bin/python", "-c", f"import {', '.join(IMPORTED)}"]
    subprocess.run(command, cwd=project, env=writing, check=True, capture_output=True)
    subprocess.run(["cp", "--archive", "--link", str(cache), str(copy)], check=True, capture_output=True)
    sources = {path.stat().st_ino: path for path in (copy / "archive-v0").rglob("*.py")}
    tag = sys.implementation.cache_tag
    for compiled in (project / ".venv").rglob(f"*.{tag}.pyc"):
        source = Path(importlib.util.source_from_cache(str(compiled)))
        if source.exists() and (kept := sources.get(source.stat().st_ino)) is not None:
            target = Path(importlib.util.cache_from_source(str(kept)))
            target.parent.mkdir(exist_ok=True)
            if not target.exists():
                os.link(compiled, target)
    return copy
