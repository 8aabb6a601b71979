"""Builds the container images and keeps them as archives; what did not change is not built again.

With Docker where an engine answers, else with buildah on a base image of the same name made of Debian's packages:
the Dockerfiles are the same. `python -m build_images --help` says how to use it.
"""

from build_images.engine import BuildFailed, Engine
from build_images.run import build
from build_images.targets import ALL, TARGETS, Target

__all__ = ["ALL", "TARGETS", "BuildFailed", "Engine", "Target", "build"]
