# SPDX-License-Identifier: GPL-2.0-only
"""Helpers that read payload: FTP (section 5.6, and the connections without client port of 2.2) and the persistence engine of SIP
(section 5.7)."""

from harness.addresses import CLIENT, FAMILIES, RS1, VIP
from harness.model import DIRECT, EditService, FromClient, FromServer, Look, Server, scenario, tcp_service, udp_service
from harness.wire import ACK, FIN, PSH, RST, SYN, tcp, udp


class _Ftp:
    """A control connection; `client` and `server` say something on it, sequence numbers as both ends count them."""

    def __init__(self, f, method=0):
        self.f = f
        self.service = tcp_service(f.VIP, 21, Server(f.RS1, 21, method))
        self._client, self._server = 1001, 5001
        self._shown = 5001  # how far the server's side is as the client sees it
        self._heard = 1001  # how far the client's side is as the server sees it

    def _from_client(self, flags, data=b"", seq=None):
        return FromClient(tcp(self.f.CLIENT, 40000, self.f.VIP, 21, flags, data, seq=seq or self._client, ack=self._shown))

    def _from_server(self, flags, data=b"", seq=None):
        return FromServer(tcp(self.f.RS1, 21, self.f.CLIENT, 40000, flags, data, seq=seq or self._server, ack=self._heard))

    def opening(self):
        yield FromClient(tcp(self.f.CLIENT, 40000, self.f.VIP, 21, SYN, seq=1000))
        yield FromServer(tcp(self.f.RS1, 21, self.f.CLIENT, 40000, SYN | ACK, seq=5000, ack=1001))
        yield self._from_client(ACK)
        yield from self.server("220 ready\r\n")

    def client(self, text, longer=0):
        """The client says something; it arrives so much longer."""
        step = self._from_client(PSH | ACK, text.encode())
        self._client += len(text)
        self._heard += len(text) + longer
        yield step
        yield self._from_server(ACK)

    def server(self, text, longer=0):
        step = self._from_server(PSH | ACK, text.encode())
        self._server += len(text)
        self._shown += len(text) + longer
        yield step
        yield self._from_client(ACK)

    def data(self, client_port, virtual_port, server_port):
        """A data connection that the client opens."""
        f = self.f
        yield FromClient(tcp(f.CLIENT, client_port, f.VIP, virtual_port, SYN))
        yield FromServer(tcp(f.RS1, server_port, f.CLIENT, client_port, SYN | ACK))
        yield FromClient(tcp(f.CLIENT, client_port, f.VIP, virtual_port, ACK, seq=1001, ack=1001))

    def data_back(self, client_port):
        """A data connection that the server opens from port 20."""
        f = self.f
        yield FromServer(tcp(f.RS1, 20, f.CLIENT, client_port, SYN))
        yield FromClient(tcp(f.CLIENT, client_port, f.VIP, 20, SYN | ACK))
        yield FromServer(tcp(f.RS1, 20, f.CLIENT, client_port, ACK, seq=1001, ack=1001))


def _in_commas(address, port):
    return f"{address.replace('.', ',')},{port >> 8},{port & 255}"


def _ftp(name, covers, f, *said, method=0, **more):
    """A scenario of a control connection: each of `said` is made by a function of it."""
    ftp = _Ftp(f, method)
    steps = [*ftp.opening(), *(step for say in said for step in say(ftp))]
    return scenario(f"{name} over {f.word}", covers, ftp.service, *steps, needs=("ftp",), **more)



