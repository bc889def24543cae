"""test-direct.py - direct delivery: servers from a signed zone, in turn"""
import re
import socket

import harness
from harness import SLOW, Peer, wait_until
from peers import Knot, NameServer
from peers_mx import QUICK, Deaf, World

ZONE = """\
    h1        A      127.0.1.1
    h2        A      127.0.1.2
    h3        A      127.0.1.3
    six       AAAA   ::1
    dual      A      127.0.1.1
    dual      AAAA   ::1
    many      A      127.0.1.4
    many      A      127.0.1.5
    many      AAAA   ::1
    order     MX     20 h2
    order     MX     30 h3
    order     MX     10 h1
    *.equal   MX     10 h1
    *.equal   MX     10 h2
    alias     CNAME  order
    mxalias   MX     10 target
    target    CNAME  h1
    spread    MX     10 many
    both      MX     10 dual
    one       MX     10 h1
    two       MX     10 h1
    bare-four CNAME  h1
    xn--bcher-kva MX 10 h1
    r3--x     MX     10 h1
    null      MX     0 .
    text      TXT    "no server"
    nohost    MX     10 nowhere
    nohost    MX     20 text
    own       MX     10 gw.example.test.
    own       MX     20 h2
    behind    MX     10 h1
    behind    MX     20 gw.example.test.
    behind    MX     20 h2
    behind    MX     30 h3
    here      A      127.0.0.1
    round     MX     10 here
    round     MX     20 h2
    literal   MX     10 127.0.1.1.
    odd       MX     10 127.0.1.1.
    odd       MX     20 h2
    mxbogus   MX     10 www.bogus.test.
"""


def at(domain, name="b"):
    return f"{name}@{domain}.direct.test"


class Direct(World):
    zones = {"direct.test": ZONE, "example.test": "gw A 127.0.1.1\n",
             "bogus.test": "@ MX 10 www\nwww A 127.0.1.1\n"}
    tampered = {"bogus.test": [("www.bogus.test.", "A", "127.0.1.2"),
                               ("bogus.test.", "MX", "10 evil.bogus.test.")]}

    def reports(self, gw, n):
        return [r.decode() for r in gw.wait_captured(n, 20)]


