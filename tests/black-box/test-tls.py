"""test-tls.py - TLS at the intake: real clients, and a stranger's tricks"""
import contextlib
import os
import re
import shutil
import smtplib
import socket
import ssl
import subprocess

import certificates
import harness
from harness import Case, SLOW, wait_until

harness.requires("openssl", "swaks")


def openssl(*args, input=None, check=True):
    return subprocess.run(["openssl", *args], input=input, text=True,
                          check=check, timeout=60 * SLOW,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


class Tls(Case):
    def setUp(self):
        super().setUp()
        self.ca = certificates.TestCa(os.path.join(self.folder, "ca"))
        self.cert, self.key = self.issue()

    def issue(self, **more):
        return self.ca.issue("gw.example.test", "127.0.0.1", **more)

    def trusting(self):
        return ssl.create_default_context(cafile=self.ca.ca_file)

    def tls_gateway(self, kind=None, more="", **rest):
        gw = self.gateway(start=False, extra=f"tls: {{certificate: {self.cert}, "
                                             f"key: {self.key}}}\n{more}", **rest)
        if kind:
            with open(gw.config) as f:
                text = f.read()
            gw.write("postern.yaml", text.replace(
                f"{gw.port}}}", f"{gw.port}, tls: {kind}}}"))
        return gw.start()

    def text(self, gw):
        """The connection in the clear, and its lines."""
        s = socket.create_connection(("127.0.0.1", gw.port), 30 * SLOW)
        self.addCleanup(s.close)
        f = s.makefile("rb")
        self.addCleanup(f.close)
        return s, f

    def ehlo(self, s, f):
        s.sendall(b"EHLO x\r\n")
        lines = []
        while not lines or lines[-1][3:4] == b"-":
            lines.append(f.readline())
        return lines

    def send_by(self, s):
        s.sendmail("a@src.test", ["b@dst.test"], "Subject: x\r\n\r\nhello\r\n")
        s.quit()

    # --- the three kinds ---------------------------------------------------

    def test_starttls_is_offered_where_there_is_a_certificate(self):
        gw = self.tls_gateway()
        with gw.smtp() as s:
            s.ehlo()
            self.assertTrue(s.has_extn("starttls"))
            s.starttls(context=self.trusting())
            s.ehlo()
            self.assertFalse(s.has_extn("starttls"))
            self.assertEqual(s.sock.version(), "TLSv1.3")
            self.send_by(s)
        message = gw.wait_captured(1)[0]
        self.assertRegex(message, rb"\(using TLSv1\.3 with cipher TLS_[A-Z0-9_]+\)")
        self.assertIn(b" with ESMTPS id ", message)
        wait_until(lambda: re.search(r'accepted .*tls="?TLS1\.3 AES', gw.log()),
                   what="its line in the log")
        gw.send()
        self.assertIn(b" with ESMTP id ",
                      [m for m in gw.wait_captured(2)
                       if b"using TLS" not in m][0])

    def test_without_a_certificate_there_is_none(self):
        gw = self.gateway()
        with gw.smtp() as s:
            s.ehlo()
            self.assertFalse(s.has_extn("starttls"))
            self.assertEqual(s.docmd("STARTTLS")[0], 502)
            self.send_by(s)
        gw.wait_captured(1)

    def test_required_takes_no_mail_in_the_clear(self):
        gw = self.tls_gateway("required")
        with self.assertRaises(smtplib.SMTPSenderRefused) as e:
            gw.send()
        self.assertEqual(e.exception.smtp_code, 530)
        self.assertIn(b"5.7.0 Must issue a STARTTLS command first",
                      e.exception.smtp_error)
        with gw.smtp() as s:
            s.starttls(context=self.trusting())
            self.send_by(s)
        gw.wait_captured(1)

    def test_implicit_begins_with_a_handshake(self):
        gw = self.tls_gateway("implicit")
        with smtplib.SMTP_SSL("127.0.0.1", gw.port, timeout=30 * SLOW,
                              context=self.trusting()) as s:
            s.ehlo()
            self.assertFalse(s.has_extn("starttls"))
            self.send_by(s)
        self.assertIn(b" with ESMTPS id ", gw.wait_captured(1)[0])
        # and nothing is said to those who do not know
        s, f = self.text(gw)
        s.sendall(b"EHLO printer\r\n")
        with contextlib.suppress(ConnectionResetError):
            self.assertNotIn(b"220", f.read())
        gw.wait_log("the client does not speak TLS here")

    # --- who fails is told of ----------------------------------------------

    def counted(self, gw):
        failed = gw.json("status")["intake"]["failed"]
        return {kind: n for kind, n in failed.items() if n}

    def test_a_client_that_does_not_trust_us_is_told_of(self):
        gw = self.tls_gateway()
        with gw.smtp() as s, self.assertRaises(ssl.SSLCertVerificationError):
            s.starttls(context=ssl.create_default_context())
        # by an alert, or, where the connection was faster, by its end
        wait_until(lambda: re.search(
            "a session ended without a message: the device (ended the TLS handshake|does not trust).*"
            "the certificate of this gateway", gw.log()), what="its line")
        self.assertEqual(self.counted(gw), {"tls": 1})
        self.assertIn("\nfailed    1 session ended without a message (tls 1); the "
                      "log says why\n", gw.command("status").stdout)

    def test_tls_in_the_wrong_place_is_told_of(self):
        gw = self.gateway()
        with self.assertRaises(ssl.SSLError):
            smtplib.SMTP_SSL("127.0.0.1", gw.port, timeout=30 * SLOW)
        gw.wait_log("the device began TLS at once, and this listener has `tls: none'")
        self.assertEqual(self.counted(gw), {"tls": 1})

    def test_a_plain_client_of_an_implicit_listener_is_told_of(self):
        gw = self.tls_gateway("implicit")
        s, f = self.text(gw)
        s.close(), f.close()            # a monitor of ports
        s, f = self.text(gw)
        s.sendall(b"EHLO printer\r\n")
        with contextlib.suppress(ConnectionResetError):
            f.read()
        gw.wait_log("this listener has `tls: implicit': choose SSL/TLS in the device")
        gw.count_log("a session ended without a message", 1)
        self.assertEqual(self.counted(gw), {"tls": 1})

    # --- other clients -----------------------------------------------------

    def test_swaks(self):
        for kind, how in (("required", "--tls"), ("implicit", "--tls-on-connect")):
            gw = self.tls_gateway(kind, name=kind)
            r = subprocess.run(["swaks", "--server", f"127.0.0.1:{gw.port}", how,
                                "--from", "a@src.test", "--to", "b@dst.test"],
                               capture_output=True, text=True,
                               timeout=60 * SLOW, stdin=subprocess.DEVNULL)
            self.assertEqual(r.returncode, 0, r.stdout + r.stderr)
            self.assertIn(b" with ESMTPS id ", gw.wait_captured(1)[0])

    def s_client(self, gw, *args, lines="EHLO x\nQUIT\n"):
        return openssl("s_client", "-connect", f"127.0.0.1:{gw.port}", "-crlf",
                       "-ign_eof", *args, input=lines, check=False)

    def test_s_client(self):
        gw = self.tls_gateway()
        for version, name in (("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")):
            r = self.s_client(gw, "-starttls", "smtp", "-CAfile", self.ca.ca_file,
                              "-verify_return_error", "-verify_hostname",
                              "gw.example.test", version)
            self.assertIn("Verify return code: 0 (ok)", r.stdout)
            self.assertIn(name, r.stdout)
            self.assertIn("250-PIPELINING", r.stdout)
            self.assertIn("221 2.0.0", r.stdout)

    def test_nothing_below_tls_1_2(self):
        gw = self.tls_gateway()
        for version in ("-tls1", "-tls1_1"):
            r = self.s_client(gw, "-starttls", "smtp", version, "-cipher",
                              "DEFAULT@SECLEVEL=0")
            self.assertNotIn("250-PIPELINING\r\n250-SIZE", r.stdout[-300:])
            self.assertRegex(r.stdout, r"alert protocol version|Cipher is \(NONE\)")
        gw.wait_log("the client speaks neither TLS 1.2 nor TLS 1.3")
        gw.wait_log("the device and this gateway have no version or cipher of TLS in "
                    "common")

    def test_a_session_is_taken_up_again(self):
        gw = self.tls_gateway(more="intake_threads: 3\n")
        context, session = self.trusting(), None
        for again in (False, True, True):
            s, f = self.text(gw)
            f.readline()
            self.ehlo(s, f)
            s.sendall(b"STARTTLS\r\n")
            self.assertTrue(f.readline().startswith(b"220 "))
            t = context.wrap_socket(s, server_hostname="gw.example.test",
                                    session=session)
            t.sendall(b"NOOP\r\n")
            self.assertTrue(t.recv(100).startswith(b"250 "))
            self.assertEqual(t.session_reused, again)
            session = t.session
            t.close()

    def test_a_large_message(self):
        gw = self.tls_gateway()
        with gw.smtp() as s:
            s.starttls(context=self.trusting())
            s.sendmail("a@src.test", ["b@dst.test"],
                       "Subject: large\r\n\r\n" + ("x" * 70 + "\r\n") * 150000)
        self.assertGreater(len(gw.wait_captured(1, 60)[0]), 10_000_000)

    # --- tricks ------------------------------------------------------------

    def test_what_is_slipped_in_is_thrown_away(self):
        gw = self.tls_gateway()
        s, f = self.text(gw)
        f.readline()
        self.ehlo(s, f)
        s.sendall(b"STARTTLS\r\nMAIL FROM:<evil@src.test>\r\n"
                  b"RCPT TO:<b@dst.test>\r\n")
        self.assertTrue(f.readline().startswith(b"220 "))
        t = self.trusting().wrap_socket(s, server_hostname="gw.example.test")
        t.sendall(b"NOOP\r\n")
        self.assertEqual(t.recv(1000), b"250 2.0.0 Ok\r\n")
        t.sendall(b"DATA\r\n")
        self.assertTrue(t.recv(1000).startswith(b"503 "))
        t.close()

    def test_handshakes_that_never_end_count_as_sessions(self):
        gw = self.tls_gateway("implicit",
                              more="limits: {sessions_per_client: 3}\n")
        stuck = [self.text(gw)[0] for _ in range(3)]
        for s in stuck:
            s.sendall(b"\x16\x03\x01")
        wait_until(lambda: gw.json("status")["intake"]["open"] == 3,
                   what="three sessions")
        _, f = self.text(gw)
        self.assertEqual(f.read(), b"")     # no words in the clear
        gw.wait_log("too many sessions from your address")
        stuck.pop().shutdown(socket.SHUT_RDWR)
        self.wait_sent(gw)
        self.assertEqual(gw.stop(), 0)    # nor do they keep it from ending

    def wait_sent(self, gw):
        def sent():
            try:
                with smtplib.SMTP_SSL("127.0.0.1", gw.port, timeout=30 * SLOW,
                                      context=self.trusting()) as s:
                    self.send_by(s)
                return True
            except (OSError, smtplib.SMTPException):
                return False
        wait_until(sent, what="a message through the crowd")

    # --- a new certificate -------------------------------------------------

    def shown(self, gw):
        with socket.create_connection(("127.0.0.1", gw.port), 30 * SLOW) as s:
            c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
            with c.wrap_socket(s) as t:
                return self.pem(t)

    def pem(self, s):
        """The certificate that the server showed, as its file has it."""
        return ssl.DER_cert_to_PEM_cert(s.getpeercert(True)).strip()

    def file(self, path):
        with open(path) as f:
            return f.read().strip()

    def test_the_certificate_follows_its_files(self):
        gw = self.tls_gateway("implicit")
        old = self.file(self.cert)
        self.assertEqual(self.shown(gw), old)
        under_way = smtplib.SMTP_SSL("127.0.0.1", gw.port, timeout=60 * SLOW,
                                     context=self.trusting())
        self.addCleanup(under_way.close)
        # broken ones change nothing
        with open(self.cert, "w") as f:
            f.write("not a certificate\n")
        gw.wait_log("the file contains no certificate in PEM; the gateway still "
                    "uses what it read before", 30)
        self.assertEqual(self.shown(gw), old)
        cert, key = self.issue()
        new = self.file(cert)
        os.replace(key, self.key)
        os.replace(cert, self.cert)
        wait_until(lambda: self.shown(gw) == new, 30, "the new certificate")
        gw.wait_log("has changed; the gateway uses the new contents")
        under_way.ehlo()
        self.send_by(under_way)
        gw.wait_captured(1)
        # a reload need not wait for them to be looked at, nor is it undone
        cert, key = self.issue()
        newest = self.file(cert)
        os.replace(key, self.key)
        os.replace(cert, self.cert)
        gw.command("reload", check=True)
        for _ in range(5):
            self.assertEqual(self.shown(gw), newest)

    def test_a_reload_takes_another_certificate_and_takes_it_away(self):
        gw = self.tls_gateway()
        plain = self.file(gw.config).replace("tls:", "#tls:")
        cert, key = self.issue()
        gw.write("postern.yaml", self.file(gw.config)
                 .replace(self.cert, cert).replace(self.key, key))
        gw.command("reload", check=True)
        with gw.smtp() as s:
            s.starttls(context=self.trusting())
            self.assertEqual(self.pem(s.sock), self.file(cert))
            self.send_by(s)
        # one that is wrong changes nothing
        gw.write("postern.yaml", self.file(gw.config).replace(key, self.key))
        r = gw.command("reload")
        self.assertNotEqual(r.returncode, 0)
        self.assertIn("this is not the key of the certificate", r.stdout + r.stderr)
        # nor does one whose listener is not to be had
        with socket.create_server(("127.0.0.1", 0)) as taken:
            right = self.file(gw.config).replace(cert, self.cert)
            gw.write("postern.yaml", right.replace(
                "listen: [", "listen: [{address: 127.0.0.1:%d}, " %
                taken.getsockname()[1]))
            r = gw.command("reload")
            self.assertNotEqual(r.returncode, 0)
            self.assertIn("another program uses this port", r.stdout + r.stderr)
        with gw.smtp() as s:
            s.starttls(context=self.trusting())
            self.assertEqual(self.pem(s.sock), self.file(cert))
        gw.write("postern.yaml", plain + "\n")
        gw.command("reload", check=True)
        with gw.smtp() as s:
            s.ehlo()
            self.assertFalse(s.has_extn("starttls"))

    # --- check -------------------------------------------------------------

    def check(self, text, name="check"):
        gw = self.gateway(start=False, name=name)
        port = f"{gw.port}}}"
        with open(gw.config) as f:
            base = f.read()
        if "LISTEN" in text:
            kind = re.search(r"LISTEN (\w+)\n", text)
            text = text.replace(kind.group(), "")
            base = base.replace(port, f"{gw.port}, tls: {kind.group(1)}}}")
        gw.write("postern.yaml", base + text)
        return gw.command("check")

    def test_check_points_at_what_is_wrong(self):
        other, other_key = self.issue()
        soon, soon_key = self.issue(days=5)
        old, old_key = self.issue(days=-1)
        mixed = os.path.join(self.folder, "mixed.pem")
        with open(mixed, "w") as f:
            f.write(self.file(self.cert) + "\n" + self.file(other) + "\n")
        missing = os.path.join(self.folder, "missing.pem")
        rows = [
            (0, f"tls:\n  certificate: {self.cert}\n  key: {self.key}\n", ""),
            (78, f"tls:\n  certificate: {missing}\n  key: {self.key}\n",
             f"error: `certificate': {missing} cannot be read: No such file or "
             "directory"),
            (78, f"tls:\n  certificate: {self.cert}\n  key: {missing}\n", f"`key': {missing} cannot be read: No such"),
            (78, f"tls:\n  certificate: {missing}\n  key: {self.key}\n",
             "hint: put the file there, or correct the path"),
            (78, f"tls:\n  certificate: {self.key}\n  key: {self.cert}\n",
             "check whether certificate and key are swapped"),
            (78, f"tls:\n  certificate: {self.cert}\n  key: {other_key}\n",
             "this is not the key of the certificate"),
            (78, f"tls:\n  certificate: {self.cert}\n",
             "the file contains no key in PEM"),
            (78, f"tls:\n  certificate: {mixed}\n  key: {self.key}\n",
             "the chain is in the wrong order"),
            (78, f"tls:\n  key: {self.key}\n", "a key, and no certificate"),
            (0, f"tls:\n  certificate: {soon}\n  key: {soon_key}\n",
             "the certificate for gw.example.test, 127.0.0.1 expires in 4 days"),
            (0, f"tls:\n  certificate: {old}\n  key: {old_key}\n",
             "the certificate for gw.example.test, 127.0.0.1 expired at 20"),
            (0, f"tls:\n  certificate: {old}\n  key: {old_key}\n",
             "hint: others will refuse it: renew it in the same file"),
            (0, "LISTEN starttls\n", "STARTTLS is not offered"),
            (78, "LISTEN required\n", "TLS is required, and there is no certificate"),
            (78, "LISTEN implicit\n", "TLS is required, and there is no certificate"),
        ]
        for i, (status, text, words) in enumerate(rows):
            r = self.check(text, f"check{i}")
            self.assertEqual(r.returncode, status, (i, r.stderr))
            self.assertIn(words, r.stderr, i)
            if status:
                self.assertIn("^", r.stderr, i)     # a caret at the place
        # the line that is to blame
        r = self.check(rows[5][1], "line")
        self.assertRegex(r.stderr, r"error: .*not the key.*\n.*\|.*key: ")

    def test_a_file_that_the_user_of_the_service_cannot_read(self):
        if os.geteuid() != 0:
            self.skipTest("only root becomes somebody else")
        os.chmod(self.key, 0o600)
        gw = self.gateway(start=False)
        text = self.file(gw.config)
        text = re.sub("(?m)^user: .*$", "user: nobody", text) + \
            f"\ntls:\n  certificate: {self.cert}\n  key: {self.key}\n"
        gw.write("postern.yaml", text)
        r = gw.command("check")
        self.assertEqual(r.returncode, 78, r.stderr)
        self.assertIn(f"{self.key}: the gateway runs as the user `nobody', which "
                      "cannot read it: Permission denied", r.stderr)
        # by its group, and by everybody
        for mode, group in ((0o640, "nogroup"), (0o644, "root")):
            shutil.chown(self.key, group=group)
            os.chmod(self.key, mode)
            r = gw.command("check")
            self.assertEqual(r.returncode, 0, r.stderr)
        # nor where the folder is closed
        os.chmod(self.folder, 0o700)
        self.assertEqual(gw.command("check").returncode, 78)


if __name__ == "__main__":
    harness.main()
