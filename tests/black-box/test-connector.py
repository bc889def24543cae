"""test-connector.py - the connector, with servers that relay for those whose
certificate they know

Postfix and Exim are started once for the whole file, with a door for each way
of demanding a certificate, and of being wrong about TLS.  Where many cases
are alike, one gateway has a route for each of them.
"""
import atexit
import os
import re
import shutil
import ssl
import tempfile
import time
import unittest

import harness
from certificates import TestCa, run
from harness import Case, wait_until
from peers_mail import DOMAIN, Exim, Postfix

harness.requires("openssl")

SERVER = f"mx.{DOMAIN}"
RELAY = "relay.src.test"
PATIENT = "retry: {first: 1h}\nlog: {level: debug}\n"
QUICK = "retry: {first: 200ms, factor: 1, longest: 200ms}\nlog: {level: debug}\n"


def text_of(path):
    with open(path) as f:
        return f.read()


def files_in(folder):
    return [os.path.join(where, name) for where, _, names in os.walk(folder)
            for name in names]


def copy(pair, folder, name):
    """A certificate and its key, under a name of their own; the key is put
    into its place last, and all at once."""
    names = [os.path.join(folder, f"{name}.{kind}") for kind in ("pem", "key")]
    for source, target in zip(pair, names):
        shutil.copy(source, target + ".new")
        os.chmod(target + ".new", 0o644)
        os.rename(target + ".new", target)
    return tuple(names)


# --- the other side -------------------------------------------------------------

