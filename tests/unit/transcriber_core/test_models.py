"""Where models come from, and that nothing is ever loaded that is not what was asked for."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from assets import weights
from unit.transcriber_core.hub import COMMIT, Hub, hub
from whisper_transcriber import engine
from whisper_transcriber.domain.model import HuggingFace, ModelSpec, ModelUnavailable, Source
from whisper_transcriber.models import CATALOGUE, resolve

REPO = "Systran/faster-whisper-tiny.en"
TINY_EN = "sha256:" + weights.TINY_EN.model_sha256
NOWHERE = Path("/nonexistent")


def folder(path: Path, *, model: bytes = b"weights") -> Path:
    """A folder that looks like a model."""
    path.mkdir(parents=True)
    for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
        (path / name).write_text("{}")
    (path / "model.bin").write_bytes(model)
    return path


def spec(name: str = "mine", *, digest: str | None = None, **source: object) -> ModelSpec:
    return ModelSpec.model_validate({"name": name, "digest": digest, "source": source or None})


@pytest.fixture
def tiny_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """The catalogue's repository of tiny.en with its real weights."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    with hub(REPO, weights.tiny_en(), ("main", "v1")) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server


def test_the_spec_is_read_from_the_env_as_the_operator_writes_it() -> None:
    text = '[{"name":"base","aliases":["whisper-1"],"source":{"huggingFace":{"repo":"a/b","revision":"c"}},'
    text += '"digest":null,"computeType":"int8","engine":"ctranslate2"}]'
    (one,) = [ModelSpec.model_validate(each) for each in json.loads(text)]
    assert one.answers_to("whisper-1")
    assert one.source is not None
    assert one.source.hugging_face is not None
    assert one.source.hugging_face.revision == "c"


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "a", "source": {}},
        {"name": "a", "source": {"path": "/a", "s3": {"uri": "s3://b"}}},
        {"name": "a", "source": {"s3": {"uri": "https://b"}}},
        {"name": "../a"},
        {"name": "a", "digest": "sha256:12"},
        {"name": "a", "colour": "blue"},
    ],
)
def test_a_wrong_spec_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ModelSpec.model_validate(wrong)


def test_a_folder_is_used_where_it_lies_with_its_digest(tmp_path: Path) -> None:
    files = resolve(spec(path=str(weights.tiny_en()), digest=TINY_EN), NOWHERE, tmp_path)
    assert files.path == weights.tiny_en()
    assert files.digest == TINY_EN


def test_the_digest_is_computed_again_when_the_file_changes(tmp_path: Path) -> None:
    mine = folder(tmp_path / "mine")
    first = resolve(spec(path=str(mine)), NOWHERE, tmp_path / "cache")
    assert resolve(spec(path=str(mine)), NOWHERE, tmp_path / "cache") == first
    (mine / "model.bin").write_bytes(b"others!")
    os.utime(mine / "model.bin", (1, 1))
    assert resolve(spec(path=str(mine)), NOWHERE, tmp_path / "cache").digest != first.digest


def test_another_digest_is_refused(tmp_path: Path) -> None:
    mine = folder(tmp_path / "mine")
    with pytest.raises(ModelUnavailable, match=f"has the digest sha256:.* but {TINY_EN} is expected"):
        resolve(spec(path=str(mine), digest=TINY_EN), NOWHERE, tmp_path)


def test_an_incomplete_folder_is_refused_by_what_it_lacks(tmp_path: Path) -> None:
    mine = folder(tmp_path / "mine")
    (mine / "tokenizer.json").unlink()
    with pytest.raises(ModelUnavailable, match=r"lacks tokenizer\.json"):
        resolve(spec(path=str(mine)), NOWHERE, tmp_path)
    with pytest.raises(ModelUnavailable, match="does not exist"):
        resolve(spec(path=str(tmp_path / "none")), NOWHERE, tmp_path)


def test_a_preloaded_model_is_taken_by_name_unless_another_source_is_named(tmp_path: Path) -> None:
    inside = folder(tmp_path / "models" / "mine", model=b"inside")
    other = folder(tmp_path / "other", model=b"other")
    assert resolve(spec(), tmp_path / "models", tmp_path / "cache").path == inside
    assert resolve(spec(path=str(other)), tmp_path / "models", tmp_path / "cache").path == other


