"""What encryption adds to every store: bytes that say nothing, and changes that are seen."""

from collections.abc import AsyncIterator

import pytest

from whisper_transcriber.objects.encrypted import REWRAPPED, EncryptedObjects, Policy
from whisper_transcriber.objects.envelope import HEADER
from whisper_transcriber.objects.keyring import Keyring, new_key
from whisper_transcriber.objects.magic import PlainObjects
from whisper_transcriber.objects.port import KeyMissing, Missing, Objects, Unreadable
from whisper_transcriber.objects.rewrap import Tally, rewrap

SECRET = b"what the patient said " * 5000
OLD, NEW = new_key(), new_key()
RING = Keyring("old", {"old": OLD})


async def chunks(*given: bytes) -> AsyncIterator[bytes]:
    for chunk in given:
        yield chunk


async def read(objects: Objects, key: str, start: int = 0, end: int | None = None) -> bytes:
    return b"".join([chunk async for chunk in objects.get(key, start, end)])


def nothing(_tally: Tally) -> None:
    return None


async def test_the_store_holds_nothing_of_what_was_written(backend: Objects) -> None:
    await EncryptedObjects(backend, RING).put("jobs/1/audio", chunks(SECRET))
    stored = await read(backend, "jobs/1/audio")
    assert b"patient" not in stored
    assert OLD not in stored
    assert len(stored) == HEADER + len(SECRET) + 16


async def test_the_same_bytes_are_never_stored_the_same(backend: Objects) -> None:
    objects = EncryptedObjects(backend, RING)
    stored = []
    for _ in range(2):
        await objects.put("a", chunks(SECRET))
        stored.append((await read(backend, "a"))[HEADER:])
    assert stored[0] != stored[1]


async def test_another_key_of_the_same_name_opens_nothing(backend: Objects) -> None:
    await EncryptedObjects(backend, RING).put("a", chunks(SECRET))
    with pytest.raises(Unreadable, match="does not open with the key 'old'"):
        await read(EncryptedObjects(backend, Keyring("old", {"old": NEW})), "a")


async def test_a_key_that_is_not_there_is_named(backend: Objects) -> None:
    await EncryptedObjects(backend, RING).put("a", chunks(SECRET))
    for start, end in ((0, None), (5, 10)):
        with pytest.raises(KeyMissing, match=r"the key 'old'.* only new: add it"):
            await read(EncryptedObjects(backend, Keyring("new", {"new": NEW})), "a", start, end)


async def test_without_keys_it_is_not_taken_for_audio(backend: Objects) -> None:
    await EncryptedObjects(backend, RING).put("a", chunks(SECRET))
    with pytest.raises(KeyMissing, match="set WHISPER_OBJECTS_KEYS"):
        await read(PlainObjects(backend), "a")


async def test_without_keys_nobody_can_bring_what_looks_encrypted(backend: Objects) -> None:
    await EncryptedObjects(backend, RING).put("a", chunks(SECRET))
    stored = await read(backend, "a")
    for given in ((stored,), (stored[:1], stored[1:15], stored[15:])):
        with pytest.raises(Unreadable, match="not taken"):
            await PlainObjects(backend).put("b", chunks(*given))
        with pytest.raises(Missing):
            await read(backend, "b")
    for short in ((b"whisper",), (b"whisper-sea", b"led"), (b"a", b"b")):
        await PlainObjects(backend).put("b", chunks(*short))
        assert await read(backend, "b") == b"".join(short)


async def test_what_was_there_before_is_read_only_where_that_is_said(backend: Objects) -> None:
    await backend.put("a", chunks(SECRET))
    await backend.put("empty", chunks())
    for key in ("a", "empty"):
        for start, end in ((0, None), (5, 10)):
            with pytest.raises(Unreadable, match="WHISPER_OBJECTS_READ_UNENCRYPTED=true"):
                await read(EncryptedObjects(backend, RING), key, start, end)
    lenient = EncryptedObjects(backend, RING, Policy(unencrypted=True))
    assert await read(lenient, "a") == SECRET
    assert await read(lenient, "a", 5, 10) == SECRET[5:10]
    assert await read(lenient, "empty") == b""


async def test_an_object_at_another_place_does_not_open(backend: Objects) -> None:
    objects = EncryptedObjects(backend, RING)
    await objects.put("jobs/1/audio", chunks(SECRET))
    await backend.put("jobs/2/audio", backend.get("jobs/1/audio"))
    with pytest.raises(Unreadable):
        await read(objects, "jobs/2/audio")


