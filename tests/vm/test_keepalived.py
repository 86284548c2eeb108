# SPDX-License-Identifier: GPL-2.0-only
"""Unmodified keepalived: its checkers, its quorum and sorry server, its reload, its end; and VRRP between two directors."""

from lab import VIP, eventually
from lab.http import WebServer, who_answers
from lab.keepalived import Keepalived

SHARED = VIP["masquerading"]
HTTP = "HTTP_GET { url { path /healthy; status_code 200 } connect_timeout 1; retry 0 }"
TCP = "TCP_CHECK { connect_timeout 1; retry 0 }"
FIRST = """
global_defs {
    script_user root
    enable_script_security
}
virtual_server 192.0.2.1 80 {
    delay_loop 0.5
    lvs_sched rr
    lvs_method NAT
    protocol TCP
    quorum 2
    quorum_up "/usr/bin/touch FOLDER/up"
    quorum_down "/usr/bin/touch FOLDER/down"
    sorry_server 10.1.0.13 80
    real_server 10.1.0.11 80 { weight 3; HTTP }
    real_server 10.1.0.12 80 { weight 1; HTTP }
}
virtual_server 192.0.2.1 81 {
    delay_loop 0.5
    lvs_sched wlc
    lvs_method NAT
    persistence_timeout 60
    protocol TCP
    real_server 10.1.0.11 81 { TCP }
    real_server 10.1.0.12 81 { TCP }
}
virtual_server fwmark 7 {
    delay_loop 0.5
    lvs_sched wrr
    lvs_method DR
    real_server 10.1.0.11 0 {
        inhibit_on_failure
        MISC_CHECK { misc_path "/usr/bin/test -e FOLDER/healthy"; misc_timeout 1 }
    }
}
"""
AT_FIRST = """\
-A -t 192.0.2.1:80 -s rr
-a -t 192.0.2.1:80 -r 10.1.0.11:80 -m -w 3
-a -t 192.0.2.1:80 -r 10.1.0.12:80 -m -w 1
-A -t 192.0.2.1:81 -s wlc -p 60
-a -t 192.0.2.1:81 -r 10.1.0.11:81 -m -w 1
-a -t 192.0.2.1:81 -r 10.1.0.12:81 -m -w 1
-A -f 7 -s wrr
-a -f 7 -r 10.1.0.11:0 -g -w 1
"""
SECOND = """
virtual_server 192.0.2.1 80 {
    delay_loop 0.5
    lvs_sched sed
    lvs_method NAT
    protocol TCP
    real_server 10.1.0.11 80 { weight 5; HTTP }
    real_server 10.1.0.13 80 { weight 1; HTTP }
}
virtual_server 192.0.2.1 53 {
    lvs_sched rr
    ops
    lvs_method TUN
    protocol UDP
    real_server 10.1.0.11 53 { lvs_method TUN type gue port 6080 }
    real_server 10.1.0.12 53 { uthreshold 9; lthreshold 3 }
}
"""
AT_SECOND = """\
-A -t 192.0.2.1:80 -s sed
-a -t 192.0.2.1:80 -r 10.1.0.11:80 -m -w 5
-a -t 192.0.2.1:80 -r 10.1.0.13:80 -m -w 1
-A -u 192.0.2.1:53 -s rr -o
-a -u 192.0.2.1:53 -r 10.1.0.11:53 -i -w 1 --tun-type gue --tun-port 6080 --tun-nocsum
-a -u 192.0.2.1:53 -r 10.1.0.12:53 -i -w 1 --tun-type ipip
"""


def written(text, folder=""):
    """A configuration with its checks filled in, each statement in a line of its own, as keepalived wants them."""
    text = text.replace("HTTP }", f"{HTTP} }}").replace("TCP }", f"{TCP} }}").replace("FOLDER", str(folder))
    return text.replace(";", "\n").replace("{", "{\n").replace("}", "\n}\n")


