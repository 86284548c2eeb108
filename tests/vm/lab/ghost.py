# SPDX-License-Identifier: GPL-2.0-only
"""Addresses without a machine behind them."""

import socket

from .capture import Capture

_ETH_P_IP = 0x0800


class Ghost:
    """An address nobody owns, at a node's device: packets for it arrive there and no kernel answers.

    The test says what is sent from it, byte for byte, and sees what arrives: for it and, as its device does, for addresses it
    shares with others (`also`).
    """

    def __init__(self, node, address, peer, device="eth0", also=()):
        self.address = address
        self._target = (device, _ETH_P_IP, 0, 0, peer)
        self._socket = node.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        self._arrived = Capture(node, device, accept=lambda seen: seen.destination in (address, *also))

    def close(self):
        self._socket.close()
        self._arrived.close()

    def send(self, *packets):
        """Put packets, `bytes` or `packet.Ipv4`, on the wire towards the director."""
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
