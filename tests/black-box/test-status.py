"""test-status.py - what a gateway says of itself when mail does not get out"""
import email
import json
import os
import re
import textwrap

import harness
from harness import Case, free_port, wait_until

SOURCE = os.path.join(os.path.dirname(__file__), "..", "..")
FAULT = "backend: fault\nfault: {answer: '%s'}\n"
LATER = "retry: {first: 1h, longest: 1h}\n"


class Reports(Case):
    NOBODY = "no route takes delivery reports (sender <>)"

    def test_a_configuration_that_tells_nobody(self):
        gw = self.gateway(start=False, extra="dsn: {to: it@src.test}\n")
        for rules, more, warned in (
                ('sender: ["@src.test"]', "", True),
                ('sender: ["@src.test", "!<>"]', "", True),
                ('sender: ["@src.test"], client: 192.0.2.1', "", True),
                ('sender: ["@src.test", "<>"]', "", False),
                ('sender: ["!@else.test"]', "", False),
                ('client: 192.0.2.1', "", False),
                ('sender: ["@src.test"]', ", route: capture", False)):
            with self.subTest(rules=rules, more=more):
                gw.route("50-capture", "route: capture\nbackend: 'null'\n"
                         "match: {%s}\n" % rules)
                text = gw.read().split("dsn:")[0]
                gw.write("postern.yaml", text + "dsn: {to: it@src.test%s}\n" % more)
                r = gw.command("check")
                self.assertEqual(r.returncode, 0, r.stderr)
                self.assertEqual(self.NOBODY in r.stderr, warned, r.stderr)
                self.assertEqual("dsn: {route: capture}" in r.stderr, warned)

    def test_reports_that_were_not_sent_are_counted(self):
        gw = self.gateway({"10-out": "route: out\nmatch: {sender: '@src.test'}\n" +
                           FAULT % "550 5.1.1 nobody of that name"})
        gw.route("50-capture", "route: capture\nbackend: 'null'\n"
                 "match: {sender: nobody@else.test}\n")
        self.assertIn(self.NOBODY, gw.command("reload", check=True).stderr)
        self.assertNotIn("reports", gw.command("status").stdout)
        gw.send(sender="a@src.test")
        wait_until(lambda: gw.json("status")["reports"]["no_route"] == 1,
                   what="the report")
        self.assertIn("reports   1 could not be sent: no route takes them",
                      gw.command("status").stdout)


