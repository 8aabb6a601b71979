"""Scripts for Node with their packages, locked beside them; installed once, outside the checkout."""

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from assets import speech
from assets.cache import cache_root, made_once

_CALLS = Path(__file__).parent / "openai_node" / "calls.mjs"


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


def openai_calls(url: str, key: str) -> dict[str, Any]:
    """What the unmodified openai client's calls come to at a service: the answers to `calls.mjs`, by their names there.

    The recordings are `speech.long(5)` and a French sentence.
    """
    command = ["node", str(installed(_CALLS)), str(speech.long(5).path), str(speech.sentences("fr")[0].path)]
    env = {**os.environ, "OPENAI_BASE_URL": f"{url}/v1", "OPENAI_API_KEY": key}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found
