"""The guarded fetcher over TLS: whom it believes, by name, though it connects to an address."""

import ssl
from collections.abc import Sequence
from pathlib import Path

import pytest

from services.receiver import receiver
from testbed import pki
from whisper_transcriber.fetch.guard import FetchFailed
from whisper_transcriber.fetch.http import Limits, post


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an authority, and a certificate of its for `hooks.example`."""
    folder = tmp_path_factory.mktemp("pki") / "made"
    pki.make(folder, [pki.Identification("hooks", "hooks", names=("DNS:hooks.example",))])
    return folder


def certified(folder: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "hooks.crt", folder / "hooks.key")
    return context


async def loopback(_host: str) -> Sequence[str]:
    return ["127.0.0.1"]


def trusting(file: Path | None) -> Limits:
    return Limits(1000, 10, allow_private=True, authorities=file)


async def test_a_receiver_is_believed_by_its_name(authority: Path) -> None:
    async with receiver(tls=certified(authority)) as there:
        url, limits = f"https://hooks.example:{there.port}/", trusting(authority / "ca.crt")
        assert (await post(url, b"{}", {}, limits, loopback)).status == 204
        with pytest.raises(FetchFailed, match="did not answer"):
            await post(url.replace("hooks", "other"), b"{}", {}, limits, loopback)
        with pytest.raises(FetchFailed, match="did not answer"):
            await post(url, b"{}", {}, trusting(None), loopback)
    assert len(there.requests) == 1


async def test_authorities_are_read_anew_when_they_change(authority: Path, tmp_path: Path) -> None:
    file = tmp_path / "ca.crt"
    async with receiver(tls=certified(authority)) as there:
        url = f"https://hooks.example:{there.port}/"
        for text in (None, "nonsense"):
            if text:
                file.write_text(text)
            with pytest.raises(FetchFailed, match="more authorities cannot be read"):
                await post(url, b"{}", {}, trusting(file), loopback)
        file.write_bytes((authority / "ca.crt").read_bytes())
        assert (await post(url, b"{}", {}, trusting(file), loopback)).status == 204
