"""Each option of a TranscriptionJob reaches the transcriber, or is refused by its name: none is ignored."""

from __future__ import annotations

import json
from base64 import b64encode
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import yaml

from whisper_operator.api.v1alpha1.job import JobSpec, TranscriptionJob
from whisper_operator.api.v1alpha1.job_output import OUTPUT_URL
from whisper_operator.api.v1alpha1.webhook import EVENTS as OPERATORS_EVENTS
from whisper_operator.cluster.memory import FakeCluster
from whisper_operator.errors import InvalidSpec
from whisper_operator.jobs.request import fields, webhook
from whisper_operator.transcripts import form_fields
from whisper_transcriber.deps import Catalogue
from whisper_transcriber.domain.job import JobRequest
from whisper_transcriber.domain.model import ModelSpec
from whisper_transcriber.domain.options import Options, Vad
from whisper_transcriber.domain.outputs import ENDINGS, URL, Output
from whisper_transcriber.domain.webhooks import EVENTS, Webhook
from whisper_transcriber.render import FORMATS
from whisper_transcriber.request.job_parameters import body_of_json, job_of_body, job_of_form

MODELS = Catalogue([ModelSpec(name="base"), ModelSpec(name="small")])
HTTP = {"http": {"url": "http://example.com/a.wav"}}
HOOK_SECRET = {"name": "hook", "namespace": "ns"}

CASES: dict[str, tuple[Any, Options]] = {
    "language": ("fr", Options(language="fr")),
    "languages": (["en", "fr"], Options(languages=("en", "fr"))),
    "task": ("translate", Options(task="translate")),
    "prompt": ("Welcome, to: \u00e9", Options(prompt="Welcome, to: \u00e9")),
    "keywords": (["Comedian Mail", "Digium"], Options(hotwords=("Comedian Mail", "Digium"))),
    "vad": ({"threshold": 0.5, "silenceDurationMs": 800}, Options(vad=Vad(0.5, 800))),
    "channels": ("speakers", Options(channels="speakers")),
    "temperature": (0.5, Options(temperature=0.5)),
    "wordTimestamps": (True, Options(word_timestamps=True)),
}
ELSEWHERE = {
    *("transcriberRef", "source", "model", "priority", "formats", "cancel", "ttlSecondsAfterFinished", "webhook"),
    "output",
}


def job(source: Any = HTTP, **spec: Any) -> TranscriptionJob:
    meta = {"name": "a", "namespace": "ns"}
    return TranscriptionJob.parse(
        {"metadata": meta, "spec": {"transcriberRef": {"name": "main"}, "source": source, **spec}}
    )


def by_json(cr: TranscriptionJob) -> JobRequest:
    return job_of_body(body_of_json(json.dumps(fields(cr)).encode()), MODELS).request


def by_form(cr: TranscriptionJob) -> JobRequest:
    sent: defaultdict[str, list[str]] = defaultdict(list)
    for name, value in form_fields(fields(cr)):
        sent[name].append(value)
    return job_of_form(dict(sent), MODELS, "00").request


@pytest.mark.parametrize("name", CASES)
def test_each_option_is_what_the_transcriber_understands(name: str) -> None:
    value, options = CASES[name]
    assert by_json(job(**{name: value})).options == options
    assert by_form(job({"configMap": {"name": "a", "key": "b"}}, **{name: value})).options == options
    assert by_json(job()).options == Options() != options


def test_no_option_is_without_a_case() -> None:
    known = {field.alias or name for name, field in JobSpec.model_fields.items()}
    assert known == set(CASES) | ELSEWHERE
    options = set(Options().to_dict()) | {name for _, each in CASES.values() for name in each.to_dict()}
    assert options == {name for name in Options.__dataclass_fields__ if name != "logprobs"}


HOOK = "https://receiver.example/a?token=b"
HOOKS: list[tuple[dict[str, Any], Webhook]] = [
    ({"url": HOOK}, Webhook(HOOK)),
    ({"url": HOOK, "events": [EVENTS[1]], "transcript": True}, Webhook(HOOK, (EVENTS[1],), True)),
    ({"urlSecretRef": {"name": "hook"}, "events": list(EVENTS)}, Webhook(HOOK)),
    ({"urlSecretRef": {"name": "hook", "key": "other"}}, Webhook("http://other.example")),
]


