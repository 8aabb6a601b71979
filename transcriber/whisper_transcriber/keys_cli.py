"""`whisper-transcriber keys create | list | revoke`: the admin API, from a pod or from anywhere that reaches it."""

import argparse
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

from whisper_transcriber.asking import OK, ask, default_url, seconds


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `keys`; exit codes: 0, 1 where the service does not answer, 2 where it refuses."""
    keys = subparsers.add_parser("keys", help="make, list and revoke API keys of a service")
    keys.add_argument("--url", default=default_url(), help="the API; default: $OPENAI_BASE_URL, or this pod's")
    commands = keys.add_subparsers(required=True, metavar="COMMAND")
    create = commands.add_parser("create", help="make a key; it is printed once and not kept")
    create.add_argument("name", help="to know it by")
    create.add_argument("--tenant", default="default", help="whose jobs it sees")
    create.add_argument(
        "--scope", action="append", choices=("transcribe", "jobs", "webhooks", "admin"), help="may be repeated"
    )
    create.add_argument("--expires-in", type=seconds, metavar="TIME", help="such as 12h or 90d; never if absent")
    create.add_argument("--requests-per-minute", type=int, metavar="N")
    create.add_argument("--audio-seconds-per-day", type=int, metavar="N")
    create.set_defaults(func=_create)
    commands.add_parser("list", help="list the keys").set_defaults(func=_list)
    revoke = commands.add_parser("revoke", help="end a key at once")
    revoke.add_argument("id", help="the key's id, from `keys list`")
    revoke.set_defaults(func=_revoke)


def _create(arguments: argparse.Namespace) -> int:
    body: dict[str, Any] = {
        "name": arguments.name,
        "tenant": arguments.tenant,
        "scopes": arguments.scope or ["transcribe", "jobs"],
        "requests_per_minute": arguments.requests_per_minute,
        "audio_seconds_per_day": arguments.audio_seconds_per_day,
    }
    if arguments.expires_in:
        body["expires_at"] = (datetime.now(UTC) + timedelta(seconds=arguments.expires_in)).isoformat()
    code, made = ask(arguments, "POST", "/admin/keys", body)
    if code == OK:
        sys.stdout.write(f"{made['key']}\n")
        sys.stderr.write(f"id {made['id']}: keep the key now, it is not shown again\n")
    return code


def _list(arguments: argparse.Namespace) -> int:
    code, found = ask(arguments, "GET", "/admin/keys")
    for key in found.get("data", ()) if code == OK else ():
        state = "revoked" if key["revoked_at"] else "expires " + _day(key["expires_at"]) if key["expires_at"] else "-"
        scopes = ",".join(key["scopes"])
        sys.stdout.write(f"{key['id']}  {key['start']}…  {key['tenant']}  {scopes}  {state}  {key['name']}\n")
    return code


def _revoke(arguments: argparse.Namespace) -> int:
    return ask(arguments, "DELETE", f"/admin/keys/{arguments.id}")[0]


def _day(unix: int) -> str:
    return datetime.fromtimestamp(unix, UTC).date().isoformat()
