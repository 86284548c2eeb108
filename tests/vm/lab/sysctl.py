# SPDX-License-Identifier: GPL-2.0-only
"""The files of a balancer below /proc/sys/net/ipv4/vs, as the calling thread's network namespace has them."""

import errno
import os

FOLDER = "/proc/sys/net/ipv4/vs"


def names():
    return set(os.listdir(FOLDER))


def read(name):
    with open(f"{FOLDER}/{name}", encoding="ascii") as file:
        return file.read()


def write(name, text):
    """Write in one go; "ok", or the name of the error."""
    try:
        descriptor = os.open(f"{FOLDER}/{name}", os.O_WRONLY)
        try:
            os.write(descriptor, text.encode("ascii"))
        finally:
            os.close(descriptor)
    except OSError as error:
        return errno.errorcode[error.errno]
    return "ok"
