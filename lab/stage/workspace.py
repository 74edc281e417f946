"""The folder of a run, gone with the run, whichever way it ends."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from lab.stage import janitor
from lab.temporary import temporary_folder


class Workspace:
    """A temporary folder, and a janitor that removes it if this process cannot."""

    def __init__(self, path: Path, process: subprocess.Popen[str]) -> None:
        self.path = path
        self._janitor = process

    def watch(self, pid: int) -> None:
        """Tell the janitor of a process that works in the folder."""
        self._tell(str(pid))

    def _tell(self, line: str) -> None:
        stdin = self._janitor.stdin
        # Without a janitor the run goes on; it is only there for a bad end.
        with suppress(OSError, ValueError):
            if stdin is not None:
                stdin.write(f"{line}\n")
                stdin.flush()

    def dismiss(self) -> None:
        """End the janitor; the folder is already gone."""
        self._tell("done")
        with suppress(OSError):
            self._janitor.communicate()


@contextmanager
def open_workspace() -> Iterator[Workspace]:
    """A workspace whose folder only its owner can enter. OSError: no room for temporary files."""
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_folder())
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", janitor.__file__, str(folder)],
            stdin=subprocess.PIPE,
            encoding="utf-8",
            start_new_session=True,  # it must outlive Ctrl-C, which goes to the whole group
        )
        workspace = Workspace(folder, process)
        stack.callback(workspace.dismiss)
        stack.callback(shutil.rmtree, folder, ignore_errors=True)  # before the janitor goes, who would see to it else
        yield workspace
