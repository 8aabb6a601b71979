"""What a worker measures while it works, and that the page on metrics names all of it and nothing else."""

import re
from pathlib import Path

from prometheus_client import Metric

from unit.transcriber_core.scripted import ScriptedEngine
from unit.transcriber_service.working import Scripted, submitted, value, worked
from whisper_transcriber.deps import Deps
from whisper_transcriber.domain.options import Options
from whisper_transcriber.metrics import Metrics

PAGE = (Path(__file__).parents[3] / "docs" / "metrics.md").read_text()


def written(family: Metric) -> str:
    """How Prometheus writes it."""
    return family.name + ("_total" if family.type == "counter" else "")


def test_the_page_names_every_metric_and_no_other() -> None:
    own = {written(each) for each in Metrics().registry.collect() if each.name.startswith("whisper_")}
    tables = PAGE.partition("## What to ask of them")[0]
    assert set(re.findall(r"whisper_[a-z_]+", tables)) == own
    asked = set(re.findall(r"whisper_[a-z_]+", PAGE))
    assert {re.sub(r"_(sum|count|bucket)$", "", name) for name in asked} == own


async def test_every_stage_of_a_window_is_timed(deps: Deps) -> None:
    job = await submitted(deps, 5, Options(word_timestamps=True))
    await worked(deps, Scripted(deps, ScriptedEngine()), job)

    def counted(name: str, **labels: str) -> float:
        return value(deps, f"{name}_count", **labels)

    stages = set(re.findall(r"`(\w+)`", PAGE.partition("The stages:")[2].partition("`fetch`, `decode`")[0]))
    assert stages == {"fetch", "decode", "vad", "queue", "encode", "detect", "generate", "align", "record"}
    assert all(counted("whisper_stage_seconds", stage=stage) >= 1 for stage in stages)
    assert value(deps, "whisper_stage_seconds_sum", stage="vad") > 0
    assert value(deps, "whisper_stage_seconds_sum", stage="decode") > 0
    assert counted("whisper_batch_windows") == counted("whisper_batch_seconds") == value(deps, "whisper_windows_total")
    assert counted("whisper_real_time_factor") == 1
    assert value(deps, "whisper_audio_seconds_total") > 4


async def test_what_waits_and_what_is_in_hand_is_nothing_once_all_is_done(deps: Deps) -> None:
    await worked(deps, Scripted(deps, ScriptedEngine()), await submitted(deps, 30))
    for name in ("windows_waiting", "windows_oldest_seconds", "backlog_audio_seconds"):
        assert value(deps, f"whisper_{name}", model="none") == 0
    assert value(deps, "whisper_inflight_audio_seconds") == value(deps, "whisper_worker_busy") == 0
