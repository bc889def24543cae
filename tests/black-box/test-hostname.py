"""test-hostname.py - the gateway's own name: what cannot be one, and one that
servers refuse
"""
import shutil
import subprocess
import sys
import unittest

import harness
from harness import Case, Peer, environment

FULL = "hostname: gw.example.test\n"
NO_DOT = "has no dot: many servers refuse such a name"


class Hostname(Case):
    def named(self, line, routes=None, extra=""):
        """A gateway whose hostname is that line, not started."""
        gw = self.gateway(routes, extra, start=False)
        gw.write("postern.yaml", gw.read().replace(FULL, line))
        return gw

    def test_what_cannot_be_one(self):
        for name, why in (("no", "it is a word of YAML"),
                          ("10", "it ends with a number"),
                          ("192.0.2.1", "it ends with a number"),
                          ("gw_1", "it has an underscore"),
                          ("-gw.example.test", "begins or ends with a hyphen"),
                          ("gw-.example.test", "begins or ends with a hyphen"),
                          ("gw.example.test.", "begins or ends with a dot"),
                          ("x" * 64 + ".test", "more than 63 characters"),
                          ("x." * 126 + "xy", "more than 253 characters")):
            with self.subTest(name):
                gw = self.named(f"hostname: {name}\n")
                for command in ("check", "run"):
                    done = gw.command(command)
                    self.assertEqual(done.returncode, 78)
                    self.assertIn(f"postern.yaml:1:11: error: `{name}' is not a "
                                  f"host name: ", done.stderr)
                    self.assertIn(why, done.stderr)
                    self.assertRegex(done.stderr, r"\n +\| +\^~")
                    self.assertIn("hint: write the name that others know this "
                                  "machine by", done.stderr)

    def check_one_without_a_dot(self, peer, host, literal):
        gw = self.named("hostname: gw\n", {
            "50-out": self.connector(peer.port, host=host)})
        done = gw.command("check")
        self.assertEqual(done.returncode, 0)
        self.assertIn(f"postern.yaml:1:11: warning: `gw' {NO_DOT}, so EHLO "
                      "has the address instead", done.stderr)
        self.assertIn("hint: write the full name that others know this "
                      "machine by", done.stderr)
        gw.start()
        self.assertIn(NO_DOT, gw.log())
        gw.send()
        gw.wait_empty()
        self.assertIn(f"EHLO {literal}", peer.lines)
        self.assertRegex(peer.messages[0].decode(),
                         r"(?mi)^Message-ID: <[^@>]+@gw\.localdomain>\r$")
        gw.stop()

    def test_one_without_a_dot(self):
        self.check_one_without_a_dot(self.peer(), "127.0.0.1", "[127.0.0.1]")

    def test_one_without_a_dot_by_ipv6(self):
        try:
            peer = Peer(host="::1")
        except OSError as e:
            self.skipTest(f"no IPv6 here: {e}")
        self.addCleanup(peer.close)
        self.check_one_without_a_dot(peer, "'::1'", "[IPv6:::1]")

    def test_a_route_may_have_a_name_of_its_own(self):
        peer = self.peer()
        gw = self.named("hostname: gw\n", {
            "50-out": self.connector(peer.port, more="""\
              # the administrator's word
                helo: mx.test
            """)})
        gw.start()
        gw.send()
        gw.wait_empty()
        self.assertIn("EHLO mx.test", peer.lines)

    def test_a_full_one(self):
        peer = self.peer()
        gw = self.named(FULL, {"50-out": self.connector(peer.port)})
        self.assertEqual(gw.command("check").stderr, "")
        gw.start()
        gw.send()
        gw.wait_empty()
        self.assertIn("EHLO gw.example.test", peer.lines)
        self.assertRegex(peer.messages[0].decode(),
                         r"(?mi)^Message-ID: <[^@>]+@gw\.example\.test>\r$")

    def on_machine(self, name, gw):
        """`postern check' where the machine is called so."""
        if shutil.which("unshare") is None:
            raise unittest.SkipTest("unshare is not installed")
        done = subprocess.run(
            ["unshare", "--uts", sys.executable, "-c", "import os, socket, "
             "sys\nsocket.sethostname(sys.argv[1])\n"
             "os.execv(sys.argv[2], sys.argv[2:])", name, harness.POSTERN,
             "-c", gw.config, "check"], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=environment())
        if "Operation not permitted" in done.stderr:
            raise unittest.SkipTest(done.stderr)
        return done

    def test_the_machines_own_stops_nothing(self):
        gw = self.named("")
        for name, words in (("gw_1", "`gw_1', is not a host name: it has an "
                             "underscore"),
                            ("10", "`10', is not a host name"),
                            ("3f2a9c0b1d4e", f"`3f2a9c0b1d4e', {NO_DOT}")):
            done = self.on_machine(name, gw)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("warning: ", done.stderr)
            self.assertIn(words, done.stderr)
            self.assertIn("hint: set `hostname' to the name", done.stderr)
        done = self.on_machine("gw.example.org", gw)
        self.assertEqual((done.returncode, done.stderr), (0, ""))


if __name__ == "__main__":
    harness.main()
