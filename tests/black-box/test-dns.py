"""test-dns.py - what real name servers say, and what becomes of it"""
import json
import os
import socket
import subprocess
import sys
import time
from unittest import mock

import harness
from harness import BUILD, POSTERN, SLOW, Case, environment, wait_until
from peers import Knot, NameServer

ASK = os.path.join(BUILD, "tests", "unit", "ask-dns")

ZONES = {
    "example.test": """\
        both      A      192.0.2.1
        both      AAAA   2001:db8::1
        four      A      192.0.2.4
        six       AAAA   2001:db8::6
        many      A      192.0.2.11
        many      A      192.0.2.12
        many      AAAA   2001:db8::11
        text-only TXT    "no address"
        null      MX     0 .
        mx        MX     20 mx2
        mx        MX     10 mx1
        odd       MX     10 not\\ a\\.host
        txt       TXT    "v=STSv1; " "id=1" ""
        other     CNAME  www.plain.test.
        inside    CNAME  four
        loop      CNAME  loop2
        loop2     CNAME  loop
        dangling  CNAME  nowhere
        *.wild    A      192.0.2.77
        _25._tcp.both TLSA 3 1 1 """ + "ab" * 32 + """
        4.2.0.192.in-addr.arpa.example.test. PTR four
        unsigned  NS     ns.unsigned
        ns.unsigned A    127.0.0.1
        """,
    "bogus.test": "www A 192.0.2.1\nmail MX 10 www\n",
    "plain.test": "www A 192.0.2.80\n",
    "unsigned.example.test": "www A 192.0.2.9\n",
}


