"""peers_mx.py - mail servers of the world: names in a signed zone, hosts on
addresses of the loopback network, one port for all of them

A World is a test case with Knot behind it; its gateway sends to whoever the
zones name, and takes reports for @src.test into its Maildir.
"""
import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import textwrap
import threading
import unittest

from certificates import needs
from harness import Case, wait_until
from peers import Knot, Process
from peers_oauth import Sink

QUICK = "retry: {first: 300ms, factor: 1, longest: 300ms, give_up: 1h}\n"


def port_everywhere():
    """A port that was free on all addresses a moment ago."""
    with socket.socket(socket.AF_INET6) as s:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        s.bind(("::", 0))
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


class Postfix(Process):
    """Postfix, as the server of domains; what it takes is in .messages()."""

    services = (("cleanup", "unix n - n - 0 cleanup"),
                ("qmgr", "unix n - n 300 1 qmgr"),
                ("rewrite", "unix - - n - - trivial-rewrite"),
                ("bounce", "unix - - n - 0 bounce"),
                ("defer", "unix - - n - 0 bounce"),
                ("virtual", "unix - n n - - virtual"),
                ("error", "unix - - n - - error"),
                ("smtp", "unix - - n - - smtp"),
                ("tlsmgr", "unix - - n 1000? 1 tlsmgr"),
                ("proxymap", "unix - - n - - proxymap"),
                ("anvil", "unix - - n - 1 anvil"),
                ("postlog", "unix-dgram n - n - 1 postlogd"))

    def __init__(self, folder, host, port, domains, more=""):
        needs("postfix")
        if os.geteuid() != 0:
            raise unittest.SkipTest("postfix wants root")
        super().__init__(os.path.join(folder, "postfix"), "postfix")
        self.where = f"{host}:{port}"
        for name in ("etc", "queue", "data", "mail"):
            os.makedirs(os.path.join(self.folder, name))
        shutil.chown(os.path.join(self.folder, "data"), "postfix")
        shutil.chown(os.path.join(self.folder, "mail"), "nobody")
        for name in ("postfix-files", "dynamicmaps.cf"):
            if os.path.exists(f"/etc/postfix/{name}"):
                shutil.copy(f"/etc/postfix/{name}", f"{self.folder}/etc/")
        self.write("etc/main.cf", self.settings(domains)
                   + textwrap.dedent(more))
        self.write("etc/master.cf",
                   f"{self.where} inet n - n - - smtpd\n" + "".join(
                       f"{name} {kind}\n" for name, kind in self.services))
        self.running = False

    def settings(self, domains):
        return (f"compatibility_level = 3.6\n"
                f"queue_directory = {self.folder}/queue\n"
                f"data_directory = {self.folder}/data\n"
                f"myhostname = {domains[0]}\nmydestination =\n"
                f"virtual_mailbox_domains = {' '.join(domains)}\n"
                f"virtual_mailbox_base = {self.folder}/mail\n"
                "virtual_mailbox_maps = static:all/\n"
                "virtual_uid_maps = static:65534\n"
                "virtual_gid_maps = static:65534\n"
                "inet_interfaces = 127.0.0.1\ninet_protocols = ipv4\n"
                "mynetworks =\nsmtpd_peername_lookup = no\n"
                "smtpd_relay_restrictions = reject_unauth_destination\n"
                f"maillog_file = {self.folder}/log\n"
                f"maillog_file_prefixes = {self.folder}\n"
                "import_environment = MAIL_CONFIG MAIL_DEBUG MAIL_LOGTAG TZ "
                "LANG=C POSTLOG_SERVICE POSTLOG_HOSTNAME\n")

    def control(self, verb):
        return subprocess.run(["postfix", "-c", f"{self.folder}/etc", verb],
                              stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, timeout=60)

    def start(self):
        if self.control("start").returncode != 0:
            raise AssertionError("postfix does not start")
        self.running = True
        return self

    def stop(self):
        if self.running:
            self.control("stop")
        self.running = False

    def messages(self):
        """As they were in SMTP, but for its own fields in front."""
        new = os.path.join(self.folder, "mail", "all", "new")
        found = []
        for name in sorted(os.listdir(new)) if os.path.isdir(new) else ():
            with open(os.path.join(new, name), "rb") as f:
                found.append(f.read().replace(b"\n", b"\r\n"))
        return found

    def wait(self, n=1, seconds=30):
        wait_until(lambda: len(self.messages()) >= n, seconds,
                   "delivery by postfix")
        return self.messages()


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
        return self.peer_at(Mx(answer, host=host, port=self.port))

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
