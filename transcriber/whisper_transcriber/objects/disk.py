"""Objects as files of a folder, for one machine and for tests."""

from pathlib import Path

from obstore.store import LocalStore

from whisper_transcriber.objects.obstore import ObstoreObjects


class DiskObjects(ObstoreObjects):
    """Objects under `folder`, which is made if it is not there."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        store = LocalStore(folder, automatic_cleanup=True)
        super().__init__(lambda: store, f"the folder {folder}")
