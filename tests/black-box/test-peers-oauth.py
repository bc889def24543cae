#!/usr/bin/env python3
"""test-peers-oauth.py - the peers of the OAuth tests do what they should

Without a gateway: what is proved here need not be doubted when a test of the
gateway fails.
"""
import base64
import os
import smtplib
import socket
import ssl
import sys
import time
import unittest
import urllib.parse

import harness
import peers_oauth as peers
from harness import SLOW, wait_until
from oauth_stage import World

MESSAGE = "Subject: test\r\nFrom: a@src.test\r\n\r\nhello\r\n"


def xoauth2(user, token):
    return f"user={user}\x01auth=Bearer {token}\x01\x01"


def oauthbearer(user, token):
    return f"n,a={user},\x01auth=Bearer {token}\x01\x01"


class Stage(unittest.TestCase):
    passwords = None

    @classmethod
    def setUpClass(cls):
        world = World.of_this_file()
        cls.folder, cls.ca = world.folder, world.ca
        if cls.passwords is None:
            cls.provider, cls.dovecot = world.provider, world.dovecot
        else:
            cls.provider = None
            cls.dovecot = peers.DovecotSubmission(
                os.path.join(cls.folder, "passwords"), cls.ca,
                passwords=cls.passwords, host="127.0.0.22")
            cls.addClassCleanup(cls.dovecot.close)

    def setUp(self):
        self.dovecot.sink.deliveries.clear()
        if self.provider:
            self.addCleanup(self.provider.well)
            self.addCleanup(self.provider.lifetime, 3600)
            self.addCleanup(self.provider.up)

    def connect(self, tls=True):
        """A session; the name of the certificate is verified."""
        smtp = smtplib.SMTP(timeout=30 * SLOW)
        self.addCleanup(smtp.close)
        smtp.connect(self.dovecot.host, self.dovecot.port)
        smtp._host = self.dovecot.name
        if tls:
            smtp.starttls(context=ssl.create_default_context(
                cafile=self.ca.ca_file))
            smtp.ehlo()
        return smtp

    def login(self, token, user=peers.USER, mechanism="XOAUTH2"):
        """The step that carries the error, if any, and the reply."""
        smtp, steps = self.connect(), []
        make = {"XOAUTH2": xoauth2, "OAUTHBEARER": oauthbearer}[mechanism]

        def answer(challenge=None):
            if not challenge:
                return make(user, token)
            steps.append(challenge)
            return "" if mechanism == "XOAUTH2" else "\x01"
        try:
            code, text = smtp.auth(mechanism, answer,
                                   initial_response_ok=False)
        except smtplib.SMTPAuthenticationError as e:
            code, text = e.smtp_code, e.smtp_error
        return smtp, steps, code

    def accepted(self, token, **more):
        smtp, steps, code = self.login(token, **more)
        self.assertEqual((steps, code), ([], 235))
        return smtp

    def refused(self, token, **more):
        """By an error that it tells, and 535 after the empty response."""
        smtp, steps, code = self.login(token, **more)
        self.assertEqual(code, 535)
        self.assertEqual(len(steps), 1)
        return steps[0].decode()


