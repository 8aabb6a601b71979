"""Folders of the cache are whole or absent."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from assets.cache import cache_root, made_once


def test_the_cache_can_be_put_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WHISPER_CACHE", str(tmp_path / "here"))
    assert cache_root() == tmp_path / "here"
    monkeypatch.delenv("WHISPER_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_root() == tmp_path / "whisper-operator"


def test_a_folder_is_made_once(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "folder"
    assert made_once(folder, lambda to: (to / "file").touch()) == folder
    assert [entry.name for entry in folder.iterdir()] == ["file"]

    def fail(_: Path) -> None:
        raise AssertionError("made twice")

    made_once(folder, fail)


def test_what_was_interrupted_is_not_there_and_starts_anew(tmp_path: Path) -> None:
    def interrupted(to: Path) -> None:
        (to / "half").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        made_once(tmp_path / "folder", interrupted)
    assert not (tmp_path / "folder").exists()
    made_once(tmp_path / "folder", lambda to: (to / "whole").touch())
    assert [entry.name for entry in (tmp_path / "folder").iterdir()] == ["whole"]


def test_two_who_want_it_at_once_make_it_once(tmp_path: Path) -> None:
    makers: list[int] = []
    both_started = threading.Barrier(2)

    def want() -> Path:
        both_started.wait(10)
        return made_once(tmp_path / "folder", lambda _: makers.append(threading.get_ident()))

    with ThreadPoolExecutor(2) as threads:  # the kernel's lock is on the open file, so threads stand for processes
        assert {future.result(10) for future in [threads.submit(want), threads.submit(want)]} == {tmp_path / "folder"}
    assert len(makers) == 1
