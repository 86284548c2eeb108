# SPDX-License-Identifier: GPL-2.0-only
"""Network namespaces: making them, being in them, running commands in them, and proving that they are gone."""

import contextlib
import fcntl
import os
import socket
import struct
import subprocess
import threading
import time

from .kernel_setting import kernel_setting
from .patience import patiently

_LIMIT = "/proc/sys/user/max_net_namespaces"
_FALLBACK_TUNNELS = "/proc/sys/net/core/fb_tunnels_only_for_init_net"
_home = os.open("/proc/self/ns/net", os.O_RDONLY)


class CommandFailed(Exception):
    """A command ended with a status other than 0."""

    def __init__(self, argv, result):
        self.status, self.stderr, self.stdout = result.returncode, result.stderr, result.stdout
        super().__init__(f"{' '.join(argv)}: status {self.status}: {(self.stderr or self.stdout).strip()}")


def reset_when_closed(any_socket):
    """Have TCP end the connection by RST instead of FIN."""
    any_socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def abort(any_socket):
    """Close a socket now, whoever waits for it; TCP resets the connection instead of waiting for an end that may be gone."""
    if any_socket.fileno() < 0:
        return
    if any_socket.type == socket.SOCK_STREAM:
        reset_when_closed(any_socket)
        with contextlib.suppress(OSError):
            any_socket.shutdown(socket.SHUT_RDWR)  # wakes a thread that is reading
    descriptor = any_socket.detach()
    if descriptor >= 0:  # else that thread closed it
        os.close(descriptor)


def execute(argv, stdin=None):
    """Run a command to its end; its standard output. Raises CommandFailed."""
    argv = [str(word) for word in argv]
    result = subprocess.run(argv, input=stdin, capture_output=True, text=True)
    if result.returncode != 0:
        raise CommandFailed(argv, result)
    return result.stdout


class Namespace:
    """A named network namespace. `with namespace:` puts the calling thread into it."""

    def __init__(self, name):
        self.name = name
        self._fd = os.open(f"/run/netns/{name}", os.O_RDONLY | os.O_CLOEXEC)
        self._return_to = threading.local()
        self._sockets = []

    @classmethod
    def create(cls, *names):
        """Make namespaces of these names.

        IPv6 is off, so that nothing but the tests' own packets is on the wires, and closed TCP sockets do not wait long for ends
        that are gone: they would keep their namespace alive. The devices that modules of tunnels give to every namespace are left
        out: they would be most of all devices, and most of the time.
        """
        with open(_FALLBACK_TUNNELS, "w", encoding="ascii") as file:
            file.write("1")
        execute(["ip", "-batch", "-"], "".join(f"netns add {name}\n" for name in names))
        created = [cls(name) for name in names]
        for namespace in created:
            namespace.sysctl(**{"net.ipv6.conf.all.disable_ipv6": 1, "net.ipv6.conf.default.disable_ipv6": 1,
                                "net.ipv4.tcp_orphan_retries": 1, "net.ipv4.tcp_fin_timeout": 1})
        return created

    def close(self):
        """Let go of the namespace without deleting it: an open handle or socket would keep it alive."""
        for any_socket in self._sockets:
            abort(any_socket)
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1

    def delete(self):
        self.close()
        execute(["ip", "netns", "del", self.name])

    def __enter__(self):
        if not hasattr(self._return_to, "stack"):
            self._return_to.stack = []
        self._return_to.stack.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC))
        os.setns(self._fd, os.CLONE_NEWNET)
        return self

    def __exit__(self, *_):
        before = self._return_to.stack.pop()
        os.setns(before, os.CLONE_NEWNET)
        os.close(before)

    def run(self, *argv, stdin=None):
        """Run a command in the namespace to its end; its standard output. Raises CommandFailed."""
        with self:
            return execute(argv, stdin)

    def try_run(self, *argv, stdin=None):
        """Run a command in the namespace; the completed process, whatever its status."""
        with self:
            return subprocess.run([str(word) for word in argv], input=stdin, capture_output=True, text=True)

    def start(self, *argv, **options):
        """Start a command in the namespace and leave it running."""
        with self:
            return subprocess.Popen([str(word) for word in argv], **options)

    def ip(self, *lines, options=()):
        """Commands of ip(8) without the leading "ip", all in one go. `options` such as "-6" are for all of them."""
        with self:
            execute(["ip", *options, "-batch", "-"], "\n".join(lines) + "\n")

    def sysctl(self, **values):
        with self:
            for key, value in values.items():
                with open("/proc/sys/" + key.replace(".", "/"), "w", encoding="ascii") as file:
                    file.write(str(value))

    def read(self, path):
        """A file whose content depends on the namespace, as those under /proc/net."""
        path = path.replace("/proc/net/", "/proc/thread-self/net/")
        with self, open(path, encoding="ascii") as file:
            return file.read()

    def socket(self, family=socket.AF_INET, kind=socket.SOCK_STREAM, protocol=0):
        """A socket that belongs to the namespace wherever it is used; closed with the namespace at the latest."""
        with self:
            made = socket.socket(family, kind, protocol)
        self._sockets.append(made)
        return made

    def mac(self, device):
        """The hardware address of a device, six bytes."""
        siocgifhwaddr = 0x8927
        with self.socket() as any_socket:
            return fcntl.ioctl(any_socket, siocgifhwaddr, struct.pack("256s", device.encode()))[18:24]


def baseline():
    """How many namespaces may exist when all of ours are gone: as many as exist now."""
    os.setns(_home, os.CLONE_NEWNET)
    for count in range(1, 1000):
        if _creation_is_allowed(count):
            return count
    raise AssertionError("there are more than 1000 network namespaces")


def all_gone(limit, within=30.0):
    """Wait until the kernel has taken namespaces apart to the last byte.

    The kernel counts a namespace until every subsystem has left it and all grace periods are over; so under a limit of what there
    was before, a new one can be made only after that. `limit` is what `baseline` returned.
    """
    within = patiently(within)
    deadline = time.monotonic() + within
    while not _creation_is_allowed(limit):
        if time.monotonic() > deadline:
            raise AssertionError(f"a deleted network namespace still exists after {within} s")
        time.sleep(0.02)


def _creation_is_allowed(limit):
    with kernel_setting(_LIMIT, limit):
        return _create_and_leave()


def _create_and_leave():
    try:
        os.unshare(os.CLONE_NEWNET)
    except OSError:
        return False
    os.setns(_home, os.CLONE_NEWNET)
    return True
