"""test-delivery.py - the connector, retrying, reports"""
import os
import subprocess
import threading
import time

import harness
from harness import Case, free_port, wait_until
from peers_mail import Postfix

# only root can become somebody else, and root must
SINK = ["smtp-sink", *(["-u", "nobody"] if os.geteuid() == 0 else [])]
harness.requires("smtp-sink", "smtp-source", "postfix")

QUICK = "retry: {first: 200ms, factor: 1, longest: 200ms, give_up: 2s}\n"


class Connector(Case):
    def test_a_message_goes_through(self):
        peer = self.peer()
        gw = self.gateway({"10-out": self.connector(peer.port)})
        gw.send("Subject: through\r\n\r\n.dot\r\n", to=["b@dst.test", "c@dst.test"])
        gw.wait_empty()
        self.assertEqual(len(peer.messages), 1)
        self.assertIn(b"\r\n.dot\r\n", peer.messages[0])
        self.assertIn("EHLO gw.example.test", peer.lines)
        self.assertTrue(any(l.startswith("MAIL FROM:<a@src.test>") and "SIZE=" in l
                            for l in peer.lines))

    def test_smtputf8_said_in_vain(self):
        """The peer has no SMTPUTF8: a header needs it, a body does not."""
        peer = self.peer()
        gw = self.gateway({"10-out": self.connector(peer.port)})
        head = b"Content-Type: text/plain; charset=utf-8\r\n"
        for text in (b"Subject: ascii\r\n" + head + b"\r\ngr\xc3\xbc\xc3\x9fe\r\n",
                     b"Subject: gr\xc3\xbc\xc3\x9fe\r\n" + head + b"\r\nascii\r\n"):
            with gw.smtp() as s:
                s.sendmail("a@src.test", ["b@dst.test"], text,
                           ["BODY=8BITMIME", "SMTPUTF8"])
        wait_until(lambda: "5.6.7" in gw.log() and len(peer.messages) == 2,
                   what="one delivered, one returned")
        gw.wait_empty()
        self.assertIn(b"\r\ngr\xc3\xbc\xc3\x9fe\r\n",
                      next(m for m in peer.messages if b"Subject: ascii" in m))
        self.assertTrue(all("SMTPUTF8" not in l for l in peer.lines))
        gw.count_log("status=bounced", 1)

    def test_connections_are_used_again(self):
        peer = self.peer()
        gw = self.gateway({"10-out": self.connector(peer.port)
                           + "limits: {connections: 1}\n"})
        for _ in range(5):
            gw.send()
        gw.wait_empty()
        self.assertEqual(len(peer.messages), 5)
        self.assertEqual(peer.connections, 1)

    def test_smtp_sink_under_load(self):
        port = free_port()
        sink = subprocess.Popen([*SINK, "-m", "500",
                                 f"127.0.0.1:{port}", "100"],
                                stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)
        self.addCleanup(sink.wait)
        self.addCleanup(sink.kill)
        gw = self.gateway({"10-out": self.connector(port)})
        subprocess.run(["smtp-source", "-s", "20", "-m", "500", "-l", "3000",
                        "-f", "a@src.test", "-t", "b@dst.test",
                        f"127.0.0.1:{gw.port}"], check=True, timeout=120,
                       stdin=subprocess.DEVNULL)
        gw.wait_empty(60)
        gw.count_log("status=delivered", 500)

    def test_dsn_wishes_are_passed_on(self):
        peer = self.peer()
        gw = self.gateway({"10-out": self.connector(peer.port)})
        with gw.smtp() as s:
            s.ehlo()
            s.mail("a@src.test", ["RET=HDRS", "ENVID=abc"])
            s.rcpt("b@dst.test", ["NOTIFY=SUCCESS,FAILURE",
                                  "ORCPT=rfc822;b@old.test"])
            s.data("x\r\n")
        gw.wait_empty()
        mail = next(l for l in peer.lines if l.startswith("MAIL"))
        rcpt = next(l for l in peer.lines if l.startswith("RCPT"))
        self.assertIn("RET=HDRS", mail)
        self.assertIn("ENVID=abc", mail)
        self.assertIn("NOTIFY=SUCCESS,FAILURE", rcpt)
        self.assertIn("ORCPT=rfc822;b@old.test", rcpt)
        time.sleep(0.3)     # the next hop reports, so we do not
        self.assertEqual(len(peer.messages), 1)