def _both(f):
    kind = 2 if f.number == 6 else 1
    return [
        _ftp("a control connection without commands that matter", "§5.6 Bound to TCP MASQ", f,
             lambda ftp: ftp.client("USER anonymous\r\n"), lambda ftp: ftp.server("331 password\r\n")),
        _ftp("extended passive mode opens a data connection", "§5.6 out 229; §2.2 cport = 0; §2.7 FTP control", f,
             lambda ftp: ftp.client("EPSV\r\n"), lambda ftp: ftp.server("229 Entering Extended Passive Mode (|||20020|)\r\n"),
             lambda ftp: [Look()], lambda ftp: ftp.data(40001, 20020, 20020), lambda ftp: ftp.client("QUIT\r\n"),
             expects={"* Look connections": " 0 -> "}),
        _ftp("extended passive mode asked by protocol number", "§5.6 in EPSV", f,
             lambda ftp: ftp.client(f"EPSV {kind}\r\n"), lambda ftp: ftp.server("229 Entering Extended Passive Mode (|||20020|)\r\n"),
             lambda ftp: ftp.data(40001, 20020, 20020)),
        _ftp("an answer to extended passive mode nobody asked for", "§5.6 in arm passive mode", f,
             lambda ftp: ftp.server("229 Entering Extended Passive Mode (|||20020|)\r\n"), lambda ftp: ftp.data(40001, 20020, 20020)),
        _ftp("extended active mode opens a data connection from the server", "§5.6 in EPRT", f,
             lambda ftp: ftp.client(f"EPRT |{kind}|{f.CLIENT}|40001|\r\n"), lambda ftp: [Look()], lambda ftp: ftp.data_back(40001),
             expects={"* Look connections": "LISTEN"}),
        _ftp("extended active mode of the other family is left alone", "§5.6 in EPRT same family", f,
             lambda ftp: ftp.client(f"EPRT |{3 - kind}|{f.CLIENT}|40001|\r\n"), lambda ftp: ftp.data_back(40001)),
        _ftp("a command in small letters counts", "§5.6 case-insensitively", f,
             lambda ftp: ftp.client("epsv\r\n"), lambda ftp: ftp.server("229 ok (|||20020|)\r\n"), lambda ftp: [Look()]),
        _ftp("EPRT inside a line does not count", "§5.6 only at the very start", f,
             lambda ftp: ftp.client(f"X EPRT |{kind}|{f.CLIENT}|40001|\r\n"), lambda ftp: [Look()]),
        _ftp("a malformed EPRT is left alone", "§5.6 in EPRT", f,
             lambda ftp: ftp.client(f"EPRT |{kind}|nonsense|40001|\r\n"), lambda ftp: ftp.client(f"EPRT |{kind}|{f.CLIENT}|99999|\r\n"),
             lambda ftp: ftp.client("EPRT\r\n"), lambda ftp: [Look()]),
        _ftp("the end of the control connection leaves the data connection", "§2.7 FTP control", f,
             lambda ftp: ftp.client("EPSV\r\n"), lambda ftp: ftp.server("229 ok (|||20020|)\r\n"), lambda ftp: ftp.data(40001, 20020, 20020),
             lambda ftp: [FromClient(tcp(f.CLIENT, 40000, f.VIP, 21, RST, seq=1007))]),
        _ftp("FTP by direct routing is not read", "§5.6 Bound to TCP MASQ", f,
             lambda ftp: ftp.client("EPSV\r\n"), lambda ftp: [Look()], method=DIRECT),
    ]


