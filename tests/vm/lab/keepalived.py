# SPDX-License-Identifier: GPL-2.0-only
"""keepalived, unmodified, on a machine of the lab."""

import pathlib
import shutil
import signal
import subprocess
import tempfile

from .patience import patiently


class Keepalived:
    """keepalived with this configuration; `close` ends it, and its folder goes too."""

    def __init__(self, node, configuration):
        self._folder = pathlib.Path(tempfile.mkdtemp())
        self._configuration = self._folder / "keepalived.conf"
        self._configuration.write_text(configuration, "ascii")
        self._log = self._folder / "log"
        files = {option: self._folder / option for option in ("pid", "vrrp_pid", "checkers_pid", "bfd_pid")}
        with open(self._log, "wb") as log:
            self._process = node.start(
                "keepalived", "--dont-fork", "--log-console", "--no-syslog", "--log-detail", f"--use-file={self._configuration}",
                *(f"--{option}={path}" for option, path in files.items()), stdout=log, stderr=subprocess.STDOUT)

    @property
    def log(self):
        """What it said."""
        return self._log.read_text("utf-8", "replace")

    def reload(self, configuration):
        """Give it another configuration."""
        self._configuration.write_text(configuration, "ascii")
        self._process.send_signal(signal.SIGHUP)

    def stop(self):
        """Ask it to end, and wait until it has; its exit status."""
        self._process.terminate()
        return self._process.wait(patiently(20))

    def close(self):
        try:
            if self._process.poll() is None:
                self.stop()
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)