class Tokens(Stage):
    def test_client_credentials_send_a_message(self):
        smtp = self.accepted(self.provider.client_credentials())
        smtp.sendmail("a@src.test", ["b@dst.test", "c@dst.test"], MESSAGE)
        arrived = self.dovecot.sink.wait(1)[0]
        self.assertEqual(arrived.login, peers.USER)
        self.assertEqual(arrived.sender, "a@src.test")
        self.assertEqual(arrived.recipients, ["b@dst.test", "c@dst.test"])
        self.assertIn(b"\r\nhello\r\n", arrived.message)

    def test_oauthbearer(self):
        token = self.provider.client_credentials()
        self.accepted(token, mechanism="OAUTHBEARER")
        self.refused("garbage", mechanism="OAUTHBEARER")

    def test_garbage_is_refused(self):
        said = self.refused("garbage-that-nobody-issued")
        self.assertIn("status", said)

    def test_the_token_is_for_one_mailbox(self):
        token = self.provider.client_credentials()
        self.refused(token, user=peers.OTHER_USER)

    def test_a_wrong_secret_gets_no_token(self):
        status, said = self.provider.token(
            (self.provider.APP[0], "wrong"), "client_credentials",
            scope=peers.DEFAULT_SCOPE)
        self.assertEqual((status, said["error"]), (401, "invalid_client"))

    def test_an_expired_token_is_refused(self):
        self.provider.lifetime(1)
        token = self.provider.client_credentials()
        time.sleep(2.1)
        self.refused(token)

    def test_a_refresh_token_is_good_for_once(self):
        first = self.provider.refresh_token()
        status, said = self.provider.refresh(first)
        self.assertEqual(status, 200)
        self.accepted(said["access_token"])
        self.assertNotEqual(said["refresh_token"], first)
        status, more = self.provider.refresh(said["refresh_token"])
        self.assertEqual(status, 200)
        # used again, it takes all that came from it along
        status, refused = self.provider.refresh(first)
        self.assertEqual((status, refused["error"]), (400, "invalid_grant"))
        status, refused = self.provider.refresh(more["refresh_token"])
        self.assertEqual((status, refused["error"]), (400, "invalid_grant"))
        self.refused(more["access_token"])

    def test_a_confidential_client_refreshes_with_its_secret(self):
        token = self.provider.refresh_token(self.provider.WEB,
                                            peers.OTHER_USER)
        status, _ = self.provider.refresh(token, (self.provider.WEB[0], None))
        self.assertEqual(status, 401)
        status, said = self.provider.refresh(token, self.provider.WEB)
        self.assertEqual(status, 200)
        self.accepted(said["access_token"], user=peers.OTHER_USER)

    def test_revoked(self):
        token = self.provider.client_credentials()
        refresh = self.provider.refresh_token()
        self.accepted(token)
        self.provider.revoke_all()
        self.refused(token)
        status, said = self.provider.refresh(refresh)
        self.assertEqual((status, said["error"]), (400, "invalid_grant"))


class SigningIn(Stage):
    def test_device_approved(self):
        said = self.provider.device_code()
        self.assertIn("verification_uri", said)
        status, pending = self.provider.redeem(said["device_code"])
        self.assertEqual((status, pending["error"]),
                         (400, "authorization_pending"))
        self.provider.approve(said["user_code"])
        status, tokens = self.provider.redeem(said["device_code"])
        self.assertEqual(status, 200)
        smtp = self.accepted(tokens["access_token"])
        smtp.sendmail("a@src.test", ["b@dst.test"], MESSAGE)
        self.assertEqual(self.dovecot.sink.wait(1)[0].login, peers.USER)
        status, tokens = self.provider.refresh(tokens["refresh_token"])
        self.assertEqual(status, 200)
        self.accepted(tokens["access_token"])

    def test_device_denied(self):
        said = self.provider.device_code()
        self.provider.deny(said["user_code"])
        status, refused = self.provider.redeem(said["device_code"])
        self.assertEqual((status, refused["error"]), (400, "access_denied"))

    def test_authorization_code(self):
        with socket.create_server(("127.0.0.1", 0)) as app:
            back = f"http://127.0.0.1:{app.getsockname()[1]}/"
            url = self.provider.authorize_endpoint + "?" + \
                urllib.parse.urlencode({
                    "client_id": self.provider.WEB[0], "redirect_uri": back,
                    "response_type": "code", "state": "st",
                    "scope": f"openid offline_access {peers.SEND_SCOPE}"})
            answered = []

            def serve():
                c, _ = app.accept()
                with c:
                    answered.append(c.recv(4096).split()[1].decode())
                    c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n"
                              b"Connection: close\r\n\r\ndone")
            t = peers.threading.Thread(target=serve, daemon=True)
            t.start()
            self.assertEqual(self.provider.browse(url), "done")
            t.join(10)
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(answered[0]).query)
        self.assertEqual(query["state"], ["st"])
        status, tokens = self.provider.token(
            self.provider.WEB, "authorization_code", code=query["code"][0],
            redirect_uri=back)
        self.assertEqual(status, 200)
        self.assertIn("refresh_token", tokens)
        self.accepted(tokens["access_token"])