def _ipv4():
    f = FAMILIES[0]
    longer = len(_in_commas(f.VIP, 20020)) - len(_in_commas(f.RS1, 20020))
    passive = f"227 Entering Passive Mode ({_in_commas(f.RS1, 20020)}).\r\n"
    return [
        _ftp("passive mode opens a data connection and shifts sequence numbers", "§5.6 out 227; §2.2 first packet fills in the port", f,
             lambda ftp: ftp.client("PASV\r\n"), lambda ftp: ftp.server(passive, longer), lambda ftp: [Look()],
             lambda ftp: ftp.data(40001, 20020, 20020), lambda ftp: ftp.client("NOOP\r\n"), lambda ftp: ftp.server("200 ok\r\n")),
        _ftp("passive mode twice shifts sequence numbers twice", "§5.6 sequence adjustment", f,
             lambda ftp: ftp.client("PASV\r\n"), lambda ftp: ftp.server(passive, longer), lambda ftp: ftp.client("PASV\r\n"),
             lambda ftp: ftp.server(passive.replace("78,52", "78,53"), longer), lambda ftp: ftp.server("200 ok\r\n")),
        _ftp("passive mode of another address than the server's", "§5.6 out 227", f,
             lambda ftp: ftp.client("PASV\r\n"), lambda ftp: ftp.server(f"227 ok ({_in_commas('10.9.9.9', 20020)})\r\n"), lambda ftp: [Look()]),
        _ftp("active mode opens a data connection from the server", "§5.6 in PORT; §5.6 LISTEN", f,
             lambda ftp: ftp.client(f"PORT {_in_commas(f.CLIENT, 40001)}\r\n"), lambda ftp: [Look()], lambda ftp: ftp.data_back(40001),
             expects={"* Look connections": "LISTEN"}),
        _ftp("PASV without the end of its line does not count", "§5.6 PASV directly followed by CR LF", f,
             lambda ftp: ftp.client("PASV x\r\n"), lambda ftp: ftp.server(passive), lambda ftp: [Look()]),
        _ftp("PASV within a segment counts", "§5.6 PASV anywhere in the segment", f,
             lambda ftp: ftp.client("NOOP\r\nPASV\r\n"), lambda ftp: ftp.server(passive, longer), lambda ftp: [Look()]),
        _ftp("a malformed PORT is left alone", "§5.6 in PORT", f,
             lambda ftp: ftp.client("PORT 1,2,3,4,5\r\n"), lambda ftp: ftp.client("PORT 1,2,3,4,5,256\r\n"), lambda ftp: [Look()]),
        _ftp("a second client of the passive port is refused", "§2.2 race-free", f,
             lambda ftp: ftp.client("PASV\r\n"), lambda ftp: ftp.server(passive, longer), lambda ftp: ftp.data(40001, 20020, 20020),
             lambda ftp: [FromClient(tcp(f.CLIENT, 40002, f.VIP, 20020, SYN))]),
    ]


def _call(f, identifier, sport=5060, method="INVITE", end="\r\n", name="Call-ID"):
    lines = f"{method} sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP host\r\n{name}: {identifier}{end}From: alice\r\n\r\n"
    return udp(f.CLIENT, sport, f.VIP, 5060, lines.encode())


def _expected(f):
    """Segments on the data connection that PORT or EPRT announced: it is in LISTEN."""
    kind = 2 if f.number == 6 else 1
    outcomes = {("I", "syn"): "SYN_RECV", ("O", "ack"): "ESTABLISHED", ("O", "rst"): "CLOSE"}
    for direction, word in (("I", "the client"), ("O", "the server")):
        for event, flags in {"syn": SYN, "fin": FIN | ACK, "ack": ACK, "rst": RST | ACK}.items():
            packet = FromClient(tcp(f.CLIENT, 40001, f.VIP, 20, flags)) if direction == "I" else \
                FromServer(tcp(f.RS1, 20, f.CLIENT, 40001, flags))
            yield _ftp(f"in LISTEN a {event} of {word}", f"§3.1 LI {direction} {event}", f,
                       lambda ftp: ftp.client(f"EPRT |{kind}|{f.CLIENT}|40001|\r\n"), lambda ftp, packet=packet: [packet],
                       expects={"end connections": outcomes.get((direction, event), "LISTEN") + ","})


