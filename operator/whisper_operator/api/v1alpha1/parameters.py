"""Which settings of PostgreSQL a person may give, and why not the others."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Final

from pydantic import StringConstraints

from whisper_operator.api.v1alpha1.base import rules

ParameterName = Annotated[str, StringConstraints(max_length=63)]
ParameterValue = Annotated[str, StringConstraints(pattern=r"^[^\n\r]*$", max_length=1024)]

_FIELD = "spec.postgres.managed.parameters"
REFUSED: Final[Mapping[str, Sequence[str]]] = {
    "they say where the server listens and where its files are, which is the operator's": (
        *("listen_addresses", "port", "unix_socket_*", "bonjour*", "data_directory", "config_file", "hba_file"),
        *("ident_file", "external_pid_file", "include*"),
    ),
    "who may connect and how is spec.tls's and the operator's": ("ssl*", "password_encryption", "krb_*", "db_user_*"),
    "backups and restores are the operator's": (
        *("archive_*", "restore_command", "recovery_*", "primary_*", "hot_standby*", "promote_*"),
    ),
    "after a crash of the node the database would be lost": (
        *("fsync", "full_page_writes", "zero_damaged_pages", "ignore_checksum_failure", "ignore_invalid_pages"),
        *("data_sync_retry", "allow_system_table_mods"),
    ),
    "kubectl logs would lose the log": ("logging_collector", "log_destination", "log_directory", "log_filename"),
}
"""Why they are refused → names; `*` stands for any end."""


def refusal(name: str) -> str | None:
    """Why this setting cannot be given, or None if it can."""
    return next((why for why, given in REFUSED.items() if any(_is(name, one) for one in given)), None)


def checked(given: dict[str, str]) -> dict[str, str]:
    """The settings as they are. Raises ValueError, which names the first that is refused."""
    for name, value in given.items():
        why = refusal(name)
        if why:
            raise ValueError(f"{name} cannot be set: {why}")
        if name == "wal_level" and value == "minimal":
            raise ValueError("wal_level cannot be minimal: backups need more")
    return given


def _is(name: str, pattern: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


def _cel(names: Sequence[str]) -> str:
    whole = [name for name in names if not name.endswith("*")]
    starts = [f"!k.startsWith('{name[:-1]}')" for name in names if name.endswith("*")]
    return f"self.all(k, {' && '.join([f'!(k in {whole!r})', *starts])})"


PARAMETER_RULES = rules(
    (
        "self.all(k, k.matches('^[a-z_][a-z0-9_]*([.][a-z_][a-z0-9_]*)?$'))",
        f"{_FIELD} takes names of PostgreSQL settings, such as max_connections",
    ),
    *((_cel(names), f"{_FIELD} cannot set {', '.join(names)}: {why}") for why, names in REFUSED.items()),
    (
        "!('wal_level' in self) || self['wal_level'] != 'minimal'",
        f"{_FIELD} cannot set wal_level to minimal: backups need more",
    ),
)
