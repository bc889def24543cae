"""test-direct-dkim.py - what is signed on its way to a domain's server, by keys
whose records a signed zone has as `postern dkim' prints them"""
import os
import re
import shutil
import tempfile
import unittest

import harness
from harness import Gateway, wait_until
from peers import Knot
from peers_mx import QUICK, World
from verifiers import Verifiers, ask_txt

# (domain, selector, type)
KEYS = (("sign.test", "r", "rsa"), ("sign.test", "e", "ed25519"),
        ("sub.sign.test", "s", "ed25519"),
        ("xn--bcher-kva.sign.test", "i", "rsa"))
ZONE = "h A 127.0.1.1\ndst MX 10 h\n"
TO = "b@dst.sign.test"
HEAD = ("From: A <a@sign.test>\r\nTo: b@dst.sign.test\r\nX-Row: {}\r\n"
        "Subject: a  scan\r\n of two\tpages\r\n")

# name: header lines more, body; as SMTP has them, before dots are stuffed
MESSAGES = {
    "plain": ("", b"Hello  you,\r\n\r\nthere \t is more. \r\n"),
    "empty": ("", b""),
    "only empty lines": ("", b"\r\n\r\n\r\n"),
    "empty lines at the end": ("", b"text\r\n\r\n \r\n\r\n\r\n"),
    "dots": ("", b".\r\n..\r\n...a\r\n.b\r\n\r\n.\r\n"),
    "long lines": ("", b"x" * 998 + b"\r\n" + b"y" * 1500 + b" \r\n"
                   + b"z " * 30000 + b"\r\n"),
    "a long field": ("X-Y: z\r\nReferences:" + " <id@sign.test>\r\n" * 300, b"x\r\n"),
    "8 bits": ("MIME-Version: 1.0\r\nContent-Type: text/plain; charset=latin1\r\n"
               "Content-Transfer-Encoding: 8bit\r\n", b"\xe4\xf6\xfc \xff\r\n"),
    "to a file": ("", b"0123456789" * 7 + b"\r\n" + b"line\r\n" * 40000),
    "5 MiB": ("Content-Type: application/pdf\r\n"
              "Content-Transfer-Encoding: base64\r\n",
              (b"A" * 76 + b"\r\n") * 67216),
}

work, keys = None, {}


def setUpModule():
    """Makes the keys, and puts their records into the zone."""
    global work
    work = tempfile.mkdtemp(prefix="postern-test-")
    unittest.addModuleCleanup(shutil.rmtree, work)
    os.chmod(work, 0o755)
    gw = Gateway(os.path.join(work, "keys"))
    zone = ZONE
    for domain, selector, kind in KEYS:
        path = os.path.join(work, f"{selector}.pem")
        made = gw.command("dkim", "new", domain, selector, "--type", kind,
                          "--out", path, check=True)
        said = gw.command("dkim", "record", "--key", path, "--domain", domain,
                          "--selector", selector, check=True).stdout
        name = f"{selector}._domainkey.{domain}"
        assert name in made.stdout
        zone += said[said.index(f"{name}. IN"):]
        keys[selector] = f"{{domain: {domain}, selector: {selector}, key: {path}}}"
    Signing.zones = {"sign.test": zone}


class Signing(World):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        names = (f"{s}._domainkey.{domain}" for domain, s, _ in KEYS)
        cls.verifiers = Verifiers(cls.place, {
            name: ask_txt(cls.knot.port, name) for name in names})

    def signing(self, *selectors, more="", **rest):
        return self.direct("idle: 1s", "dkim:\n" + "".join(
            f"  - {keys[s]}\n" for s in selectors) + more, **rest)

    def passes(self, message, *kinds):
        """Ours are of these kinds, and all say that they are good."""
        said = list(self.verifiers.strangers([message]))[0]
        self.assertEqual(set(said.values()), {"pass"}, said)
        self.assertEqual([k for _, k in self.verifiers.ours(message)],
                         list(kinds))

    def not_signed(self, message):
        self.assertNotIn(b"dkim-signature", message.lower())
        return message


