#!/usr/bin/env python3
"""test-dkim.py - strangers verify our signatures; postern dkim

Zone files, as `postern dkim' prints them, are served by nsd.
"""
import json
import os
import pwd
import random
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from harness import BUILD, Case, SLOW, free_port, main, requires, wait_until
from verifiers import Verifiers

requires("nsd", "openssl")

SIGN = os.path.join(BUILD, "tests", "unit", "sign-message")
HEAD = (b"Received: from x\r\n by y; z\r\nFrom: A <a@example.test>\r\n"
        b"To: b@dst.test\r\nSubject: a  scan of\r\n  two  pages \r\n"
        b"Date: Mon, 23 Nov 2026 20:53:07 +0000\r\n")
BODY = b"\r\nHello  you,\r\n\r\nthere \t is more. \r\n \t\r\nend\r\n\r\n\r\n"

work, records, verifiers = None, {}, None


def run(*args, input=None):
    return subprocess.run([SIGN, *args], input=input, stdout=subprocess.PIPE,
                          timeout=60 * SLOW)


def setUpModule():
    global work, verifiers
    work = tempfile.mkdtemp(prefix="postern-test-")
    unittest.addModuleCleanup(shutil.rmtree, work)
    for kind in ("rsa", "ed25519"):
        with open(os.path.join(work, kind), "wb") as f:
            f.write(run("generate", kind).stdout)
        r = run("record", "example.test", kind, os.path.join(work, kind))
        records[f"{kind}._domainkey.example.test"] = r.stdout.decode().strip()
    verifiers = Verifiers(work, records)


def sign(message, seed=0, kinds=("rsa", "ed25519")):
    """The fields; or the words of the error, as text."""
    keys = []
    for kind in kinds:
        keys += ["example.test", kind, os.path.join(work, kind)]
    r = run("sign", str(seed), *keys, input=message)
    return r.stdout if r.returncode == 0 else r.stdout.decode()


def on_the_wire(message):
    """As SMTP sends it: there is no last line without its end."""
    return message if message.endswith(b"\r\n") else message + b"\r\n"


