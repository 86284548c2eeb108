# SPDX-License-Identifier: GPL-2.0-only
"""What the tools cost with many services and many connections: instructions and memory of each command. Runs in the guest.

The guest's clock counts instructions (see `pktgen.py`), so the time that a command takes there is what it and the kernel executed
for it, whatever the host does besides: a second is 1,000 million instructions.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time

import balancers
import lab
import pktgen

MODULE = "/rvs/rvs.ko"
BUILT = "/rvs/build/rvsctl"
RVSCTL = "/tmp/control/rvsctl"
"""A copy that the guest reads fast."""

FOLDER = "/tmp/control"
SERVERS = 10
"""Real servers of each service."""

CLIENT = "10.128.7.0/24"
"""One of the 32,768 networks that the clients of `pktgen.NEW` are of."""


class Failed(Exception):
    """A command did something else than it should have."""


def arguments():
    """Reads the command line."""
    description = "What rvsctl and ipvsadm cost with many services and many connections."
    parser = argparse.ArgumentParser(prog="bench/control", description=description)
    parser.add_argument("--only", choices=("rvs", "ip_vs"), action="append", help="measure only with this module")
    parser.add_argument("--services", type=int, default=10_000, metavar="N", help="services of 10 servers (default: 10000; 0: none)")
    parser.add_argument("--connections", type=int, default=1_000_000, metavar="N", help="connections (default: 1000000; 0: none)")
    return parser.parse_args()


def report(module, command, seconds, kilobytes, remark=""):
    """One line of the table."""
    print(f"{module:6} {command:44} {seconds * 1000:9,.0f} {kilobytes / 1024:8.1f}  {remark}", flush=True)


def measure(module, shown, words, stdin=None, status=0):
    """Runs a command in the director's namespace and reports on it; returns what it printed, with which status it may end."""
    output, peak = f"{FOLDER}/output", f"{FOLDER}/peak"
    # What a process is told to have held at most includes what the one held that it was forked from: so a small one does that.
    words = ["busybox", "time", "-f", "%M", "-o", peak, *words]
    with lab.inside(lab.DIRECTOR), open(stdin or os.devnull, "rb") as source, open(output, "wb") as sink:
        began = time.monotonic()
        done = subprocess.run(words, stdin=source, stdout=sink, stderr=subprocess.PIPE, text=True, check=False)
        seconds = time.monotonic() - began
    if done.returncode != status:
        raise Failed(f"{shown}: exit status {done.returncode}: {done.stderr}")
    with open(output, encoding="utf-8") as file:
        lines = sum(1 for _ in file)
    with open(peak, encoding="ascii") as file:
        kilobytes = int(file.read().split()[-1])
    report(module, shown, seconds, kilobytes, f"{lines:,} lines{', ' + done.stderr.strip() if done.stderr else ''}")
    with open(output, encoding="utf-8") as file:
        return file.read(10_000)