class World:
    """Certificates of all kinds, and the two servers."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="postern-test-")
        atexit.register(self.close)
        os.chmod(self.folder, 0o755)
        self.servers = []
        self.ca = self.authority("Servers")
        self.server = self.ca.issue(SERVER, "127.0.0.1")
        self.root = self.authority("Clients")
        clients = self.authority("Gateways", under=self.root)
        self.strangers = self.authority("Strangers")
        self.good = clients.issue(RELAY, client=True)
        self.renewed = clients.issue("renewed.src.test", client=True)
        self.bad = {
            "stranger": self.strangers.issue(RELAY, client=True),
            "expired": clients.issue(RELAY, client=True, days=-1),
            "half": self.without_issuers(),
            "missing": None,
        }

    def authority(self, name, **more):
        return TestCa(os.path.join(self.folder, name), name, **more)

    def without_issuers(self):
        path = os.path.join(self.folder, "half.pem")
        with open(path, "w") as f:
            f.write(text_of(self.good[0]).split("-----END")[0] +
                    "-----END CERTIFICATE-----\n")
        return path, self.good[1]

    def close(self):
        for server in self.servers:
            server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def started(self, server):
        self.servers.append(server)
        return server.start()

    def keys(self):
        """What must never be seen: the lines inside all keys, as bytes."""
        for path in files_in(self.folder):
            if path.endswith(".key"):
                yield from (line.encode() for line in text_of(path).split("\n")
                            if len(line) > 30 and not line.startswith("-"))

    # --- Postfix ----------------------------------------------------------------

    @staticmethod
    def chain(pair):
        return {"smtpd_tls_chain_files": f"{pair[1]}, {pair[0]}"}

    def postfix(self):
        ask = {"smtpd_tls_ask_ccert": "yes"}
        known = "permit_tls_all_clientcerts, reject"
        require = {"smtpd_tls_security_level": "encrypt",
                   "smtpd_tls_req_ccert": "yes"}
        print_of = run("openssl", "x509", "-in", self.good[0], "-noout",
                       "-fingerprint", "-sha256").strip().split("=")[1]
        doors = {
            "print": {**ask, "smtpd_tls_fingerprint_digest": "sha256",
                      "relay_clientcerts": f"inline:{{ {{ {print_of} = relay }} }}",
                      "smtpd_relay_restrictions": "permit_tls_clientcerts, reject"},
            "rcpt": {**ask, "smtpd_relay_restrictions": known},
            "mail": {**ask, "smtpd_delay_reject": "no",
                     "smtpd_sender_restrictions": known},
            "ehlo": require,
            "ehlo12": {**require, "smtpd_tls_mandatory_protocols":
                       ">=TLSv1.2, <=TLSv1.2"},
            "reuse": {**require, "smtpd_tls_loglevel": "2"},
            "implicit": {**require, "smtpd_tls_wrappermode": "yes"},
            "open": {}, "plain": {"smtpd_tls_security_level": "none"},
            "old": {"smtpd_tls_protocols": "<=TLSv1.1"},
            "nothing": {"smtpd_tls_chain_files": "/nonexistent/chain.pem"},
            "unable": {"smtpd_tls_protocols": "none that is known"},
            "wrong": self.chain(self.ca.issue("www.dst.test")),
            "unknown": self.chain(self.strangers.issue(SERVER)),
            "expired": self.chain(self.ca.issue(SERVER, days=-1)),
        }
        return self.started(Postfix(
            os.path.join(self.folder, "postfix"), doors,
            **self.chain(self.server), smtpd_tls_security_level="may",
            smtpd_tls_CAfile=self.root.ca_file, smtpd_tls_loglevel="1",
            smtpd_tls_received_header="yes"))

    # --- Exim -------------------------------------------------------------------

    def exim(self):
        server = Exim(os.path.join(self.folder, "exim"),
                      ["rcpt", "mail", "shake", "shake12"])
        cert, key = copy(self.server, self.folder, "exim")
        port = server.ports

        def at(*doors):
            ports = ":".join(str(port[door]) for door in doors)
            return f"inlist{{$received_port}}{{{ports}}}"

        server.configure(f"""\
            tls_advertise_hosts = *
            tls_certificate = {cert}
            tls_privatekey = {key}
            tls_verify_certificates = {self.root.ca_file}
            tls_verify_hosts = ${{if {at("shake", "shake12")}{{*}}}}
            tls_try_verify_hosts = ${{if {at("rcpt", "mail")}{{*}}}}
            tls_require_ciphers = NORMAL${{if {at("shake12")}{{:-VERS-TLS1.3}}}}
            acl_smtp_mail = ${{if {at("mail")}{{known}}{{all}}}}
            """, f"""\
              accept condition = ${{if !{at("rcpt")}}}
              require message = we know no such certificate
                      verify = certificate
              accept
            known:
              require message = we know no such certificate
                      verify = certificate
              accept
            all:
              accept
            """)
        return self.started(server)


world = None


class ConnectorCase(Case):
    servers = {}

    @classmethod
    def setUpClass(cls):
        global world
        world = world or World()

    def server(self, name):
        """Postfix or Exim; a reason to skip is remembered, too."""
        if name not in self.servers:
            try:
                self.servers[name] = getattr(world, name)()
            except unittest.SkipTest as e:
                self.servers[name] = e
        if isinstance(self.servers[name], unittest.SkipTest):
            raise self.servers[name]
        return self.servers[name]

    def end(self, gw):
        """Whatever it wrote has nothing of a key: log, queue, reports."""
        super().end(gw)
        keys = list(world.keys())
        for path in filter(os.path.isfile, files_in(gw.folder)):
            with open(path, "rb") as f:
                written = f.read()
            self.assertFalse(any(key in written for key in keys), path)

    def route(self, name, port, tls="verify", pair=None, more="",
              host=Postfix.address):
        """For name@dst.test."""
        text = (f"route: {name}\nmatch: {{recipient: '{name}@{DOMAIN}'}}\n"
                f"backend: connector\nconnector:\n  host: {host}\n"
                f"  port: {port}\n  tls: {tls}\n")
        if tls in ("verify", "implicit"):
            text += f"  server_name: {SERVER}\n  trust_file: {world.ca.ca_file}\n"
        if pair:
            text += f"  certificate: {pair[0]}\n  key: {pair[1]}\n"
        return text + more

    def send(self, gw, *names):
        for name in names:
            gw.send(f"Subject: for {name}.\r\n\r\nhello\r\n",
                    to=[f"{name}@{DOMAIN}"])

    def lines(self, gw, name):
        """Of its attempts to deliver."""
        return [l for l in gw.log().splitlines()
                if f" to={name}@{DOMAIN} " in l and " status=" in l]

    def wait_line(self, gw, name):
        return wait_until(lambda: self.lines(gw, name), 30,
                          f"an attempt to deliver to {name}")[-1]

    def paused(self, gw, name):
        """What `postern status' says about the route, or None."""
        m = re.search(rf"^  {re.escape(name)} is PAUSED, .*$",
                      gw.command("status", check=True).stdout, re.M)
        return m and m.group()

    def not_bounced(self, gw):
        self.assertNotIn("status=bounced", gw.log())
        self.assertEqual(gw.captured(), [])

    def catching(self, routes, name="gw"):
        """With a place for reports, were there any."""
        return {**routes, "99-reports": "route: reports\nbackend: maildir\n"
                "match: {recipient: '@src.test'}\n"
                f"maildir: {{path: {self.folder}/{name}/Maildir}}\n"}


# --- who we are -------------------------------------------------------------------

# how each door says no, and what is made of it
DOORS = {
    ("postfix", "rcpt"): ("code=554 enhanced=5.7.1 .*Recipient address rejected: "
                          'Access denied" phase="sending RCPT TO"', "deferred"),
    ("postfix", "mail"): ("code=554 enhanced=5.7.1 .*Sender address rejected: "
                          'Access denied" phase="sending MAIL FROM"', "paused"),
    ("postfix", "ehlo"): ("code=421 enhanced=4.7.1 .*[Cc]lient certificate .*"
                          'phase="sending EHLO"', "paused"),
    ("postfix", "ehlo12"): ("code=421 enhanced=4.7.1 .*[Cc]lient certificate .*"
                            'phase="sending EHLO"', "paused"),
    ("exim", "rcpt"): ('code=550 reply="we know no such certificate" '
                       'phase="sending RCPT TO"', "deferred"),
    ("exim", "mail"): ('code=550 reply="we know no such certificate" '
                       'phase="sending MAIL FROM"', "paused"),
    ("exim", "shake"): ('reply="the server (refused the gateway.s certificate|requires '
                        'a client certificate)', "paused"),
    ("exim", "shake12"): ('reply="the server refused (the gateway.s certificate|'
                          'the TLS handshake; it asked for a client certificate)', "paused"),
}
# what is seen from here of each kind, and what can be done
KINDS = {
    "stranger": (', client certificate sent"', "file also contains its issuers"),
    "half": (', client certificate sent"', "file also contains its issuers"),
    "expired": (', client certificate sent, expired"', "[Rr]enew"),
    "missing": (', client certificate requested, none configured"',
                "name one with `certificate' and `key'"),
}