class Mailbox(Case):
    """Reports that can only leave by a server which refuses their sender."""
    OAUTH = """\
        route: m365
        backend: oauth
        oauth: {provider: custom, user: scan@src.test, grant: client_credentials,
          token_endpoint: "http://127.0.0.1:1/token", client_id: c, client_secret: s,
          host: 127.0.0.1, scope: [x]}
        """
    LOGIN = "  user: scan@src.test\n  password: p\n  tls: verify\n"
    WARNING = "delivery reports can only leave by route `%s', which logs in as a mailbox"

    def test_check_warns_where_a_mailbox_is_the_only_way_out(self):
        oauth = textwrap.dedent(self.OAUTH)
        direct = "route: direct\nbackend: direct\n"
        login = self.connector(25) + self.LOGIN
        for routes, dsn, warned in (
                ([oauth], "", "m365"),
                ([login], "", "out"),
                ([self.connector(25)], "", None),
                ([direct], "", None),
                ([oauth, direct], "", "m365"),
                ([oauth, direct], "{route: direct}", None),
                ([oauth, direct], "{route: m365}", "m365"),
                ([direct, oauth], "", None),
                ([oauth + "match: {recipient: '@src.test'}\n", direct], "", None),
                ([oauth + "match: {sender: '@src.test'}\n", direct], "", None),
                ([oauth + "match: {sender: '@src.test'}\n", login], "", "out")):
            with self.subTest(routes=[r.split("\n")[0] for r in routes], dsn=dsn):
                gw = self.gateway({f"{i}0-r": r for i, r in enumerate(routes, 1)},
                                  extra=f"dsn: {dsn}\n" if dsn else "", start=False,
                                  name=f"gw{len(os.listdir(self.folder))}")
                r = gw.command("check")
                self.assertEqual(r.returncode, 0, r.stderr)
                self.assertEqual("logs in as a mailbox" in r.stderr, bool(warned),
                                 r.stderr)
                if warned:
                    self.assertIn(self.WARNING % warned, r.stderr)
                    self.assertIn("dsn: {route: NAME}", r.stderr)

    def refused(self, answer, words):
        p = self.peer(answer)
        gw = self.gateway({"10-out": self.connector(p.port)}, extra=LATER +
                          "dsn: {to: it@src.test}\n")
        self.assertNotIn("reports ", gw.command("status").stdout)
        gw.send()
        wait_until(lambda: gw.json("status")["reports"]["undelivered"] == 2,
                   what="two refusals")
        said = gw.json("status")["reports"]
        self.assertEqual(said["no_route"], 0)
        self.assertGreater(said["last_ms"], 0)
        for text in (said["last"], gw.command("status").stdout, gw.log()):
            self.assertIn(words, text)
            self.assertIn("Let them leave by another route: set dsn.route", text)
            self.assertNotIn("Send As", text)
        self.assertIn("reports   2 could not be delivered; the latest to",
                      gw.command("status").stdout)
        log = gw.log()
        self.assertIn("a report to a@src.test could not be delivered; it was about "
                      "message ", log)
        self.assertIn(" from <a@src.test> to <b@dst.test>, with the result: 550 5.1.1 "
                      "nobody", log)
        self.assertIn("a report to it@src.test could not be delivered", log)
        self.assertEqual(gw.queue(), [])
        self.assertNotIn("PAUSED", gw.command("status").stdout)

    def test_the_null_sender_is_refused(self):
        def answer(verb, line):
            if verb == "MAIL" and "<>" in line:
                return "501 Invalid MAIL FROM address provided"
            return "550 5.1.1 nobody" if "b@dst.test" in line else None

        self.refused(answer, "501 Invalid MAIL FROM address provided")

    def test_the_null_sender_is_refused_at_the_end(self):
        state = {}

        def answer(verb, line):
            if verb == "MAIL":
                state["null"] = "<>" in line
            if verb == "." and state["null"]:
                return "550 5.7.60 Client does not have permissions to send as this sender"
            return "550 5.1.1 nobody" if "b@dst.test" in line else None

        self.refused(answer, "550 5.7.60 Client does not have permissions")

    def test_the_from_of_a_report_is_refused(self):
        state = {}

        def answer(verb, line):
            if verb == "MAIL":
                state["null"] = "<>" in line
            if verb == "." and state["null"]:
                return "554 Message rejected: Email address is not verified"
            return "550 5.1.1 nobody" if "b@dst.test" in line else None

        self.refused(answer, "554 Message rejected: Email address is not verified")


class Texts(Case):
    def test_each_reader_has_a_report_of_its_own(self):
        gw = self.gateway({"10-out": "route: out\nmatch: {recipient: '@dst.test'}\n" +
                           FAULT % "550 5.1.1 unbekannter Empf\u00e4nger"},
                          extra="dsn: {to: it@src.test}\n")
        gw.route("50-capture", "route: capture\nbackend: maildir\n"
                 f"maildir: {{path: {gw.maildir}}}\nmatch: {{recipient: '@src.test'}}\n")
        gw.command("reload", check=True)
        gw.send("Subject: Scan\r\nTo: b@dst.test\r\n\r\nhello\r\n",
                to=[f"r{i}@dst.test" for i in range(120)])
        gw.wait_empty()
        mails = [email.message_from_bytes(m) for m in gw.captured()]
        self.assertEqual(len(mails), 2)
        texts = {m["To"]: m.get_payload(0).get_payload(decode=True).decode()
                 for m in mails}
        sender, it = texts["a@src.test"], texts["it@src.test"]
        self.assertIn("Your message could not be delivered", sender)
        self.assertIn("  Subject: Scan\n  To: b@dst.test\n", sender)
        for text in (sender, it):
            self.assertEqual(text.count("unbekannter Empf\u00e4nger"), 1)
            self.assertIn("  <r19@dst.test>\n  and 100 more;", text)
        self.assertNotIn("our message", it)
        self.assertIn("  From: a@src.test\n  Subject: Scan\n", it)
        self.assertIn("  Device: 127.0.0.1, which calls itself ", it)
        self.assertIn("\n  Route: out\n", it)
        for m in mails:
            self.assertEqual(m.get_content_type(), "multipart/report")
            self.assertTrue(m["Auto-Submitted"].startswith("auto-"))
            self.assertEqual(len(m.get_payload(1).get_payload()), 121)