class Signatures(unittest.TestCase):
    odd = {
        "plain": HEAD + BODY,
        "no body": HEAD + b"\r\n",
        "no empty line": HEAD,
        "no last line end": HEAD + b"\r\nhello",
        "an empty body": HEAD + b"\r\n\r\n\r\n",
        "only blanks": HEAD + b"\r\n   \r\n\t\r\n",
        "blanks without an end": HEAD + b"\r\n   ",
        "empty lines first": HEAD + b"\r\n\r\n\r\n \r\nx\r\n",
        "blanks at the front": HEAD + b"\r\n  x\r\n\ty\r\n",
        "long words": HEAD + b"\r\n" + b"x" * 5000 + b" " + b"y" * 1024
                      + b"\r\n" + b"z" * 70000 + b"\r\n",
        "dots": HEAD + b"\r\n.\r\n..a\r\n",
        "8 bits": HEAD + b"\r\n\xff\xfe \xc3\xb6\r\n",
        "NUL in the body": HEAD + b"\r\na\0b\r\n\0\r\n",
        "form feeds in the body": HEAD + b"\r\na\x0b\x0c b\x0c\r\n",
        "8 bits in the header": b"From: \xc3\xb6 <a@example.test>\r\n"
                                b"Subject: \xff\xe4  x\r\n" + BODY,
        "folded at once": b"From:\r\n a@example.test\r\nSubject:\r\n\tx\r\n"
                          + BODY,
        "folded with nothing": b"From: a@example.test\r\nSubject: x\r\n \r\n"
                               b"\t \r\n y \r\n \r\n" + BODY,
        "empty fields": b"From: a@example.test\r\nSubject:\r\nTo: \r\n"
                        b"Cc:  \r\n \r\n" + BODY,
        "fields more than once": b"To: 1@x\r\nFrom: a@example.test\r\n"
                                 b"To: 2@x\r\nSubject: a\r\nto: 3@x\r\n" + BODY,
        "signed before": b"DKIM-Signature: v=1; a=rsa-sha256; d=x.test; s=s;\r\n"
                         b" c=relaxed/relaxed; h=from; bh=; b=xx\r\n"
                         b"From: a@example.test\r\n" + BODY,
        "a large field": b"From: a@example.test\r\nTo: " + b"x" * 60000
                         + b"\r\n" + BODY,
        "many fields": b"From: a@example.test\r\n"
                       + b"To: b@c\r\nSubject: d\r\nCc: x\r\n" * 250 + BODY,
        "many empty lines": HEAD + b"\r\nx\r\n" + b"\r\n" * 3000,
        "many blank lines": HEAD + b"\r\nx\r\n" + b" \t\r\n" * 3000 + b"y\r\n",
        "a large body": HEAD + b"\r\n" + b"A" * 76 * 8000 + b"\r\n",
    }

    def passes(self, rows):
        """Signs and verifies all of {name: message}, in pieces too."""
        wire = {}
        for name, m in rows.items():
            fields = sign(m)
            self.assertIsInstance(fields, bytes, (name, fields))
            for seed in (1, 2):
                self.assertEqual(sign(m, seed), fields, (name, seed))
            wire[name] = fields + on_the_wire(m)
        for name, said in zip(wire, verifiers.strangers(list(wire.values()))):
            self.assertEqual(set(said.values()), {"pass"}, (name, said))

    def test_odd_messages(self):
        self.passes(self.odd)

    def test_messages_made_of_anything(self):
        dice = random.Random(6376)
        bits = [b" ", b"\t", b"\r\n", b"\r\n ", b"\r\n\t\r\n", b"x", b"Ab", b";",
                b"=", b":", b"\xff", b"long" * 40, b",", b"."]
        rows = {}
        for i in range(60):
            value = b"".join(dice.choice(bits) for _ in range(dice.randrange(12)))
            # in a field every line end is a fold
            value = re.sub(b"\r\n(?![ \t])", b"\r\n ", value)
            body = b"".join(dice.choice(bits) for _ in range(dice.randrange(60)))
            rows[i] = (b"From: a@example.test\r\nSubject:" + value + b"\r\nto: x"
                       + value + b"\r\n\r\n" + body)
        self.passes(rows)

    def test_one_key_alone(self):
        for kind in ("rsa", "ed25519"):
            fields = sign(HEAD + BODY, kinds=(kind,))
            self.assertEqual(fields.count(b"DKIM-Signature:"), 1)
            self.assertIn(kind.encode() + b"-sha256", fields)
            m = fields + HEAD + BODY
            self.assertEqual(verifiers.dkimpy(m), ["pass"])
            self.assertEqual(verifiers.opendkim([m]), [["pass"]])

    def test_blanks_before_the_colon(self):
        """Obsolete, and too much for dkimpy and libopendkim."""
        m = b"From : a@example.test\r\nSubject\t: x\r\n" + BODY
        self.assertEqual(verifiers.mail_dkim([sign(m) + m])[0][0], "pass")


