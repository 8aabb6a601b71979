"""Who comes first: by priority, then fair between tenants, then short before long, and nobody starves."""

from dataclasses import replace
from uuid import UUID

from contract.store.steps import LONG, REQUEST, claimed, new, opening, part, split
from services.servers import until
from whisper_transcriber.store.port import AGEING_SECONDS, Facts, Store


async def known(store: Store, *lengths: float) -> list[UUID]:
    """Jobs of one tenant whose lengths are known, oldest first."""
    ids = [(await store.create(new()))[0].id for _ in lengths]
    claims = [await claimed(store) for _ in lengths]
    for claim, seconds in zip(claims, lengths, strict=True):
        await store.learn(claim, Facts(audio_seconds=seconds))
        await store.hand_back(claim, failed=False)
    return ids


async def older_than(store: Store, seconds: float) -> None:
    """Return once the oldest queued job has waited for so long."""

    async def waited() -> bool:
        return (await store.queue()).oldest_seconds > seconds

    await until(waited, f"a job to have waited for {seconds} s")


async def order(store: Store, count: int) -> list[UUID]:
    """The jobs of the next so many claims."""
    return [(await claimed(store)).job.id for _ in range(count)]


async def test_short_goes_before_long_and_a_job_of_unknown_length_counts_as_short(store: Store) -> None:
    long, short = await known(store, 250.0, 10.0)
    unknown, _ = await store.create(new())
    assert await order(store, 3) == [unknown.id, short, long]


async def test_before_anybody_opens_it_a_job_is_as_long_as_its_bytes_say(store: Store) -> None:
    hour, minute, sentence = [(await store.create(new(size=size << 15)))[0].id for size in (3600, 60, 4)]
    (known_,) = await known(store, 30.0)
    outlook = await store.outlook(minute)
    assert outlook is not None and outlook.ahead == 2
    assert await order(store, 4) == [sentence, known_, minute, hour]


async def test_what_seems_long_but_is_known_to_be_short_goes_first(store: Store) -> None:
    seeming, _ = await store.create(new(size=100 << 15))
    claim = await claimed(store)
    await store.hand_back(claim, failed=False)
    other, _ = await store.create(new(size=50 << 15))
    first = await claimed(store)
    assert first.job.id == other.id
    again = await claimed(store)
    await store.learn(again, Facts(audio_seconds=10.0))
    for each in (first, again):
        await store.hand_back(each, failed=False)
    assert await order(store, 2) == [seeming.id, other.id]


async def test_from_some_length_on_the_older_one_goes_first(store: Store) -> None:
    older, younger = await known(store, 40 * AGEING_SECONDS, AGEING_SECONDS)
    assert await order(store, 2) == [older, younger]


async def test_who_has_waited_longer_than_it_is_long_goes_before_the_shortest(store: Store) -> None:
    (aged,) = await known(store, 0.2)
    await older_than(store, 0.4)
    short, _ = await store.create(new())
    assert await order(store, 2) == [aged, short.id]


async def test_priority_goes_before_shortness(store: Store) -> None:
    (short,) = await known(store, 1.0)
    urgent, _ = await store.create(new(replace(REQUEST, priority=1)))
    assert await order(store, 2) == [urgent.id, short]


async def test_the_tenant_with_less_audio_in_workers_hands_goes_first(store: Store) -> None:
    many = [(await store.create(new(tenant="many")))[0].id for _ in range(3)]
    few = [(await store.create(new(tenant="few")))[0].id for _ in range(2)]
    assert await order(store, 2) == [many[0], few[0]]
    claims = [await claimed(store), await claimed(store)]
    assert {claim.job.id for claim in claims} == {many[1], few[1]}
    assert await order(store, 1) == [many[2]]


async def test_a_tenants_parts_weigh_by_what_is_left_of_them(store: Store) -> None:
    long = await split(store, 3, tenant="long")
    assert await order(store, 1) == [long]
    clips = [(await store.create(new(tenant="clips")))[0].id for _ in range(4)]
    # A part of 100 s is in hand: so are 30 s for each clip of unknown length, until they weigh more.
    assert await order(store, 4) == clips
    assert await order(store, 1) == [long]


async def test_a_clip_does_not_wait_for_the_parts_of_a_long_file(store: Store) -> None:
    long = await split(store, 4)
    assert (await claimed(store)).part == part(0)
    clip, _ = await store.create(new())
    assert (await claimed(store)).job.id == clip.id
    assert (await claimed(store)).part == part(1)
    later, _ = await store.create(new())
    assert await order(store, 3) == [later.id, long, long]


async def test_a_long_file_does_not_starve_behind_clips(store: Store) -> None:
    long = await split(store, 3, seconds=0.1)
    assert await order(store, 1) == [long]
    clip, _ = await store.create(new())
    await older_than(store, 0.5)
    late, _ = await store.create(new())
    # Its turn came 0.3 s after its last claim: before the clip that came later, and only once.
    assert [job for job in await order(store, 4) if job != clip.id] == [long, late.id, long]


async def test_whoever_has_enough_parts_asks_for_none(store: Store) -> None:
    long = await split(store, 2)
    assert await store.claim("worker", LONG, parts=False) is None
    clip, _ = await store.create(new())
    claim = await store.claim("worker", LONG, parts=False)
    assert claim is not None
    assert claim.job.id == clip.id
    assert await order(store, 2) == [long, long]


async def test_whoever_opens_a_long_file_leaves_the_opening_of_others(store: Store) -> None:
    long, short = await known(store, 500.0, 400.0)
    opener = await opening(store, 600.0, request=replace(REQUEST, priority=1))
    await store.add_part(opener, part(0), LONG)
    await store.hand_back(opener, failed=False)
    unknown, _ = await store.create(new())
    claims = [await store.claim("worker", LONG, parts=False, longest=450.0) for _ in range(3)]
    assert [claim and claim.job.id for claim in claims] == [unknown.id, short, None]
    assert await order(store, 3) == [opener.job.id, opener.job.id, long]


async def test_two_long_files_take_turns(store: Store) -> None:
    first, second = await split(store, 3), await split(store, 3)
    assert await order(store, 6) == [first, second] * 3


async def test_a_higher_priority_goes_before_the_parts_that_are_left(store: Store) -> None:
    await split(store, 2, tenant="a")
    assert (await claimed(store)).part == part(0)
    urgent, _ = await store.create(new(replace(REQUEST, priority=5), tenant="a"))
    assert await order(store, 1) == [urgent.id]
    assert await store.claim("worker", LONG) is not None
    assert await store.claim("worker", LONG) is None
