"""The command line: python -m testbed up | down | status | kubeconfig | load | build | torch."""

import argparse
import sys
from pathlib import Path

import testbed
from testbed import binaries, keda, kind, node, own, torchenv
from testbed.recipes import VERSITYGW
from testbed.say import say
from testbed.shell import CommandFailed
from testbed.waiting import GaveUp


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    top = argparse.ArgumentParser(
        prog="python -m testbed",
        description="A Kubernetes cluster of one node: made by kind where a Docker engine answers, else of plain "
        "processes in a network namespace of its own (needs root). Several can stand side by side.",
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    described = {
        "up": "bring the cluster up, or say that it is; the first time, build what it needs (about 25 minutes)",
        "down": "remove the cluster and all that belongs to it, also if it is broken",
        "status": "say how it is; exit status 1 if it cannot be used",
        "kubeconfig": "print the path of its kubeconfig: export KUBECONFIG=$(python -m testbed kubeconfig)",
        "env": 'print shell lines that set KUBECONFIG and PATH: eval "$(python -m testbed env)"',
        "load": "load image archives (Docker or OCI) into the node",
    }
    for command, text in described.items():
        sub = commands.add_parser(command, help=text, description=text)
        sub.add_argument("--name", default=testbed.DEFAULT_NAME, help="the cluster's name (default: %(default)s)")
        if command == "load":
            sub.add_argument("archive", type=Path, nargs="+")
    text = "only build and install what clusters and tests need, without starting anything"
    commands.add_parser("build", help=text, description=text)
    text = "print a Python that has torch and openai-whisper; the first time, make it (2 minutes on Debian)"
    commands.add_parser("torch", help=text, description=text)
    return top


def main() -> int:
    """Run one command; its exit status."""
    asked = parser().parse_args()
    try:
        return _run(asked)
    except (CommandFailed, GaveUp, LookupError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: run the command again to go on, or `down` to clean up", file=sys.stderr)
        return 130


def _run(asked: argparse.Namespace) -> int:
    match asked.command:
        case "up":
            cluster = testbed.up(asked.name)
            say(f'to use it: eval "$(python -m testbed env --name {asked.name})"')
            print(cluster.kubeconfig)
        case "down":
            testbed.down(asked.name)
            say(f"cluster {asked.name} is gone")
        case "status":
            how = testbed.status(asked.name)
            print(f"{asked.name}: {how}")
            return 0 if how.startswith("running") else 1
        case "kubeconfig":
            print(testbed.get(asked.name).kubeconfig)
        case "env":
            cluster = testbed.get(asked.name)
            print(f"export KUBECONFIG='{cluster.kubeconfig}'")
            print(f"export PATH='{':'.join(map(str, cluster.tools))}':\"$PATH\"")
        case "load":
            cluster = testbed.get(asked.name)
            for archive in asked.archive:
                cluster.load(archive)
                say(f"loaded {archive}")
        case "torch":
            print(torchenv.python())
        case "build":
            if not kind.docker_answers():
                node.prepare()
            binaries.ensure(VERSITYGW)  # the S3 server of the tests
            own.cert_manager()
            keda.programs()
    return 0


if __name__ == "__main__":
    sys.exit(main())
