# SPDX-License-Identifier: GPL-2.0-only
"""The files below /proc/net, byte for byte as monitoring tools read them."""

import os
import stat
import threading

import pytest

from lab import VIP, Namespace, eventually, packet, several_processors, whichever_method

pytestmark = several_processors

FILES = {"ip_vs": "-r--r--r--", "ip_vs_app": "-r--r--r--", "ip_vs_conn": "-r--r--r--", "ip_vs_conn_sync": "-r--r--r--",
         "ip_vs_stats": "-r--r--r--", "ip_vs_stats_percpu": "-r--r--r--", "ip_vs_status": "-r--r-----"}

HEADINGS = ["Prot LocalAddress:Port Scheduler Flags", "  -> RemoteAddress:Port Forward Weight ActiveConn InActConn"]
NO_STATS = """\
   Total Incoming Outgoing         Incoming         Outgoing
   Conns  Packets  Packets            Bytes            Bytes
       0        0        0                0                0

 Conns/s   Pkts/s   Pkts/s          Bytes/s          Bytes/s
       0        0        0                0                0
"""
NO_STATS_PER_CPU = """\
       Total Incoming Outgoing         Incoming         Outgoing
CPU    Conns  Packets  Packets            Bytes            Bytes
  0        0        0        0                0                0
  1        0        0        0                0                0
  ~        0        0        0                0                0

     Conns/s   Pkts/s   Pkts/s          Bytes/s          Bytes/s
           0        0        0                0                0
"""


@pytest.fixture
def plain(clean_kernel):
    """A namespace with nothing in it."""
    [made] = Namespace.create("plain")
    yield made
    made.delete()


def counters(node, name):
    """The lines of hexadecimal numbers in a file of statistics, with what stands before them."""
    lines = [line.split() for line in node.read(f"/proc/net/{name}").splitlines()]
    return [words for words in lines if words and all(set(word) <= set("0123456789ABCDEF~") for word in words)]


def test_every_file_exists_in_every_namespace_before_any_service(plain):
    for where in ("self", plain):
        if where == "self":
            modes = {name: stat.filemode(os.stat(f"/proc/self/net/{name}").st_mode) for name in FILES}
        else:
            with plain:
                modes = {name: stat.filemode(os.stat(f"/proc/thread-self/net/{name}").st_mode) for name in FILES}
        assert modes == FILES


def test_without_services_there_are_headings_and_zeroes(plain):
    read = {name: plain.read(f"/proc/net/{name}") for name in FILES}
    assert read["ip_vs"].splitlines() == ["IP Virtual Server version 1.2.1 (size=0)", *HEADINGS]
    assert read["ip_vs_app"].startswith("prot port    usecnt name\n")
    assert read["ip_vs_conn"] == "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n"
    assert read["ip_vs_conn_sync"] == "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Origin Expires\n"
    assert read["ip_vs_stats"] == NO_STATS
    assert read["ip_vs_stats_percpu"] == NO_STATS_PER_CPU
    assert "Conns:\t0\n" in read["ip_vs_status"] and "Services:\t0\n" in read["ip_vs_status"]


def test_only_the_administrator_reads_the_status(lab):
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"]
    assert lab.director.run(*nobody, "cat", "/proc/net/ip_vs").startswith("IP Virtual Server")
    refused = lab.director.try_run(*nobody, "cat", "/proc/net/ip_vs_status")
    assert "Permission denied" in refused.stderr


