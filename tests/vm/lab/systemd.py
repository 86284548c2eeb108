# SPDX-License-Identifier: GPL-2.0-only
"""systemd, unmodified, as the first process of a machine of the lab."""

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile

from .eventually import eventually
from .namespace import execute
from .patience import patiently

_DELIVERED = pathlib.Path("/usr/lib/systemd/system")
_KEPT = ("*.target", "*.slice", "systemd-journald.service", "systemd-journald.socket", "systemd-journald-dev-log.socket")
"""What boots: the milestones, and the journal. All other units of the system are out of sight."""

# In a mount namespace of its own; $1: the units that are left, $2: what stands for the console, then the units to be enabled.
_BOOT = """
set -e
units=$1 console=$2
shift 2
mount --bind "$units" /usr/lib/systemd/system
mount -t tmpfs -o mode=755 units /etc/systemd/system
mount -t tmpfs -o mode=755 run /run
mount --bind "$console" /dev/console
SYSTEMD_OFFLINE=1 systemctl --quiet enable "$@"
exec /usr/lib/systemd/systemd --system --unit=multi-user.target
"""


class Systemd:
    """A machine booted with these units enabled. Its processes, mounts and control groups are its own; the files are the guest's."""

    def __init__(self, node, *units):
        self._folder = pathlib.Path(tempfile.mkdtemp())
        self._console = self._folder / "console"
        self._console.touch()
        with self._listening() as ready:
            self._process = node.start(
                "unshare", "--fork", "--kill-child", "--pid", "--mount-proc", "--mount", "--uts", "--ipc", "--cgroup",
                "sh", "-c", _BOOT, "boot", self._pared(), self._console, *units, stdin=subprocess.DEVNULL,
                env=os.environ | {"container": "lab", "NOTIFY_SOCKET": ready.getsockname()})
            try:
                self._first = self._child()
                self._await(ready)
            except BaseException:
                self.close()
                raise

    @contextlib.contextmanager
    def _listening(self):
        """A socket on which systemd says how far it is."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
            ready.bind(str(self._folder / "notify"))
            ready.settimeout(patiently(60))
            yield ready

    def _pared(self):
        """A folder with the units that are kept."""
        units = self._folder / "units"
        wanted = units / "sysinit.target.wants"
        wanted.mkdir(parents=True)
        for pattern in _KEPT:
            for unit in _DELIVERED.glob(pattern):
                shutil.copy(unit, units, follow_symlinks=False)
        (wanted / "systemd-journald.service").symlink_to("../systemd-journald.service")
        return units

    def _child(self):
        """The process that is the first one in there."""
        search = ["pgrep", "--parent", str(self._process.pid)]
        return eventually(lambda: subprocess.run(search, capture_output=True, text=True).stdout.split())[0]

    def _await(self, ready):
        """Wait until it has booted."""
        try:
            while "READY=1" not in ready.recv(4096).decode().splitlines():
                pass
        except TimeoutError:
            raise AssertionError(f"it has not booted: {self.console}") from None

    @property
    def console(self):
        """What it said on its console."""
        return self._console.read_text("utf-8", "replace")

    def run(self, *argv):
        """Run a command on the machine to its end; its standard output. Raises CommandFailed."""
        return execute(["nsenter", "--target", self._first, "--pid", "--mount", "--net", *argv])

    def journal(self, unit):
        """What a unit and its processes said."""
        return self.run("journalctl", "--no-pager", "--output=cat", f"--unit={unit}")

    def close(self):
        """End all of its processes."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)
