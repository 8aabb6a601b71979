"""What watches told: whatever the order in which news and answers come, the newest version is what counts."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from whisper_operator.cluster.mirror import Mirror, Shelf
from whisper_operator.cluster.port import POD, Changed, Kind, Listed, News, Reached

TRANSCRIBER = Kind("whisper-operator.dev/v1alpha1", "WhisperTranscriber")
Manifest = dict[str, Any]


def thing(name: str, version: int, owner: str = "main", uid: str = "u") -> Manifest:
    meta = {"name": name, "namespace": "ns", "uid": uid, "resourceVersion": str(version)}
    return {"kind": "Pod", "metadata": {**meta, "labels": {"whisper-operator.dev/transcriber": owner}}}


def versions(shelf: Shelf, owner: str = "main") -> dict[str, int]:
    return {o["metadata"]["name"]: int(o["metadata"]["resourceVersion"]) for o in shelf.of("ns", owner)}


def test_news_ring_for_their_owner_and_echoes_of_our_own_writes_do_not() -> None:
    shelf = Shelf()
    assert shelf.hear(Listed([thing("a", 3), thing("b", 2, "other")], 5)) == {("ns", "main"), ("ns", "other")}
    shelf.fold(thing("a", 7))
    assert shelf.hear(Changed(thing("a", 7), False)) == set()
    assert shelf.hear(Changed(thing("a", 8), False)) == {("ns", "main")}
    assert shelf.hear(Changed(thing("a", 9), True)) == {("ns", "main")}
    assert versions(shelf) == {} and versions(shelf, "other") == {"b": 2}


def test_an_answer_that_comes_after_the_deletion_was_told_brings_nothing_back() -> None:
    shelf = Shelf()
    shelf.hear(Listed([], 5))
    for news in (Changed(thing("a", 6), False), Reached(6), Changed(thing("a", 7), True), Reached(7)):
        shelf.hear(news)
    shelf.fold(thing("a", 6))
    assert versions(shelf) == {}


def test_the_deletion_of_a_predecessor_does_not_take_the_successor_with_it() -> None:
    shelf = Shelf()
    shelf.hear(Listed([thing("a", 3, uid="old")], 5))
    shelf.fold(thing("a", 9, uid="new"))
    assert shelf.hear(Changed(thing("a", 8, uid="old"), True)) == set()
    assert versions(shelf) == {"a": 9}


def test_what_is_missing_from_a_new_list_has_gone_but_for_what_is_newer_than_it() -> None:
    shelf = Shelf()
    shelf.hear(Listed([thing("gone", 1), thing("kept", 2)], 3))
    shelf.fold(thing("ours", 9))
    assert shelf.hear(Listed([thing("kept", 2)], 8)) == {("ns", "main")}
    assert versions(shelf) == {"kept": 2, "ours": 9}


def test_after_a_restore_of_etcd_what_was_told_before_counts_no_more() -> None:
    shelf = Shelf()
    shelf.hear(Listed([thing("gone", 70), thing("kept", 80)], 90))
    assert shelf.hear(Listed([thing("kept", 20)], 30)) == {("ns", "main")}
    assert versions(shelf) == {"kept": 20}
    shelf.hear(Changed(thing("kept", 31), False))
    assert versions(shelf) == {"kept": 31}


def test_an_object_that_changes_hands_leaves_its_old_owner() -> None:
    shelf = Shelf()
    shelf.hear(Listed([thing("a", 1)], 3))
    assert shelf.hear(Changed(thing("a", 4, "other"), False)) == {("ns", "main"), ("ns", "other")}
    assert versions(shelf) == {} and versions(shelf, "other") == {"a": 4}


@given(st.lists(st.sampled_from(["apply", "touch", "delete"]), max_size=12), st.data())
def test_in_the_end_it_holds_what_there_is(acts: list[str], data: st.DataObject) -> None:
    """A history of one object; answers to our own writes come at any moment after the write, lists at any at all."""
    shelf = Shelf()
    live: Manifest | None = None
    answers: list[Manifest] = []
    shelf.hear(Listed([], 0))
    for version, act in enumerate(acts, 1):
        told: list[News] = []
        if act == "delete":
            told = [Changed(thing("a", version), True)] if live else []
            live = None
        else:
            live = thing("a", version)
            told = [Changed(live, False)]
            if act == "apply":
                answers.append(live)
        if data.draw(st.booleans()) and answers:
            shelf.fold(answers.pop(data.draw(st.integers(0, len(answers) - 1))))
        if data.draw(st.booleans()):
            shelf.hear(Listed([live] if live else [], version))
        for news in told:
            shelf.hear(news)
        shelf.hear(Reached(version))
    for answer in answers:
        shelf.fold(answer)
    assert shelf.of("ns", "main") == ([live] if live else [])


def test_who_set_which_field_is_not_kept() -> None:
    shelf = Shelf()
    shelf.hear(Listed([{**thing("a", 1), "metadata": {**thing("a", 1)["metadata"], "managedFields": [{}]}}], 1))
    assert "managedFields" not in shelf.of("ns", "main")[0]["metadata"]


def test_a_resource_that_has_gone_is_not_brought_back_by_an_answer() -> None:
    mirror = Mirror([POD], ())
    mirror.hear(TRANSCRIBER, thing("main", 1))
    mirror.fold(TRANSCRIBER, thing("main", 3))
    mirror.hear(TRANSCRIBER, thing("main", 2))
    found = mirror.resource(TRANSCRIBER, "ns", "main")
    assert found is not None and found["metadata"]["resourceVersion"] == "3"
    mirror.forget(TRANSCRIBER, "ns", "main", uid="another")
    assert mirror.resource(TRANSCRIBER, "ns", "main")
    mirror.forget(TRANSCRIBER, "ns", "main", uid="u")
    mirror.fold(TRANSCRIBER, thing("main", 4))
    assert mirror.resource(TRANSCRIBER, "ns", "main") is None


def test_a_mirror_of_some_namespaces_has_no_shelf_for_others() -> None:
    mirror = Mirror([POD], ("one", "two"))
    assert mirror.shelf(POD, "one") is not mirror.shelf(POD, "two")
    assert mirror.shelf(POD, "three") is None and mirror.shelf(TRANSCRIBER, "one") is None
    everywhere = Mirror([POD], ())
    assert everywhere.shelf(POD, "one") is everywhere.shelf(POD, "two") is not None