class Faults(Stage):
    def ask(self):
        return self.provider.token(self.provider.APP, "client_credentials",
                                   scope=peers.DEFAULT_SCOPE)

    def test_down_and_up_again(self):
        token = self.provider.client_credentials()
        self.provider.down()
        with self.assertRaises(peers.urllib.error.URLError) as e:
            self.ask()
        self.assertIsInstance(e.exception.reason, ConnectionRefusedError)
        self.accepted(token)    # introspection has a door of its own
        self.provider.up()
        self.assertEqual(self.ask()[0], 200)

    def test_slow(self):
        self.provider.slow(0.7)
        before = time.monotonic()
        self.assertEqual(self.ask()[0], 200)
        self.assertGreaterEqual(time.monotonic() - before, 0.6)

    def test_html(self):
        self.provider.html(502)
        self.assertEqual(self.ask()[0], 502)
        self.provider.html(200)
        with self.assertRaises(ValueError):
            self.ask()
        self.provider.well()
        self.assertEqual(self.ask()[0], 200)

    def test_errors(self):
        before = len(self.provider.requests())
        self.provider.error("temporarily_unavailable", 503,
                            headers={"Retry-After": "7"})
        status, said = self.ask()
        self.assertEqual((status, said["error"]),
                         (503, "temporarily_unavailable"))
        self.provider.error("invalid_client", 401)
        self.assertEqual(self.ask()[1]["error"], "invalid_client")
        wait_until(lambda: self.provider.requests()[before:] == [503, 401],
                   what="the record of the requests")


class Transport(Stage):
    def test_starttls_is_demanded(self):
        smtp = self.connect(tls=False)
        smtp.ehlo()
        self.assertIn("starttls", smtp.esmtp_features)
        self.assertNotIn("auth", smtp.esmtp_features)
        code, _ = smtp.docmd("AUTH", "XOAUTH2 " + base64.b64encode(
            xoauth2(peers.USER, "x").encode()).decode())
        self.assertGreaterEqual(code, 500)
        code, _ = smtp.docmd("MAIL", "FROM:<a@src.test>")
        self.assertGreaterEqual(code, 500)

    def test_mechanisms(self):
        said = self.connect().esmtp_features["auth"].upper().split()
        self.assertEqual(sorted(said), ["OAUTHBEARER", "XOAUTH2"])

    def test_the_certificate_is_the_authoritys(self):
        smtp = self.connect(tls=False)
        with self.assertRaises(ssl.SSLCertVerificationError):
            smtp.starttls(context=ssl.create_default_context())
        other = self.connect(tls=False)
        other._host = "other.example.test"
        with self.assertRaises(ssl.SSLCertVerificationError):
            other.starttls(context=ssl.create_default_context(
                cafile=self.ca.ca_file))

    def test_expired(self):
        old = peers.DovecotSubmission(
            os.path.join(self.folder, "expired"), self.ca, self.provider,
            host="127.0.0.21", days=-1)
        self.addCleanup(old.close)
        smtp = smtplib.SMTP(timeout=30 * SLOW)
        self.addCleanup(smtp.close)
        smtp.connect(old.host, old.port)
        smtp._host = old.name
        with self.assertRaisesRegex(ssl.SSLCertVerificationError, "expired"):
            smtp.starttls(context=ssl.create_default_context(
                cafile=self.ca.ca_file))

    def test_it_begins_again_on_its_port(self):
        self.dovecot.stop()
        with self.assertRaises(OSError):
            self.connect()
        self.dovecot.start()
        self.accepted(self.provider.client_credentials())


class Passwords(Stage):
    passwords = {peers.USER: "opensesame"}

    def test_plain_and_login(self):
        said = self.connect().esmtp_features["auth"].upper().split()
        self.assertEqual(sorted(said), ["LOGIN", "PLAIN"])
        for mechanism in ("auth_plain", "auth_login"):
            smtp = self.connect()
            smtp.user, smtp.password = peers.USER, "opensesame"
            name = mechanism[5:].upper()
            self.assertEqual(smtp.auth(name, getattr(smtp, mechanism))[0], 235)
            smtp.sendmail("a@src.test", ["b@dst.test"], MESSAGE)
        self.assertEqual([d.login for d in self.dovecot.sink.wait(2)],
                         [peers.USER] * 2)

    def test_a_wrong_password(self):
        with self.assertRaises(smtplib.SMTPAuthenticationError) as e:
            self.connect().login(peers.USER, "wrong")
        self.assertEqual(e.exception.smtp_code, 535)


if __name__ == "__main__":
    try:
        peers.needs("node", "npm", "dovecot", "openssl")
        peers.install_oidc()
    except unittest.SkipTest as why:
        print(f"skipped: {why}")
        sys.exit(77)
    harness.faulthandler.dump_traceback_later(600, exit=True)
    unittest.main(verbosity=2)
