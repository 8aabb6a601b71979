"""Scripts for Node with their packages, locked beside them; installed once, outside the checkout."""

import hashlib
import shutil
import subprocess
from pathlib import Path

from assets.cache import cache_root, made_once


def installed(script: Path) -> Path:
    """A copy of the script that finds the packages of the `package-lock.json` beside it."""
    here = script.parent

    def modules(folder: Path) -> None:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(here / name, folder)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run(command, cwd=folder, check=True, timeout=300)

    lock = hashlib.sha256((here / "package-lock.json").read_bytes()).hexdigest()[:8]
    folder = made_once(cache_root() / "npm" / f"{here.name}-{lock}", modules)
    return Path(shutil.copy(script, folder))