def test_keepalived_configures_what_it_is_told_and_follows_its_checks(lab, balancer, tmp_path):
    def rules():
        return sorted(balancer.command("-S", "-n").splitlines())

    def become(text, *but):
        """The rules are these, without those that begin or with those that end so."""
        changes = dict(but)
        wanted = sorted(changes.get(line, line) for line in text.splitlines() if changes.get(line, line))
        eventually(rules, wanted, within=15, every=0.1)

    healthy = tmp_path / "healthy"
    healthy.touch()
    web = [lab.run_program(WebServer(server, 80)) for server in lab.servers]
    other = [lab.run_program(WebServer(server, 81)) for server in lab.servers[:2]]
    keepalived = lab.run_program(Keepalived(lab.director, written(FIRST, tmp_path)))
    become(AT_FIRST)
    assert {who_answers(lab.client, SHARED, 80) for _ in range(4)} == {"rs1", "rs2"}

    web[1].status = 503
    other[0].close()
    healthy.unlink()
    become(AT_FIRST, ("-a -t 192.0.2.1:80 -r 10.1.0.12:80 -m -w 1", None), ("-a -t 192.0.2.1:81 -r 10.1.0.11:81 -m -w 1", None),
           ("-a -f 7 -r 10.1.0.11:0 -g -w 1", "-a -f 7 -r 10.1.0.11:0 -g -w 0"))
    assert {who_answers(lab.client, SHARED, 80) for _ in range(4)} == {"rs1"}
    assert not (tmp_path / "down").exists()
    web[1].status = 200
    other[0] = lab.run_program(WebServer(lab.rs1, 81))
    healthy.touch()
    become(AT_FIRST)

    web[0].status = 503
    become(AT_FIRST, ("-a -t 192.0.2.1:80 -r 10.1.0.11:80 -m -w 3", None),
           ("-a -t 192.0.2.1:80 -r 10.1.0.12:80 -m -w 1", "-a -t 192.0.2.1:80 -r 10.1.0.13:80 -m -w 1"))
    eventually((tmp_path / "down").exists)
    assert {who_answers(lab.client, SHARED, 80) for _ in range(2)} == {"rs3"}
    (tmp_path / "up").unlink()
    web[0].status = 200
    become(AT_FIRST)
    eventually((tmp_path / "up").exists)

    keepalived.reload(written(SECOND))
    become(AT_SECOND)
    assert keepalived.stop() == 0, keepalived.log
    assert rules() == []


def vrrp(priority, state):
    """Two addresses that move together, and the service at the one outside."""
    return written(f"""
global_defs {{
    vrrp_version 3
}}
vrrp_instance shared {{
    state {state}
    interface eth0
    virtual_router_id 51
    priority {priority}
    advert_int 0.2
    virtual_ipaddress {{
        10.0.0.100/24 dev eth0
        10.1.0.100/24 dev eth1
    }}
}}
virtual_server 10.0.0.100 80 {{
    delay_loop 1
    lvs_sched rr
    lvs_method NAT
    protocol TCP
    real_server 10.1.0.11 80 {{ TCP }}
    real_server 10.1.0.12 80 {{ TCP }}
}}
""")


def test_a_virtual_address_moves_to_the_other_director_and_back(lab, balancer):
    directors = [lab.director, lab.second_director()]
    for server in lab.servers[:2]:
        lab.run_program(WebServer(server, 80))
        server.ip("route replace default via 10.1.0.100")
    running = [lab.run_program(Keepalived(node, vrrp(*rank))) for node, rank in zip(directors, ((150, "MASTER"), (100, "BACKUP")))]

    def owners():
        return ["10.0.0.100/" in node.run("ip", "-4", "addr", "show", "dev", "eth0") for node in directors]

    def connections():
        return [int(node.read("/proc/net/ip_vs_stats").splitlines()[2].split()[0], 16) for node in directors]

    def answers():
        try:
            return {who_answers(lab.client, "10.0.0.100", 80, timeout=1) for _ in range(4)}
        except OSError:
            return None

    def is_served_by(number):
        eventually(owners, [each == number for each in range(2)], within=15)
        before = connections()
        eventually(answers, {"rs1", "rs2"}, within=15)
        eventually(lambda: connections()[number] > before[number])
        assert connections()[1 - number] == before[1 - number]

    is_served_by(0)
    lab.director.ip("link set eth0 down")
    is_served_by(1)
    lab.director.ip("link set eth0 up")
    is_served_by(0)
    assert [one.stop() for one in running] == [0, 0]
    assert [node.run("ipvsadm", "-S", "-n") for node in directors] == ["", ""]