@pytest.mark.parametrize("cut", [1, 16, HEADER, HEADER + 16, 4096 + 16, 3 * (4096 + 16)])
async def test_an_end_that_is_missing_is_seen(backend: Objects, cut: int) -> None:
    objects = EncryptedObjects(backend, RING, Policy(bits=12))
    await objects.put("a", chunks(bytes(5 * 4096)))
    stored = await read(backend, "a")
    for left in (stored[:-cut], stored[:cut]):
        await backend.put("a", chunks(left))
        for start, end in ((0, None), (4 * 4096 + 1, None), (5 * 4096 - 1, 5 * 4096)):
            with pytest.raises(Unreadable):
                await read(objects, "a", start, end)


async def test_a_rewrapped_store_needs_only_the_new_key(backend: Objects) -> None:
    old = EncryptedObjects(backend, RING)
    for number in range(40):
        await old.put(f"jobs/{number}/audio", chunks(b"%d" % number))
    await old.put("uploads/1/a", chunks(SECRET))
    before = await read(backend, "uploads/1/a")
    both = EncryptedObjects(backend, Keyring("new", {"new": NEW, "old": OLD}))
    await both.put("jobs/40/audio", chunks(b"40"))
    tally = await rewrap(both, ("jobs/", "uploads/"), nothing)
    assert (tally.done, tally.seen, dict(tally.fates)) == (True, 42, {"rewrapped": 41, "current": 1})
    again = await rewrap(both, ("jobs/", "uploads/"), nothing)
    assert dict(again.fates) == {"current": 42}
    new = EncryptedObjects(backend, Keyring("new", {"new": NEW}))
    for number in range(41):
        assert await read(new, f"jobs/{number}/audio") == b"%d" % number
    assert await read(new, "uploads/1/a", 22, 44) == SECRET[:22]
    assert await read(backend, "uploads/1/a") == before
    assert dict((await rewrap(new, ("jobs/", "uploads/"), nothing)).fates) == {"current": 42}


async def test_a_second_change_of_keys_goes_on_from_the_first(backend: Objects) -> None:
    third = new_key()
    await EncryptedObjects(backend, RING).put("jobs/1/audio", chunks(SECRET))
    await rewrap(EncryptedObjects(backend, Keyring("new", {"new": NEW, "old": OLD})), ("jobs/",), nothing)
    ring = Keyring("third", {"third": third, "new": NEW})
    tally = await rewrap(EncryptedObjects(backend, ring), ("jobs/",), nothing)
    assert dict(tally.fates) == {"rewrapped": 1}
    assert await read(EncryptedObjects(backend, Keyring("third", {"third": third})), "jobs/1/audio") == SECRET


async def test_rewrapping_says_what_it_could_not_do(backend: Objects) -> None:
    await EncryptedObjects(backend, RING).put("jobs/1/audio", chunks(SECRET))
    await backend.put("jobs/2/audio", chunks(SECRET))
    tally = await rewrap(EncryptedObjects(backend, Keyring("new", {"new": NEW})), ("jobs/",), nothing)
    assert not tally.done
    assert str(tally).startswith("2 objects: ")
    assert "1 unencrypted" in str(tally)
    assert "1 by the key 'old', which is not there" in str(tally)


async def test_what_is_written_anew_does_not_take_the_key_of_what_was_there(backend: Objects) -> None:
    both = EncryptedObjects(backend, Keyring("new", {"new": NEW, "old": OLD}))
    await EncryptedObjects(backend, RING).put("jobs/1/audio", chunks(b"one"))
    await rewrap(both, ("jobs/",), nothing)
    await EncryptedObjects(backend, RING).put("jobs/1/audio", chunks(b"two"))
    with pytest.raises(KeyMissing):
        await read(EncryptedObjects(backend, Keyring("new", {"new": NEW})), "jobs/1/audio")
    assert dict((await rewrap(both, ("jobs/",), nothing)).fates) == {"rewrapped": 1}
    assert await read(EncryptedObjects(backend, Keyring("new", {"new": NEW})), "jobs/1/audio") == b"two"


async def test_a_deleted_folder_leaves_no_key_behind(backend: Objects) -> None:
    both = EncryptedObjects(backend, Keyring("new", {"new": NEW, "old": OLD}))
    await EncryptedObjects(backend, RING).put("jobs/1/audio", chunks(b"one"))
    await rewrap(both, ("jobs/",), nothing)
    assert await read(backend, f"jobs/1/audio{REWRAPPED}")
    await both.delete_folder("jobs/1/")
    assert [key async for key in backend.list("jobs/")] == []
