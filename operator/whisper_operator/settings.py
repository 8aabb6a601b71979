"""What an operator process is told when it starts: arguments first, then the environment, then defaults."""

import argparse
import os
import socket
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

PREFIX = "WHISPER_OPERATOR_"
NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


@dataclass(frozen=True)
class Settings:
    """One process' settings. Durations are seconds.

    `namespaces` empty means all of them; `own_namespace` is "" outside a cluster. `image_pull_secrets`: by name, in the
    namespace of each transcriber. `api_url` is a template with `{name}` and `{namespace}` of a transcriber.
    """

    namespaces: tuple[str, ...] = ()
    lease_name: str = "whisper-operator"
    lease_namespace: str = "default"
    own_namespace: str = ""
    identity: str = "whisper-operator"
    http_host: str = "0.0.0.0"  # noqa: S104  a kubelet's probes come from outside the pod
    http_port: int = 8080
    version: str = "0.1.0"
    image_registry: str = ""
    image_pull_policy: str = "IfNotPresent"
    image_pull_secrets: tuple[str, ...] = ()
    api_url: str = "http://{name}-api.{namespace}.svc:80"
    resync: float = 300.0
    recheck: float = 10.0
    debounce: float = 0.2
    scale_interval: float = 5.0
    concurrency: int = 16
    log_level: str = "INFO"


def parser() -> argparse.ArgumentParser:
    """The command line. Every option has an environment variable of the same name: WHISPER_OPERATOR_LEASE_NAMESPACE."""
    top = argparse.ArgumentParser(prog="whisper-operator", description="The operator for WhisperTranscribers.")
    run = top.add_subparsers(dest="command", required=True).add_parser("run", help="run the operator")
    scope = run.add_mutually_exclusive_group()
    scope.add_argument("--namespace", action="append", metavar="NS", help="serve this namespace (may be repeated)")
    scope.add_argument("--all-namespaces", action="store_true", help="serve every namespace (the default)")
    run.add_argument("--lease-namespace", help="where the Lease lives (default: the pod's namespace)")
    run.add_argument("--lease-name", help="the Lease's name (default: whisper-operator)")
    run.add_argument("--identity", help="who holds the Lease (default: the pod's name and a random part)")
    run.add_argument("--http-host", help="where probes and metrics listen (default: 0.0.0.0)")
    run.add_argument("--http-port", type=int, help="the port of probes and metrics (default: 8080)")
    run.add_argument("--version", help="version of the images of the children (default: the operator's own)")
    run.add_argument("--image-registry", help="prefix of the images of the children, with no slash at its end")
    run.add_argument("--image-pull-policy", choices=["Always", "IfNotPresent", "Never"])
    run.add_argument(
        "--image-pull-secret",
        action="append",
        dest="image_pull_secrets",
        metavar="NAME",
        help="Secret with registry credentials in each transcriber's namespace (may be repeated)",
    )
    run.add_argument("--api-url", help="URL template of a transcriber's API")
    run.add_argument("--resync", type=float, help="seconds between two looks at a resource nothing happened to")
    run.add_argument("--recheck", type=float, help="seconds between two looks at a resource that is not ready")
    run.add_argument("--scale-interval", type=float, help="seconds between two looks at a queue that holds jobs")
    run.add_argument("--concurrency", type=int, help="resources reconciled at the same time (default: 16)")
    run.add_argument("--log-level", choices=["DEBUG", "INFO", "WARNING", "ERROR"])
    return top


def variables() -> frozenset[str]:
    """Every environment variable of ours that `load` reads."""
    every = vars(parser().parse_args(["run"])).keys() - {"command", "namespace", "all_namespaces"}
    return frozenset(PREFIX + name.upper() for name in (*every, "namespaces"))


def load(argv: Sequence[str], env: Mapping[str, str]) -> Settings:
    """Settings from arguments, environment and the pod. Exits with a usage message on bad arguments."""
    top = parser()
    args = vars(top.parse_args(argv))
    args.pop("command")
    every, named = args.pop("all_namespaces"), args.pop("namespace")
    from_env = _words(env.get(PREFIX + "NAMESPACES", ""))
    values: dict[str, object] = {"namespaces": () if every else tuple(named or from_env)}
    for name, given in args.items():
        text = env.get(PREFIX + name.upper(), "").strip()
        if given is not None:
            values[name] = tuple(given) if isinstance(given, list) else given
        elif text:  # a chart that renders an empty value means the default
            try:
                default = getattr(Settings, name)
                values[name] = _words(text) if isinstance(default, tuple) else type(default)(text)
            except ValueError:
                top.error(f"{PREFIX}{name.upper()}: {text!r} is not a number")
    own = _own_namespace(env)
    values["own_namespace"] = own
    values.setdefault("lease_namespace", own or Settings.lease_namespace)
    values.setdefault("identity", f"{env.get('POD_NAME') or socket.gethostname()}-{uuid.uuid4().hex[:8]}")
    values.setdefault("version", version("whisper-operator"))
    return Settings(**values)  # type: ignore[arg-type]  # checked by argparse and by the type of each default


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _own_namespace(env: Mapping[str, str]) -> str:
    if env.get("POD_NAMESPACE"):
        return env["POD_NAMESPACE"]
    return NAMESPACE_FILE.read_text().strip() if NAMESPACE_FILE.exists() else ""


def environment() -> Mapping[str, str]:
    """The process' environment, read in one place."""
    return os.environ
