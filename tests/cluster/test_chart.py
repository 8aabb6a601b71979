"""What the chart and its examples do on a node: `helm test`, and a CronJob that makes TranscriptionJobs."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

import manifests
import steps
from testbed import Cluster

pytestmark = pytest.mark.cluster
EXAMPLE = Path(__file__).parents[2] / "examples" / "cronjob.yaml"
SPACE = "nightly"


def test_helm_test_finds_the_operator_ready(operator: Cluster) -> None:
    """From a pod of its own, through the operator's NetworkPolicy."""
    said = steps.helm(operator, "test", "whisper-operator", "--namespace", steps.SYSTEM, "--timeout", "3m")
    assert "Phase:          Succeeded" in said


def test_a_cronjob_makes_transcription_jobs(operator: Cluster) -> None:
    steps.apply(operator, "default", manifests.restricted_namespace(SPACE))
    try:
        text = EXAMPLE.read_text().replace("namespace: default", f"namespace: {SPACE}")
        steps.apply(operator, SPACE, *yaml.safe_load_all(text))
        before = datetime.now(UTC).date()
        operator.kubectl("create", "job", "tonight", "--from=cronjob/nightly-transcription", "--namespace", SPACE)
        made = steps.until_exists(operator, SPACE, steps.JOB_KIND, "tonight", 60)
        days = {f"https://recordings.example.com/{day}.mp3" for day in (before, datetime.now(UTC).date())}
        assert made["spec"]["source"]["http"]["url"] in days
        assert made["spec"]["transcriberRef"] == {"name": "main"}
        operator.kubectl("wait", "--for=condition=Complete", "job/tonight", "--namespace", SPACE, "--timeout=60s")

        # The same Job once more, as after a pod that was lost: what is there already is no failure.
        operator.kubectl("delete", "job", "tonight", "--namespace", SPACE)
        operator.kubectl("create", "job", "tonight", "--from=cronjob/nightly-transcription", "--namespace", SPACE)
        operator.kubectl("wait", "--for=condition=Complete", "job/tonight", "--namespace", SPACE, "--timeout=60s")
        assert steps.names(operator, SPACE, "transcriptionjobs") == {"tonight"}
    finally:
        operator.kubectl("delete", "namespace", SPACE, "--wait=false")
