"""Structured logs: one JSON object a line, keys given through `extra={"keys": {...}}`."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any


class JsonFormatter(logging.Formatter):
    """`{"time", "level", "logger", "message", …keys, "error"?}`; times are UTC, ISO 8601."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "keys", {}),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


class Log:
    """A logger whose events carry keys: `log.info("Applied Deployment", transcriber="ns/main")`."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def debug(self, event: str, /, **keys: object) -> None:
        self._logger.debug(event, extra={"keys": keys})

    def info(self, event: str, /, **keys: object) -> None:
        self._logger.info(event, extra={"keys": keys})

    def warning(self, event: str, /, **keys: object) -> None:
        self._logger.warning(event, extra={"keys": keys})

    def exception(self, event: str, /, **keys: object) -> None:
        """Logs at error level with the traceback of the exception being handled."""
        self._logger.exception(event, extra={"keys": keys})


def configure(level: str) -> None:
    """Send every logger of the process to stderr as JSON, at `level` (DEBUG, INFO, WARNING, ERROR)."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # kopf says at INFO every time a handler ran, which for us is every event of every child.
    logging.getLogger("kopf").setLevel(max(logging.WARNING, logging.getLogger().level))
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