class Servers(Direct):
    """Which are tried, and in which order."""

    def arrives(self, gw, mx, to, **more):
        before = len(mx.messages)
        gw.send(to=[to], **more)
        gw.wait_empty()
        self.assertEqual(len(mx.messages), before + 1, gw.log())

    def test_the_lowest_preference_comes_first(self):
        h1, h2, h3 = (self.mx(f"127.0.1.{i}") for i in (1, 2, 3))
        gw = self.direct()
        self.arrives(gw, h1, at("order"))
        h1.close()
        self.arrives(gw, h2, at("order"))
        h2.close()
        self.arrives(gw, h3, at("order"))
        self.assertEqual([len(h.messages) for h in (h1, h2, h3)], [1, 1, 1])
        h3.close()
        gw.send(to=[at("order")])
        gw.wait_log("connection refused")
        self.assertEqual(len(gw.queue()), 1)
        # one that was away is called as long as there is no other
        again = self.mx("127.0.1.2")
        gw.wait_empty()
        self.assertEqual(len(again.messages), 1)
        self.assertEqual(gw.stop(), 0)

    def test_equals_share(self):
        h1, h2 = self.mx("127.0.1.1"), self.mx("127.0.1.2")
        gw = self.direct()
        # all at the same one: once in 2^39
        gw.send(to=[at(f"n{i}.equal") for i in range(40)])
        gw.wait_empty(30)
        self.assertEqual(len(h1.messages) + len(h2.messages), 40)
        self.assertGreater(len(h1.messages), 0)
        self.assertGreater(len(h2.messages), 0)
        h1.close()
        gw.send(to=[at(f"m{i}.equal") for i in range(10)])
        gw.wait_empty(30)
        self.assertEqual(len(h1.messages) + len(h2.messages), 50)

    def test_names(self):
        """Aliases, other letters, addresses: where a message ends up."""
        h1, six = self.mx("127.0.1.1"), self.mx("::1")
        gw = self.direct()
        for to in (at("alias"), at("mxalias"), at("h1"), at("bare-four"),
                   at("r3--x"), at("ONE"), at("xn--bcher-kva"),
                   "b@[127.0.1.1]"):
            with self.subTest(to):
                self.arrives(gw, h1, to)
                self.assertEqual(h1.deliveries[-1].recipients, [to])
        for to in (at("six"), "b@[IPv6:::1]"):
            with self.subTest(to):
                self.arrives(gw, six, to)
        gw.wait_log(f"six.direct.test[::1]:{self.port}")
        with gw.smtp() as s:
            s.ehlo()
            s.mail("a@src.test", ["SMTPUTF8"])
            s.rcpt("\u00fc@b\u00fccher.direct.test")
            s.data("Subject: x\r\n\r\nx\r\n")
        gw.wait_empty()
        self.assertIn("RCPT TO:<\u00fc@b\u00fccher.direct.test>", h1.lines)

    def test_all_addresses_of_a_host(self):
        six = self.mx("::1")
        gw = self.direct()
        self.arrives(gw, six, at("spread"))
        self.arrives(gw, six, at("both"))
        five = self.mx("127.0.1.5")
        four = self.mx("127.0.1.1")
        self.arrives(self.direct(name="fresh"), four, at("both"))
        six.close()
        self.arrives(gw, five, at("spread"))

    def test_who_does_not_greet_is_passed_over(self):
        h1, h2 = self.silent("127.0.1.1"), self.mx("127.0.1.2")
        gw = self.direct("idle: 0, timeouts: {greeting: 1s}")
        self.arrives(gw, h2, at("order"))
        self.assertEqual(h1.connections, 1)
        # and remembered
        for _ in range(3):
            self.arrives(gw, h2, at("order"))
        self.assertEqual(h1.connections, 1)
        gw.count_log("status=delivered", 4)

    def test_who_does_not_accept_is_passed_over(self):
        self.peer_at(Deaf("127.0.1.1", self.port))
        h2 = self.mx("127.0.1.2")
        gw = self.direct("idle: 0, timeouts: {connect: 1s}")
        for _ in range(2):
            self.arrives(gw, h2, at("order"))
        h2.close()
        gw.send(to=[at("one")])
        gw.wait_log("no answer within 1 s")
        self.assertEqual(len(gw.queue()), 1)

    def test_a_greeting_of_refusal(self):
        for code in ("554 5.3.2 not you", "421 4.3.2 not now"):
            with self.subTest(code):
                h1 = self.mx("127.0.1.1", lambda verb, line:
                             code if verb == "" else None)
                h2 = self.mx("127.0.1.2")
                gw = self.direct(name=code[:3])
                self.arrives(gw, h2, at("order"))
                self.assertEqual(h1.connections, 1)
                h1.close()
                h2.close()

    def test_the_gateway_among_the_servers(self):
        h1, h2, h3 = (self.mx(f"127.0.1.{i}") for i in (1, 2, 3))
        gw = self.direct()
        self.arrives(gw, h1, at("behind"))
        h1.close()
        gw.send(to=[at("behind")])
        gw.wait_log("connection refused")
        for to in (at("own"), "b@gw.example.test"):
            gw.send(to=[to])
            gw.wait_log(f"the best MX of {to[2:]} is this gateway itself; "
                        "give the domain a route of its own")
        wait_until(lambda: gw.log().count("attempt=2") >= 3, what="retries")
        self.assertEqual((len(gw.queue()), gw.captured()), (3, []))
        self.assertEqual(h2.connections + h3.connections, 0)

    def test_the_gateway_by_another_name(self):
        gw = self.direct(name="round")
        gw.route("90-direct", f"route: direct\nbackend: direct\n"
                 f"direct: {{port: {gw.port}, idle: 0}}\n")
        gw.command("reload", check=True)
        self.port = gw.port
        h2 = self.mx("127.0.1.2")
        for to in (at("round"), at("here"), "b@[127.0.0.1]"):
            gw.send(to=[to])
        wait_until(lambda: gw.log().count("the server is this gateway itself, "
                                          "by its name gw.example.test; give "
                                          "the domain a route of its own") >= 3,
                   what="three that stay")
        self.assertEqual((len(gw.queue()), gw.captured()), (3, []))
        gw.count_log(": accepted ", 3)
        self.assertEqual(h2.connections, 0)