class OnTheWay(Signing):
    def send_all(self, gw):
        for name, (fields, body) in MESSAGES.items():
            options = ["BODY=8BITMIME"] if name == "8 bits" else []
            with gw.smtp() as s:
                s.sendmail("a@sign.test", [TO],
                           (HEAD.format(name) + fields + "\r\n").encode()
                           + body, options)

    def test_all_kinds_of_messages(self):
        mx = self.mx("127.0.1.1")
        gw = self.signing("r", "e")
        self.assertEqual(gw.command("dkim", "check").returncode, 0)
        self.send_all(gw)
        gw.wait_empty(60)
        self.assertEqual(len(mx.messages), len(MESSAGES))
        rows = {re.search(rb"X-Row: (.*)\r", m).group(1).decode(): m
                for m in mx.messages}
        for said, (name, m) in zip(self.verifiers.strangers(rows.values()),
                                   rows.items()):
            with self.subTest(name):
                self.assertEqual(len(said), 4)
                self.assertEqual(set(said.values()), {"pass"}, said)
                self.assertTrue(m.startswith(b"DKIM-Signature:"))
                self.assertTrue(m.endswith(b"\r\n\r\n" + MESSAGES[name][1]))
        self.assertEqual(gw.stop(), 0)

    def test_one_key(self):
        mx = self.mx("127.0.1.1")
        for selector, kind in (("r", "rsa"), ("e", "ed25519")):
            self.signing(selector, name=kind).send(
                HEAD.format(kind) + "\r\nx\r\n", to=[TO])
            self.passes(mx.wait(len(mx.deliveries) + 1)[-1].message, kind)

    def test_names_in_other_letters(self):
        mx = self.mx("127.0.1.1")
        gw = self.signing("r", "i")
        head = ("From: \u00dc <\u00fc@b\u00fccher.sign.test>\r\n"
                "Subject: \u00dcber\r\nTo: \u00e4@dst.sign.test\r\n\r\n\u00f6\r\n")
        with gw.smtp() as s:
            s.sendmail("\u00fc@b\u00fccher.sign.test", ["\u00e4@dst.sign.test"],
                       head.encode(), ["SMTPUTF8", "BODY=8BITMIME"])
        m = mx.wait()[0].message
        self.passes(m, "rsa")
        self.assertIn(b"d=xn--bcher-kva.sign.test", m)
        self.assertIn("RCPT TO:<\u00e4@dst.sign.test>", mx.lines)

    def test_a_signature_outlives_the_gateway(self):
        gw = self.signing("r", "e", retry=QUICK.replace("300ms", "1s"))
        gw.send(HEAD.format("x") + "\r\nx\r\n", to=[TO])
        gw.wait_log("connection refused")
        self.assertEqual(gw.stop(), 0)
        mx = self.mx("127.0.1.1")
        gw.start()
        self.passes(mx.wait()[0].message, "rsa", "ed25519")

    def test_nothing_can_be_added(self):
        mx = self.mx("127.0.1.1")
        self.signing("r", "e").send(HEAD.format("x") + "\r\nx\r\n", to=[TO])
        m = mx.wait()[0].message
        self.passes(m, "rsa", "ed25519")
        head, body = m.split(b"\r\n\r\n", 1)
        for field in (b"From: c@sign.test", b"Subject: more", b"Cc: c@sign.test"):
            for changed in (field + b"\r\n" + m,
                            head + b"\r\n" + field + b"\r\n\r\n" + body):
                said = list(self.verifiers.strangers([changed]))[0]
                self.assertEqual((len(said), set(said.values())), (4, {"fail"}))

    def test_through_postfix(self):
        postfix = self.postfix("127.0.1.1", "dst.sign.test")
        gw = self.signing("r", "e")
        for name in ("plain", "dots", "8 bits", "to a file"):
            fields, body = MESSAGES[name]
            gw.send((HEAD.format(name) + fields + "\r\n").encode() + body,
                    to=[TO])
        for m in postfix.wait_mail("From:", 4):
            self.passes(m.replace(b"\n", b"\r\n"), "rsa", "ed25519")


