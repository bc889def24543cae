"""peers_mx.py - mail servers of the world: names in a signed zone, hosts on
addresses of the loopback network, one port for all of them

A World is a test case with Knot behind it; its gateway sends to whoever the
zones name, and takes reports for @src.test into its Maildir.
"""
import contextlib
import os
import shutil
import socket
import tempfile
import textwrap
import threading

from certificates import TestCa
from harness import Case, has_ipv6
from peers import Knot
from peers_mail import Postfix
from peers_oauth import Sink

QUICK = "retry: {first: 300ms, factor: 1, longest: 300ms, give_up: 1h}\n"


def port_everywhere():
    """A port that was free on all addresses a moment ago."""
    six = has_ipv6()
    with socket.socket(socket.AF_INET6 if six else socket.AF_INET) as s:
        if six:
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        s.bind(("::" if six else "", 0))
        return s.getsockname()[1]


class Mx(Sink):
    """One of a domain's servers."""
    usual = dict(Sink.usual, EHLO=Sink.usual["EHLO"].replace(
        "250-DSN", "250-SMTPUTF8\r\n250-DSN"))

    def reply(self, c, verb, line):
        said = super().reply(c, verb, line)
        if verb == "RCPT" and not (said or "").startswith("2"):
            self.here.recipients.pop()
        return said

    def transactions(self):
        """(sender, recipients) of what it took."""
        return [(d.sender, d.recipients) for d in self.deliveries]

    def said(self, verb):
        return [line for line in self.lines if line.startswith(verb)]


class Silent(Mx):
    """Accepts, and never greets."""

    def __init__(self, **where):
        self.over = threading.Event()
        super().__init__(lambda verb, line: self.over.wait() and "close",
                         **where)

    def close(self):
        self.over.set()
        super().close()


class Deaf:
    """Does not even accept: its queue is full, so the handshake of whoever
    comes now is not answered."""

    def __init__(self, host, port):
        self.sockets = [socket.socket()]
        self.sockets[0].bind((host, port))
        self.sockets[0].listen(0)
        for _ in range(3):
            self.sockets.append(socket.socket())
            self.sockets[-1].setblocking(False)
            with contextlib.suppress(BlockingIOError):
                self.sockets[-1].connect((host, port))

    def close(self):
        for s in self.sockets:
            s.close()


class World(Case):
    """zones, unsigned and tampered are Knot's; stubs {zone: server}."""
    zones, unsigned, tampered = {}, (), {}

    @classmethod
    def setUpClass(cls):
        cls.place = tempfile.mkdtemp(prefix="postern-test-")
        cls.addClassCleanup(shutil.rmtree, cls.place, ignore_errors=True)
        os.chmod(cls.place, 0o755)
        cls.knot = Knot(os.path.join(cls.place, "knot"), cls.zones,
                        unsigned=cls.unsigned, tampered=cls.tampered)
        cls.addClassCleanup(cls.knot.stop)
        cls.knot.start()

    def setUp(self):
        super().setUp()
        self.port = port_everywhere()

    def peer_at(self, peer):
        self.addCleanup(peer.close)
        return peer

    def mx(self, host, answer=lambda verb, line: None):
        if ":" in host and not has_ipv6():
            self.skipTest("this host has no IPv6")
        return self.peer_at(Mx(answer, host=host, port=self.port))

    def postfix(self, host, domain, **settings):
        """A real one, with TLS; its certificate is nobody's business."""
        cert, key = TestCa(os.path.join(self.folder, "ca")).issue("other.test")
        postfix = Postfix(
            os.path.join(self.folder, "postfix"), {"mx": {}},
            at=(host, self.port), virtual_mailbox_domains=domain,
            smtpd_tls_security_level="may", smtpd_tls_cert_file=cert,
            smtpd_tls_key_file=key, **settings)
        self.addCleanup(postfix.stop)
        return postfix.start()

    def silent(self, host):
        return self.peer_at(Silent(host=host, port=self.port))

    def dns(self, stubs=None):
        """The block of postern.yaml."""
        more = "".join(f"    - {{zone: {zone}, server: '{server}'}}\n"
                       for zone, server in (stubs or {}).items())
        return (f"dns:\n  servers: ['{self.knot.server}']\n"
                f"  special_names: true\n"
                f"  trust_anchor_file: {self.knot.trust_anchor_file}\n"
                + ("  stubs:\n" + more if more else ""))

    def direct(self, options="idle: 0", route="", stubs=None, retry=QUICK,
               **rest):
        """A gateway with the backend; connections are not kept, so that each
        message chooses anew."""
        gw = self.gateway(start=False, extra=self.dns(stubs) + retry, **rest)
        os.remove(os.path.join(gw.folder, "conf.d", "50-capture.yaml"))
        gw.route("10-reports", f"route: reports\nbackend: maildir\n"
                 f"match: {{recipient: '@src.test'}}\n"
                 f"maildir: {{path: {gw.maildir}}}\n")
        gw.route("90-direct", f"route: direct\nbackend: direct\n"
                 f"direct: {{port: {self.port}, {options}}}\n"
                 + textwrap.dedent(route))
        return gw.start()