def test_a_catalogued_name_in_the_image_must_be_the_catalogued_file(tmp_path: Path) -> None:
    folder(tmp_path / "models" / "tiny.en", model=b"not the real one")
    with pytest.raises(ModelUnavailable, match="is expected"):
        resolve(spec("tiny.en"), tmp_path / "models", tmp_path / "cache")


def test_an_unknown_name_is_refused_with_those_that_are_known(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"not a known name \(tiny, .*give its `source`"):
        resolve(spec("gigantic"), NOWHERE, tmp_path)


def test_the_catalogue_knows_the_weights_of_the_tests() -> None:
    assert CATALOGUE["tiny.en"].digest == TINY_EN
    assert CATALOGUE["base"].digest == "sha256:" + weights.BASE.model_sha256


def test_a_name_is_fetched_from_the_hub_once_and_can_be_loaded(tiny_hub: Hub, tmp_path: Path) -> None:
    files = resolve(spec("tiny.en"), NOWHERE, tmp_path / "cache")
    assert files.digest == TINY_EN
    assert any("/resolve/" in request and "model.bin" in request for request in tiny_hub.requests)
    assert engine.load(files, spec("tiny.en"), 1).digest == TINY_EN
    tiny_hub.requests.clear()
    assert resolve(spec("tiny.en"), NOWHERE, tmp_path / "cache") == files
    assert tiny_hub.requests == []


def test_a_revision_is_asked_for_by_name_or_commit(tiny_hub: Hub, tmp_path: Path) -> None:
    for revision in ("v1", COMMIT):
        source = {"repo": REPO, "revision": revision}
        assert resolve(spec(huggingFace=source), NOWHERE, tmp_path / revision).digest == TINY_EN
    with pytest.raises(ModelUnavailable, match="no revision 'v2'"):
        resolve(spec(huggingFace={"repo": REPO, "revision": "v2"}), NOWHERE, tmp_path / "v2")


@pytest.mark.parametrize(
    ("repo", "says"), [("nobody/nothing", "has no model nobody/nothing"), ("a b/c", "correct `repo`")]
)
def test_a_wrong_repository_says_so(repo: str, says: str, tiny_hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=says):
        resolve(spec(huggingFace={"repo": repo}), NOWHERE, tmp_path)


def test_a_hub_that_is_away_says_what_to_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    with pytest.raises(ModelUnavailable, match=r"could not be fetched from http://127\.0\.0\.1:9 .*set HF_ENDPOINT"):
        resolve(spec("small"), NOWHERE, tmp_path)


def test_a_repository_without_a_converted_model_is_refused_and_not_cached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "repo").mkdir()
    (tmp_path / "repo" / "config.json").write_text("{}")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    with hub("openai/whisper-base", tmp_path / "repo") as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        for _ in range(2):
            with pytest.raises(ModelUnavailable, match=r"holds is not a CTranslate2 model: it lacks model\.bin"):
                resolve(spec(huggingFace={"repo": "openai/whisper-base"}), NOWHERE, tmp_path / "cache")


def test_a_fetch_whose_process_is_killed_leaves_no_model_behind(tiny_hub: Hub, tmp_path: Path) -> None:
    """Killed in the middle of model.bin; the next one ends with the right digest and no leftovers."""
    tiny_hub.hold_after = 10_000_000
    cache = tmp_path / "cache"
    program = (
        "import sys; from pathlib import Path; from whisper_transcriber.models import resolve;"
        "from whisper_transcriber.domain.model import ModelSpec;"
        "resolve(ModelSpec(name='tiny.en'), Path('/nonexistent'), Path(sys.argv[1]))"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(cache)], stderr=subprocess.DEVNULL) as child:
        held = tiny_hub.holding.wait(60)
        child.send_signal(signal.SIGKILL)
    assert held
    assert not [path for path in (cache / "models").iterdir() if not path.name.startswith(".")]
    tiny_hub.hold_after = None
    tiny_hub.go_on.set()
    files = resolve(spec("tiny.en"), NOWHERE, cache)
    assert files.digest == TINY_EN
    assert {path.name for path in files.path.iterdir()} == {path.name for path in weights.tiny_en().iterdir()}


