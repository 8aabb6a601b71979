"""The pages are true where a program can tell: links, fields, settings, metrics, targets, and code that is none."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any, get_args

import prometheus_client
import pytest
import yaml

import whisper_operator.metrics  # noqa: F401  its metrics are in the registry once it is imported
from whisper_operator.api.v1alpha1 import TranscriptionJob, WhisperTranscriber
from whisper_operator.jobs.state import pascal
from whisper_transcriber.domain.job import ErrorCode
from whisper_transcriber.metrics import Metrics
from whisper_transcriber.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
PAGES = {
    page.relative_to(ROOT).as_posix(): page.read_text() for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
}
# Read by the tests' own tools, which are described beside the settings.
TOOLS = {"WHISPER_CACHE", "WHISPER_CLUSTER", "WHISPER_KEEP_CLUSTER", "WHISPER_LEADER_KILLS", "WHISPER_UPLOAD_MIB"}
KINDS: dict[str, Any] = {"WhisperTranscriber": WhisperTranscriber, "TranscriptionJob": TranscriptionJob}
# What a fragment leaves out.
REST = {"TranscriptionJob": {"transcriberRef": {"name": "main"}, "source": {"http": {"url": "https://example.com/a"}}}}


def blocks(text: str, language: str) -> list[str]:
    """The page's code of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def anchors(text: str) -> set[str]:
    """What GitHub calls the page's headings."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def words(text: str, pattern: str) -> set[str]:
    return set(re.findall(pattern, text))


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    prose = re.sub(r"^```.*?^```", "", PAGES[name], flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", prose):
        path, _, anchor = link.partition("#")
        if "://" in link:
            continue
        target = ((ROOT / name).parent / path).resolve() if path else ROOT / name
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target.read_text()), link


def test_every_page_is_in_the_list_of_pages() -> None:
    listed = words(PAGES["docs/README.md"], r"\]\((\w+\.md)\)")
    assert listed == {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}


def test_every_example_is_on_a_page() -> None:
    told = "".join(PAGES.values())
    for example in (ROOT / "examples").glob("*.yaml"):
        assert f"examples/{example.name}" in told, example.name


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.yaml")), ids=lambda path: path.stem)
def test_examples_are_understood(path: Path) -> None:
    """By our models, which also refuse fields that contradict each other."""
    ours = [body for body in yaml.safe_load_all(path.read_text()) if body["kind"] in KINDS]
    for body in ours:
        KINDS[body["kind"]].parse({**body, "metadata": {"namespace": "ns", "uid": "1", **body["metadata"]}})


@pytest.mark.parametrize("name", PAGES)
def test_manifests_are_valid(name: str) -> None:
    """A fragment that begins with `spec` is one of a WhisperTranscriber."""
    for block in blocks(PAGES[name], "yaml"):
        for manifest in yaml.safe_load_all(block):
            if "apiVersion" in manifest and not manifest["apiVersion"].startswith("whisper-operator.dev/"):
                continue
            if "spec" in manifest:
                meta = {"name": "main", "namespace": "ns", "uid": "1"}
                kind = manifest.get("kind", "WhisperTranscriber")
                KINDS[kind].parse({"metadata": meta, "spec": REST.get(kind, {}) | manifest["spec"]})


@pytest.mark.parametrize("name", PAGES)
def test_code_is_of_its_language(name: str) -> None:
    for block in blocks(PAGES[name], "python"):
        ast.parse(block)
    for block in blocks(PAGES[name], "json"):
        json.loads(block)


def test_fields_exist() -> None:
    schemas = [kind.model_json_schema() for kind in KINDS.values()]
    for name, text in PAGES.items():
        for path in words(text, r"`spec((?:\.\w+)+)`"):
            assert any(_has(schema, ["spec", *path[1:].split(".")]) for schema in schemas), f"{name}: spec{path}"


def _has(schema: dict[str, Any], path: list[str]) -> bool:
    """Whether one of the shapes that a value may have has the path."""
    left: list[tuple[Any, list[str]]] = [(schema, path)]
    while left:
        found, names = left.pop()
        if not names:
            return True
        if "$ref" in found:
            left.append((schema["$defs"][found["$ref"].rpartition("/")[2]], names))
        left += [(one, names) for one in [*found.get("anyOf", ()), *found.get("allOf", ())]]
        if names[0] in found.get("properties", {}):
            left.append((found["properties"][names[0]], names[1:]))
    return False


def test_settings_exist() -> None:
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields} | TOOLS
    for name, text in PAGES.items():
        assert words(text, r"WHISPER_[A-Z0-9_]+\b") <= known, name


def test_metrics_exist() -> None:
    registries = (prometheus_client.REGISTRY, Metrics().registry)
    known = {metric.name for registry in registries for metric in registry.collect()}
    for name, text in PAGES.items():
        told = {word.removesuffix("_total") for word in words(text, r"`(whisper_[a-z_]+)[{`]")}
        assert told - {"whisper_operator", "whisper_transcriber", "whisper_normalizer"} <= known, name


def test_every_reason_is_explained() -> None:
    """What a condition may say, but for what a transcriber's API says of a request beside the codes of jobs."""
    explained = words("".join(PAGES.values()), r"`([A-Z][A-Za-z]+)`")
    judged = {
        node.args[0].value
        for path in (ROOT / "operator").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Verdict" and node.args
        if isinstance(node.args[0], ast.Constant)
    }
    assert len(judged) > 10
    assert judged | {pascal(code) for code in get_args(ErrorCode)} <= explained


def test_targets_exist() -> None:
    targets = words((ROOT / "Makefile").read_text(), r"(?m)^([a-z-]+):")
    for name, text in PAGES.items():
        code = "\n".join([*re.findall(r"`(make [^`\n]+)`", text), *blocks(text, "sh")])
        assert words(code, r"(?m)(?:^|`)make ([a-z-]+)") <= targets, name
