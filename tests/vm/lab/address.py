# SPDX-License-Identifier: GPL-2.0-only
"""Addresses of both families in text: what they are of, and how they stand beside a port."""

import socket


def family_of(address):
    """AF_INET or AF_INET6."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def with_port(address, port):
    """As URLs write it: IPv6 addresses in brackets."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def split_port(text):
    """The opposite of `with_port`."""
    address, _, port = text.rpartition(":")
    return address.strip("[]"), int(port)