def test_services_and_servers_are_listed_to_the_byte(lab, balancer):
    web = balancer.add_service("tcp", "192.0.2.1", 8080, "wlc")
    balancer.add_server(web, "10.1.0.11", "masquerading", weight=1)
    balancer.add_server(web, "10.1.0.12", "tunneling", weight=65535, port=8080)
    balancer.add_server(web, "10.1.0.13", "direct-routing", weight=0)
    first, *lines = lab.director.read("/proc/net/ip_vs").splitlines()
    assert first == f"IP Virtual Server version 1.2.1 (size={balancer.table_size()})"
    assert lines == [*HEADINGS,
                     "TCP  C0000201:1F90 wlc  ",
                     "  -> 0A01000D:1F90      Route   0      0          0         ",
                     "  -> 0A01000C:1F90      Tunnel  65535  0          0         ",
                     "  -> 0A01000B:1F90      Masq    1      0          0         "]
    balancer.delete_service(web)
    balancer.add_service("udp", "192.0.2.1", 53, "rr")
    assert lab.director.read("/proc/net/ip_vs").splitlines()[3:] == ["UDP  C0000201:0035 rr  "]
    assert lab.client.read("/proc/net/ip_vs").splitlines()[3:] == []


def test_a_connection_is_listed_with_its_origin(lab, balancer):
    client, server = lab.ghost_client(), lab.ghost_server()
    service = balancer.add_service("udp", VIP["masquerading"], 53, "rr")
    balancer.add_server(service, server.address, "masquerading", port=5353)
    client.send(packet.udp(client.address, 40000, VIP["masquerading"], 53))
    server.receive()
    [line] = lab.director.read("/proc/net/ip_vs_conn_sync").splitlines()[1:]
    ends = "UDP 0A000032 9C40 C0000201 0035 0A010032 14E9 UDP        "
    assert line.startswith(ends + " LOCAL  ") and len(line) == len(ends) + 15 and 290 <= int(line[-7:]) <= 300
    [line] = lab.director.read("/proc/net/ip_vs_conn").splitlines()[1:]
    assert line.startswith(ends) and len(line) == len(ends) + 8 and 290 <= int(line[-7:]) <= 300


@whichever_method
def test_sums_are_of_all_services_and_of_the_cpus_that_counted(lab, balancer, method):
    client, server = lab.ghost_client(), lab.ghost_server()
    for port in (53, 54):
        service = balancer.add_service("udp", VIP[method], port, "rr")
        balancer.add_server(service, server.address, method)
        for _ in range(10):
            client.send(packet.udp(client.address, 40000, VIP[method], port, bytes(100 - 28)))
            server.receive()
    totals = ["2", "14", "0", "7D0", "0"]
    eventually(lambda: counters(lab.director, "ip_vs_stats")[0], totals)

    def per_cpu():
        *cpus, sums, _rates = counters(lab.director, "ip_vs_stats_percpu")
        added = [sum(int(number, 16) for number in column) for column in zip(*(line[1:] for line in cpus))]
        return [f"{number:X}" for number in added], sums

    assert per_cpu() == (totals, ["~", *totals])
    balancer.delete_server(service, server.address)
    balancer.delete_service(service)
    assert per_cpu() == (totals, ["~", *totals])
    balancer.zero()
    assert per_cpu() == (totals, ["~", "0", "0", "0", "0", "0"])
    assert counters(lab.director, "ip_vs_stats")[0] == ["0"] * 5


@pytest.mark.rvs_only
def test_a_listing_read_while_services_come_and_go_shows_each_that_stays_once(lab, balancer):
    """C ip_vs misses some and repeats others, and takes a time that grows with the square of their number."""
    stay = [f"C0000201:{port:04X}" for port in range(1, 1501, 3)]
    balancer.command("-R", stdin="".join(f"-A -u 192.0.2.1:{port} -s rr\n" for port in range(1, 1501)))
    gone = "".join(f"-D -u 192.0.2.1:{port}\n" for port in range(2, 1501, 3))
    change = threading.Thread(target=balancer.command, args=["-R"], kwargs={"stdin": gone})
    change.start()
    try:
        while True:
            is_last = not change.is_alive()
            listed = [line.split()[1] for line in lab.director.read("/proc/net/ip_vs").splitlines()[3:]]
            assert listed == sorted(set(listed))
            assert set(stay) <= set(listed)
            if is_last:
                break
    finally:
        change.join()
    assert len(listed) == 1000