class Notices(Case):
    """The address in dsn.to hears of a pause, and of its end."""

    def setUp(self):
        super().setUp()
        self.closed = True

    def answer(self, verb, line):
        return "554 5.7.1 go away" if verb == "" and self.closed else None

    def stage(self, dsn="pause_after: 1s", extra=LATER, other=True):
        p = self.peer(self.answer)
        routes = {"10-out": self.connector(p.port) + "match: {recipient: '@dst.test'}\n"
                  if other else self.connector(p.port)}
        gw = self.gateway(routes, extra=extra + f"dsn: {{to: it@src.test, {dsn}}}\n",
                          start=False)
        gw.route("50-capture", "route: capture\nbackend: maildir\n"
                 f"maildir: {{path: {gw.maildir}}}\nmatch: {{recipient: '@src.test'}}\n"
                 if other else "route: capture\nbackend: 'null'\n"
                 "match: {sender: nobody@src.test}\n")
        return gw.start()

    def mails(self, gw, n):
        gw.wait_captured(n)
        found = [email.message_from_bytes(m) for m in gw.captured()]
        self.assertEqual(len(found), n)
        return found

    def paused(self, gw):
        wait_until(lambda: gw.json("status")["routes"][0]["paused"],
                   what="the pause")

    def test_a_pause_and_its_end_are_told_once(self):
        gw = self.stage()
        gw.send(), gw.send()
        m = self.mails(gw, 1)[0]
        self.assertEqual(m["Subject"], "Route out is paused, its mail waits")
        self.assertEqual((m["To"], m["Auto-Submitted"]), ("it@src.test", "auto-generated"))
        text = m.get_payload()
        for words in ("  Route:     out\n", "  Backend:   connector\n", "Server:    127.0.0.1[",
                      "554 5.7.1 go away", "  Remedy:    Ask the server's", "  Waiting:   2 messages",
                      "  Kept till: ", "  postern queue retry --route out\n"):
            self.assertIn(words, text)
        row = gw.json("status")["routes"][0]
        self.assertEqual(row["told_by"], "capture")
        self.assertGreater(row["told_ms"], row["paused_since_ms"])
        self.assertRegex(gw.command("status").stdout,
                         r"      dsn\.to got a mail at \d\d:\d\d by route capture\n")
        gw.wait_log("mail to it@src.test by route `capture': route `out' is paused")
        # it is the same trouble: by the operator, a reload, a restart
        gw.command("queue", "retry", "--route", "out", check=True)
        self.paused(gw)
        gw.command("reload", check=True)
        gw.send()
        self.paused(gw)
        gw.stop()
        gw.start()
        gw.send()
        self.paused(gw)
        wait_until(lambda: gw.json("status")["routes"][0]["told_ms"] > 0,
                   what="what was told")
        self.closed = False
        gw.command("queue", "retry", "--route", "out", check=True)
        gw.wait_empty()
        m = self.mails(gw, 2)
        self.assertEqual(sorted(x["Subject"] for x in m)[1], "Route out works again")
        self.assertFalse(any(f == ".paused" for _, _, fs in os.walk(gw.folder) for f in fs))

    def test_the_mail_waits_where_no_other_route_takes_it(self):
        gw = self.stage(other=False)
        gw.send()
        gw.wait_log("waits in that route itself")
        wait_until(lambda: len(gw.queue()) == 2, what="the mail in the queue")
        self.assertEqual({q["route"] for q in gw.queue()}, {"out"})
        self.assertIn("the mail to dsn.to about the pause waits in this route",
                      gw.command("status").stdout)
        self.closed = False
        gw.command("queue", "retry", "--route", "out", check=True)
        gw.wait_empty()

    def test_a_pause_that_is_short_tells_nobody(self):
        gw = self.stage("pause_after: 1h")
        gw.send()
        self.paused(gw)
        self.closed = False
        gw.command("queue", "retry", "--route", "out", check=True)
        gw.wait_empty()
        self.assertEqual(gw.captured(), [])

    def test_senders_are_warned_while_it_is_paused(self):
        gw = self.stage("pause_after: 1h", extra="retry: {first: 1h, longest: 1h, "
                        "warn_after: 1s}\n")
        gw.send()
        m = self.mails(gw, 1)[0]
        self.assertEqual(m["To"], "a@src.test")
        self.assertIn("delayed", m["Subject"])
        self.assertIn("the route is paused: ", m.get_payload(0).get_payload())


