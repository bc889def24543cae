"""test-intake.py - real clients at the intake"""
import os
import smtplib
import socket
import subprocess
import textwrap

import harness
from harness import Case

harness.requires("swaks", "smtp-source")


class Intake(Case):
    def test_swaks_delivers(self):
        gw = self.gateway()
        r = subprocess.run(["swaks", "--server", f"127.0.0.1:{gw.port}",
                            "--from", "printer@src.test", "--to",
                            "office@dst.test", "--body", "a scan"],
                           capture_output=True, text=True, timeout=60)
        self.assertEqual(r.returncode, 0, r.stdout)
        message = gw.wait_captured(1)[0]
        self.assertIn(b"a scan", message)
        self.assertIn(b"Received: from", message)
        self.assertIn(b"by gw.example.test", message)

    def test_what_is_missing_is_added(self):
        gw = self.gateway()
        gw.send("Subject: bare\r\n\r\nx\r\n")
        message = gw.wait_captured(1)[0]
        self.assertRegex(message, rb"(?m)^Date: ")
        self.assertRegex(message, rb"(?m)^Message-ID: <[0-9A-Z]+@gw\.example\.test>")

    def test_what_is_there_is_kept(self):
        gw = self.gateway()
        gw.send("Date: Mon, 1 Jan 2024 00:00:00 +0000\r\nMessage-ID: <x@y>\r\n"
                "\r\nx\r\n")
        message = gw.wait_captured(1)[0]
        self.assertEqual(message.lower().count(b"\nmessage-id:"), 1)
        self.assertEqual(message.count(b"\nDate:"), 1)

    # as it is sent; what must be in the message, what must not
    odd = {
        "mailbox lines": (
            b"From root Mon Nov 14 23:42 UTC 2016\r\n>From x\r\nDate: d\r\n"
            b"Message-ID: <x@y>\r\nSubject: s\r\n\r\nx\r\n",
            b"\r\nX-Mailbox-Line: From root Mon Nov 14 23:42 UTC 2016\r\n"
            b"X-Mailbox-Line: >From x\r\nDate: d\r\n"),
        "a byte-order mark": (
            b"\xef\xbb\xbfDate: d\r\nMessage-ID: <x@y>\r\nSubject: s\r\n\r\nx\r\n",
            b"\r\nDate: d\r\n"),
        "a broken line": (
            b"Subject: s\r\nwrapped\r\nDate: d\r\nMessage-ID: <x@y>\r\n\r\nx\r\n",
            b"\r\nSubject: s\r\n wrapped\r\nDate: d\r\n"),
        "a bare CR": (
            b"Date: d\r\nMessage-ID: <x@y>\r\nSubject: s\rBcc: b\r\n\r\nx\ry\r\n",
            b"\r\nSubject: s Bcc: b\r\n\r\nx\r\ny\r\n"),
        "no empty line": (
            b"Date: d\r\nMessage-ID: <x@y>\r\nSubject: s\r\n",
            b"\r\nSubject: s\r\n\r\n"),
        "no values": (
            b"Date: d\r\nMessage-ID:\r\nMessage-ID: <x@y>\r\nDate:\r\nSubject: s\r\n\r\n",
            b"\r\nDate: d\r\nMessage-ID: <x@y>\r\nSubject: s\r\n\r\n"),
        "a header that is larger than what is kept of it": (
            b"Subject: s\r\n" + b"X-Many: 0123456789\r\n" * 20000 +
            b"Date: d\r\nMessage-ID: <x@y>\r\n\r\nx\r\n",
            b"\r\nDate: d\r\nMessage-ID: <x@y>\r\n\r\nx\r\n"),
    }

    def test_odd_headers_are_repaired(self):
        gw = self.gateway()
        # a rule that sees no Subject refuses
        gw.route("50-capture", textwrap.dedent(gw.capture()) +
                 "match: {header: {Subject: /^s/}}\n")
        gw.command("reload", check=True)
        before = []
        for i, (what, (text, wanted)) in enumerate(self.odd.items()):
            with self.subTest(what):
                with gw.smtp() as s:
                    s.ehlo()
                    s.mail("a@src.test")
                    s.rcpt("b@dst.test")
                    s.putcmd(f"BDAT {len(text)} LAST")
                    s.send(text)
                    self.assertEqual(s.getreply()[0], 250)
                m, = [m for m in gw.wait_captured(i + 1) if m not in before]
                before.append(m)
                m = m.replace(b"\r\n", b"\n")
                self.assertIn(wanted.replace(b"\r\n", b"\n"), m)
                header = m.split(b"\n\n")[0]
                self.assertEqual([header.lower().count(b"\ndate:"),
                                  header.lower().count(b"\nmessage-id:")],
                                 [1, 1])

    def test_what_cron_writes_can_be_piped(self):
        gw = self.gateway()
        text = "From root Mon Nov 14 23:42 UTC 2016\nFrom: c@d.test\nSubject: s\n\nx\n"
        gw.command("send", "--to", "b@dst.test", input=text, check=True)
        m = gw.wait_captured(1)[0].replace(b"\r\n", b"\n")
        self.assertEqual(m.count(b"\nFrom: "), 1)
        self.assertIn(b"2016\nFrom: c@d.test\nSubject: s\n\nx\n", m)
        # and explain sees what the rules would see
        gw.route("50-capture", textwrap.dedent(gw.capture()) +
                 "match: {header: {Subject: /^s/}}\n")
        gw.write("message", text)
        said = gw.command("explain", "--message",
                          os.path.join(gw.folder, "message"), "a@src.test",
                          "b@dst.test", check=True).stdout
        self.assertIn("TAKEN by", said)

    def test_all_bytes_survive(self):
        body = b"Subject: x\r\n\r\n" + b"".join(
            b"." * (i % 5) + bytes([c for c in range(1, 256) if c not in (10, 13)])
            + b"\r\n" for i in range(50))
        gw = self.gateway()
        with gw.smtp() as s:
            s.ehlo()
            s.sendmail("a@src.test", ["b@dst.test"], body, ["BODY=8BITMIME"])
        message = gw.wait_captured(1)[0]
        self.assertTrue(message.replace(b"\r\n", b"\n").endswith(
            body[len(b"Subject: x\r\n"):].replace(b"\r\n", b"\n")))

    def test_large_message(self):
        gw = self.gateway()
        line = "x" * 70 + "\r\n"
        gw.send("Subject: large\r\n\r\n" + line * 150000)  # 10 MiB
        self.assertGreater(len(gw.wait_captured(1, 60)[0]), 10_000_000)

    def test_load_by_smtp_source(self):
        gw = self.gateway()
        subprocess.run(["smtp-source", "-s", "10", "-m", "200", "-l", "4096",
                        "-f", "a@src.test", "-t", "b@dst.test",
                        f"127.0.0.1:{gw.port}"], check=True, timeout=120,
                       stdin=subprocess.DEVNULL)
        self.assertEqual(len(gw.wait_captured(200, 60)), 200)

    def test_ehlo_tells_what_we_do(self):
        gw = self.gateway()
        with gw.smtp() as s:
            s.ehlo()
            for keyword in ("pipelining", "size", "8bitmime", "smtputf8",
                            "chunking", "enhancedstatuscodes", "dsn"):
                self.assertIn(keyword, s.esmtp_features)

    def test_message_size_is_limited(self):
        gw = self.gateway(extra="limits: {message_size: 10K}\n")
        with gw.smtp() as s, self.assertRaises(smtplib.SMTPResponseException) as e:
            s.sendmail("a@src.test", ["b@dst.test"], "x" * 20000)
        self.assertEqual(e.exception.smtp_code, 552)
        gw.send("Subject: small\r\n\r\nx\r\n")
        gw.wait_captured(1)

    def test_loops_are_stopped(self):
        gw = self.gateway()
        received = "Received: from a by b; Mon, 1 Jan 2024 00:00:00 +0000\r\n"
        with self.assertRaises(smtplib.SMTPDataError) as e:
            gw.send(received * 60 + "\r\nx\r\n")
        self.assertEqual(e.exception.smtp_code, 554)
        self.assertIn(b"5.4.6", e.exception.smtp_error)