class Recognised(ConnectorCase):
    """The two servers, by each door that demands a certificate."""

    def prepare(self, server):
        self.ports = self.server(server).ports
        self.doors = [door for name, door in DOORS if name == server]
        routes = {}
        for door in self.doors:
            for kind, pair in {**world.bad, "good": world.good}.items():
                name = f"{server}-{door}-{kind}"
                routes[name] = self.route(name, self.ports[door], pair=pair)
        gw = self.gateway(self.catching(routes), PATIENT)
        self.send(gw, *routes)
        return gw, list(routes)

    def check_refusal(self, gw, server, door, kind):
        name = f"{server}-{door}-{kind}"
        words, verdict = DOORS[server, door]
        tls, remedy = KINDS[kind]
        line = self.wait_line(gw, name)
        self.assertRegex(line, words)
        self.assertIn(f" status={verdict} ", line)
        self.assertRegex(line, f'remedy="[^"]*{remedy}')
        if (door, kind) != ("shake12", "missing"):  # there it never came to TLS
            self.assertIn(tls, line)
            self.assertIn("TLS1.2" if door.endswith("12") else "TLS1.3", line)
        if kind == "expired" and door.startswith("shake"):
            self.assertRegex(line, "; it expired at 20[0-9-]+T")
        status = self.paused(gw, name)
        self.assertEqual(status is not None, verdict == "paused", status)
        if status:
            self.assertRegex(status, f"; remedy: .*{remedy}")

    def both(self, server):
        gw, names = self.prepare(server)
        for door in self.doors:
            name = f"{server}-{door}-good"
            with self.subTest(name):
                line = self.wait_line(gw, name)
                self.assertIn(" status=delivered ", line)
                self.assertRegex(line, 'tls="TLS1.[23] [A-Z0-9-]+, verified, client '
                                       'certificate sent"')
                self.arrived(server, name)
            for kind in KINDS:
                with self.subTest(f"{server}-{door}-{kind}"):
                    self.check_refusal(gw, server, door, kind)
        self.assertEqual(len(gw.queue()), len(self.doors) * len(KINDS))
        self.not_bounced(gw)

    def arrived(self, server, name):
        far = self.server(server)
        message, = far.wait_mail(f"Subject: for {name}.")
        if server == "postfix":     # trusts the root alone: so the chain was sent
            self.assertRegex(message, rb'\(Client CN "relay\.src\.test", Issuer '
                                      rb'"Gateways" \(verified OK\)\)')
        else:
            self.assertRegex(far.log(), r'CV=yes DN="CN=relay\.src\.test"')

    def test_postfix(self):
        self.both("postfix")

    def test_exim(self):
        self.both("exim")

    def test_postfix_by_fingerprint(self):
        """Then the issuers do not matter, and each renewal does."""
        port = self.server("postfix").ports["print"]
        pairs = {"good": world.good, "half": world.bad["half"],
                 "renewed": world.renewed}
        routes = {name: self.route(name, port, pair=pair)
                  for name, pair in pairs.items()}
        gw = self.gateway(self.catching(routes), PATIENT)
        self.send(gw, *routes)
        for name in ("good", "half"):
            self.assertIn(" status=delivered ", self.wait_line(gw, name))
        self.assertRegex(self.wait_line(gw, "renewed"), "status=deferred "
                         "code=554 enhanced=5.7.1 .*check that the server knows "
                         "this certificate")
        self.assertEqual(len(gw.queue()), 1)
        self.not_bounced(gw)


