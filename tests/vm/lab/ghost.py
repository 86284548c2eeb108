# SPDX-License-Identifier: GPL-2.0-only
"""Addresses without a machine behind them."""

import socket

from .address import family_of
from .capture import ETHERTYPES, Capture


class Ghost:
    """An address nobody owns, at a node's device: packets for it arrive there and no kernel answers.

    The test says what is sent from it, byte for byte, and sees what arrives: for it and, as its device does, for addresses it
    shares with others (`also`).
    """

    def __init__(self, node, address, peer, device="eth0", also=()):
        self.address = address
        family = family_of(address)
        self._target = (device, ETHERTYPES[family], 0, 0, peer)
        self._socket = node.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        self._arrived = Capture(node, device, accept=lambda seen: seen.destination in (address, *also), family=family)

    def close(self):
        self._socket.close()
        self._arrived.close()

    def send(self, *packets):
        """Put packets, `bytes` or of `packet`, on the wire towards the director."""
        for sent in packets:
            self._socket.sendto(bytes(sent), self._target)

    def receive(self, wanted=lambda seen: True, within=5.0):
        """The next packet for this address that `wanted` accepts."""
        return self._arrived.first(wanted, within)

    def receive_whole(self, within=5.0):
        """As `receive`, with a packet that comes in fragments put together."""
        return self._arrived.first_whole(within=within)

    def received(self):
        """Every packet for this address that has arrived by now and was not asked for yet."""
        return self._arrived.all()