def test_a_cache_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where a folder should be")
    with pytest.raises(ModelUnavailable, match="cannot be written"):
        resolve(spec("small"), NOWHERE, tmp_path / "cache")


def test_weights_that_are_no_model_cannot_be_loaded(tmp_path: Path) -> None:
    mine = folder(tmp_path / "mine")
    with pytest.raises(ModelUnavailable, match="cannot be loaded"):
        engine.load(resolve(spec(path=str(mine)), NOWHERE, tmp_path), spec(), 1)


def test_an_engine_or_a_compute_type_that_is_not_here_is_refused() -> None:
    files = resolve(spec(path=str(weights.tiny_en())), NOWHERE, NOWHERE)
    torch = ModelSpec(name="a", engine="openai-whisper", source=Source(path="/a"))
    with pytest.raises(ModelUnavailable, match="openai-whisper, which this image does not have"):
        engine.load(files, torch, 1)


def checkpoints(path: Path, *names: str) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    for name in names:
        (path / name).write_bytes(b"checkpoint")
    return path


def for_torch(path: Path, name: str = "mine") -> ModelSpec:
    return ModelSpec(name=name, engine="openai-whisper", source=Source(path=str(path)))


def test_openai_whisper_takes_its_own_checkpoint_or_else_a_converted_model(tmp_path: Path) -> None:
    mine = folder(tmp_path / "mine")
    converted = resolve(for_torch(mine), NOWHERE, tmp_path)
    assert (converted.weights, converted.digest) == (
        "model.bin",
        resolve(spec(path=str(mine)), NOWHERE, NOWHERE).digest,
    )
    own = resolve(for_torch(checkpoints(mine, "ours.pt")), NOWHERE, tmp_path)
    assert (own.weights, own.digest) == ("ours.pt", "sha256:" + hashlib.sha256(b"checkpoint").hexdigest())
    assert resolve(spec(path=str(mine)), NOWHERE, tmp_path).weights == "model.bin"


def test_the_digest_is_that_of_the_checkpoint(tmp_path: Path) -> None:
    one = for_torch(checkpoints(tmp_path / "mine", "model.pt")).model_copy(update={"digest": TINY_EN})
    with pytest.raises(ModelUnavailable, match=f"has the digest sha256:.* but {TINY_EN} is expected"):
        resolve(one, NOWHERE, tmp_path)


def test_a_folder_in_a_form_that_the_engine_does_not_load_says_so(tmp_path: Path) -> None:
    only = checkpoints(tmp_path / "only", "base.pt")
    with pytest.raises(ModelUnavailable, match=r"is a checkpoint of openai-whisper \(base\.pt\).*set `engine`"):
        resolve(spec(path=str(only)), NOWHERE, tmp_path)
    with pytest.raises(ModelUnavailable, match=r"several checkpoints \(a\.pt, base\.pt\)"):
        resolve(for_torch(checkpoints(only, "a.pt")), NOWHERE, tmp_path)
    (tmp_path / "none").mkdir()
    with pytest.raises(ModelUnavailable, match=r"neither a checkpoint of openai-whisper .* nor a CTranslate2 model"):
        resolve(for_torch(tmp_path / "none"), NOWHERE, tmp_path)


def test_a_checkpoint_is_fetched_for_the_engine_that_loads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoints(tmp_path / "repo", "base.pt", "optimizer.bin")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    source = Source(hugging_face=HuggingFace(repo="ours/base"))
    with hub("ours/base", tmp_path / "repo") as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        with pytest.raises(ModelUnavailable, match="is not a CTranslate2 model"):
            resolve(ModelSpec(name="base", source=source), NOWHERE, tmp_path / "cache")
        files = resolve(ModelSpec(name="base", engine="openai-whisper", source=source), NOWHERE, tmp_path / "cache")
    assert [path.name for path in files.path.iterdir()] == [files.weights] == ["base.pt"]


def test_a_known_name_is_the_same_file_for_both_engines(tiny_hub: Hub, tmp_path: Path) -> None:
    first = resolve(spec("tiny.en"), NOWHERE, tmp_path / "cache")
    tiny_hub.requests.clear()
    assert resolve(ModelSpec(name="tiny.en", engine="openai-whisper"), NOWHERE, tmp_path / "cache") == first
    assert tiny_hub.requests == []