# --- files that are wrong, and are mended -------------------------------------------

class Mended(ConnectorCase):
    def spoil(self, folder, kind):
        """The good certificate's files, and what is done to them when the
        gateway has started, before they are read for the first time."""
        pair = copy(world.good, folder, kind)
        if kind == "unfit":
            os.replace(copy(world.renewed, folder, "other")[1], pair[1])
        elif kind == "gone":
            os.unlink(pair[0])
        elif kind == "garbage":
            with open(pair[0], "w") as f:
                f.write("not a certificate\n")
        elif kind == "locked":
            os.chmod(pair[1], 0o600)
        return pair

    spoiled = {     # what is said names the file
        "unfit": r"unfit\.key: this is not the key of the certificate in .*unfit\.pem",
        "gone": r"gone\.pem: No such file or directory",
        "garbage": r"garbage\.pem: the file contains no certificate in PEM",
        "locked": r"locked\.key: Permission denied .*; remedy: make it readable "
                  "for the user that the gateway runs as",
    }

    def test_whatever_is_wrong_waits_and_leaves_after_a_reload(self):
        postfix, exim = self.server("postfix"), self.server("exim")
        places = {"postfix": postfix.ports["ehlo"], "exim": exim.ports["shake"]}
        routes, pairs = {}, {}
        for where, port in places.items():
            for kind in ("stranger", "expired", "half"):
                name = f"{where}-{kind}"
                pairs[name] = copy(world.bad[kind], self.folder, name)
                routes[name] = self.route(name, port, pair=pairs[name])
            name = f"{where}-missing"
            routes[name] = self.route(name, port)
        gw = self.gateway(self.catching(routes), PATIENT)
        self.send(gw, *routes)
        for name in routes:
            self.assertIn(" status=paused ", self.wait_line(gw, name))
            self.assertTrue(self.paused(gw, name))
        for name in pairs:
            copy(world.good, self.folder, name)
        for where, port in places.items():
            gw.route(f"{where}-missing",
                     self.route(f"{where}-missing", port, pair=world.good))
        gw.command("reload", check=True)
        gw.wait_empty()
        for name in routes:
            self.server(name.split("-")[0]).wait_mail(f"Subject: for {name}.")
            self.assertIsNone(self.paused(gw, name))
        self.not_bounced(gw)

    def test_files_that_are_spoiled_after_the_start(self):
        if os.geteuid() != 0:
            self.skipTest("only root becomes somebody else")
        port = self.server("postfix").ports["ehlo"]
        pairs = {kind: copy(world.good, self.folder, kind)
                 for kind in self.spoiled}
        routes = {kind: self.route(kind, port, pair=pair)
                  for kind, pair in pairs.items()}
        gw = self.gateway(self.catching(routes), PATIENT, start=False)
        gw.write("postern.yaml", re.sub("(?m)^user: .*$", "user: nobody",
                                        text_of(gw.config)))
        gw.start()
        for kind in self.spoiled:
            self.spoil(self.folder, kind)
        self.send(gw, *routes)
        for kind, words in self.spoiled.items():
            with self.subTest(kind):
                self.assertIn(" status=paused ", self.wait_line(gw, kind))
                self.assertRegex(self.paused(gw, kind), words)
        # a reload does not make it better, and says why
        r = gw.command("reload")
        self.assertNotEqual(r.returncode, 0)
        for kind in self.spoiled:
            self.assertRegex(r.stdout + r.stderr, f"{kind}.(pem|key)(:| cannot be read:) ")
            copy(world.good, self.folder, kind)
        self.assertEqual(len(gw.queue()), len(routes))
        # one by the operator's hand, the rest by a reload
        gw.command("queue", "retry", "--route", "gone", check=True)
        wait_until(lambda: len(gw.queue()) == len(routes) - 1, 30,
                   "the mail of one route")
        gw.command("reload", check=True)
        gw.wait_empty()
        self.not_bounced(gw)

    def test_a_route_comes_back_by_itself(self):
        pair = copy(world.bad["stranger"], self.folder, "relay")
        port = self.server("postfix").ports["mail"]
        gw = self.gateway(self.catching({"x": self.route("x", port, pair=pair)}),
                          QUICK)
        self.send(gw, "x", "x", "x")
        wait_until(lambda: gw.log().count("route `x' is paused") > 2, 30,
                   "some probes")
        copy(world.good, self.folder, "relay")
        gw.wait_empty()
        self.server("postfix").wait_mail("Subject: for x.", 3)
        self.not_bounced(gw)

    def test_a_renewed_certificate_is_taken_up(self):
        """Without a reload; and a pair that is half in place does no harm."""
        pair = copy(world.good, self.folder, "relay")
        postfix = self.server("postfix")
        gw = self.gateway({"x": self.route("x", postfix.ports["ehlo"], pair=pair)},
                          PATIENT)
        gw.send("Subject: before\r\n\r\n", to=[f"x@{DOMAIN}"])
        self.assertIn(b'CN "relay.src.test"', postfix.wait_mail("before")[0])
        new = copy(world.renewed, self.folder, "new")
        os.rename(new[0], pair[0])

        def sent_until(words):
            gw.send("Subject: meanwhile\r\n\r\n", to=[f"x@{DOMAIN}"])
            gw.wait_empty()
            time.sleep(0.5)
            return words in gw.log()
        wait_until(lambda: sent_until("relay.key: this is not the key of the "
                                      "certificate"), 40, "a look at the files")
        gw.wait_log("the gateway still uses what it read before")
        os.rename(new[1], pair[1])
        wait_until(lambda: sent_until("relay.pem has changed; the gateway uses "
                                      "the new contents"),
                   40, "the new certificate")
        gw.send("Subject: after\r\n\r\n", to=[f"x@{DOMAIN}"])
        self.assertIn(b'CN "renewed.src.test"', postfix.wait_mail("after")[0])
        self.assertNotIn("status=deferred", gw.log())
        self.assertNotIn("status=paused", gw.log())