class Answers(Direct):
    """What the DNS says: only answers are final."""

    def test_what_is_returned(self):
        h1 = self.mx("127.0.1.1")
        gw = self.direct()
        rows = {at("null"): ("5.1.10", "accepts no mail"),
                at("nowhere"): ("5.1.2", "does not exist"),
                at("text"): ("5.1.2", "neither a mail server nor an address")}
        for to, (status, words) in rows.items():
            with self.subTest(to):
                before = len(gw.captured())
                gw.send(to=[to, at("one")])
                report = self.reports(gw, before + 1)[-1]
                self.assertIn(f"Final-Recipient: rfc822; {to}", report)
                self.assertEqual(report.count("Final-Recipient"), 1)
                self.assertIn("Action: failed", report)
                self.assertIn(f"Status: {status}", report)
                self.assertIn(words, re.sub(r"\s+", " ", report))
        gw.wait_empty()
        self.assertEqual(len(h1.messages), len(rows))
        self.assertEqual(len(gw.captured()), len(rows))

    def test_what_waits(self):
        h1, h2 = self.mx("127.0.1.1"), self.mx("127.0.1.2")
        failing = self.peer_at(NameServer.refusing(2))
        mute = self.peer_at(NameServer())
        gw = self.direct(retry=QUICK.replace("300ms", "1s"),
                         stubs={"failing.test": failing.server,
                                "mute.test": mute.server})
        rows = {"b@mute.test": "the MX of mute.test cannot be looked up: ",
                "b@failing.test": "SERVFAIL",
                "b@bogus.test": "the MX of bogus.test cannot be looked up: "
                                "the answer is bogus (DNSSEC)",
                at("mxbogus"): "www.bogus.test: the answer is bogus (DNSSEC)",
                at("nohost"): "the name has no address",
                at("literal"): "none of the MX records of literal.direct.test "
                               "names a host"}
        for to in rows:
            gw.send(to=[to])
        for to, words in rows.items():
            with self.subTest(to):
                def lines(to=to, words=words):
                    return [line for line in gw.log().splitlines()
                            if f"to={to} " in line and words in line]
                wait_until(lambda: len(lines()) >= 1, 60, words)
                self.assertIn("status=deferred", lines()[0])
        wait_until(lambda: gw.log().count("attempt=2") >= len(rows) - 1,
                   what="retries")
        self.assertEqual(len(gw.queue()), len(rows))
        self.assertEqual(gw.captured(), [])
        self.assertEqual(h1.messages + h2.messages, [])
        failing.answer = self.answering("127.0.1.1")
        wait_until(lambda: h1.messages, 30, "an answer for failing.test")
        # what is left of a list with odd names is used
        gw.send(to=[at("odd")])
        wait_until(lambda: h2.messages, what="the delivery")

    @staticmethod
    def answering(ip):
        """Every name has this address, and no MX."""
        def answer(query):
            end = NameServer.question_end(query)
            n = query[end - 4:end - 2] == b"\0\1"
            return (query[:2] + b"\x85\x80\0\1\0" + bytes([n]) + b"\0\0\0\0" +
                    query[12:end] + (b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" +
                                     socket.inet_aton(ip) if n else b""))
        return answer


