"""test-status.py - what a gateway says of itself when mail does not get out"""
import harness
from harness import Case, wait_until

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


if __name__ == "__main__":
    harness.main()
