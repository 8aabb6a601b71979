"""`python -m build_images`: build the container images, and load them into a cluster if asked to."""

import argparse
import sys

from build_images import ALL, TARGETS, BuildFailed, build

_EPILOG = f"""targets: {", ".join(ALL)}
default: {", ".join(TARGETS)}

Archives are kept in the cache ($WHISPER_CACHE, else ~/.cache/whisper-operator) under images/, named by a hash of
what they are made of. `preloaded` is the worker with real weights of `base` and `tiny.en` inside, under the
worker's name."""


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="build_images", description=__doc__, epilog=_EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "targets", nargs="*", metavar="TARGET", help="what to build; all that a cluster needs by default"
    )
    parser.add_argument("--load", metavar="NAME", help="load the images into the cluster NAME, which is made if needed")
    chosen = parser.parse_args()
    if unknown := [name for name in chosen.targets if name not in ALL]:
        parser.error(f"no such target: {', '.join(unknown)} (there are {', '.join(ALL)})")
    try:
        archives = build(chosen.targets or TARGETS)
    except BuildFailed as failure:
        sys.exit(f"build_images: {failure}")
    for archive in archives.values():
        print(archive)
    if chosen.load:
        from testbed import up  # only here: building needs no cluster

        cluster = up(chosen.load)
        for archive in archives.values():
            cluster.load(archive)


if __name__ == "__main__":
    main()
