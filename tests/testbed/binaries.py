"""Building the programs of a cluster from Go modules, once for each version, into the cache."""

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from testbed.locks import locked
from testbed.recipes import Tool, staging_replacements
from testbed.say import say
from testbed.shell import CommandFailed, run


def ensure(*tools: Tool) -> None:
    """Build what the cache lacks. Raises CommandFailed, with the compiler's words, if a build fails."""
    for tool in tools:
        _ensure(tool, tuple(tool.commands))


def found(tool: Tool, command: str) -> Path:
    """The program from PATH, else from the cache, built if need be."""
    there = shutil.which(command)
    return Path(there) if there else cached(tool, command)


def cached(tool: Tool, command: str) -> Path:
    """The program of exactly this version, built if need be, without its siblings."""
    _ensure(tool, (command,))
    return tool.program(command)


def _ensure(tool: Tool, commands: Sequence[str]) -> None:
    def missing() -> list[str]:
        return [command for command in commands if not tool.program(command).exists()]

    if missing():
        with locked(f"build-{tool.name}-{tool.version}"):
            build(tool, missing())  # asked again: another process may just have built it


def sources(module: str, version: str) -> Path:
    """The folder with the sources of a Go module of this version, fetched if need be. Nothing may be written there."""
    with tempfile.TemporaryDirectory(prefix="fetch-") as work:  # outside any module
        listing = run(["go", "mod", "download", "-json", f"{module}@{version}"], cwd=Path(work), timeout=1800)
    return Path(json.loads(listing)["Dir"])


def build(tool: Tool, commands: Sequence[str]) -> None:
    """Compile the commands one by one; each appears in the cache only once it is whole."""
    if not commands:
        return
    if shutil.which("go") is None:
        raise CommandFailed(f"{tool.name} {tool.version} is built by Go, which is not installed: https://go.dev/dl")
    tool.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"build-{tool.name}-", dir=tool.folder.parent) as scratch:
        work = Path(scratch)
        if tool.replaced:
            _own_module(tool, work)
        for number, command in enumerate(commands, 1):
            package, minutes = tool.commands[command]
            place = f" ({number} of {len(commands)})" if len(commands) > 1 else ""
            say(f"building {command} {tool.version.lstrip('v')}{place}, about {minutes:g} min from cold caches")
            _compile(tool, package, work, work / command)
            (work / command).replace(tool.program(command))


def _own_module(tool: Tool, work: Path) -> None:
    """A module that does nothing but require the tool's, so that `replace` lines are ours to write."""
    say(f"fetching the sources of {tool.name} {tool.version}")
    source = (sources(tool.module, tool.version) / "go.mod").read_text()
    go = next(line for line in source.splitlines() if line.startswith("go "))
    (work / "go.mod").write_text(
        f"module testbed-{tool.name}\n{go}\nrequire {tool.module} {tool.version}\n"
        + staging_replacements(source, tool.version)
    )
    imports = "".join(f'import _ "{package}"\n' for package, _ in tool.commands.values())
    (work / "tools.go").write_text(f"package tools\n{imports}")
    # -e: tests of far dependencies may want modules that nobody publishes; what a build lacks, the build will say.
    run(["go", "mod", "tidy", "-e"], cwd=work, timeout=1800)


def _compile(tool: Tool, package: str, work: Path, out: Path) -> None:
    """One `go build` or `go install`, with a sign of life every minute."""
    if tool.replaced:
        argv, env = ["go", "build", "-o", str(out), "-ldflags", tool.ldflags, package], {}
    else:
        argv, env = ["go", "install", "-ldflags", tool.ldflags, f"{package}@{tool.version}"], {"GOBIN": str(out.parent)}
    began = time.monotonic()
    log = work / "build.log"
    with log.open("w") as output:
        compiler = subprocess.Popen(argv, cwd=work, env={**os.environ, **env}, stdout=output, stderr=output)
        try:
            while True:
                try:
                    status = compiler.wait(timeout=60)
                    break
                except subprocess.TimeoutExpired:
                    say(f"still building {out.name}: {(time.monotonic() - began) / 60:.0f} min")
        finally:
            if compiler.poll() is None:  # Ctrl-C, or an error above
                compiler.kill()
                compiler.wait()
    if status:
        raise CommandFailed(f"building {out.name} failed:\n{log.read_text()[-4000:]}")
    say(f"built {out.name} in {time.monotonic() - began:.0f} s")
