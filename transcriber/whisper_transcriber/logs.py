"""JSON logs: one past-tense event a line, with keys. No secret and no transcript ever goes in."""

import json
import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message", "taskName"}


_BOUND: ContextVar[Mapping[str, Any]] = ContextVar("keys of log lines", default={})  # noqa: B039 — never changed


@contextmanager
def bound(**keys: Any) -> Iterator[None]:
    """Have every log line that this task, and those that it starts, write in the block say these keys too."""
    token = _BOUND.set({**_BOUND.get(), **keys})
    try:
        yield
    finally:
        _BOUND.reset(token)


def bind(**keys: Any) -> None:
    """The same from now on to the end of the block of `bound` that this is in."""
    _BOUND.set({**_BOUND.get(), **keys})


def said(key: str) -> Any:
    """What is bound to a key here; None if nothing is."""
    return _BOUND.get().get(key)


class JsonFormatter(logging.Formatter):
    """A record as one JSON object: time (RFC 3339), level, logger, event, what is bound, the keys given as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        line |= _BOUND.get()
        line |= {key: value for key, value in vars(record).items() if key not in _PLAIN}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


class Log:
    """A logger whose keys are keyword arguments: `log.info("Claimed job", job=job.id)`."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def debug(self, event: str, **keys: Any) -> None:
        """Say what only a developer wants to know."""
        self._logger.debug(event, extra=keys)

    def info(self, event: str, **keys: Any) -> None:
        """Say what happened."""
        self._logger.info(event, extra=keys)

    def warning(self, event: str, **keys: Any) -> None:
        """Say what went wrong and was got over."""
        self._logger.warning(event, extra=keys)

    def error(self, event: str, *, trace: bool = False, **keys: Any) -> None:
        """Say what went wrong and needs somebody; `trace` adds the exception being handled."""
        self._logger.error(event, extra=keys, exc_info=trace)


def configure(level: str) -> None:
    """Send every log of the process to standard error as JSON, uvicorn's and the libraries' included."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for chatty in ("httpx", "httpcore", "uvicorn.access"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