class Checked(ConnectorCase):
    """What is wrong with the files is told before it does harm."""

    def check(self, pair, user=None):
        gw = self.gateway({"x": self.route("x", 25, pair=pair)}, start=False,
                          name=f"gw{time.monotonic_ns()}")
        if user:
            gw.write("postern.yaml", re.sub("(?m)^user: .*$", f"user: {user}",
                                            text_of(gw.config)))
        return gw, gw.command("check")

    def test_check_start_and_reload_refuse_it(self):
        good = copy(world.good, self.folder, "good")
        other = copy(world.renewed, self.folder, "other")
        mixed = os.path.join(self.folder, "mixed.pem")
        with open(mixed, "w") as f:
            f.write(text_of(good[0]) + text_of(other[0]))
        gone = os.path.join(self.folder, "gone")
        rows = [
            ((good[0], other[1]), rf"{other[1]}: this is not the key of the "
             rf"certificate in {good[0]}\n.*\|.* key: "),
            ((gone, good[1]), rf"`certificate.: {gone} cannot be read: No such file .*\n.*\|.* certificate: "),
            ((good[0], gone), rf"`key.: {gone} cannot be read: No such file .*\n.*\|.* key: "),
            ((good[1], good[1]), "the file contains no certificate in PEM"),
            ((good[0], good[0]), "the file contains no key in PEM"),
            ((mixed, good[1]), "the chain is in the wrong order"),
        ]
        for pair, words in rows:
            gw, r = self.check(pair)
            self.assertEqual(r.returncode, 78, r.stderr)
            self.assertRegex(r.stderr, words)
            self.assertIn("^", r.stderr)
        gw.start(wait=False)
        self.assertEqual(gw.process.wait(60), 78)
        gw.process = None
        gw.wait_log("the chain is in the wrong order")

        gw = self.gateway({"x": self.route("x", 25, pair=good)})
        gw.route("x", self.route("x", 25, pair=(good[0], other[1])))
        r = gw.command("reload")
        self.assertNotEqual(r.returncode, 0)
        self.assertIn("this is not the key of the certificate", r.stdout + r.stderr)
        gw.wait_log("the running configuration stays active")

    def test_one_that_ends_soon_is_a_warning(self):
        soon = world.strangers.issue(RELAY, client=True, days=5)
        for pair, words in ((soon, "expires in 4 days"),
                            (world.bad["expired"], "expired at 20")):
            _, r = self.check(copy(pair, self.folder, "end"))
            self.assertEqual(r.returncode, 0, r.stderr)
            self.assertRegex(r.stderr, f"warning: .*certificate for {RELAY} {words}")
        good = copy(world.good, self.folder, "good")
        os.chmod(good[1], 0o640)
        _, r = self.check(good)
        self.assertEqual((r.returncode, r.stderr.count("warning")), (0, 0), r.stderr)

    def test_both_files_are_told_at_once(self):
        gone = os.path.join(self.folder, "gone")
        bad = os.path.join(self.folder, "bad")
        with open(bad, "w") as f:
            f.write("nothing")
        for pair, words in (((gone, gone + ".key"), ("`certificate': %s cannot" % gone,
                                                     "`key': %s.key cannot" % gone)),
                            ((gone, bad), ("`certificate': ", "contains no key in PEM")),
                            ((bad, gone), ("contains no certificate in PEM", "`key': "))):
            _, r = self.check(pair)
            self.assertEqual(r.stderr.count("error:"), 2, r.stderr)
            for w in words:
                self.assertIn(w, r.stderr)

    def test_a_leaf_without_its_issuer_is_a_warning(self):
        alone = "the certificate of its issuer, CN=%s, does not stand behind"
        half = copy(world.bad["half"], self.folder, "half")
        direct = copy(world.strangers.issue(RELAY, client=True), self.folder, "direct")
        for pair in half, direct:
            os.chmod(pair[1], 0o640)
        rows = [(half, world.root.ca_file, alone % "Gateways"),
                (direct, world.root.ca_file, alone % "Strangers"),
                (direct, world.strangers.ca_file, None)]
        for pair, trust, words in rows:
            gw = self.gateway({"x": self.route("x", 25, pair=pair)}, start=False,
                              extra=f"outgoing: {{trust_file: {trust}}}\n",
                              name=f"gw{time.monotonic_ns()}")
            r = gw.command("check")
            self.assertEqual(r.returncode, 0, r.stderr)
            self.assertEqual(r.stderr.count("warning"), 1 if words else 0, r.stderr)
            self.assertIn(words or "", r.stderr)

    def test_a_key_that_everybody_can_read_is_a_warning(self):
        pair = copy(world.good, self.folder, "good")
        _, r = self.check(pair)
        self.assertEqual(r.returncode, 0)
        self.assertIn(f"warning: every user of this host can read the key in {pair[1]}", r.stderr)

    def test_the_commands_for_a_pfx_work(self):
        pfx = os.path.join(self.folder, "relay.pfx")
        run("openssl", "pkcs12", "-export", "-in", world.good[0], "-inkey", world.good[1],
            "-passout", "pass:hunter2", "-out", pfx)
        _, r = self.check((pfx, pfx))
        self.assertEqual(r.returncode, 78)
        commands = re.findall("`(openssl pkcs12 [^']*)'", r.stderr)
        self.assertEqual(len(commands), 2, r.stderr)
        for command in commands:
            run(*command.split(), "-passin", "pass:hunter2")
        names = re.findall(r"-out (\S+)", " ".join(commands))
        self.assertEqual(names, [pfx[:-4] + ".pem", pfx[:-4] + ".key"])
        _, r = self.check(names)
        self.assertEqual((r.returncode, r.stderr), (0, ""))

    def test_who_the_gateway_becomes_must_be_able_to_read_it(self):
        if os.geteuid() != 0:
            self.skipTest("only root becomes somebody else")
        pair = copy(world.good, self.folder, "relay")
        os.chmod(pair[1], 0o600)
        _, r = self.check(pair, "nobody")
        self.assertEqual(r.returncode, 78, r.stderr)
        self.assertRegex(r.stderr, rf"{pair[1]}: the gateway runs as the user "
                                   "`nobody', which cannot read it")