class InTransit(unittest.TestCase):
    """What may be changed on the way, and what may not."""

    allowed = {
        "nothing": lambda h, b: (h, b),
        "blanks at line ends": lambda h, b: (h, b"\r\n" + b[2:].replace(
            b"\r\n", b"  \t\r\n")),
        "runs of blanks": lambda h, b: (h, b.replace(b"Hello  you",
                                                     b"Hello \t you")),
        "empty lines at the end": lambda h, b: (h, b + b"\r\n\r\n"),
        "no empty lines at the end": lambda h, b: (h, b.rstrip() + b"\r\n"),
        "refolding": lambda h, b: (h.replace(b" two  pages ", b"two\r\n\tpages"),
                                   b),
        "unfolding": lambda h, b: (h.replace(b"\r\n  two", b" two"), b),
        "case of names": lambda h, b: (h.replace(b"Subject:", b"SUBJECT:"), b),
        "blanks behind the colon": lambda h, b: (h.replace(b"To: ", b"To:   "), b),
        "a Received in front": lambda h, b: (b"Received: by mx; z\r\n" + h, b),
        "an unsigned field": lambda h, b: (h + b"X-Spam: no\r\n", b),
        "other places": lambda h, b: (h.replace(b"To: b@dst.test\r\n", b"")
                                      + b"To: b@dst.test\r\n", b),
    }
    refused = {
        "a word": lambda h, b: (h, b.replace(b"more", b"less")),
        "a line": lambda h, b: (h, b + b"PS\r\n"),
        "an empty line within": lambda h, b: (h, b.replace(b",\r\n\r\n", b",\r\n")),
        "words put together": lambda h, b: (h, b.replace(b"Hello  you",
                                                         b"Helloyou")),
        "blanks at a front": lambda h, b: (h, b.replace(b"end", b" end")),
        "the subject": lambda h, b: (h.replace(b"scan", b"fax"), b),
        "the sender": lambda h, b: (h.replace(b"a@example", b"x@example"), b),
        "a field taken out": lambda h, b: (h.replace(b"To: b@dst.test\r\n", b""),
                                           b),
        "the body": lambda h, b: (h, b"\r\n"),
    }
    oversigned = ("From", "Subject", "Date", "To", "Cc", "Reply-To",
                  "Message-ID", "Content-Type", "MIME-Version")

    def results(self, rows):
        fields = sign(HEAD + BODY)
        wire = {}
        for name, change in rows.items():
            h, b = change(HEAD, BODY)
            if name != "nothing":
                self.assertNotEqual((h, b), (HEAD, BODY), name)
            wire[name] = fields + h + b
        return zip(wire, verifiers.strangers(list(wire.values())))

    def test_what_is_allowed(self):
        for name, said in self.results(self.allowed):
            self.assertEqual(set(said.values()), {"pass"}, (name, said))

    def test_what_is_not(self):
        for name, said in self.results(self.refused):
            self.assertEqual(set(said.values()), {"fail"}, (name, said))

    def test_no_field_can_be_added(self):
        rows = {}
        for name in self.oversigned:
            field = f"{name}: more@example.test\r\n".encode()
            rows[name + " on top"] = lambda h, b, f=field: (f + h, b)
            rows[name + " below"] = lambda h, b, f=field: (h + f, b)
        for name, said in self.results(rows):
            self.assertEqual(set(said.values()), {"fail"}, (name, said))


