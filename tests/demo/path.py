"""The steps of the demo, each one thing that a person would do."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

import build_images
import manifests
import steps
from assets import speech
from clips import config_map, word_error_rate
from demo.stopwatch import Changes, Stopwatch, missing
from testbed import Cluster, up

NAMESPACE = "demo"
SPOKEN = "demo-echotest"
"""A prompt of plain English sentences, some twenty seconds long."""
WORST_ERROR_RATE = 0.5
"""Above this the transcript is wrong: the path works end to end only if the words come out."""


class Wrong(Exception):
    """The demo ran, but what came out is not what was said; the message says how."""


@dataclass(frozen=True)
class Transcript:
    """What the demo is about."""

    job: dict[str, Any]
    clip: speech.Clip
    heard: str
    srt: str
    error_rate: float


def prepare(name: str, watch: Stopwatch) -> Cluster:
    """Bring the cluster up, the images into it, and the operator onto it."""
    with watch.step(f"Kubernetes cluster {name!r}"):
        cluster = up(name)
    with watch.step("container images: build"):
        archives = build_images.build(build_images.TARGETS)
    with watch.step("container images: load"):
        for target, archive in archives.items():
            watch.note(target)
            cluster.load(archive)
    with watch.step("operator: helm install, two replicas"):
        steps.apply(cluster, "default", manifests.restricted_namespace(steps.SYSTEM))
        # The tag stays the same while one develops; the archive's name changes with what is in the image.
        mark = f"podAnnotations.whisper-operator\\.dev/image={archives['operator'].stem}"
        steps.install(cluster, "--set-string", mark)
    return cluster


def serve(cluster: Cluster, watch: Stopwatch) -> str:
    """Apply examples/minimal.yaml under Pod Security `restricted` and follow it until Ready; returns its name."""
    (manifest,) = example("minimal")
    name = str(manifest["metadata"]["name"])
    with watch.step("transcriber: kubectl apply examples/minimal.yaml, until Ready"):
        steps.apply(cluster, "default", manifests.restricted_namespace(NAMESPACE))
        steps.apply(cluster, NAMESPACE, manifest)
        note = Changes(watch.note)

        def ready(live: dict[str, Any]) -> bool:
            note(missing(live.get("status", {}).get("conditions", [])))
            return steps.holds("Ready")(live)

        steps.until(cluster, NAMESPACE, steps.TRANSCRIBER_KIND, name, ready, 600)
    return name


def transcribe(cluster: Cluster, transcriber: str, watch: Stopwatch) -> Transcript:
    """Send real speech through examples/job.yaml and fetch what was heard.

    Raises: Wrong when the job fails or the words are not those that were said.
    """
    with watch.step("real human speech"):
        clip = speech.prompt(SPOKEN)
        watch.note(f"{clip.seconds:.0f} s of {clip.name}, {clip.path.stat().st_size / 1000:.0f} kB")
    with watch.step("job: kubectl apply examples/job.yaml, until finished"):
        done = _follow(cluster, clip, watch)
    ended = steps.condition(done, "Succeeded")
    if ended["status"] != "True":
        raise Wrong(f"the job ended as {ended['reason']}: {ended['message']}")
    with watch.step("transcript: from the transcriber's API"):
        heard, srt = (_result(cluster, transcriber, done, form) for form in ("text", "srt"))
    rate = word_error_rate(clip.text, heard)
    if rate > WORST_ERROR_RATE:
        raise Wrong(f"word error rate {rate:.2f}\n  said:  {clip.text}\n  heard: {heard}")
    return Transcript(done, clip, heard.strip(), srt, rate)


def _follow(cluster: Cluster, clip: speech.Clip, watch: Stopwatch) -> dict[str, Any]:
    """Apply the clip and a job of a new name, for a job never runs twice; returns the finished job."""
    (job,) = example("job")
    source = job["spec"]["source"]["configMap"]
    job["metadata"]["name"] = f"{job['metadata']['name']}-{secrets.token_hex(2)}"
    steps.apply(cluster, NAMESPACE, config_map(source["name"], {source["key"]: clip.path.read_bytes()}), job)
    note = Changes(watch.note)

    def ended(live: dict[str, Any]) -> bool:
        status = live.get("status", {})
        reason = steps.condition(live, "Succeeded").get("reason", "waiting for the operator")
        note(f"{reason}, {status.get('progress', 0)} %")
        return steps.finished(live)

    return steps.until(cluster, NAMESPACE, steps.JOB_KIND, job["metadata"]["name"], ended, 300)


def _result(cluster: Cluster, transcriber: str, job: dict[str, Any], form: str) -> str:
    """One form of the transcript, from where the job's status says it is."""
    url = urlsplit(job["status"]["results"][form])
    return steps.fetch(cluster, NAMESPACE, transcriber, f"{url.path}?{url.query}")


def example(name: str) -> list[dict[str, Any]]:
    """The manifests of examples/<name>.yaml."""
    return list(yaml.safe_load_all(Path(steps.ROOT, "examples", f"{name}.yaml").read_text()))