def _sip(f):
    service = udp_service(f.VIP, 5060, Server(f.RS1, 5060), Server(f.RS2, 5060), persistent=300, engine="sip")
    answer = udp(f.RS1, 5060, f.CLIENT, 5060, b"SIP/2.0 200 OK\r\nCall-ID: unknown@host\r\n\r\n")
    return [
        scenario(f"a call keeps its server whatever port it comes from over {f.word}", "§5.7 PE data; §2.5 PE (sip)", service,
                 FromClient(_call(f, "one@host"), _call(f, "one@host", 5061), _call(f, "two@host", 5062), _call(f, "one@host", 5063))),
        scenario(f"a message without a Call-ID is dropped over {f.word}", "§5.7 Parse failure", service,
                 FromClient(udp(f.CLIENT, 5060, f.VIP, 5060, b"OPTIONS sip:bob SIP/2.0\r\n\r\n"), udp(f.CLIENT, 5061, f.VIP, 5060, b"x"))),
        scenario(f"a Call-ID without the end of its line is dropped over {f.word}", "§5.7 followed by CR or LF", service,
                 FromClient(udp(f.CLIENT, 5060, f.VIP, 5060, b"INVITE sip:bob SIP/2.0\r\nCall-ID: one@host"))),
        scenario(f"a Call-ID ends with LF alone too over {f.word}", "§5.7 followed by CR or LF", service, FromClient(_call(f, "one@host", end="\n"))),
        scenario(f"names of headers in other letters over {f.word}", "§5.7 PE data", service,
                 FromClient(_call(f, "one@host", name="call-id"), _call(f, "one@host", 5061, name="CALL-ID"), _call(f, "one@host", 5062, name="i"))),
        scenario(f"a Call-ID of 255 bytes and one of 256 over {f.word}", "§5.7 Call-ID value", service,
                 FromClient(_call(f, "a" * 255), _call(f, "b" * 256, 5061), _call(f, "c" * 300, 5062))),
        scenario(f"an empty Call-ID over {f.word}", "§5.7 Call-ID value", service, FromClient(_call(f, ""))),
        scenario(f"what a server of calls sends first comes from the virtual address over {f.word}", "§5.7 Outgoing UDP", service,
                 FromServer(answer), FromServer(answer), FromClient(_call(f, "unknown@host"))),
        scenario(f"a server of calls by direct routing sends first over {f.word}", "§5.7 Outgoing UDP",
                 service.but(servers=(Server(f.RS1, 5060, DIRECT),)), FromServer(answer)),
        scenario(f"one-packet calls are answered from the virtual address over {f.word}", "§5.7 OPS replies; §2.4 PE with an outgoing hook",
                 service.but(flags=4), FromClient(_call(f, "one@host")), FromServer(udp(f.RS2, 5060, f.CLIENT, 5060, b"SIP/2.0 200 OK\r\nCall-ID: one@host\r\n\r\n"))),
        scenario(f"a service gets an engine and loses it again over {f.word}", "§5.4 SET_SERVICE PE", service.but(engine=None),
                 FromClient(_call(f, "one@host")), EditService(service), FromClient(_call(f, "one@host", 5061), _call(f, "two@host", 5062)),
                 Look(), EditService(service.but(engine=None)), FromClient(_call(f, "two@host", 5063))),
        scenario(f"a service of TCP takes the engine and does not use it over {f.word}", "§5.7 UDP only",
                 tcp_service(f.VIP, 5060, Server(f.RS1, 5060), persistent=300, engine="sip"), FromClient(tcp(f.CLIENT, 1, f.VIP, 5060, SYN))),
    ]


SCENARIOS = [
    *(one for f in FAMILIES for make in (_both, _expected, _sip) for one in make(f)), *_ipv4(),
    scenario("FTP in a service of another port is not read", "§5.6 vport is a helper port", tcp_service(VIP, 2121, Server(RS1, 21)),
             FromClient(tcp(CLIENT, 40000, VIP, 2121, SYN)), FromServer(tcp(RS1, 21, CLIENT, 40000, SYN | ACK)),
             FromClient(tcp(CLIENT, 40000, VIP, 2121, ACK, seq=1001)), FromClient(tcp(CLIENT, 40000, VIP, 2121, PSH | ACK, b"PASV\r\n", seq=1001)),
             FromServer(tcp(RS1, 21, CLIENT, 40000, PSH | ACK, f"227 ok ({_in_commas(RS1, 20020)})\r\n".encode(), seq=1001)), Look(),
             FromClient(tcp(CLIENT, 40000, VIP, 2121, FIN | ACK, seq=1007)), needs=("ftp",)),
]