class Commands(Case):
    def config(self, text=None):
        """A gateway that is not started, and its folder."""
        gw = self.gateway(start=False)
        if text is not None:
            gw.route("50-capture", gw.capture() + text)
        return gw

    def test_new(self):
        gw = self.config()
        r = gw.command("dkim", "new", "example.test", "one")
        self.assertEqual(r.returncode, 0, r.stderr)
        path = os.path.join(gw.folder, "dkim", "example.test.one.pem")
        with open(path, "rb") as f:
            before = f.read()
        self.assertTrue(before.startswith(b"-----BEGIN PRIVATE KEY-----"))
        self.assertNotIn(before.split(b"\n")[1].decode(), r.stdout + r.stderr)
        self.assertIn(os.stat(path).st_mode & 0o777, (0o600, 0o640))
        self.assertEqual(os.stat(path).st_mode & 0o007, 0)
        self.assertIn("one._domainkey.example.test", r.stdout)
        self.assertIn(f"key: {path}}}", r.stdout)
        again = gw.command("dkim", "new", "example.test", "one")
        self.assertEqual(again.returncode, 73)
        self.assertIn("exists already", again.stderr)
        self.assertIn("--out", again.stderr)
        with open(path, "rb") as f:
            self.assertEqual(f.read(), before)
        # the public half is that of the file, as openssl reads it
        made = gw.json("dkim", "record", "--key", path, "--domain",
                       "example.test", "--selector", "one")[0]
        der = subprocess.run(["openssl", "pkey", "-in", path, "-pubout"],
                             stdout=subprocess.PIPE, check=True).stdout
        self.assertEqual(made["value"], "v=DKIM1; k=rsa; p=" + "".join(
            der.decode().split("\n")[1:-2]))
        self.assertEqual("".join(made["strings"]), made["value"])
        self.assertTrue(all(len(s) <= 255 for s in made["strings"]))

    def test_new_of_other_kinds(self):
        gw = self.config()
        ed = gw.json("dkim", "new", "example.test", "--type", "ed25519")
        self.assertRegex(ed["selector"], "^e20[0-9][0-9]$")
        self.assertEqual(ed["type"], "ed25519")
        rsa = gw.json("dkim", "new", "Example.Test", "--bits", "1024", "--out",
                      os.path.join(gw.folder, "k.pem"))
        self.assertRegex(rsa["selector"], "^p20[0-9][0-9]$")
        self.assertEqual((rsa["bits"], rsa["domain"]), (1024, "example.test"))
        self.assertEqual(rsa["file"], os.path.join(gw.folder, "k.pem"))
        for args, status in (
                (["example.test", "x", "--bits", "512"], 64),
                (["example.test", "x", "--bits", "many"], 64),
                (["example.test", "x", "--type", "dsa"], 64),
                (["example.test", "x", "--type", "ed25519", "--bits", "9"], 64),
                (["exa mple", "x"], 64), (["example.test", "a;b"], 64),
                (["example.test", "a", "b"], 64), ([], 64)):
            r = gw.command("dkim", "new", *args)
            self.assertEqual(r.returncode, status, (args, r.stderr))
        self.assertEqual(sorted(os.listdir(os.path.join(gw.folder, "dkim"))),
                         [f"example.test.{ed['selector']}.pem"])

    def test_new_of_a_second_domain(self):
        gw = self.config()
        files = [gw.json("dkim", "new", domain, "s1")["file"]
                 for domain in ("one.test", "Two.test")]
        self.assertEqual([os.path.basename(f) for f in files],
                         ["one.test.s1.pem", "two.test.s1.pem"])

    def test_new_is_the_users(self):
        if os.geteuid() != 0:
            self.skipTest("only root becomes somebody else")
        nobody = pwd.getpwnam("nobody")
        gw = self.config()
        os.chmod(gw.folder, 0o755)
        # the rest of the configuration need not be right yet
        gw.write("postern.yaml", "user: nobody\nlisten: [{address: nowhere}]\n")
        gw.route("50-capture", "route: bad\nbackend: none\n")
        self.assertEqual(gw.command("check").returncode, 78)
        r = gw.command("dkim", "new", "example.test", "s1")
        self.assertEqual((r.returncode, r.stderr), (0, ""))
        for name, mode in (("", 0o750), ("example.test.s1.pem", 0o600)):
            st = os.stat(os.path.join(gw.folder, "dkim", name))
            self.assertEqual((st.st_uid, st.st_gid, st.st_mode & 0o777),
                             (nobody.pw_uid, nobody.pw_gid, mode))
        # nor be there, nor be YAML, nor name somebody
        for text in ("", "}{", "user: {}", "user: no-such-user"):
            gw.write("postern.yaml", text)
            r = gw.command("dkim", "new", "example.test", f"s{len(text)}")
            self.assertEqual(r.returncode, 0, r.stderr)
            self.assertEqual("no user `no-such-user'" in r.stderr,
                             "no-such" in text)
        os.unlink(gw.config)
        gw.command("dkim", "new", "example.test", "last", check=True)
        # a folder that the user may not enter
        gw.write("postern.yaml", "user: nobody\n")
        os.chown(os.path.join(gw.folder, "dkim"), 0, 0)
        r = gw.command("dkim", "new", "example.test", "unread")
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertRegex(r.stderr, "warning: .*nobody.* cannot read it")

    def test_mistakes_are_pointed_at(self):
        gw = self.config()
        for name in ("one", "two"):
            gw.json("dkim", "new", "example.test", name)
        gw.write("no.pem", "hello\n")
        for text, says, hint in (
                ("dkim: {domain: example.test, selector: s, key: ../none.pem}\n",
                 r":5:\d+: error: DKIM key: .*none.pem: No such file",
                 "dkim new example.test s"),
                ("dkim: {domain: example.test, selector: s, key: ../no.pem}\n",
                 r"no.pem: there is no private key", "postern dkim new"),
                ("dkim:\n- {domain: a.test, selector: s, key: ../dkim/example.test.one.pem}\n"
                 "- {domain: A.test, selector: s, key: ../dkim/example.test.two.pem}\n",
                 r":7:\d+: error: s._domainkey.A.test has another key in .*line 6",
                 "another selector"),
                ("dkim: {domain: a b, selector: s, key: ../dkim/example.test.one.pem}\n",
                 "`a b' is not a domain", "example.org")):
            gw.route("50-capture", self.route_of(gw, text))
            r = gw.command("check")
            self.assertEqual(r.returncode, 78, r.stderr)
            self.assertRegex(r.stderr, says)
            self.assertIn(hint, r.stderr)

    def route_of(self, gw, text):
        return ("route: capture\nbackend: maildir\nmaildir:\n"
                f"  path: {gw.maildir}\n" + text)

    def test_what_is_unwise_is_told(self):
        gw = self.config()
        for name, more in (("one", []), ("two", []),
                           ("short", ["--bits", "1024"])):
            gw.json("dkim", "new", "example.test", name, *more)
        path = os.path.join(gw.folder, "dkim", "example.test.one.pem")
        line = "- {domain: example.test, selector: %s, key: ../dkim/example.test.%s.pem}\n"
        gw.route("50-capture", self.route_of(gw, "dkim:\n" + line % ("one", "one")))
        r = gw.command("check")
        self.assertEqual((r.returncode, "warning" in r.stderr), (0, False),
                         r.stderr)
        os.chmod(path, 0o644)
        self.assertEqual(gw.command("check").stderr, "")
        for folder in (self.folder, gw.folder, os.path.dirname(path)):
            os.chmod(folder, 0o755)
        r = gw.command("check")
        self.assertEqual(r.returncode, 0)
        self.assertIn("warning: every user of this host can read", r.stderr)
        os.chmod(path, 0o600)
        gw.route("50-capture", self.route_of(
            gw, "dkim:\n" + line % ("one", "one") + line % ("two", "two")
            + line % ("short", "short")))
        r = gw.command("check")
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertIn("never signs: `one'", r.stderr)
        self.assertIn("1024 bits is short", r.stderr)
        names = [k["selector"] for k in gw.json("dkim", "record")]
        self.assertEqual(names, ["one", "two", "short"])

    # --- the DNS ----------------------------------------------------------

    def nsd(self, zone):
        """A name server for example.test; its address."""
        port = free_port()
        folder = os.path.join(self.folder, "nsd")
        os.makedirs(folder)
        with open(os.path.join(folder, "zone"), "w") as f:
            f.write("$ORIGIN example.test.\n$TTL 60\n"
                    "@ SOA ns hostmaster 1 60 60 60 60\n@ NS ns\n"
                    "ns A 127.0.0.1\n" + zone)
        with open(os.path.join(folder, "conf"), "w") as f:
            f.write(f"""server:
  ip-address: 127.0.0.1@{port}
  username: ""
  zonesdir: "{folder}"
  pidfile: "{folder}/pid"
  xfrdfile: "{folder}/xfrd"
  zonelistfile: "{folder}/list"
  database: ""
  server-count: 1
remote-control:
  control-enable: no
zone:
  name: example.test
  zonefile: zone
""")
        with open(os.path.join(folder, "log"), "wb") as log:
            p = subprocess.Popen(["nsd", "-d", "-c", os.path.join(folder, "conf")],
                                 stdin=subprocess.DEVNULL, stdout=log,
                                 stderr=log)
        self.addCleanup(p.wait)
        self.addCleanup(p.terminate)
        server = f"127.0.0.1@{port}"
        gone = ["dkim", "check", "--server", server, "--key",
                os.path.join(work, "rsa"), "--domain", "example.test",
                "--selector", "nothing"]
        gw = self.config_once()
        wait_until(lambda: gw.command(*gone).returncode == 65, 30,
                   "an answer of nsd")
        return server

    def config_once(self):
        return self.gateway(start=False, name="asks")

    def check(self, server, selector, kind="rsa"):
        gw = self.config_once()
        args = ["dkim", "check", "--server", server, "--key",
                os.path.join(work, kind), "--domain", "example.test",
                "--selector", selector]
        r = gw.command(*args, "--json")
        found = json.loads(r.stdout)[0]
        plain = gw.command(*args)
        self.assertEqual(plain.returncode, r.returncode)
        return r.returncode, found, plain.stdout

    def test_check(self):
        gw = self.config_once()
        zone = ""
        for kind in ("rsa", "ed25519"):
            said = gw.command("dkim", "record", "--key", os.path.join(work, kind),
                              "--domain", "example.test", "--selector", kind,
                              check=True).stdout
            zone += said[said.index(kind + "._domainkey.example.test. IN"):]
        p = records["ed25519._domainkey.example.test"].split("p=")[1]
        rows = {
            "testing": (f"v=DKIM1; k=ed25519; t=y; p={p}", "right", None),
            "revoked": ("v=DKIM1; k=ed25519; p=", "different", "revoked"),
            "other": (f"v=DKIM1; k=ed25519; p=AAAA{p[4:]}", "different",
                      "another key"),
            "kind": (f"v=DKIM1; k=rsa; p={p}", "different", "k= is rsa"),
            "web": (f"v=DKIM1; k=ed25519; s=web; p={p}", "different", "email"),
            "spf": ("v=spf1 -all", "different", "v=DKIM1"),
        }
        for name, (value, _, _) in rows.items():
            zone += f'{name}._domainkey TXT "{value}"\n'
        zone += ('twice._domainkey TXT "v=DKIM1; p="\n'
                 'twice._domainkey TXT "v=DKIM1; p=x"\n'
                 'nodata._domainkey A 127.0.0.1\n')
        server = self.nsd(zone)
        for kind in ("rsa", "ed25519"):
            status, found, plain = self.check(server, kind, kind)
            self.assertEqual((status, found["status"]), (0, "right"), plain)
            self.assertIn("published and right", plain)
        for name, (value, want, reason) in rows.items():
            status, found, plain = self.check(server, name, "ed25519")
            self.assertEqual(found["status"], want, name)
            self.assertEqual(status, 0 if want == "right" else 65, name)
            self.assertIn(reason or "", found["reason"] or "", name)
            self.assertEqual(found["testing"], name == "testing")
            self.assertEqual("t=y" in plain, name == "testing")
            self.assertEqual("publish this" in plain, want != "right")
        for name in ("nothing", "nodata"):
            status, found, plain = self.check(server, name)
            self.assertEqual((status, found["status"]), (65, "missing"))
            self.assertIn("not published yet", plain)
        status, found, _ = self.check(server, "twice")
        self.assertEqual((status, found["status"]), (65, "different"))
        self.assertIn("2 records", found["reason"])

    def test_check_of_the_routes(self):
        gw = self.config()
        keys = [gw.json("dkim", "new", "example.test", s) for s in ("a", "b")]
        server = self.nsd("".join(
            f'{k["name"]}. TXT {" ".join(chr(34) + s + chr(34) for s in k["strings"])}\n'
            for k in keys[:1]))
        gw.route("50-capture", self.route_of(gw, "dkim:\n" + "".join(
            f'- {{domain: example.test, selector: {k["selector"]}, '
            f'key: {k["file"]}}}\n' for k in keys)))
        r = gw.command("dkim", "check", "--server", server)
        self.assertEqual(r.returncode, 65, r.stderr)
        self.assertRegex(r.stdout, "(?m)^a._domainkey.example.test: published and")
        self.assertRegex(r.stdout, "(?m)^b._domainkey.example.test: not published")
        self.assertIn(keys[1]["value"], r.stdout)
        # and so without --server, where the configuration names it
        with open(gw.config, "a") as f:
            f.write(f"dns: {{servers: [{server}], dnssec: off, "
                    "special_names: true}\n")
        again = gw.command("dkim", "check")
        self.assertEqual((again.returncode, again.stdout), (65, r.stdout),
                         again.stderr)

    def test_check_without_an_answer(self):
        gw = self.config()
        r = gw.command("dkim", "check", "--server", f"127.0.0.1@{free_port()}",
                       "--key", os.path.join(work, "rsa"), "--domain",
                       "example.test", "--selector", "x")
        self.assertEqual(r.returncode, 75, r.stderr)
        self.assertIn("gives no answer", r.stdout)
        self.assertNotIn("publish this", r.stdout)

    def test_without_keys(self):
        gw = self.config()
        r = gw.command("dkim", "record")
        self.assertEqual(r.returncode, 65)
        self.assertIn("postern dkim new", r.stderr)
        for args in (["dkim"], ["dkim", "old"], ["dkim", "record", "x"],
                     ["dkim", "record", "--key", "x"],
                     ["dkim", "record", "--server", "127.0.0.1"],
                     ["dkim", "check", "--key", os.path.join(work, "rsa"),
                      "--domain", "a.test", "--selector", "s", "--server", "x"]):
            self.assertEqual(gw.command(*args).returncode, 64, args)


main()