class Backlog(Case):
    SAID = "450 4.2.0 not now"

    def status(self, gw):
        return gw.command("status", check=True).stdout

    def test_it_tells_what_waits_and_why(self):
        gw = self.gateway({"10-out": "route: out\n" + FAULT % self.SAID,
                           "20-far": self.connector(free_port(), "far")},
                          extra=LATER)
        gw.send(), gw.send()
        wait_until(lambda: [q["attempts"] for q in gw.queue()] == [1, 1],
                   what="the first attempts")
        found = gw.json("status")["queue"]["routes"]
        self.assertEqual([(r["route"], r["items"], r["held"]) for r in found],
                         [("out", 2, 0)])
        self.assertIn("not now", found[0]["last"])
        line = r"(?m)^  out%s: 2 in the queue, next try in \d+[hm] .*; last: .*not now"
        self.assertRegex(self.status(gw), line % r" to \S+")
        gw.command("reload", check=True)
        self.assertRegex(self.status(gw), line % r"( to \S+)?")
        gw.stop()
        gw.start()
        self.assertRegex(self.status(gw), line % r"( to \S+)?")
        gw.command("queue", "hold", "--all", check=True)
        self.assertRegex(self.status(gw), r"  out: 2 in the queue, 2 held; last: ")
        gw.route("10-out", "route: other\n" + FAULT % self.SAID)
        self.assertIn("warning: 2 messages wait for route `out', which no longer exists; at their "
                      "next attempt the rules choose another route",
                      gw.command("reload", check=True).stderr)
        self.assertRegex(self.status(gw),
                         r"  out \(the route no longer exists\): 2 in the queue, 2 held")

    def test_what_waits_is_the_only_destinations(self):
        """The queue counts by routes: of several, none has all of it."""
        gw = self.gateway({"10-out": "route: out\n" + FAULT % self.SAID},
                          extra=LATER)
        gw.send(to=["b@one.test"]), gw.send(to=["b@two.test"])
        wait_until(lambda: [q["attempts"] for q in gw.queue()] == [1, 1],
                   what="the first attempts")
        self.assertRegex(self.status(gw), r"(?m)^  out: 2 in the queue, .*2 deferred")
        for name in ("one", "two"):
            self.assertRegex(self.status(gw), rf"(?m)^  out to {name}.test: 0 in line, "
                             "0 active, 0 delivered, 1 deferred")

    def test_a_route_that_is_paused_says_until_when(self):
        def answer(verb, line):
            return "554 5.7.1 go away" if verb == "" else None

        gw = self.gateway({"10-out": self.connector(self.peer(answer).port)},
                          extra=LATER)
        gw.send()
        wait_until(lambda: "is PAUSED" in self.status(gw), what="the pause")
        text = self.status(gw)
        self.assertRegex(text, r"(?m)^      paused since (\d+ \w+ )?\d\d:\d\d; mail is "
                               r"kept until \d+ \w{3} \d\d:\d\d$")
        self.assertIn("      hint: when the cause is removed, `postern queue retry --route "
                      "out' tries at once\n", text)
        self.assertNotIn("in backoff", text)
        host = "127.0.0.1[127.0.0.1]:"
        self.assertRegex(text, re.escape(f": {host}") + r"\d+: 554 5\.7\.1 go "
                               r"away \(.*; remedy: Ask the server's "
                               r"administrator to admit the")

    def health(self, gw):
        """The exit status, which is the same with --json."""
        found = {gw.command("status", *more).returncode for more in ((), ("--json",))}
        self.assertEqual(len(found), 1)
        return found.pop()

    def test_the_exit_status_is_for_monitoring(self):
        def answer(verb, line):
            return "554 5.7.1 go away" if verb == "" else None

        gw = self.gateway({"10-out": self.connector(self.peer(answer).port)},
                          extra=LATER)
        self.assertEqual(self.health(gw), 0)
        gw.send()
        wait_until(lambda: "is PAUSED" in self.status(gw), what="the pause")
        self.assertEqual(self.health(gw), 1)
        text = gw.read()
        gw.write("postern.yaml", text + "limits: {free_space: 900000G}\n")
        gw.command("reload", check=True)
        wait_until(lambda: gw.command("status").returncode == 2,
                   what="the end of the intake")
        self.assertIn("NOT ACCEPTING", self.status(gw))
        gw.write("postern.yaml", text)
        gw.command("reload", check=True)
        wait_until(lambda: gw.command("status").returncode != 2,
                   what="mail being accepted again")
        os.unlink(os.path.join(gw.folder, "conf.d", "10-out.yaml"))
        gw.command("reload", check=True)
        self.assertEqual(self.health(gw), 2)
        gw.stop()
        self.assertEqual(self.health(gw), 69)

    def test_a_host_that_does_not_answer_is_named(self):
        port = free_port()
        gw = self.gateway({"10-out": self.connector(port)}, extra=LATER)
        gw.send()
        wait_until(lambda: [q["attempts"] for q in gw.queue()] == [1],
                   what="the first attempt")
        words = f"127.0.0.1[127.0.0.1]:{port}: connection refused (while connecting)"
        self.assertEqual(gw.queue()[0]["last"], words)
        self.assertIn(words, gw.command("queue", "list").stdout)
        self.assertIn(words, gw.command("queue", "show", gw.queue()[0]["id"]).stdout)
        self.assertIn("; last: " + words, self.status(gw))