@pytest.mark.parametrize(("asked", "webhook_"), HOOKS)
async def test_a_webhook_reaches_it_as_json_and_as_a_form(asked: dict[str, Any], webhook_: Webhook) -> None:
    cluster = FakeCluster()
    data = {"url": b64encode(f"{HOOK}\n".encode()).decode(), "other": b64encode(b"http://other.example").decode()}
    await cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": HOOK_SECRET, "data": data})
    cr = job(webhook=asked)
    sent = fields(cr) | await webhook(cluster, cr)
    assert job_of_body(body_of_json(json.dumps(sent).encode()), MODELS).webhook == webhook_
    form: defaultdict[str, list[str]] = defaultdict(list)
    for name, value in form_fields({k: v for k, v in sent.items() if k != "source"}):
        form[name].append(value)
    assert job_of_form(dict(form), MODELS, "00").webhook == webhook_
    assert set(EVENTS) == set(OPERATORS_EVENTS)


OUTPUTS: list[tuple[dict[str, Any], Output]] = [
    ({"output": {"s3": {"url": "s3://texts/2026/"}}}, Output("s3://texts/2026/a", FORMATS)),
    ({"output": {"s3": {"url": "s3://texts/"}}, "formats": ["srt"]}, Output("s3://texts/a", ("srt",))),
    (
        {"output": {"s3": {"url": "s3://texts/a b"}}, "formats": ["srt", "json"]},
        Output("s3://texts/a b", ("srt", "json")),
    ),
]


@pytest.mark.parametrize(("spec", "output"), OUTPUTS)
def test_an_output_reaches_it_as_json_and_as_a_form(spec: dict[str, Any], output: Output) -> None:
    sent = fields(job(**spec))
    assert job_of_body(body_of_json(json.dumps(sent).encode()), MODELS).output == output
    form: defaultdict[str, list[str]] = defaultdict(list)
    for name, value in form_fields({k: v for k, v in sent.items() if k != "source"}):
        form[name].append(value)
    assert job_of_form(dict(form), MODELS, "00").output == output
    assert (OUTPUT_URL, set(FORMATS)) == (URL, set(ENDINGS)), "both sides take the same"


def test_model_and_priority_reach_it_too() -> None:
    asked = by_json(job(model="small", priority=7))
    assert (asked.model, asked.priority) == ("small", 7)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"language": "en", "languages": ["fr"]}, "languages cannot be given beside language"),
        ({"keywords": ["word" * 20 + str(n) for n in range(6)]}, "keywords may have at most 400 bytes"),
        ({"vad": {"threshold": 2}}, "spec.vad.threshold"),
        ({"vad": {"silenceDurationMs": 1}}, "spec.vad.silenceDurationMs"),
        ({"vad": {"prefixPaddingMs": -1}}, "spec.vad.prefixPaddingMs"),
        ({"temperature": 1.5}, "spec.temperature"),
        ({"channels": "left"}, "spec.channels"),
        ({"languages": ["french"]}, "spec.languages[0]"),
        ({"webhook": {}}, "spec.webhook: takes exactly one of url and urlSecretRef"),
        ({"webhook": {"url": HOOK, "urlSecretRef": {"name": "a"}}}, "spec.webhook: takes exactly one"),
        ({"webhook": {"url": "ftp://a"}}, "spec.webhook.url"),
        ({"webhook": {"url": "https://me:secret@a/"}}, "spec.webhook.url"),
        ({"webhook": {"url": HOOK, "events": ["job.done"]}}, "spec.webhook.events[0]"),
        ({"output": {}}, "spec.output.s3 is missing"),
        *(
            ({"output": {"s3": {"url": url}}}, "spec.output.s3.url")
            for url in (
                "s3://texts",
                "s3://texts/../a",
                "s3://texts/a//b",
                "s3://texts/.a",
                "s3://texts/a\n",
                "http://a/b",
            )
        ),
    ],
)
def test_what_cannot_be_is_refused_by_its_name(spec: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidSpec) as refused:
        job(**spec)
    assert says in str(refused.value)


def test_the_example_asks_for_all_of_it() -> None:
    (body,) = yaml.safe_load_all((Path(__file__).parents[2] / "examples" / "job-call.yaml").read_text())
    cr = TranscriptionJob.parse({**body, "metadata": {"name": "call", "namespace": "ns"}})
    made = by_json(cr).options
    assert made.languages == ("en", "fr")
    assert (made.channels, made.vad, made.hotwords) == ("speakers", Vad(0.5, 800, 300), ("Comedian Mail", "Digium"))
