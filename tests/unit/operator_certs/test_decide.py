"""What is due, by dates alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from whisper_operator.certs import decide
from whisper_operator.certs.decide import OVERLAP, SOON, Step, Why
from whisper_operator.certs.forge import Certificate

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def certificate(days: int, start: datetime = NOON, *names: str) -> Certificate:
    return Certificate("", 1, start, start + days * DAY, frozenset(names), "", "")


CA = certificate(3650)


@pytest.mark.parametrize(
    ("after", "step"),
    [(0, Step.NONE), (2433, Step.NONE), (2434, Step.PREPARE), (3649, Step.PREPARE), (3650, Step.MAKE)],
)
def test_an_authority_gets_a_successor_after_two_thirds_of_its_life(after: int, step: Step) -> None:
    assert decide.authority(CA, None, NOON + after * DAY) is step


def test_a_successor_signs_once_everybody_trusts_it() -> None:
    successor = certificate(3650, NOON + 2434 * DAY)
    assert decide.authority(CA, successor, successor.start + OVERLAP - SOON) is Step.NONE
    assert decide.authority(CA, successor, successor.start + OVERLAP) is Step.PROMOTE


def test_a_successor_signs_at_once_where_nobody_else_can() -> None:
    assert decide.authority(CA, certificate(3650, CA.end), CA.end) is Step.PROMOTE
    assert decide.authority(None, certificate(10, NOON), NOON) is Step.PROMOTE
    assert decide.authority(CA, certificate(1, NOON), CA.end) is Step.MAKE


def test_without_an_authority_one_is_made() -> None:
    assert decide.authority(None, None, NOON) is Step.MAKE


@pytest.mark.parametrize(
    ("after", "why"), [(-1, Why.FINE), (59, Why.FINE), (60, Why.EXPIRING), (89, Why.EXPIRING), (90, Why.EXPIRED)]
)
def test_a_certificate_is_renewed_after_two_thirds_of_its_life(after: int, why: Why) -> None:
    assert decide.leaf(certificate(90, NOON, "a"), ("a",), True, NOON + after * DAY) is why


def test_a_certificate_must_have_every_name_and_a_known_signer() -> None:
    found = certificate(90, NOON, "a", "b")
    assert decide.leaf(found, ("a",), True, NOON) is Why.FINE
    assert decide.leaf(found, ("a", "c"), True, NOON) is Why.WRONG_NAMES
    assert decide.leaf(found, ("a",), False, NOON) is Why.UNTRUSTED
    assert decide.leaf(None, ("a",), True, NOON) is Why.MISSING


def test_the_next_look_is_when_the_first_thing_is_due() -> None:
    leaves = [certificate(90), certificate(30)]
    assert decide.again(CA, None, leaves, NOON) == NOON + 20 * DAY
    assert decide.again(CA, certificate(3650), leaves, NOON) == NOON + OVERLAP
    assert decide.again(CA, None, [certificate(90, NOON - 80 * DAY)], NOON) == NOON + SOON