class Trouble(Case):
    def test_a_refusal_for_now_is_tried_again(self):
        tries = []

        def answer(verb, line):
            if verb == "RCPT":
                tries.append(time.monotonic())
                return "450 4.2.1 busy" if len(tries) < 3 else None

        peer = self.peer(answer)
        gw = self.gateway({"10-out": self.connector(peer.port)}, extra=QUICK)
        gw.send()
        gw.wait_empty()
        self.assertEqual(len(peer.messages), 1)
        self.assertEqual(len(tries), 3)
        gw.wait_log("busy")
        gw.wait_log('phase="sending RCPT TO"')

    def test_a_server_that_is_away(self):
        port = free_port()
        gw = self.gateway({"10-out": self.connector(port)},
                          extra=QUICK.replace("2s", "1h"))
        gw.send()
        gw.wait_log("refused")
        self.assertEqual(len(gw.queue()), 1)
        sink = subprocess.Popen([*SINK,
                                 f"127.0.0.1:{port}", "10"],
                                stdin=subprocess.DEVNULL)
        self.addCleanup(sink.wait)
        self.addCleanup(sink.kill)
        gw.wait_empty()

    def bounce_gateway(self, answer, extra=QUICK):
        peer = self.peer(answer)
        gw = self.gateway(extra=extra, start=False)
        gw.route("10-out", self.connector(peer.port)
                 + "match: {recipient: \"@dst.test\"}\n")
        return gw.start(), peer

    def test_a_route_that_is_mended_is_tried_at_once(self):
        port, peer = free_port(), self.peer()
        gw = self.gateway({"10-out": self.connector(port)},
                          extra="retry: {first: 1h}\n")
        gw.send()
        gw.wait_log("connection refused")
        gw.command("queue", "hold", "--all", check=True)
        gw.send()
        wait_until(lambda: gw.log().count("status=deferred") == 2, what="both")
        gw.route("10-out", self.connector(peer.port))
        gw.command("reload", check=True)
        wait_until(lambda: len(peer.messages) == 1, what="the first")
        held, = gw.queue()
        retry = gw.command("queue", "retry", held["id"])
        self.assertEqual(retry.returncode, 65)
        self.assertIn("in the queue, or it is held", retry.stderr)
        self.assertIn("queue release", retry.stderr)
        gw.command("queue", "release", "--all", check=True)
        gw.command("queue", "retry", held["id"], check=True)
        gw.wait_empty()

    def test_a_report_returns_the_repaired_header(self):
        gw, peer = self.bounce_gateway(
            lambda verb, line: "550 5.1.1 no" if verb == "RCPT" else None)
        gw.send("From root Mon Nov 14 23:42 UTC 2016\r\nSubject: wrapped\r\n"
                "without a blank\r\nMessage-ID: <x@y.test>\r\n\r\nx\r\n",
                to=["nobody@dst.test"])
        report = gw.wait_captured(1)[0].decode().replace("\r\n", "\n")
        self.assertIn("\nX-Mailbox-Line: From root Mon Nov 14 23:42 UTC 2016\n"
                      "Subject: wrapped\n without a blank\n"
                      "Message-ID: <x@y.test>\n", report)
        self.assertEqual(report.count("In-Reply-To: <x@y.test>"), 1)

    def test_no_such_user_bounces_at_once(self):
        gw, peer = self.bounce_gateway(
            lambda verb, line: "550 5.1.1 no such user" if verb == "RCPT"
            and "nobody" in line else None)
        gw.send("Subject: secret\r\n\r\nthe body\r\n",
                to=["nobody@dst.test", "b@dst.test"])
        report = gw.wait_captured(1)[0].decode()
        gw.wait_empty()
        self.assertEqual(len(peer.messages), 1)
        self.assertIn("Auto-Submitted: auto-replied", report)
        self.assertIn("multipart/report", report)
        self.assertIn("Final-Recipient: rfc822;", report.replace("rfc822; ", "rfc822;"))
        self.assertIn("nobody@dst.test", report)
        self.assertRegex(report, "Status: 5.1.1")
        self.assertIn("Action: failed", report)
        self.assertIn("no such user", report)
        self.assertIn("Subject: secret", report)
        self.assertNotIn("the body", report)
        self.assertRegex(report, r"(?m)^Return-Path: <>")

    def test_a_policy_refusal_is_no_bounce(self):
        gw, peer = self.bounce_gateway(
            lambda verb, line: "550 5.7.1 not today" if verb == "RCPT"
            else None, extra=QUICK.replace("2s", "1h"))
        gw.send()
        wait_until(lambda: gw.log().count("not today") >= 3, what="retries")
        self.assertEqual(len(gw.queue()), 1)
        self.assertEqual(gw.captured(), [])

    def test_given_up_after_its_time(self):
        gw, peer = self.bounce_gateway(
            lambda verb, line: "421 4.3.2 away" if verb == "MAIL" else None)
        gw.send()
        report = gw.wait_captured(1)[0].decode()
        gw.wait_empty()
        self.assertIn("Action: failed", report)
        gw.wait_log("status=deferred")

    def test_no_report_about_a_report(self):
        gw, peer = self.bounce_gateway(
            lambda verb, line: "550 5.1.1 no" if verb == "RCPT" else None)
        gw.send(sender="")
        gw.wait_empty()
        self.assertEqual(gw.captured(), [])

    def test_notify_never_is_obeyed(self):
        gw, peer = self.bounce_gateway(
            lambda verb, line: "550 5.1.1 no" if verb == "RCPT" else None)
        with gw.smtp() as s:
            s.ehlo()
            s.mail("a@src.test")
            s.rcpt("b@dst.test", ["NOTIFY=NEVER"])
            s.data("x\r\n")
        gw.wait_empty()
        self.assertEqual(gw.captured(), [])

    def test_misbehaving_servers_lose_nothing(self):
        done = threading.Event()
        faults = iter([("", "close"), ("", "554 5.3.2 go away"), ("", "garbage"),
                       ("EHLO", "close"), ("MAIL", "close"), ("RCPT", "close"),
                       ("DATA", "close"), (".", "close"), ("MAIL", "421 4.3.2 x"),
                       ("DATA", "451 4.3.0 x"), (".", "452 4.3.1 full"),
                       (".", "554 5.7.1 spam")])
        current = [next(faults)]

        def answer(verb, line):
            if done.is_set() or verb != current[0][0]:
                return None
            said = current[0][1]
            current[0] = next(faults, None)
            if current[0] is None:
                done.set()
                current[0] = ("-", "")
            return said

        peer = self.peer(answer)
        gw = self.gateway({"10-out": self.connector(peer.port)},
                          extra="retry: {first: 50ms, factor: 1, longest: 50ms}\n")
        gw.send()
        gw.wait_empty(60)
        self.assertTrue(done.is_set())
        self.assertEqual(len(peer.messages), 1)


class RealPostfix(Case):
    def test_postfix_takes_what_we_relay(self):
        postfix = Postfix(os.path.join(self.folder, "postfix"), {"open": {}})
        self.addCleanup(postfix.stop)
        postfix.start()
        gw = self.gateway({"10-out": self.connector(
            postfix.ports["open"], host=postfix.address)}, extra=QUICK)
        gw.send("Subject: to postfix\r\n\r\nhello\r\n.\u00e4\r\n".encode(),
                to=["u1@dst.test", "u2@dst.test"])
        gw.wait_empty(30)
        postfix.wait_mail("Subject: to postfix", 2)


if __name__ == "__main__":
    harness.main()