def declaration(services, weight):
    """The text of a configuration in which one server has this weight."""
    for number in range(services):
        weights = [weight if (number, i) == (services // 2, 5) else 1 for i in range(SERVERS)]
        servers = ", ".join(
            f'{{ address = "10.2.{i}.{1 + number % 250}:80", method = "masquerading", weight = {weight_of} }}'
            for i, weight_of in enumerate(weights)
        )
        address = f"10.{16 + number // 5000}.0.1:{1 + number % 5000}"
        yield f'[[service]]\nprotocol = "tcp"\naddress = "{address}"\nservers = [{servers}]\n\n'


def many_services(module, count):
    """Measures the commands about the configuration."""
    files = [f"{FOLDER}/{weight}.toml" for weight in (1, 2)]
    for weight, path in enumerate(files, 1):
        with open(path, "w", encoding="ascii") as file:
            file.writelines(declaration(count, weight))
    saved = f"{FOLDER}/saved"
    if module == "rvs":
        measure(module, "rvsctl apply, to none", [RVSCTL, "apply", files[0], "--yes"])
        generation = lab.in_director(RVSCTL, "info")
        measure(module, "rvsctl apply, no change", [RVSCTL, "apply", files[0], "--yes"])
        if lab.in_director(RVSCTL, "info") != generation:
            raise Failed("an apply of what there is changed something")
        printed = measure(module, "rvsctl apply, one server changes", [RVSCTL, "apply", files[1], "--yes"])
        if "Change 1 server." not in printed:
            raise Failed(f"an apply that changes one server did: {printed}")
        measure(module, "rvsctl diff, one server differs", [RVSCTL, "diff", files[0]], status=8)
        for words in ("export", "service list", "service list --json", "metrics", "top --once --interval 1s"):
            measure(module, f"rvsctl {words}", [RVSCTL, *words.split()])
        measure(module, "ipvsadm -S -n", ["ipvsadm", "-S", "-n"])
        shutil.copyfile(f"{FOLDER}/output", saved)
        # What ipvsadm made has no fingerprints, so that all of it is read and compared.
        lab.in_director("ipvsadm", "-C")
        measure(module, "ipvsadm -R", ["ipvsadm", "-R"], stdin=saved)
        measure(module, "rvsctl apply, no change, unknown text", [RVSCTL, "apply", files[1], "--yes"])
    else:
        with open(saved, "w", encoding="ascii") as file:
            for line in "".join(declaration(count, 1)).split("[[service]]")[1:]:
                service, *servers = re.findall(r'address = "(\S+?)"', line)
                file.write(f"-A -t {service} -s wlc\n")
                file.writelines(f"-a -t {service} -r {server} -m -w 1\n" for server in servers)
        measure(module, "ipvsadm -R", ["ipvsadm", "-R"], stdin=saved)
        measure(module, "ipvsadm -S -n", ["ipvsadm", "-S", "-n"])
    measure(module, "ipvsadm -e, one server", ["ipvsadm", "-e", "-t", "10.16.0.1:1", "-r", "10.2.5.1:80", "-m", "-w", "7"])
    lab.in_director("ipvsadm", "-C")


def many_connections(module, count):
    """Measures the commands about connections."""
    balancers.serve("direct", lab.SERVERS, lab.VIP)
    began = time.monotonic()
    destination = pktgen.Destination(lab.VIP, (lab.VIP_PORT, lab.VIP_PORT))
    pktgen.send(pktgen.NEW, destination, count)
    made = balancers.connections()
    print(f"{module:6} {made:,} connections, made in {time.monotonic() - began:,.0f} s", flush=True)
    if made < count * 0.99:
        raise Failed(f"of {count} connections {made} were made")
    if module == "rvs":
        for words in ("--count", f"--client {CLIENT}", f"--client {CLIENT} --count", "--sort idle --limit 10", "", "--json"):
            measure(module, f"rvsctl conn list {words}", [RVSCTL, "conn", "list", *words.split()])
    measure(module, "ipvsadm -Lcn", ["ipvsadm", "-L", "-c", "-n"])
    measure(module, "cat /proc/net/ip_vs_conn", ["cat", "/proc/net/ip_vs_conn"])
    if module == "rvs":
        measure(module, f"rvsctl conn kill --silent --client {CLIENT}", [RVSCTL, "conn", "kill", "--silent", "--client", CLIENT])


def main():
    """Measures what the command line says; ends with status 1 and a message if a figure would not be true."""
    chosen = arguments()
    os.makedirs(FOLDER, exist_ok=True)
    shutil.copy(MODULE, FOLDER)
    lab.run("modprobe", "pktgen")

    shutil.copy(BUILT, RVSCTL)
    print(f"{'WITH':6} {'COMMAND':44} {'M INSTR.':>9} {'PEAK MiB':>8}", flush=True)
    try:
        for balancer in (balancers.Rvs(f"{FOLDER}/rvs.ko"), balancers.IpVs()):
            if balancer.name not in (chosen.only or (balancer.name,)):
                continue
            with balancers.loaded(balancer):
                for many, count in ((many_services, chosen.services), (many_connections, chosen.connections)):
                    with lab.lab():
                        if count:
                            many(balancer.name, count)
    except (lab.CommandFailed, pktgen.GeneratorFailed, balancers.BalancerFailed, Failed) as error:
        sys.exit(f"bench: {error}")


if __name__ == "__main__":
    main()