# --- who they are -------------------------------------------------------------------

class Policies(ConnectorCase):
    """`tls:', with servers that are right and wrong in all ways."""

    # door of postfix, tls, status, what the log says of TLS, and more of it
    rows = [
        ("open", "none", "delivered", None, ""),
        ("plain", "none", "delivered", None, ""),
        ("open", "opportunistic", "delivered", "TLS1.3 AES-256-GCM", ""),
        ("wrong", "opportunistic", "delivered", "TLS1.3 AES-256-GCM", ""),
        ("plain", "opportunistic", "delivered", None, ""),
        ("old", "opportunistic", "delivered", "none, it failed", ""),
        ("nothing", "opportunistic", "delivered", "none, it failed", ""),
        ("unable", "opportunistic", "delivered", "none, it failed", ""),
        ("open", "required", "delivered", "TLS1.3 AES-256-GCM", ""),
        ("wrong", "required", "delivered", "TLS1.3 AES-256-GCM", ""),
        ("unknown", "required", "delivered", "TLS1.3 AES-256-GCM", ""),
        ("expired", "required", "delivered", "TLS1.3 AES-256-GCM", ""),
        ("plain", "required", "paused", None, "the server does not offer STARTTLS, "
         'which this route requires" phase="starting TLS" remedy="the server.s administrator'),
        ("old", "required", "paused", None, "the server speaks neither TLS 1.2 nor "
         r'TLS 1.3 \(alert: protocol version\)"'),
        ("nothing", "required", "paused", None, "the server refused the TLS "
         r'handshake \(alert: handshake failure\)"'),
        ("unable", "required", "deferred", None, "code=454 enhanced=4.7.0 "
         'reply="TLS not available'),
        ("open", "verify", "delivered", "TLS1.3 AES-256-GCM, verified", ""),
        ("plain", "verify", "paused", None, "the server does not offer STARTTLS"),
        ("wrong", "verify", "paused", None, f"the certificate of {SERVER} is not "
         f"accepted: it is for www.dst.test, not for {SERVER}\" .*"
         "remedy=\"use a name that is in the server's certificate\""),
        ("unknown", "verify", "paused", None, f"the certificate of {SERVER} is not "
         'accepted: its issuer is unknown: CN=Strangers" .*remedy="[^"]*name its '
         'certificate as the trust_file"'),
        ("expired", "verify", "paused", None, f"the certificate of {SERVER} is not "
         'accepted: it expired at 20[^"]*" .*remedy="[^"]*must renew it'),
        ("implicit", "implicit", "delivered", "TLS1.3 AES-256-GCM, verified, "
         "client certificate sent", ""),
        ("open", "implicit", "paused", None, "the server does not speak TLS here"),
    ]

    def test_all(self):
        postfix = self.server("postfix")
        routes, cases = {}, []
        for door, tls, *want in self.rows:
            name = f"{door}-{tls}"
            pair = world.good if door == "implicit" else None
            routes[name] = self.route(name, postfix.ports[door], tls, pair)
            cases.append((name, want))
        gw = self.gateway(self.catching(routes), PATIENT)
        self.send(gw, *routes)
        for name, (status, tls, words) in cases:
            with self.subTest(name):
                line = self.wait_line(gw, name)
                self.assertIn(f" status={status} ", line)
                said = re.search(r' tls="([^"]*)"', line)
                self.assertEqual(said and said.group(1), tls)
                self.assertRegex(line, words or "reply=")
                if status != "delivered":
                    continue
                message, = postfix.wait_mail(f"Subject: for {name}.")
                secured = b" with ESMTPS id " in message
                self.assertEqual(secured, bool(tls and "TLS" in tls), message)
        self.not_bounced(gw)
        self.mend(gw, postfix)

    def mend(self, gw, postfix):
        """Theirs, from here: another authority, the name that it has."""
        gw.route("unknown-verify", self.route(
            "unknown-verify", postfix.ports["unknown"]).replace(
                world.ca.ca_file, world.strangers.ca_file))
        gw.route("wrong-verify", self.route(
            "wrong-verify", postfix.ports["wrong"]).replace(SERVER, "www.dst.test"))
        gw.route("plain-verify", self.route("plain-verify", postfix.ports["plain"],
                                            "opportunistic"))
        gw.command("reload", check=True)
        for name in ("unknown-verify", "wrong-verify", "plain-verify"):
            postfix.wait_mail(f"Subject: for {name}.")

    def test_refused_after_the_handshake_is_refused_in_it(self):
        """Exim says no inside of TLS 1.2, and after TLS 1.3; opportunistic is
        to get through both times."""
        exim = self.server("exim")
        routes = {name: self.route(name, exim.ports[name], "opportunistic", pair)
                  for name, pair in (("shake", world.bad["stranger"]),
                                     ("shake12", None))}
        gw = self.gateway(routes, PATIENT)
        self.send(gw, *routes)
        gw.wait_empty()
        for name in routes:
            self.assertIn('tls="none, it failed" status=delivered',
                          self.wait_line(gw, name))
            exim.wait_mail(f"Subject: for {name}.")
            gw.wait_log(f":{exim.ports[name]}: without TLS, which failed: the "
                        "server refused")

    def test_a_server_that_does_not_ask(self):
        port = self.server("postfix").ports["open"]
        gw = self.gateway({"x": self.route("x", port, pair=world.good)}, PATIENT)
        self.send(gw, "x")
        line = self.wait_line(gw, "x")
        self.assertIn("verified, client certificate not requested\" "
                      "status=delivered", line)