class Documented(Case):
    """Every key that the API emits has its row in postern(8), in the section
    JSON OUTPUT: `.It Va destinations.rest_ms', say."""

    @classmethod
    def setUpClass(cls):
        with open(os.path.join(SOURCE, "core", "daemon", "postern.8")) as f:
            page = f.read().split(".Sh JSON OUTPUT\n")[1].split("\n.Sh ")[0]
        cls.rows = {part.split("\n")[0]: re.findall(r"^\.It Va (\S+)$", part, re.M)
                    for part in page.split(".Ss ")[1:]}

    def paths(self, value, before=""):
        if isinstance(value, list):
            return set().union(*(self.paths(v, before) for v in value))
        if not isinstance(value, dict):
            return set()
        found = set()
        for key, below in value.items():
            found |= {before + key} | self.paths(below, before + key + ".")
        return found

    def documented(self, command, *values):
        rows = self.rows[f"postern {command} --json"]
        # an object is told of by what is in it
        objects = {row.rsplit(".", n)[0] for row in rows for n in (1, 2)}
        found = set().union(*(self.paths(v) for v in values))
        self.assertGreater(len(found), 1)
        self.assertEqual(found - set(rows) - objects, set(),
                         f"postern(8) lacks rows of {command}")
        return found & set(rows)

    def test_what_is_printed(self):
        gw = self.gateway({"10-out": "route: out\n" +
                           FAULT % "450 4.2.0 later"}, extra=LATER)
        gw.send()
        wait_until(lambda: gw.queue()[0]["attempts"] == 1, what="the attempt")
        status = gw.json("status")
        found = self.documented("status", status)
        # nor does the page tell of what there is not; the queue can be read
        self.assertEqual(set(self.rows["postern status --json"]) - found,
                         {"queue.error"})
        items = gw.queue()
        self.assertIsNone(items[0]["message_id"])       # it had none
        found = self.documented("queue", items, gw.json("queue", "show", items[0]["id"]),
                                gw.json("queue", "hold", "--all"))
        self.assertEqual(set(self.rows["postern queue --json"]), found)
        self.documented("reload", gw.json("reload"))
        self.documented("explain", gw.json("explain", "a@src.test", "b@dst.test"))
        key = ("--domain", "src.test", "--selector", "one", "--key",
               os.path.join(gw.folder, "one.pem"))
        self.documented("dkim", gw.json("dkim", "new", "src.test", "one", "--out", key[-1]),
                        gw.json("dkim", "record", *key))
        gw.route("10-out", "route: out\n")
        self.documented("check", json.loads(gw.command("check", "--json").stdout))

    def test_what_the_source_can_emit(self):
        """Also what an answer has only in times of trouble."""
        known = {part for keys in self.rows.values() for key in keys
                 for part in key.split(".")}
        known |= {"more"}               # between the command and the gateway
        for name, least in (("admin/api_status.c", 40), ("admin/api_queue.c", 15),
                            ("daemon/phases.c", 8)):
            with open(os.path.join(SOURCE, "core", *name.split("/"))) as f:
                text = f.read()
            keys = set()
            for start in re.finditer(r"json_(pack|object_set_new)\(", text):
                end, depth = start.end(), 1
                while depth > 0:
                    depth += {"(": 1, ")": -1}.get(text[end], 0)
                    end += 1
                keys |= set(re.findall(r'"([a-z][a-z_]+)"', text[start.end():end]))
            self.assertGreaterEqual(len(keys), least, name)
            self.assertEqual(keys - known, set(), f"postern(8) lacks rows of {name}")


if __name__ == "__main__":
    harness.main()