class Raw(Case):
    """What no decent client would say."""

    def talk(self, gw, sent, shut=False):
        """All replies to what is sent at once, until the other side closes."""
        with socket.create_connection(("127.0.0.1", gw.port), 30) as s:
            s.sendall(sent)
            if shut:
                s.shutdown(socket.SHUT_WR)
            got = b""
            while chunk := s.recv(65536):
                got += chunk
        return got.decode()

    def codes(self, text):
        return [line[:3] for line in text.splitlines() if line[3:4] == " "]

    def test_a_whole_session_in_one_write(self):
        gw = self.gateway()
        said = self.talk(gw, b"EHLO x\r\nMAIL FROM:<a@b.test>\r\n"
                         b"RCPT TO:<c@d.test>\r\nDATA\r\n..x\r\n.\r\nQUIT\r\n")
        self.assertEqual(self.codes(said),
                         ["220", "250", "250", "250", "354", "250", "221"])
        self.assertIn(b"\n.x", gw.wait_captured(1)[0])

    def test_only_crlf_dot_crlf_ends(self):
        gw = self.gateway()
        for end in (b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r"):
            said = self.talk(gw, b"EHLO x\r\nMAIL FROM:<a@b.test>\r\n"
                             b"RCPT TO:<c@d.test>\r\nDATA\r\nS: x\r\n\r\ny" + end +
                             b"MAIL FROM:<evil@b.test>\r\n"
                             b"RCPT TO:<evil@d.test>\r\nDATA\r\nevil\r\n.\r\n"
                             b"QUIT\r\n")
            self.assertEqual(self.codes(said),
                             ["220", "250", "250", "250", "354", "250", "221"],
                             repr(end))
        self.assertEqual(len(gw.wait_captured(5)), 5)

    def test_order_and_nonsense(self):
        gw = self.gateway()
        said = self.talk(gw, b"\r\nRCPT TO:<a@b.test>\r\nDATA\r\nMAIL FROM:<a@b.test>\r\n"
                         b"HELO\r\nNONSENSE\r\nMAIL FROM:a@b.test\r\n"
                         b"MAIL FROM:<a@b.test>\r\nRSET\r\nVRFY a\r\nNOOP x\r\n"
                         b"MAIL FROM:<a@b.test> FOO=1\r\nDATA\r\nQUIT\r\n")
        self.assertEqual(self.codes(said),
                         ["220", "503", "503", "503", "250", "500", "250",
                          "503", "250", "252", "250", "555", "503", "221"])

    def test_bdat(self):
        gw = self.gateway()
        said = self.talk(gw, b"EHLO x\r\nMAIL FROM:<a@b.test>\r\n"
                         b"RCPT TO:<c@d.test>\r\nBDAT 14\r\nSubject: x\r\n\r\n"
                         b"BDAT 8 LAST\r\nhello!\r\nQUIT\r\n")
        self.assertEqual(self.codes(said),
                         ["220", "250", "250", "250", "250", "250", "221"])
        self.assertIn(b"hello!", gw.wait_captured(1)[0])

    def test_a_cut_off_message_is_nothing(self):
        gw = self.gateway()
        self.talk(gw, b"EHLO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\n"
                  b"DATA\r\nhalf of", shut=True)
        gw.send()
        gw.wait_captured(1)
        self.assertEqual(len(gw.captured()), 1)

    def test_an_endless_line_ends(self):
        gw = self.gateway()
        said = self.talk(gw, b"EHLO x\r\n" + b"x" * 100000 + b"\r\nQUIT\r\n")
        self.assertEqual(self.codes(said)[-2:], ["500", "221"])

    def test_a_device_that_fails_leaves_a_trace(self):
        gw = self.gateway()
        for secret in ("LOGIN", "PLAIN c2VjcmV0LXdvcmQ="):
            with gw.smtp() as s:
                s.ehlo("copier")
                self.assertEqual(s.docmd("AUTH", secret)[0], 500)
        with gw.smtp() as s:            # a monitor
            s.ehlo("monitor")
        gw.wait_log("the device wants to log in, which this listener does not offer: "
                    "switch authentication off in the device; its address may send "
                    "without it client=127.0.0.1 "
                    f'listener=127.0.0.1:{gw.port} ended="the client said QUIT" '
                    "kind=login helo=copier after=AUTH")
        s = gw.smtp()
        s.docmd("EHLO", "copier")
        s.mail("a@src.test"), s.rcpt("b@dst.test"), s.docmd("DATA")
        s.send("Subject: half\r\n\r\nof it\r\n")
        s.close()
        gw.wait_log("the connection ended within the message")
        gw.count_log("a session ended without a message", 3)
        self.assertNotIn("c2VjcmV0", gw.log())
        self.assertNotIn("monitor", gw.log())
        s = gw.json("status")["intake"]
        self.assertEqual({k: n for k, n in s["failed"].items() if n},
                         {"login": 2, "interrupted": 1})
        self.assertEqual(s["greeted"], 1)
        self.assertIn("failed    3 sessions ended without a message (login 2, "
                      "interrupted 1); the log says why", gw.command("status").stdout)

    def test_nonsense_for_ever_is_cut_off(self):
        gw = self.gateway()
        said = self.talk(gw, b"WHAT\r\n" * 1000, shut=True)
        self.assertEqual(self.codes(said)[-1], "421")
        self.assertLess(len(self.codes(said)), 30)


class Relay(Case):
    def test_strangers_do_not_relay(self):
        gw = self.gateway(extra="relay: {networks: [192.0.2.0/24]}\n")
        for to in ("b@dst.test", "postmaster@dst.test", "b%dst.test@gw.example.test",
                   "@gw.example.test:b@dst.test", "postmaster"):
            with gw.smtp() as s:
                s.ehlo()
                s.mail("a@src.test")
                code, words = s.docmd("RCPT", f"TO:<{to}>")
                self.assertEqual(code, 550, to)
                self.assertIn(b"5.7.1", words)
                self.assertEqual(s.docmd("DATA")[0], 503)

    def test_a_recipient_without_a_route(self):
        gw = self.gateway()
        gw.route("50-capture", gw.capture() + "match: {recipient: \"@dst.test\"}\n")
        self.assertEqual(gw.command("check").returncode, 0)
        self.assertEqual(gw.command("reload").returncode, 0)
        with gw.smtp() as s:
            s.ehlo()
            s.mail("a@src.test")
            self.assertEqual(s.rcpt("b@dst.test")[0], 250)
            code, words = s.rcpt("b@other.test")
            self.assertEqual(code, 550)
            self.assertEqual(words, b"5.7.1 no route takes mail for <b@other.test>; the "
                                    b"administrator sees why with `postern explain'")
        gw.wait_log("from=a@src.test to=b@other.test reason=\"capture: recipient "
                    "b@other.test is not among @dst.test\"")

    def test_sessions_of_one_client_are_counted(self):
        gw = self.gateway(extra="limits: {sessions_per_client: 2}\n")
        with gw.smtp(), gw.smtp():
            with self.assertRaises(smtplib.SMTPConnectError) as e:
                gw.smtp()
            self.assertEqual(e.exception.smtp_code, 421)
        gw.send()


if __name__ == "__main__":
    harness.main()