class Whose(Signing):
    def test_by_its_from(self):
        mx = self.mx("127.0.1.1")
        gw = self.signing("r", "e", "s")
        rows = (("a@sign.test", ["rsa", "ed25519"], b"d=sign.test"),
                ("a@SIGN.test", ["rsa", "ed25519"], b"d=sign.test"),
                ("a@other.sign.test", ["rsa", "ed25519"], b"d=sign.test"),
                ("a@sub.sign.test", ["ed25519"], b"d=sub.sign.test"),
                ("a@deep.sub.sign.test", ["ed25519"], b"d=sub.sign.test"),
                ("scan@copier <a@sub.sign.test>", ["ed25519"],
                 b"d=sub.sign.test"),
                ("a@\r\n sign.test", ["rsa", "ed25519"], b"d=sign.test"),
                ("A <@x.test:a (x@y.test) @ sign . test>",
                 ["rsa", "ed25519"], b"d=sign.test"),
                ("a@sign.test\r\nscanned for you", ["rsa", "ed25519"],
                 b"d=sign.test"),
                ("a@sign.test.elsewhere.test", [], b""),
                ("a@notsign.test", [], b""))
        for i, (address, kinds, domain) in enumerate(rows):
            with self.subTest(address):
                # the envelope has no say
                gw.send(f"From: {address}\r\nSubject: x\r\n\r\nx\r\n",
                        sender="a@src.test" if kinds else "a@sign.test",
                        to=[TO])
                m = mx.wait(i + 1)[i].message
                if kinds:
                    self.passes(m, *kinds)
                    self.assertEqual(m.count(domain + b";"), len(kinds))
                else:
                    self.not_signed(m)
        self.assertNotIn("without a DKIM signature", gw.log())

    odd = {
        "there is no From field": "Subject: x\r\n\r\nx\r\n",
        "there is more than one From field":
            "From: a@sign.test\r\nSubject: x\r\nFrom: a@sign.test\r\n\r\nx\r\n",
        "the field Subject holds a control character":
            "From: a@sign.test\r\nSubject: \x02x\r\n\r\nx\r\n",
        "the From field has no address with a domain":
            "From: scanner\r\nSubject: x\r\n\r\nx\r\n",
    }

    def test_what_was_repaired(self):
        mx = self.mx("127.0.1.1")
        gw = self.signing("r", "e")
        fields = "From: a@sign.test\r\nSubject: x\r\n"
        rows = ("From root Mon Nov 14 23:42 UTC 2016\r\n" + fields + "\r\nx\r\n",
                "\ufeff" + fields + "\r\nx\r\n", fields, fields + "x\r\n",
                fields + "longer\r\nTo: y\r\n\r\nx\r\n",
                "Subject: x\rBcc: z\r\nFrom: a@sign.test\r\n\r\nx\r\n",
                fields + "Message-ID:\r\nDate: x\r\nDate: x\r\n\r\n")
        for i, text in enumerate(rows):
            with self.subTest(text):
                gw.send(text.encode(), to=[TO])
                m = mx.wait(i + 1)[i].message
                self.passes(m, "rsa", "ed25519")
                header = m.split(b"\r\n\r\n")[0]
                self.assertEqual([header.count(b"\r\nDate:"),
                                  header.count(b"\r\nMessage-ID: <")], [1, 1])

    def test_what_is_odd_is_sent_unsigned(self):
        mx = self.mx("127.0.1.1")
        gw = self.signing("r", "e")
        for i, (why, text) in enumerate(self.odd.items()):
            with self.subTest(why):
                gw.send(text, to=[TO])
                m = self.not_signed(mx.wait(i + 1)[i].message).decode()
                self.assertIn(text.split("\r\n\r\n")[0], m)
                gw.wait_log("is sent without a DKIM signature: " + why)
        gw.wait_empty()

    def test_a_route_that_demands_it(self):
        mx = self.mx("127.0.1.1")
        gw = self.signing("r", "e", more="dkim_required: yes\n")
        foreign = "From: a@elsewhere.test\r\nSubject: x\r\n\r\nx\r\n"
        for text in (*self.odd.values(), foreign):
            gw.send(text, to=[TO])
        gw.send(HEAD.format("x") + "\r\nx\r\n", to=[TO])
        self.passes(mx.wait()[0].message, "rsa", "ed25519")
        for why in self.odd:
            gw.wait_log(why)
        gw.wait_log("cannot be signed: the route has no key for elsewhere.test")
        wait_until(lambda: gw.log().count("attempt=2") >= len(self.odd) + 1,
                   what="retries")
        self.assertEqual((len(gw.queue()), len(mx.messages)),
                         (len(self.odd) + 1, 1))
        # a report of ours has no key, and goes out all the same
        gw.send(HEAD.format("y") + "\r\nx\r\n", to=["b@nowhere.sign.test"],
                sender=TO)
        report = mx.wait(2)[1]
        self.assertEqual((report.sender, report.recipients), ("", [TO]))
        self.not_signed(report.message.split(b"\r\n\r\n")[0])
        # and when the demand is dropped, so does the rest
        path = os.path.join(gw.folder, "conf.d", "90-direct.yaml")
        with open(path) as f:
            text = f.read()
        gw.route("90-direct", text.replace("dkim_required: yes\n", ""))
        gw.command("reload", check=True)
        mx.wait(2 + len(self.odd) + 1)


if __name__ == "__main__":
    harness.requires(*Knot.programs)
    harness.main()
