"""Scripts for Node with their packages, locked beside them; installed once, outside the checkout."""

import hashlib
import shutil
import subprocess
from pathlib import Path

from assets.cache import cache_root, made_once


def modules(project: Path) -> Path:
    """A folder with the packages of a folder's `package-lock.json`, for scripts to be put into."""

    def install(folder: Path) -> None:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(project / name, folder)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run(command, cwd=folder, check=True, timeout=300)

    lock = hashlib.sha256((project / "package-lock.json").read_bytes()).hexdigest()[:8]
    return made_once(cache_root() / "npm" / f"{project.name}-{lock}", install)


def installed(script: Path) -> Path:
    """A copy of the script that finds the packages locked beside it."""
    return Path(shutil.copy(script, modules(script.parent)))
