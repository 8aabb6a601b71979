"""`make demo` itself: the examples as they are, on the cluster that the tests use."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

import steps
from testbed import Cluster

pytestmark = pytest.mark.cluster


@pytest.fixture
def shown(operator: Cluster) -> Iterator[str]:
    """What the demo printed; its namespace is gone afterwards."""
    done = subprocess.run(
        [sys.executable, "-m", "demo", "--name", operator.name],
        env={**operator.env(), "PYTHONPATH": f"{steps.ROOT / 'tests'}:{steps.ROOT / 'images'}"},
        cwd=steps.ROOT,
        capture_output=True,
        text=True,
    )
    yield f"{done.stdout}\n{done.stderr}\nexit status {done.returncode}"
    operator.kubectl("delete", "namespace", "demo", "--wait=false")


def test_the_demo_ends_with_the_transcript_of_human_speech(shown: str) -> None:
    assert shown.endswith("exit status 0"), shown
    rate = re.search(r"Word error rate: ([\d.]+)%", shown)
    assert rate, shown
    assert float(rate.group(1)) < 25, shown
    assert re.search(r"^ *1\n *00:00:0\d,\d{3} --> 00:00:", shown, re.MULTILINE), shown
    assert re.search(r"transcriptionjob.* +Succeeded +100", shown), shown
