"""Commands that ask a running service: where it is, with which key, and what its refusals come to."""

import argparse
import os
import re
import sys
from typing import Any, Final

OK, UNAVAILABLE, UNUSABLE = 0, 1, 2
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def ask(arguments: argparse.Namespace, method: str, path: str, body: Any = None) -> tuple[int, dict[str, Any]]:
    """The exit code and what the API answered; what went wrong is said on standard error."""
    import httpx

    key = os.environ.get("OPENAI_API_KEY") or os.environ.get("WHISPER_API_KEY") or ""
    try:
        answer = httpx.request(
            method, arguments.url.rstrip("/") + path, json=body, headers={"Authorization": f"Bearer {key}"}, timeout=30
        )
        found = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        sys.stderr.write(f"error: {arguments.url} does not answer as the API would: {error}\n")
        return UNAVAILABLE, {}
    if answer.is_error:
        sys.stderr.write(f"error: {found['error']['message']}\n")
        return UNAVAILABLE if answer.status_code >= 500 else UNUSABLE, {}
    return OK, dict(found)


def default_url() -> str:
    """The API of the environment, or this pod's."""
    return os.environ.get("OPENAI_BASE_URL") or f"http://127.0.0.1:{os.environ.get('WHISPER_PORT', '8000')}/v1"


def seconds(text: str) -> int:
    """A time such as 12h, for argparse."""
    found = re.fullmatch(r"(\d+)([smhd])", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no time such as 30m, 12h or 90d")
    return int(found[1]) * _UNITS[found[2]]
