"""Certificate authorities from a file that is replaced while the process runs, as a mounted ConfigMap or Secret is."""

import ssl
from pathlib import Path

from whisper_transcriber.logs import Log

log = Log(__name__)


class Trust:
    """Whom the clients of one store trust.

    A file that cannot be read, or holds no certificate, leaves what was trusted as it was; the first time it is an
    error: OSError, or ssl.SSLError.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known = ""
        self._context: ssl.SSLContext | None = None

    @property
    def path(self) -> str:
        """The file, for clients that read it anew for each connection."""
        return str(self._file)

    def pem(self) -> str:
        """The authorities as they are now. The same text as before means that nothing has changed."""
        self._refresh()
        return self._known

    def context(self) -> ssl.SSLContext:
        """A client's context that trusts these authorities and no others, and verifies the server's name."""
        self._refresh()
        assert self._context is not None
        return self._context

    def _refresh(self) -> None:
        try:
            pem = self._file.read_text()
            if pem != self._known:
                self._context = ssl.create_default_context(cadata=pem)
                self._known = pem
        except (OSError, ValueError) as error:  # an SSLError is an OSError
            if self._context is None:
                raise
            log.warning("Kept the authorities that were trusted", file=self.path, error=type(error).__name__)
