"""`whisper-transcriber webhooks secret | rotate | log | redeliver`: the API's webhooks, from a pod or from anywhere."""

import argparse
import sys
from datetime import UTC, datetime

from whisper_transcriber.asking import OK, ask, default_url, seconds


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `webhooks`; exit codes: 0, 1 where the service does not answer, 2 where it refuses."""
    webhooks = subparsers.add_parser("webhooks", help="the secret of a tenant's webhooks, and what came of them")
    webhooks.add_argument("--url", default=default_url(), help="the API; default: $OPENAI_BASE_URL, or this pod's")
    commands = webhooks.add_subparsers(required=True, metavar="COMMAND")
    commands.add_parser("secret", help="print the secret that they are signed with").set_defaults(func=_secret)
    rotate = commands.add_parser("rotate", help="replace the secret, and print the new one")
    rotate.add_argument(
        "--overlap",
        type=seconds,
        default=86400,
        metavar="TIME",
        help="how long the old one signs too: 1d; 0s: not at all",
    )
    rotate.set_defaults(func=_rotate)
    log = commands.add_parser("log", help="list what came of the webhooks of a job")
    log.add_argument("job", help="the job's id")
    log.set_defaults(func=_log)
    redeliver = commands.add_parser("redeliver", help="deliver one anew, now")
    redeliver.add_argument("job", help="the job's id")
    redeliver.add_argument("delivery", help="the delivery's id, from `webhooks log`")
    redeliver.set_defaults(func=_redeliver)


def _secret(arguments: argparse.Namespace) -> int:
    code, found = ask(arguments, "GET", "/webhooks/secret")
    return _printed(code, found)


def _rotate(arguments: argparse.Namespace) -> int:
    code, found = ask(arguments, "POST", "/webhooks/secret/rotate", {"overlap_seconds": arguments.overlap})
    return _printed(code, found)


def _printed(code: int, found: dict[str, object]) -> int:
    if code == OK:
        sys.stdout.write(f"{found['secret']}\n")
        if isinstance(until := found["previous_until"], int):
            sys.stderr.write(f"the one before signs too, until {_time(until)}\n")
    return code


def _log(arguments: argparse.Namespace) -> int:
    code, found = ask(arguments, "GET", f"/jobs/{arguments.job}/deliveries")
    for delivery in found.get("data", ()) if code == OK else ():
        upcoming = delivery["next_attempt_at"]
        again = f", again {_time(upcoming)}" if upcoming else ""
        sys.stdout.write(f"{delivery['id']}  {delivery['type']}  {delivery['status']}{again}\n")
        for attempt in delivery["attempts"]:
            said = attempt["error"] or attempt["status_code"]
            sys.stdout.write(f"  {_time(attempt['at'])}  {attempt['seconds']:.1f} s  {said}\n")
    return code


def _redeliver(arguments: argparse.Namespace) -> int:
    return ask(arguments, "POST", f"/jobs/{arguments.job}/deliveries/{arguments.delivery}/redeliver")[0]


def _time(unix: int) -> str:
    return datetime.fromtimestamp(unix, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
