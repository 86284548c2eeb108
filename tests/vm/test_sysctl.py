# SPDX-License-Identifier: GPL-2.0-only
"""The settings below net/ipv4/vs: their names, defaults, ranges and permissions, in every network namespace."""

import errno
import os
import stat
import threading

import pytest

from lab import VIP, Namespace, eventually, namespace, packet, several_processors, sysctl
from lab.packet import ACK, FIN, SYN

pytestmark = several_processors

INT_MIN, INT_MAX = -2**31, 2**31 - 1
MAX_SECONDS = INT_MAX // 250

DEFAULTS = {
    "am_droprate": "10", "amemthresh": "1024", "backup_only": "0", "cache_bypass": "0", "conn_lfactor": "-2",
    "conn_max": str(2**30), "conn_reuse_mode": "1", "conntrack": "0", "drop_entry": "0", "drop_packet": "0", "est_cpulist": "0-1",
    "est_nice": "0", "expire_nodest_conn": "0", "expire_quiescent_template": "0", "ignore_tunneled": "0", "nat_icmp_send": "0",
    "pmtu_disc": "1", "run_estimation": "1", "schedule_icmp": "0", "secure_tcp": "0", "sloppy_sctp": "0", "sloppy_tcp": "0",
    "snat_reroute": "1", "svc_lfactor": "-2", "sync_persist_mode": "0", "sync_ports": "1", "sync_refresh_period": "0",
    "sync_retries": "0", "sync_sock_size": "0", "sync_threshold": "3\t50", "sync_version": "1",
}
OF_SCHEDULERS = {"lblc_expiration": "86400", "lblcr_expiration": "86400"}  # C ip_vs has them while the scheduler's module is loaded
READ_ONLY_FOR_OTHER_USERS = {"sync_qlen_max", "sync_sock_size", "run_estimation", "est_cpulist", "est_nice", "conn_lfactor",
                             "svc_lfactor"}

ACCEPTED = [  # name, written, then read
    ("amemthresh", f"{INT_MIN}\n", INT_MIN), ("am_droprate", f"{INT_MAX}", INT_MAX), ("conntrack", "-1\n", -1),
    ("pmtu_disc", " 2 \n", 2), ("sloppy_tcp", "0x10\n", 16), ("sloppy_sctp", "1 2\n", 1), ("conn_max", "0\n", 0),
    ("conn_max", f"{2**30}\n", 2**30), ("drop_packet", "3\n", 3), ("secure_tcp", "3\n", 3), ("sync_version", "0\n", 0),
    ("sync_retries", "3\n", 3), ("sync_ports", "64\n", 64), ("sync_ports", "128\n", 128), ("sync_qlen_max", f"{2**64 - 1}\n", 2**64 - 1),
    ("sync_threshold", "0 0\n", "0\t0"), ("sync_threshold", "7\n", "7\t50"), ("sync_threshold", "9 0\n", "9\t0"),
    ("sync_refresh_period", f"{MAX_SECONDS}\n", MAX_SECONDS), ("est_nice", "-20\n", -20), ("est_nice", "19\n", 19),
    ("conn_lfactor", "8\n", 8), ("svc_lfactor", "-8\n", -8), ("est_cpulist", "1\n", 1), ("est_cpulist", "0,1\n", "0-1"),
    ("est_cpulist", "all\n", "0-1"), ("est_cpulist", "\n", ""),
]
REFUSED = [  # name, written, why
    ("amemthresh", f"{INT_MAX + 1}\n", "EINVAL"), ("amemthresh", "5x\n", "EINVAL"), ("amemthresh", "\n", "EINVAL"),
    ("drop_entry", "4\n", "EINVAL"), ("drop_packet", "-1\n", "EINVAL"), ("secure_tcp", "4\n", "EINVAL"),
    ("conn_max", "-1\n", "EINVAL"), ("conn_max", f"{2**30 + 1}\n", "EINVAL"), ("sync_version", "2\n", "EINVAL"),
    ("sync_retries", "4\n", "EINVAL"), ("sync_ports", "0\n", "EINVAL"), ("sync_ports", "3\n", "EINVAL"),
    ("sync_ports", f"{INT_MIN}\n", "EINVAL"), ("sync_qlen_max", "-1\n", "EINVAL"), ("sync_threshold", "50 50\n", "EINVAL"),
    ("sync_threshold", "50\n", "EINVAL"), ("sync_threshold", "-1 5\n", "EINVAL"),
    ("sync_refresh_period", f"{MAX_SECONDS + 1}\n", "EINVAL"), ("est_nice", "-21\n", "EINVAL"), ("est_nice", "20\n", "EINVAL"),
    ("conn_lfactor", "9\n", "EINVAL"), ("svc_lfactor", "-9\n", "EINVAL"), ("est_cpulist", "0-99999\n", "ERANGE"),
    ("est_cpulist", "x\n", "EINVAL"),
]


@pytest.fixture
def plain(clean_kernel):
    """A namespace with nothing in it."""
    [made] = Namespace.create("plain")
    yield made
    made.delete()


@pytest.fixture
def restored():
    """The initial namespace's settings are afterwards what they were."""
    before = {name: sysctl.read(name) for name in sysctl.names()}
    yield
    for name, value in before.items():
        sysctl.write(name, value)


def in_other_user_namespace(where, script):
    """Run a script as root of a new user namespace that owns a new network namespace, where its settings are."""
    return where.run("unshare", "--user", "--map-root-user", "--net", "bash", "-c", f"cd {sysctl.FOLDER} && {script}")