class Transactions(Direct):
    def test_one_for_each_domain(self):
        h1 = self.mx("127.0.1.1")
        gw = self.direct()
        rcpts = [at("one", "a"), at("two", "c"), at("one", "b"),
                 "d@ONE.direct.test"]
        gw.send(to=rcpts)
        gw.wait_empty()
        self.assertEqual(
            sorted(sorted(r) for _, r in h1.transactions()),
            [sorted(r for r in rcpts if "two" not in r), [at("two", "c")]])

    def test_each_recipient_has_its_own_answer(self):
        later = iter(["450 4.2.1 busy", "451 4.3.0 busy"])

        def answer(verb, line):
            if verb == "RCPT" and "nobody" in line:
                return "550 5.1.1 no such user"
            return next(later, None) if verb == "RCPT" and "busy" in line \
                else None

        h1 = self.mx("127.0.1.1", answer)
        gw = self.direct()
        gw.send("Subject: four\r\n\r\nbody\r\n",
                to=[at("one", n) for n in ("a", "nobody", "busy", "b")])
        report = self.reports(gw, 1)[0]
        gw.wait_empty()
        self.assertEqual([r for _, r in h1.transactions()],
                         [[at("one", "a"), at("one", "b")],
                          [at("one", "busy")]])
        self.assertEqual(report.count("Final-Recipient"), 1)
        self.assertIn("rfc822; " + at("one", "nobody"), report)
        self.assertIn("Status: 5.1.1", report)
        self.assertIn("no such user", report)
        self.assertEqual(len(gw.captured()), 1)
        gw.wait_log("attempt=3")

    def test_a_refusal_of_us_is_no_bounce(self):
        """A 5xx to MAIL is about the gateway: it may change its mind."""
        said = iter(["550 5.7.1 your network is bad", "451 4.7.1 grey"])
        h1 = self.mx("127.0.1.1", lambda verb, line:
                     next(said, None) if verb == "MAIL" else None)
        h2 = self.mx("127.0.1.2")
        gw = self.direct()
        gw.send(to=[at("order")])
        gw.wait_empty()
        self.assertEqual((len(h1.messages), len(h2.messages)), (1, 0))
        self.assertEqual(gw.captured(), [])
        gw.count_log("status=deferred", 2)

    def test_the_message_is_refused(self):
        self.mx("127.0.1.1", lambda verb, line: "554 5.7.1 spam"
                if verb == "." else None)
        gw = self.direct()
        gw.send(to=[at("one", "a"), at("one", "b")])
        report = self.reports(gw, 1)[0]
        self.assertEqual(report.count("Status: 5.7.1"), 2)
        gw.wait_empty()


class Tls(Direct):
    def test_it_is_used_where_it_is_offered(self):
        postfix = self.postfix("127.0.1.1", "one.direct.test",
                               smtpd_tls_received_header="yes")
        gw = self.direct()
        gw.send("Subject: secret\r\n\r\nx\r\n", to=[at("one")])
        self.assertIn(b"using TLSv1.3", postfix.wait_mail("secret")[0])
        gw.wait_log('tls="TLS1.3')
        gw.wait_empty()

    def test_the_clear_where_it_fails(self):
        offers = Peer.usual["EHLO"].replace("250-DSN", "250-STARTTLS")
        for name, answer in (("cut", "close"), ("junk", "220 go\r\nnothing"),
                             ("not now", "454 4.7.0 not now")):
            with self.subTest(name):
                h1 = self.mx("127.0.1.1", lambda verb, line:
                             {"EHLO": offers, "STARTTLS": answer}.get(verb))
                gw = self.direct(name=name.replace(" ", ""))
                gw.send(to=[at("one")])
                gw.wait_empty()
                self.assertEqual(len(h1.messages), 1)
                self.assertEqual(len(h1.said("STARTTLS")), 1)
                gw.wait_log('tls="none, it failed"')
                h1.close()

    def test_not_at_all(self):
        offers = Peer.usual["EHLO"].replace("250-DSN", "250-STARTTLS")
        h1 = self.mx("127.0.1.1", lambda verb, line:
                     offers if verb == "EHLO" else None)
        gw = self.direct("tls: none")
        gw.send(to=[at("one")])
        gw.wait_empty()
        self.assertEqual((len(h1.messages), h1.said("STARTTLS")), (1, []))


if __name__ == "__main__":
    harness.requires(*Knot.programs)
    harness.main()