class Asker:
    """The program ask-dns."""

    def __init__(self, *words):
        self.process = subprocess.Popen(
            [ASK, *words], text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def ask(self, *words):
        self.process.stdin.write(" ".join(words) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError("ask-dns ended: " + self.process.stderr.read())
        return json.loads(line)

    def texts(self, *words):
        return sorted(r["text"] for r in self.ask("query", *words)["records"])

    def end(self):
        """Its exit status: a sanitizer's report makes it fail."""
        _, said = self.process.communicate(timeout=60 * SLOW)
        return self.process.returncode, said


class WithKnot(Case):
    @classmethod
    def setUpClass(cls):
        cls.place = harness.tempfile.mkdtemp(prefix="postern-test-")
        cls.addClassCleanup(harness.shutil.rmtree, cls.place,
                            ignore_errors=True)
        os.chmod(cls.place, 0o755)
        cls.knot = Knot(
            os.path.join(cls.place, "knot"), ZONES,
            unsigned=["plain.test", "unsigned.example.test"],
            tampered={"bogus.test": [("www.bogus.test.", "A", "192.0.2.66")]})
        cls.addClassCleanup(cls.knot.stop)
        cls.knot.start()

    def asker(self, *words, port=None, hosts="hosts=/nonexistent"):
        a = Asker(f"server=127.0.0.1:{port or self.knot.port}", hosts, *words)
        self.addCleanup(self.finish, a)
        return a

    def finish(self, a):
        status, said = a.end()
        self.assertEqual(status, 0, said)

    def validating(self, *words):
        return self.asker("special=yes", "dnssec=on",
                          "anchor=" + self.knot.trust_anchor_file, *words)

    def name_server(self, server):
        self.addCleanup(server.close)
        return server


class Answers(WithKnot):
    def test_addresses(self):
        a = self.validating()
        for name, status, ips in (
                ("both", "ok", ["192.0.2.1", "2001:db8::1"]),
                ("four", "ok", ["192.0.2.4"]),
                ("six", "ok", ["2001:db8::6"]),
                ("inside", "ok", ["192.0.2.4"]),
                ("x.wild", "ok", ["192.0.2.77"]),
                ("text-only", "nodata", []),
                ("nowhere", "nxdomain", []),
                ("dangling", "nxdomain", [])):
            with self.subTest(name):
                said = a.ask("lookup", name + ".example.test")
                self.assertEqual(said["status"], status)
                self.assertEqual(said["ips"], ips)
                self.assertTrue(said["secure"])
                self.assertEqual(said["why"] is None, status == "ok")

    def test_families_take_turns(self):
        ips = self.validating().ask("lookup", "many.example.test")["ips"]
        self.assertEqual([":" in ip for ip in ips], [False, True, False])

    def test_records(self):
        a = self.validating()
        said = a.ask("query", "MX", "mx.example.test.")
        self.assertEqual(sorted((r["preference"], r["text"])
                                for r in said["records"]),
                         [(10, "mx1.example.test"), (20, "mx2.example.test")])
        self.assertEqual((said["ttl"], said["secure"]), (300, True))
        null = a.ask("query", "MX", "null.example.test")["records"]
        self.assertEqual([(r["preference"], r["text"]) for r in null],
                         [(0, "")])
        self.assertEqual(a.texts("MX", "odd.example.test"),
                         ["not\\032a\\.host.example.test"])
        self.assertEqual(a.texts("TXT", "txt.example.test"), ["v=STSv1; id=1"])
        self.assertEqual(a.texts("CNAME", "other.example.test"),
                         ["www.plain.test"])
        self.assertEqual(
            a.texts("PTR", "4.2.0.192.in-addr.arpa.example.test"),
            ["four.example.test"])
        tlsa = a.ask("query", "TLSA", "_25._tcp.both.example.test")["records"]
        self.assertEqual([(r["bytes"], r["text"]) for r in tlsa], [(35, None)])

    def test_absence(self):
        a = self.validating()
        for kind, name, status in (("MX", "both", "nodata"),
                                   ("MX", "nowhere", "nxdomain"),
                                   ("TLSA", "_25._tcp.four", "nxdomain")):
            said = a.ask("query", kind, name + ".example.test")
            self.assertEqual((said["status"], said["secure"]), (status, True))
            self.assertTrue(said["why"])

    def test_canonical_and_secure(self):
        a = self.validating()
        for name, canonical, secure in (
                ("four.example.test", "four.example.test", True),
                ("inside.example.test", "four.example.test", True),
                ("other.example.test", "www.plain.test", False),
                ("www.plain.test", "www.plain.test", False),
                ("www.unsigned.example.test", "www.unsigned.example.test",
                 False)):
            with self.subTest(name):
                said = a.ask("query", "A", name)
                self.assertEqual(said["status"], "ok")
                self.assertEqual(said["canonical"], canonical)
                self.assertEqual(said["secure"], secure)
                self.assertEqual(a.ask("lookup", name)["secure"], secure)

    def test_a_loop_is_no_answer(self):
        said = self.validating().ask("query", "A", "loop.example.test")
        self.assertEqual(said["status"], "failed")
        self.assertIn("SERVFAIL", said["why"])

    def test_bogus_is_no_answer(self):
        a = self.validating()
        for words in (("query", "A"), ("lookup",)):
            said = a.ask(*words, "www.bogus.test")
            self.assertEqual(said["status"], "failed")
            self.assertFalse(said["secure"])
            self.assertIn("bogus (DNSSEC): ", said["why"])
            self.assertEqual(said.get("records", said.get("ips")), [])
        # what was not tampered with
        self.assertEqual(a.texts("MX", "mail.bogus.test"), ["www.bogus.test"])
        # and without validation nobody sees it
        a = self.asker("special=yes", "dnssec=off")
        said = a.ask("query", "A", "www.bogus.test")
        self.assertEqual((said["status"], said["secure"]), ("ok", False))

    def test_special_names(self):
        a = self.asker("dnssec=off")
        self.assertEqual(a.ask("lookup", "www.plain.test")["status"],
                         "nxdomain")
        self.assertEqual(a.ask("lookup", "a.localhost")["ips"],
                         ["127.0.0.1", "::1"])
        a = self.asker("dnssec=off", "special=yes")
        self.assertEqual(a.ask("lookup", "www.plain.test")["ips"],
                         ["192.0.2.80"])
        # REFUSED by a server that does not know it, so it was asked
        self.assertEqual(a.ask("query", "A", "a.onion")["status"], "failed")
        self.assertEqual(a.ask("query", "PTR", "1.0.0.10.in-addr.arpa")
                         ["status"], "failed")

    def test_stubs(self):
        nobody = self.name_server(NameServer.refusing(5))
        a = self.asker(f"stub=example.test/127.0.0.1:{self.knot.port}",
                       "anchor=" + self.knot.trust_anchor_file, "dnssec=on",
                       port=nobody.port)
        said = a.ask("query", "A", "four.example.test")
        self.assertEqual((said["status"], said["secure"]), ("ok", True))
        # it alone is exempt from the denial of .test
        self.assertEqual(a.ask("query", "A", "www.plain.test")["status"],
                         "nxdomain")
        # without a key for it, it is not validated; all else would be
        a = self.asker(f"stub=bogus.test/127.0.0.1:{self.knot.port}",
                       "dnssec=on", port=nobody.port)
        said = a.ask("query", "A", "www.bogus.test")
        self.assertEqual((said["status"], said["secure"]), ("ok", False))

    def test_many_at_once(self):
        a = self.validating()
        said = a.ask("many", "2500", "A", "wild.example.test")
        self.assertEqual(said["ok"], 2500)


class Failures(WithKnot):
    def test_servfail_and_refused(self):
        for code in (2, 5):
            bad = self.name_server(NameServer.refusing(code))
            said = self.asker("dnssec=off", port=bad.port).ask(
                "lookup", "www.example")
            self.assertEqual(said["status"], "failed")
            self.assertIn("SERVFAIL", said["why"])

    def test_one_family_fails(self):
        def answer(query):
            end = NameServer.question_end(query)
            if query[end - 4:end - 2] == b"\0\x1c":
                return query[:2] + b"\x81\x82\0\1\0\0\0\0\0\0" + query[12:end]
            return (query[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + query[12:end] +
                    b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\7")
        half = self.name_server(NameServer(answer))
        a = self.asker("dnssec=off", port=half.port)
        said = a.ask("lookup", "www.example")
        self.assertEqual((said["status"], said["ips"]), ("ok", ["192.0.2.7"]))
        self.assertFalse(said["secure"])

    def test_a_server_that_is_silent(self):
        silent = self.name_server(NameServer())
        a = self.asker("dnssec=off", port=silent.port)
        began = time.monotonic()
        said = a.ask("many", "20", "A", "www.example")
        self.assertEqual(said["failed"], 20)
        self.assertLess(time.monotonic() - began, 45 * SLOW)
        self.assertGreater(silent.queries, 0)
        # once it is back, it is asked
        knot = self.knot

        def ask_knot(query):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.settimeout(5)
                s.connect(("127.0.0.1", knot.port))
                s.send(query)
                return s.recv(65535)
        silent.answer = ask_knot
        a.ask("configure", f"server=127.0.0.1:{silent.port}", "dnssec=off",
              "special=yes", "hosts=/nonexistent")
        self.assertEqual(a.ask("lookup", "four.example.test")["ips"],
                         ["192.0.2.4"])


class Validation(WithKnot):
    def test_auto_with_keys(self):
        a = self.asker("special=yes", "anchor=" + self.knot.trust_anchor_file)
        self.assertFalse(a.ask("state")["asked"])
        said = a.ask("query", "A", "four.example.test")
        self.assertEqual((said["status"], said["secure"]), ("ok", True))
        self.assertEqual(a.ask("state"),
                         {"asked": True, "validating": True, "why": "",
                          "unvalidated": []})
        self.assertEqual(a.ask("query", "A", "www.bogus.test")["status"],
                         "failed")

    def test_a_forgery_below_what_is_not_signed(self):
        """The validation begins at bogus.test, so anybody can deny .test."""
        def answer(query):
            end = NameServer.question_end(query)
            if NameServer.name(query) == "test":
                return NameServer.own(query, end, 43, "test", {})
            return whole(query)
        whole = self.name_server(NameServer.forwarding(self.knot.port)).answer
        forger = self.name_server(NameServer(answer))
        a = self.asker("special=yes", "anchor=" + self.knot.trust_anchor_file,
                       port=forger.port)
        said = a.ask("written", "www.bogus.test")
        self.assertEqual((said["status"], said["ips"]), ("failed", []))
        self.assertGreater(forger.queries, 0)

    def test_auto_without_the_roots_key(self):
        a = self.asker("special=yes")
        said = a.ask("query", "A", "www.bogus.test")
        self.assertEqual((said["status"], said["secure"]), ("ok", False))
        state = a.ask("state")
        self.assertFalse(state["validating"])
        self.assertIn("the key of the root", state["why"])

    def test_auto_with_a_resolver_that_strips(self):
        strips = self.name_server(NameServer.stripping(self.knot.port))
        anchor = "anchor=" + self.knot.trust_anchor_file
        a = self.asker("special=yes", anchor, port=strips.port)
        said = a.ask("query", "A", "four.example.test")
        self.assertEqual((said["status"], said["secure"]), ("ok", False))
        state = a.ask("state")
        self.assertFalse(state["validating"])
        self.assertIn("without valid signatures", state["why"])
        # and for those who insist
        a = self.asker("special=yes", anchor, "dnssec=on", port=strips.port)
        said = a.ask("query", "A", "four.example.test")
        self.assertEqual(said["status"], "failed")
        self.assertIn("bogus", said["why"])

    def test_a_clock_that_is_set(self):
        """What was cached by another time is forgotten, this way and that."""
        server = self.name_server(NameServer.stripping(self.knot.port))
        a = self.asker("special=yes", "dnssec=off", port=server.port)
        a.ask("clock", "0")
        for jump, asks in ((0, True), (0, False), (5000, False),
                           (-5000, False), (-3600 * 1000, True), (0, False),
                           (9 * 86400 * 1000, True), (0, False)):
            with self.subTest(jump=jump):
                a.ask("set", str(jump))
                before = server.queries
                self.assertEqual(a.texts("A", "four.example.test"), ["192.0.2.4"])
                self.assertEqual(a.ask("query", "A", "nowhere.example.test")["status"],
                                 "nxdomain")
                self.assertEqual(server.queries > before, asks)

    def test_auto_looks_again(self):
        strips = self.name_server(NameServer.stripping(self.knot.port))
        stripping, broken = strips.answer, NameServer.refusing(2)
        self.name_server(broken)
        a = self.asker("special=yes", "anchor=" + self.knot.trust_anchor_file,
                       port=strips.port)

        def whole(query):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.settimeout(5)
                s.connect(("127.0.0.1", self.knot.port))
                s.send(query)
                return s.recv(65535)

        def secure():
            return a.ask("query", "A", "both.example.test")["secure"]

        def later(ms):
            a.ask("clock", str(ms))

        self.assertFalse(secure())
        strips.answer = whole
        later(59 * 60 * 1000)           # not yet an hour
        self.assertFalse(secure())
        time.sleep(0.3)
        self.assertFalse(secure())
        later(2 * 60 * 1000)
        secure()                        # it is looked at while one asks
        wait_until(secure, what="validation")
        # a bad moment changes nothing, two neither
        strips.answer = broken.answer
        later(61 * 60 * 1000)
        for _ in range(2):
            asked = strips.queries
            # what is asked for is in the cache: only a probe goes out
            wait_until(lambda: secure() and strips.queries > asked,
                       what="the probe")
            time.sleep(0.5 * SLOW)
            self.assertTrue(secure())   # its loop runs while one asks
            self.assertTrue(a.ask("state")["validating"])
            later(61 * 1000)
        # the third does
        wait_until(lambda: not secure() and not a.ask("state")["validating"],
                   what="the end")
        # and a minute later it is looked at again
        strips.answer = whole
        time.sleep(0.5 * SLOW)
        secure()
        later(61 * 1000)
        wait_until(secure, what="validation again")
        # a clear answer counts at once
        strips.answer = stripping
        later(61 * 60 * 1000)
        wait_until(lambda: not secure() and not a.ask("state")["validating"],
                   what="the end")

    def test_a_key_that_comes_late(self):
        knot, held = self.knot, [True]

        def answer(query):
            if held[0] and query[NameServer.question_end(query) - 4:][:2] == \
                    b"\0\x30":
                return None
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.settimeout(5)
                s.connect(("127.0.0.1", knot.port))
                s.send(query)
                return s.recv(65535)
        slow = self.name_server(NameServer(answer))
        a = self.asker("special=yes", "anchor=" + knot.trust_anchor_file,
                       port=slow.port)
        began = time.monotonic()
        said = a.ask("query", "A", "four.example.test")
        self.assertEqual((said["status"], said["secure"]), ("ok", False))
        self.assertGreater(time.monotonic() - began, 3)
        self.assertIn("has not arrived yet", a.ask("state")["why"])
        held[0] = False
        wait_until(lambda: a.ask("query", "A", "both.example.test")["secure"],
                   60, "the key")


# The signed world of these has mail.gw.real alone.
ROOT = {"": "mail.gw.real A 192.0.2.1\nmx.real MX 10 mailpit\n"}
LOCAL = {
    "mailpit": {"mailpit": "127.0.0.1"},
    "office": {"exchange01.office": "127.0.0.2"},
    "fritz.real": {"nas.fritz.real": "127.0.0.3",
                   "fritz.real": "127.0.0.3"},
    "svc.cluster.none": {"smtp.ns.svc.cluster.none": "127.0.0.4"},
    # in the middle of what is signed, and exists: as a forger would
    "mail.gw.real": {"mail.gw.real": "127.0.0.66"},
    "forged.gw.real": {"forged.gw.real": "127.0.0.66"},
}


class LocalNames(Case):
    """Names that only the resolver of the network knows."""

    @classmethod
    def setUpClass(cls):
        cls.place = harness.tempfile.mkdtemp(prefix="postern-test-")
        cls.addClassCleanup(harness.shutil.rmtree, cls.place,
                            ignore_errors=True)
        os.chmod(cls.place, 0o755)
        cls.knot = Knot(os.path.join(cls.place, "knot"), ROOT)
        cls.addClassCleanup(cls.knot.stop)
        cls.knot.start()
        cls.resolver = NameServer.forwarding(cls.knot.port, LOCAL)
        cls.addClassCleanup(cls.resolver.close)

    def asker(self, *words, port=None):
        a = Asker(f"server=127.0.0.1:{port or self.resolver.port}",
                  "hosts=/nonexistent", "special=yes",
                  "anchor=" + self.knot.trust_anchor_file, *words)
        self.addCleanup(lambda: self.assertEqual(a.end(), (0, mock.ANY)))
        return a

    taken = {"mailpit": "127.0.0.1", "exchange01.office": "127.0.0.2",
             "nas.fritz.real": "127.0.0.3",
             "smtp.ns.svc.cluster.none": "127.0.0.4"}
    refused = ("mail.gw.real", "forged.gw.real", "fritz.real")

    def test_names_that_the_administrator_wrote(self):
        a = self.asker()
        for again in range(2):          # then from libunbound's caches
            for name, ip in self.taken.items():
                with self.subTest(name, again=again):
                    said = a.ask("written", name)
                    self.assertEqual(said["ips"], [ip], said)
                    self.assertFalse(said["secure"])
        state = a.ask("state")
        self.assertTrue(state["validating"])
        self.assertEqual(state["unvalidated"], list(self.taken))

    def test_a_forgery_stays_one(self):
        a = self.asker()
        for name in self.refused:
            with self.subTest(name):
                said = a.ask("written", name)
                # what libunbound has proved already it need not ask for
                self.assertIn(said["status"], ("failed", "nxdomain"))
                self.assertEqual(said["ips"], [])
                self.assertIn("bogus (DNSSEC): " if said["status"] == "failed"
                              else "the name does not exist; ", said["why"])
                self.assertIn("give its domain a server in `dns: {stubs:",
                              said["why"])
                self.assertIn("`dns: {dnssec: off}'", said["why"])
        self.assertEqual(a.ask("state")["unvalidated"], [])

    def test_a_proof_that_nobody_signed_is_none(self):
        def answer(query):              # of all in `real', and of its DS
            name, end = NameServer.name(query), NameServer.question_end(query)
            if name.split(".")[-1] != "real":
                return whole(query)
            kind = int.from_bytes(query[end - 4:end - 2], "big")
            return NameServer.own(query, end, kind, name,
                                  {"mail.gw.real": "127.0.0.66"}
                                  if kind != 43 else {})
        whole = self.resolver.answer
        forger = NameServer(answer)
        self.addCleanup(forger.close)
        said = self.asker(port=forger.port).ask("written", "mail.gw.real")
        self.assertEqual((said["status"], said["ips"]), ("failed", []))

    def test_names_that_anybody_wrote(self):
        a = self.asker()
        for name in (*self.taken, *self.refused):
            with self.subTest(name):
                for words in ("lookup", name), ("query", "A", name), \
                        ("query", "MX", name), ("query", "TLSA", name):
                    said = a.ask(*words)
                    self.assertNotEqual(said["status"], "ok")
                    self.assertNotIn("dnssec: off", said["why"])
        self.assertEqual(a.ask("state")["unvalidated"], [])

    def test_what_nobody_knows(self):
        a = self.asker()
        for name in ("mailhog", "other.office", "gone.real", "x.gone.real"):
            with self.subTest(name):
                self.assertEqual(a.ask("written", name)["status"], "nxdomain")
        self.assertEqual(a.ask("state")["unvalidated"], [])

    def test_those_who_insist_on_validation(self):
        a = self.asker("dnssec=on")
        for name in self.taken:
            said = a.ask("written", name)
            self.assertEqual((said["status"], said["ips"]), ("failed", []))

    def test_a_resolver_that_fails_afterwards(self):
        whole, bad = self.resolver.answer, NameServer.refusing(5)
        ttl, none = b"\0\0\0\x3c\0\4", b"\0\0\0\0\0\4"
        frail = NameServer(lambda query: whole(query).replace(ttl, none))
        self.addCleanup(frail.close)
        self.addCleanup(bad.close)
        a = self.asker(port=frail.port)
        self.assertEqual(a.ask("written", "mailpit")["ips"], ["127.0.0.1"])
        # what is bogus is remembered, what was taken is not
        frail.answer = bad.answer
        said = a.ask("written", "mailpit")
        self.assertEqual((said["status"], said["ips"]), ("failed", []))
        self.assertIn("bogus (DNSSEC)", said["why"])

    def test_a_strangers_mx(self):
        peer = self.peer()
        gw = self.gateway(
            {"50-out": "route: out\nbackend: direct\n"
                       f"direct: {{port: {peer.port}}}\n"},
            extra=f"dns: {{servers: ['{self.resolver.server}'], "
                  f"trust_anchor_file: {self.knot.trust_anchor_file}}}\n")
        gw.send(to=["b@mx.real"])
        gw.wait_log("mailpit: ")
        self.assertEqual((len(gw.queue()), len(peer.messages)), (1, 0))
        self.assertNotIn("dnssec: off", gw.log())

    def test_a_route_to_one(self):
        peer = self.peer()
        gw = self.gateway(
            {"50-out": "route: out\nbackend: connector\nconnector:\n"
                       f"  host: mailpit\n  port: {peer.port}\n"},
            extra=f"dns: {{servers: ['{self.resolver.server}'], "
                  f"trust_anchor_file: {self.knot.trust_anchor_file}}}\n")
        for _ in range(2):
            gw.send()
            gw.wait_empty()
        self.assertEqual(len(peer.messages), 2)
        self.assertEqual(gw.log().count("mailpit does not exist in the signed "
                                        "DNS, but your resolver knows it"), 1)
        dns = gw.json("status")["running"]["dns"]
        self.assertEqual((dns["validating"], dns["unvalidated"]),
                         (True, ["mailpit"]))
        self.assertIn("which only your resolver knows: mailpit",
                      gw.command("status").stdout)


class Files(WithKnot):
    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w") as f:
            f.write(text)
        return path

    def test_hosts_and_their_change(self):
        hosts = self.write("hosts", "10.9.8.7 printer.test four.example.test\n"
                           "junk\n10.9.8.6 printer.test\n")
        a = self.asker("special=yes", "dnssec=off", hosts="hosts=" + hosts)
        self.assertEqual(a.ask("lookup", "printer.test")["ips"],
                         ["10.9.8.7", "10.9.8.6"])
        said = a.ask("lookup", "FOUR.example.test")
        self.assertEqual((said["ips"], said["secure"]), (["10.9.8.7"], False))
        # other types are the DNS's
        self.assertEqual(a.ask("query", "MX", "four.example.test")["status"],
                         "nodata")
        self.write("hosts", "10.9.8.5 printer.test\n")
        self.assertEqual(a.ask("lookup", "printer.test")["ips"],
                         ["10.9.8.7", "10.9.8.6"])
        a.ask("clock", "31000")
        wait_until(lambda: a.ask("lookup", "printer.test")["ips"] ==
                   ["10.9.8.5"], what="the new table")
        self.assertEqual(a.ask("lookup", "four.example.test")["ips"],
                         ["192.0.2.4"])

    def test_resolv_conf_and_its_change(self):
        # port 53 of an address of its own would need rights: what counts is
        # that the new file is gone by
        resolv = self.write("resolv.conf", "nameserver 127.0.0.99\n")
        a = Asker("resolv=" + resolv, "dnssec=off", "special=yes",
                  "hosts=/nonexistent")
        self.addCleanup(self.finish, a)
        self.assertEqual(a.ask("lookup", "x.localhost")["status"], "ok")
        self.write("resolv.conf", "nameserver nonsense\n")
        a.ask("clock", "31000")
        said = wait_until(lambda: [s for s in [a.ask("query", "A",
                                                     "y.localhost")]
                                   if s["status"] == "failed"],
                          what="the new file")
        self.assertIn(resolv, said[0]["why"])
        self.write("resolv.conf", "# no server\n")
        wait_until(lambda: a.ask("lookup", "z.localhost")["status"] == "ok",
                   what="the mended file")


class Program(WithKnot):
    def test_libunbound_calls_libevent(self):
        r = subprocess.run([POSTERN, "version"], stdin=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                           text=True, timeout=60 * SLOW,
                           env=dict(environment(), LD_BIND_NOW="1",
                                    LD_DEBUG="bindings"))
        bound = [line for line in r.stderr.splitlines()
                 if "libunbound.so" in line.split(" to ")[0] and
                 "`event_" in line]
        self.assertTrue(bound, "libunbound binds no event_ function")
        for line in bound:
            self.assertIn("libevent", line.split(" to ")[1], line)

    def dns(self, gw):
        return gw.json("status")["running"]["dns"]

    def settings(self, more=""):
        return (f"dns: {{servers: ['{self.knot.server}'], special_names: true"
                f"{more}}}\n")

    def anchored(self):
        return self.settings(", trust_anchor_file: "
                             + self.knot.trust_anchor_file)

    def test_settings_and_status(self):
        peer = self.peer()
        route = ("route: out\nbackend: connector\nconnector:\n"
                 f"  host: {{}}\n  port: {peer.port}\n")
        gw = self.gateway({"50-out": route.format("www.bogus.test")},
                          extra=self.anchored())
        self.assertEqual(self.dns(gw)["asked"], False)
        self.assertIn("no name has been looked up", gw.command("status").stdout)
        gw.send()
        wait_until(lambda: self.dns(gw)["validating"], what="validation")
        self.assertIn("validated with DNSSEC", gw.command("status").stdout)
        gw.wait_log("bogus (DNSSEC)")
        self.assertEqual(len(gw.queue()), 1)
        # a reload takes other settings
        with open(gw.config) as f:
            text = f.read()
        gw.write("postern.yaml", text.replace(
            self.anchored(), self.settings(", dnssec: off")))
        gw.route("50-out", route.format("localhost"))
        gw.command("reload", check=True)
        gw.command("queue", "retry", "--all", check=True)
        gw.wait_empty()
        self.assertEqual(len(peer.messages), 1)
        gw.send()
        gw.wait_empty()
        self.assertFalse(self.dns(gw)["validating"])
        self.assertIn("dnssec: off", gw.command("status").stdout)
        self.assertEqual(gw.stop(), 0)

    def test_no_host_and_no_answer(self):
        for host, code in (("nowhere.example.test", "4.4.4"),
                           ("text-only.example.test", "4.4.4"),
                           ("loop.example.test", "4.4.3")):
            gw = self.gateway(
                {"50-out": f"route: out\nbackend: connector\n"
                           f"connector: {{host: {host}}}\n"},
                name=host, extra=self.anchored())
            gw.send()
            gw.wait_log(host + ": ")
            wait_until(lambda: code in gw.log(), what=code)
            gw.stop()

    def test_mistakes_are_pointed_at(self):
        gw = self.gateway(start=False, extra="""\
            dns:
              servers: [127.0.0.1@5353, "127.0.0.1:53", "::1@99999"]
              dnssec: maybe
              trust_anchor_file: nofile
              stubs:
                - {zone: a..b, server: x}
                - {zone: example.test}
            """)
        said = gw.command("check")
        self.assertEqual(said.returncode, 78)
        for text in ("`127.0.0.1:53' is not an address of a name server",
                     "`::1@99999' is not an address", "127.0.0.1@5353 for a port",
                     "`dnssec' must be auto, on or off", "nofile",
                     "`a..b' is not a zone", "`x' is not an address",
                     "`server' is missing", "^~~"):
            self.assertIn(text, said.stderr)


if __name__ == "__main__":
    harness.requires(*Knot.programs)
    harness.main()
