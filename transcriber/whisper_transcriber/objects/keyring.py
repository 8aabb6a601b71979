"""The keys that wrap the keys of objects: named, in order, the first for what is written from now on."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

KEY_BYTES = 32
ID_BYTES = 64
_LINE = re.compile(rf"([A-Za-z0-9][A-Za-z0-9._-]{{0,{ID_BYTES - 1}}}):\s*([0-9A-Fa-f]{{{2 * KEY_BYTES}}})")


@dataclass(frozen=True)
class Keyring:
    """Keys of 32 bytes by their ids; `first` is the id of the one that encrypts, all of them decrypt."""

    first: str
    keys: Mapping[str, bytes] = field(repr=False)

    @property
    def ids(self) -> str:
        """The ids, for people."""
        return ", ".join(self.keys)


def parse(text: str) -> Keyring:
    """The keys of a text with a line `id: 64 hexadecimal digits` for each.

    Raises: ValueError, which says what to change and nothing of a key.
    """
    keys: dict[str, bytes] = {}
    for number, line in enumerate(filter(None, map(str.strip, text.splitlines())), 1):
        found = _LINE.fullmatch(line)
        if found is None:
            raise ValueError(f"key {number} is not `id: {2 * KEY_BYTES} hexadecimal digits` (openssl rand -hex 32)")
        if found[1] in keys:
            raise ValueError(f"the id {found[1]!r} is there twice: give the new key an id of its own")
        keys[found[1]] = bytes.fromhex(found[2])
    if not keys:
        raise ValueError("there is no key in it")
    return Keyring(next(iter(keys)), keys)


def new_key() -> bytes:
    """A random key."""
    return secrets.token_bytes(KEY_BYTES)