def test_every_setting_exists_with_its_default_before_any_service(plain, balancer_name):
    expected = DEFAULTS | (OF_SCHEDULERS if balancer_name == "rvs" else {})
    with plain:
        assert sysctl.names() == expected.keys() | {"sync_qlen_max"}
        assert {name: sysctl.read(name) for name in expected} == {name: f"{value}\n" for name, value in expected.items()}
        assert int(sysctl.read("sync_qlen_max")) > 1000


def test_the_initial_namespace_has_denser_tables_by_default():
    assert (sysctl.read("conn_lfactor"), sysctl.read("svc_lfactor")) == ("-4\n", "-3\n")


def test_administrators_may_write_and_everybody_may_read():
    modes = {name: stat.filemode(os.stat(f"{sysctl.FOLDER}/{name}").st_mode) for name in sysctl.names()}
    assert set(modes.values()) == {"-rw-r--r--"}, modes


def test_a_value_within_its_range_is_taken(plain):
    with plain:
        for name, text, value in ACCEPTED:
            default = sysctl.read(name)
            assert (name, text, sysctl.write(name, text)) == (name, text, "ok")
            assert (name, text, sysctl.read(name)) == (name, text, f"{value}\n")
            assert sysctl.write(name, default) == "ok" and sysctl.read(name) == default


def test_a_value_beyond_its_range_is_refused_and_changes_nothing(plain):
    with plain:
        for name, text, why in REFUSED:
            before = sysctl.read(name)
            assert (name, text, sysctl.write(name, text)) == (name, text, why)
            assert (name, sysctl.read(name)) == (name, before)


def test_each_namespace_has_its_own_values(plain):
    with plain:
        assert sysctl.write("sloppy_tcp", "1\n") == "ok"
    assert sysctl.read("sloppy_tcp") == "0\n"


def test_a_namespace_starts_with_the_limit_of_connections_of_the_initial_one(restored):
    assert sysctl.write("conn_max", "12345\n") == "ok"
    [late] = Namespace.create("late")
    try:
        with late:
            assert sysctl.read("conn_max") == "12345\n"
            assert sysctl.write("conn_max", "20000\n") == "ok"  # by an administrator of the whole machine
    finally:
        late.delete()


def test_owners_of_a_namespace_raise_its_limit_of_connections_no_further_than_the_machine_allows(plain, restored):
    assert sysctl.write("conn_max", "1000\n") == "ok"
    shown = in_other_user_namespace(plain, "for max in 10 1000 1001; do echo $max > conn_max; cat conn_max; done 2>&1")
    assert shown.split("\n") == ["10", "1000", "bash: line 1: echo: write error: Invalid argument", "1000", ""]


def test_owners_of_a_namespace_only_read_what_costs_the_whole_machine(plain):
    shown = in_other_user_namespace(plain, "stat -c '%A %U %n' *")
    modes = {name: mode for mode, owner, name in map(str.split, shown.splitlines()) if owner == "root"}
    assert modes.keys() == DEFAULTS.keys() | {"sync_qlen_max"}
    assert {name for name, mode in modes.items() if mode == "-r--r--r--"} == READ_ONLY_FOR_OTHER_USERS
    shown = in_other_user_namespace(plain, "echo 1 > est_nice; echo 1 > sloppy_tcp; cat est_nice sloppy_tcp")
    assert shown == "0\n1\n"


def test_others_read_but_do_not_write():
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"]
    shown = namespace.execute([*nobody, "cat", f"{sysctl.FOLDER}/amemthresh"])
    assert shown == "1024\n"
    with pytest.raises(namespace.CommandFailed, match="Permission denied"):
        namespace.execute([*nobody, "sh", "-c", f"echo 1 > {sysctl.FOLDER}/amemthresh"])


def test_a_file_that_is_read_and_written_does_not_outlive_its_namespace(namespaces_before):
    [short] = Namespace.create("short")
    with short:
        descriptors = [os.open(f"{sysctl.FOLDER}/{name}", os.O_RDWR) for name in ("sloppy_tcp", "est_cpulist", "conn_max")]
    ended = []

    def use(descriptor):
        while True:
            try:
                os.pwrite(descriptor, b"1\n", 0)
                os.pread(descriptor, 100, 0)
            except OSError as error:
                ended.append(error.errno)
                return

    users = [threading.Thread(target=use, args=[descriptor], daemon=True) for descriptor in descriptors]
    for user in users:
        user.start()
    short.delete()
    namespace.all_gone(namespaces_before)
    for user in users:
        user.join(timeout=10)
    for descriptor in descriptors:
        os.close(descriptor)
    assert ended == [errno.ENOENT] * 3


@pytest.mark.parametrize("mode, kept", [("0\n", True), ("1\n", False)])
def test_a_client_that_uses_its_port_again_is_scheduled_anew_if_conn_reuse_mode_says_so(lab, balancer, mode, kept):
    client, first = lab.ghost_client(), lab.ghost_server()
    vip = VIP["masquerading"]
    service = balancer.add_service("tcp", vip, 80, "rr")
    balancer.add_server(service, first.address, "masquerading")
    with lab.director:
        assert sysctl.write("conn_reuse_mode", mode) == "ok"

    def send(flags):
        client.send(packet.tcp(client.address, 40000, vip, 80, flags))
        first.receive()

    send(SYN)
    first.send(packet.tcp(first.address, 80, client.address, 40000, SYN | ACK))
    client.receive()
    first.send(packet.tcp(first.address, 80, client.address, 40000, FIN | ACK))
    client.receive()
    eventually(lambda: balancer.state_of(40000), "TIME_WAIT")
    balancer.edit_server(service, first.address, "masquerading", weight=0)
    balancer.add_server(service, lab.rs1.address, "masquerading")
    client.send(packet.tcp(client.address, 40000, vip, 80, SYN))
    expected = first.address if kept else lab.rs1.address
    eventually(lambda: balancer.connection_of(40000).server[0], expected)
