"""The benchmark's bare loop applies what the operator makes, and its counts are right."""

from __future__ import annotations

from typing import Any

from benchmarks import controllers, fleet


async def test_the_bare_loop_has_the_whole_child_set(world: Any) -> None:
    await world.settle()
    ours = {(kind, name) for kind, _, name in world.cluster._objects if kind not in ("WhisperTranscriber", "Event")}
    theirs = [(manifest["kind"], manifest["metadata"]["name"]) for manifest in fleet.children("main", "ns")]
    assert sorted(theirs) == sorted(ours)


def test_calls_are_counted_without_the_lease() -> None:
    metrics = "\n".join(
        f'whisper_operator_api_calls_total{{kind="{kind}",status="200",verb="{verb}"}} {count}.0'
        for verb, kind, count in (
            ("apply", "Service", 4),
            ("get", "Lease", 9),
            ("update", "Lease", 9),
            ("list", "Event", 2),
            ("watch", "Pod", 1),
            ("create", "Event", 3),
        )
    )
    assert fleet.split(fleet.calls(metrics)) == (3, 7)


def test_the_stand_in_says_what_controllers_say_and_only_once() -> None:
    child: dict[str, Any] = {"kind": "Deployment", "metadata": {"generation": 2}, "spec": {"replicas": 3}}
    assert controllers.due(child)
    assert not controllers.due({**child, "status": controllers.status(child)})
    assert controllers.due({**child, "status": {**controllers.status(child), "observedGeneration": 1}})
    job: dict[str, Any] = {"kind": "Job", "metadata": {}, "spec": {}}
    assert controllers.due(job) and not controllers.due({**job, "status": controllers.status(job)})