class Reuse(ConnectorCase):
    def told(self, words):
        """How often, by that door."""
        return len(re.findall(rf"postfix/reuse/smtpd\[\d+\]: {words}",
                              self.server("postfix").log()))

    def many(self, n, name, more):
        postfix = self.server("postfix")
        before = self.told("connect from")
        route = self.route(name, postfix.ports["reuse"], pair=world.good,
                           more=more + "limits: {connections: 1}\n")
        gw = self.gateway({name: route}, PATIENT)
        with gw.smtp() as s:
            for _ in range(n):
                s.sendmail("a@src.test", [f"{name}@{DOMAIN}"],
                           f"Subject: for {name}.\r\n\r\n")
        gw.wait_empty()
        postfix.wait_mail(f"Subject: for {name}.", n)
        # lines come a little late
        wait_until(lambda: len([
            line for line in self.lines(gw, name) if 'certificate sent" '
            "status=delivered" in line]) == n, what=f"{n} lines")
        return self.told("connect from") - before

    def test_many_messages_one_connection(self):
        self.assertEqual(self.many(20, "kept", "  idle: 60s\n"), 1)

    def test_a_session_is_taken_up_again(self):
        """Each message has a connection of its own; the server goes on to
        know whose the certificate was."""
        self.assertEqual(self.many(4, "fresh", "  reuse: 1\n"), 4)
        self.assertGreaterEqual(self.told(".*Reusing old session"), 1)


# --- replies that no real server can be made to give ----------------------------------

class Replies(ConnectorCase):
    def context(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*world.server)
        return context

    def login(self):
        secret = os.path.join(self.folder, "password")
        with open(secret, "w") as f:
            f.write("the-password-of-the-tests\n")
        os.chmod(secret, 0o644)
        return f"  user: gateway@src.test\n  password_file: {secret}\n"

    def refused(self, says, tls=None, more="", name="gw"):
        """A peer that says so until it is well, and the gateway."""
        well = []
        peer = self.peer(lambda verb, line: None if well else says(verb, line),
                         tls)
        route = self.route("x", peer.port, "verify" if tls else "none", more=more,
                           host="127.0.0.1")
        gw = self.gateway(self.catching({"x": route}, name),
                          QUICK.replace("longest: 200ms",
                                        "longest: 200ms, give_up: 1s"), name=name)
        return gw, peer, well

    # what it says, to what, and the phase of which the log tells
    refusals = {
        "": ("554 5.3.2 no service for you", "waiting for the greeting"),
        "EHLO": ("550 5.7.1 not you", "sending EHLO"),
        "MAIL": ("550 5.7.64 TenantAttribution; Relay Access Denied SMTP",
                 "sending MAIL FROM"),
        "334": ("535 5.7.8 Error: authentication failed", "logging in"),
    }

    def test_a_refusal_of_us_pauses_the_route(self):
        for verb, (reply, phase) in self.refusals.items():
            with self.subTest(verb or "greeting"):
                self.pauses(verb, reply, phase)

    def pauses(self, verb, reply, phase):
        hello = ("EHLO", "HELO") if verb == "EHLO" else (verb,)
        tls = self.context() if verb == "334" else None
        gw, peer, well = self.refused(
            lambda heard, line: reply if heard in hello else None, tls,
            self.login() if tls else "", f"gw-{verb}")
        self.send(gw, "x", "x", "x")
        # long past the end of patience: nothing ages
        wait_until(lambda: gw.log().count("route `x' is paused: ") >= 7, 30,
                   "some probes")
        self.assertIn(reply.split(" ", 2)[2], self.paused(gw, "x"))
        if verb == "334":       # a password is not told to sign in
            self.assertIn("`user' and `password' of the route",
                          self.paused(gw, "x"))
        self.assertNotIn("postern login", self.paused(gw, "x"))
        gw.wait_log(f'phase="{phase}"')
        self.assertEqual(len(gw.queue()), 3)
        well.append(True)
        gw.wait_empty()
        self.assertEqual(len(peer.messages), 3)
        self.assertIsNone(self.paused(gw, "x"))
        self.not_bounced(gw)
        self.assertNotIn("the-password-of-the-tests", gw.log())

    def test_policy_at_rcpt_is_tried_again(self):
        gw, peer, well = self.refused(
            lambda verb, line: "550 5.7.1 not today" if verb == "RCPT" else None)
        gw.write("postern.yaml", text_of(gw.config).replace("give_up: 1s",
                                                            "give_up: 1h"))
        gw.command("reload", check=True)
        self.send(gw, "x")
        wait_until(lambda: len(self.lines(gw, "x")) >= 3, 30, "retries")
        self.assertIsNone(self.paused(gw, "x"))
        self.assertIn(" status=deferred ", self.lines(gw, "x")[0])
        well.append(True)
        gw.wait_empty()
        self.assertEqual(len(peer.messages), 1)
        self.not_bounced(gw)

    def test_what_is_the_messages_own_matter_bounces(self):
        for n, (verb, reply, words) in enumerate((
                ("RCPT", "550 5.1.1 no such user", "no such user"),
                (".", "550 5.7.60 SMTP; Client does not have permissions to send "
                 "as this sender", "Grant it Send As for that address"),
                ("MAIL", "550 5.7.60 SMTP; Client does not have permissions to "
                 "send as this sender", "Add-RecipientPermission"))):
            with self.subTest(f"{verb} {reply}"):
                gw, peer, _ = self.refused(
                    lambda heard, line: reply if heard == verb else None,
                    name=f"gw{n}")
                self.send(gw, "x")
                report = gw.wait_captured(1)[0].decode()
                gw.wait_empty()
                self.assertIn(" status=bounced ", self.lines(gw, "x")[0])
                self.assertRegex(report, rf"Status: {reply.split()[1]}")
                self.assertIn(words, " ".join(report.split()))
                self.assertEqual(peer.messages, [])
                self.assertIsNone(self.paused(gw, "x"))


if __name__ == "__main__":
    harness.main()
