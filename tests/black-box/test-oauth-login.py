"""test-oauth-login.py - signing in with `postern login', by the running
gateway and without one; and what happens when a sign-in is over
"""
import json
import os
import pwd
import shutil
import signal
import ssl

import oauth_stage
import peers_oauth as peers
from harness import free_port, wait_until
from oauth_stage import PATIENT, Login, Stage

# as Microsoft writes it
LONG = ("AADSTS50173: The provided grant has expired due to it being revoked, "
        "a fresh auth token is needed. The user might have changed or reset "
        "their password. The grant was issued on '2026-10-01T08:00:00.0000000Z'"
        " and the TokensValidFrom date (before which tokens are not valid) for "
        "this user is '2026-11-01T08:00:00.0000000Z'. Trace ID: 11111111-2222-"
        "3333-4444-555555555555 Correlation ID: 66666666-7777-8888-9999-"
        "000000000000 Timestamp: 2026-11-01 08:00:01Z")


class LoginStage(Stage):
    def office(self, extra=PATIENT, start=True, name="gw", **more):
        return self.gateway({"50-office": self.oauth("device_code", **more)},
                            extra, start, name=name)

    def login(self, gw, *more, **route):
        login = Login(gw, *more, **route)
        self.addCleanup(login.close)
        return login

    def sign_in(self, gw, user=peers.USER, status=0):
        login = self.login(gw)
        self.provider.approve(login.code(), user)
        self.assertEqual(login.end(), status, login.said + login.errors)
        return login

    @property
    def accepted(self):
        return (f"{self.dovecot.host} accepted the sign-in for {peers.USER}\n")


class ByTheGateway(LoginStage):
    def test_the_mail_that_waited_leaves(self):
        gw = self.office()
        ids = self.send(gw, 3)
        self.wait_paused(gw, "nobody has signed in yet: postern login office")
        login = self.sign_in(gw)
        self.assertEqual(login.url,
                         f"{self.provider.issuer}/{peers.TENANT}/device")
        self.assertIn(f"To sign in as {peers.USER}, open", login.said)
        self.assertIn(f"signed in as {peers.USER}\n", login.said)
        self.assertTrue(login.said.endswith(self.accepted), login.said)
        self.assertEqual(login.errors, "")
        self.wait_arrived(ids)
        gw.wait_empty()
        self.assertIsNone(self.row(gw)["paused"])
        self.assertTrue(self.newest_is_kept(gw))
        # nor is anything asked after a restart
        gw.stop()
        gw.start()
        self.passes(gw)
        self.assertEqual(len(self.issued("DeviceCode")), 1)

    def test_json(self):
        gw = self.office()
        login = self.login(gw, "office", "--json")
        self.provider.approve(login.until(r'"line": ?" +([A-Z]+-[A-Z]+)"'))
        self.assertEqual(login.end(), 0)
        said = login.said
        while said.strip():
            one, end = json.JSONDecoder().raw_decode(said.lstrip())
            self.assertEqual(list(one), ["line"])
            said = said.lstrip()[end:]

    def test_nothing_ages_until_somebody_does(self):
        gw = self.office("retry: {first: 200ms, longest: 200ms, give_up: "
                         "500ms, warn_after: 0s}\n")
        ids = self.send(gw, 2)
        for command in (["reload"], ["queue", "retry", "--all"]):
            gw.command(*command, check=True)
            before = gw.log().count("`office' is paused")
            # much longer than give_up
            wait_until(lambda: gw.log().count("`office' is paused")
                       > before + 5, 60, "five probes")
            self.wait_paused(gw, "postern login office")
            self.assertEqual([q["attempts"] for q in gw.queue()], [0, 0])
        self.sign_in(gw)
        self.wait_arrived(ids)

    def test_nobody_is_told_of_an_end_that_is_none(self):
        """Neither a reload nor the operator's word changes anything, and that
        is shown also where no mail comes to find out."""
        gw = self.office()
        self.wait_paused(gw, "postern login office")
        for command in (["reload"], ["queue", "retry", "--route", "office"],
                        ["reload"]):
            gw.command(*command, check=True)
            for _ in range(10):
                self.assertIn("nobody has signed in yet: postern login office",
                              str(self.row(gw)["paused"]))
        self.assertNotIn("no longer paused", gw.log())
        # a sign-in by another hand counts
        other = self.office(start=False, name="other")
        self.sign_in(other)
        os.makedirs(os.path.dirname(self.sign_in_file(gw)), exist_ok=True)
        shutil.copy(self.sign_in_file(other), self.sign_in_file(gw))
        gw.command("reload", check=True)
        wait_until(lambda: self.row(gw)["paused"] is None, what="the end")
        self.passes(gw)

    def test_one_at_a_time(self):
        gw = self.office()
        first = self.login(gw)
        code = first.code()
        second = self.login(gw)
        self.assertEqual(second.end(), 1)
        self.assertIn("another sign-in for this route is already running",
                      second.said)
        self.provider.approve(code)
        self.assertEqual(first.end(), 0)

    def test_the_gateway_goes_on_and_stops(self):
        gw = self.office()
        for more, status, words in (({}, 0, self.accepted),
                                    ({"reuse": 7}, 1, "was cancelled")):
            login = self.login(gw)
            code = login.code()
            gw.route("50-office", self.oauth("device_code", **more))
            gw.command("reload", check=True)
            self.provider.approve(code)
            self.assertEqual(login.end(), status, login.said)
            self.assertIn(words, login.said)
        login = self.login(gw)
        login.code()
        self.assertEqual(gw.stop(), 0)
        self.assertEqual(login.end(), 69)
        self.assertIn("no gateway", login.errors)

    def test_what_is_no_route_of_oauth(self):
        gw = self.office()
        gw.route("60-null", "route: nil\nbackend: 'null'\n")
        gw.command("reload", check=True)
        for name, words in (("offcie", "did you mean `office'?"),
                            ("nope", "only this route has it: `office'"),
                            ("nil", "only this route has it: `office'"),
                            ("nil", "route `nil' needs no login: its backend "
                                    "`null' has no action")):
            login = self.login(gw, name)
            self.assertEqual(login.end(), 65, name)
            self.assertIn(words, login.errors)


class WithoutAGateway(LoginStage):
    def test_kept_for_the_next_start(self):
        gw = self.office(start=False)
        owner = "root"
        if os.geteuid() == 0:
            owner = "nobody"
            with open(gw.config) as f:
                text = f.read()
            gw.write("postern.yaml", text.replace("user: root",
                                                  "user: nobody"))
        login = self.login(gw)
        code = login.code()
        # which meanwhile has nothing to say
        started = gw.command("run")
        self.assertNotEqual(started.returncode, 0)
        self.assertIn("spool", started.stderr)
        self.provider.approve(code)
        self.assertEqual(login.end(), 0, login.said + login.errors)
        self.assertTrue(self.newest_is_kept(gw))
        if os.geteuid() == 0:
            s = os.stat(self.sign_in_file(gw))
            self.assertEqual(pwd.getpwuid(s.st_uid).pw_name, owner)
        gw.start()
        self.passes(gw)
        self.assertEqual(len(self.issued("DeviceCode")), 1)

    def test_what_cannot_be_kept_is_no_success(self):
        gw = self.office(start=False)
        os.makedirs(gw.spool)
        with open(os.path.join(gw.spool, "routes"), "w"):
            pass
        login = self.login(gw)
        self.provider.approve(login.code())
        self.assertEqual(login.end(), 1)
        self.assertIn("signed in, but the sign-in cannot be stored: "
                      + gw.spool,
                      login.said)

    def test_what_is_no_route_of_oauth(self):
        gw = self.office(start=False)
        gw.route("60-null", "route: nil\nbackend: 'null'\n")
        for name, words in (("offcie", "did you mean `office'?"),
                            ("nope", "only this route has it: `office'"),
                            ("nil", "only this route has it: `office'"),
                            ("nil", "route `nil' needs no login: its backend "
                                    "`null' has no action")):
            login = self.login(gw, name)
            self.assertEqual(login.end(), 65, name)
            self.assertIn(words, login.errors)


class HowItEnds(LoginStage):
    """In both places alike: a sentence, and a status that is not 0."""

    def both(self, **more):
        gws = [self.office(name="running", **more),
               self.office(name="alone", start=False, **more)]
        self.gws = gws
        return [self.login(gw) for gw in gws]

    def all_end(self, logins, status, words):
        for login in logins:
            self.assertEqual(login.end(), status, login.said)
            self.assertRegex(login.said + login.errors, words)
            self.assertNotIn("accepted the sign-in", login.said)
        self.assertEqual(self.issued("RefreshToken"), [])

    def test_denied(self):
        logins = self.both()
        for login in logins:
            self.provider.deny(login.code())
        self.all_end(logins, 1, "the sign-in failed: access_denied")

    def test_expired(self):
        self.provider.codes(seconds=3, interval=1)
        self.all_end(self.both(), 1, "expired")

    def test_interrupted(self):
        logins = self.both()
        codes = [login.code() for login in logins]
        for login in logins:
            login.process.send_signal(signal.SIGINT)
        self.all_end(logins, 130, "was cancelled")
        for code in codes:
            self.provider.approve(code)
        # the next begins anew, and nobody has redeemed those
        logins = [self.login(gw) for gw in self.gws]
        for login in logins:
            self.provider.approve(login.code())
            self.assertEqual(login.end(), 0, login.said)
        self.assertEqual(len(self.issued("RefreshToken")), 2)

    def test_no_code(self):
        port = free_port()
        self.all_end(
            self.both(device_endpoint=f"http://127.0.0.1:{port}/code"), 1,
            f"the provider gives no code: http://127.0.0.1:{port}/code: "
            "127.0.0.1: .*refused; check that a server listens there on port "
            f"{port}")

    def test_an_application_that_is_not_known(self):
        self.all_end(self.both(client_id="nobody"), 1,
                     "the provider gives no code: invalid_client")

    def test_no_person_is_needed(self):
        self.assertEqual(self.statuses(), [])
        for secret, status, words in (
                (self.APP[1], 0, self.accepted),
                ("wrong", 1, "no access token: the provider refuses a token; "
                 "check client_id and client_secret, and reload: "
                 "invalid_client")):
            route = self.oauth("client_credentials", client_secret=secret)
            gw = self.gateway({"50-office": route}, PATIENT, False,
                              name=secret)
            for start in (False, True):
                if start:
                    gw.start()
                login = self.login(gw)
                self.assertEqual(login.end(), status, login.said)
                self.assertIn(words, login.said)


class TheServerIsAsked(LoginStage):
    """In both places alike: the server's words are the command's."""
    count = 0

    def auth_server(self, *replies):
        """To AUTH, one for each connection; the last for all further ones."""
        replies = list(replies)

        def answer(verb, line):
            if verb == "EHLO":
                return "250-peer.test\r\n250-STARTTLS\r\n250 AUTH XOAUTH2"
            if verb == "334":
                said = replies.pop(0) if len(replies) > 1 else replies[0]
                return said
            return None
        certificate = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.load_cert_chain(*self.ca.issue("smtp.example.test"))
        return self.peer(answer, tls=certificate)

    def both(self, **more):
        """(Login, gateway) of each, signed in by the application."""
        for start in (True, False):
            self.count += 1
            gw = self.office(name=f"gw{self.count}", start=False)
            gw.route("50-office", self.oauth("client_credentials", **more))
            if start:
                gw.start()
            login = self.login(gw)
            yield login, login.end(), gw, start

    def test_refused(self):
        for reply, words in (
                ("535 5.7.3 Authentication unsuccessful [AB.PROD.OUTLOOK.COM]",
                 "New-ServicePrincipal"),
                ("535 5.7.139 Authentication unsuccessful, SmtpClient"
                 "Authentication is disabled for the Mailbox.",
                 f"Set-CASMailbox {peers.USER}"),
                ("535 what is that", "postern login office")):
            peer = self.auth_server(reply)
            for login, status, gw, running in self.both(
                    host="127.0.0.1", port=peer.port):
                self.assertEqual(status, 1, login.said)
                self.assertIn("127.0.0.1 refused the sign-in for "
                              f"{peers.USER}:\n    {reply}\n", login.said)
                self.assertIn("postern queue retry --route office", login.said)
                if words:
                    self.assertIn(words, login.said)
                if running:
                    self.wait_paused(gw, reply, words or "refused")
                    gw.stop()
            wait_until(lambda: peer.lines.count("QUIT") == 2, what="QUIT")
            self.assertEqual([one for one in peer.lines
                              if one.startswith("MAIL")], [])

    def test_not_now(self):
        peer = self.auth_server("454 4.7.0 Temporary authentication failure")
        for login, status, gw, running in self.both(host="127.0.0.1",
                                                    port=peer.port):
            self.assertEqual(status, 75, login.said)
            self.assertIn("454 4.7.0 Temporary", login.said)
            if running:
                self.assertIsNone(self.row(gw)["paused"])

    def test_nobody_is_there(self):
        port = free_port()
        for login, status, gw, running in self.both(host="127.0.0.1",
                                                    port=port):
            self.assertEqual(status, 75, login.said)
            self.assertIn(f"    127.0.0.1[127.0.0.1]:{port}: ", login.said)
            self.assertIn("Whether 127.0.0.1 accepts the sign-in for "
                          f"{peers.USER} could not be found out", login.said)
            if running:
                self.assertIsNone(self.row(gw)["paused"])

    def test_what_cannot_be_reached_is_kept(self):
        gw = self.office(start=False, port=free_port())
        self.sign_in(gw, status=75)
        self.assertTrue(self.newest_is_kept(gw))
        gw.route("50-office", self.oauth("device_code"))
        gw.start()
        self.passes(gw)

    def test_a_certificate_that_is_not_right(self):
        for login, status, gw, running in self.both(server_name="other.test"):
            self.assertEqual(status, 75, login.said)
            self.assertIn("not for other.test", login.said)

    def test_a_repair_at_the_server(self):
        peer = self.auth_server("535 5.7.3 Authentication unsuccessful", "235 in")
        gw = self.office(host="127.0.0.1", port=peer.port)
        gw.route("50-office", self.oauth("client_credentials",
                                         host="127.0.0.1", port=peer.port))
        gw.command("reload", check=True)
        for status in (1, 0):
            self.assertEqual(self.login(gw).end(), status)
        self.assertIsNone(self.row(gw)["paused"])


class ItIsOver(LoginStage):
    def test_revoked(self):
        gw = self.office()
        self.sign_in(gw)
        self.passes(gw)
        self.provider.revoke_all()
        ids = self.send(gw, 3)
        self.wait_paused(gw, "the provider refuses a token; sign in again with "
                         "`postern login office': invalid_grant")
        self.assertEqual(len(gw.queue()), 3)
        for item in gw.queue():
            self.assertIn("postern login office", item["last"])
        self.sign_in(gw)
        self.wait_arrived(ids)
        self.passes(gw)

    def test_a_provider_that_says_much(self):
        gw = self.office()
        self.sign_in(gw)
        self.provider.error("invalid_grant", description=LONG)
        self.provider.revoke_all()
        ids = self.send(gw)
        self.wait_paused(gw, "`postern login office'", "AADSTS50173")
        self.provider.well()
        self.sign_in(gw)
        self.wait_arrived(ids)

    def test_somebody_else(self):
        remedy = (f"{peers.OTHER_USER} has signed in, and the route submits "
                  f"as {peers.USER}: sign in as {peers.USER}, or let "
                  f"{peers.OTHER_USER} use that mailbox")
        for start in (True, False):
            gw = self.office(start=start, name=f"gw{start}")
            login = self.sign_in(gw, peers.OTHER_USER, status=1)
            self.assertIn(f"signed in as {peers.OTHER_USER}\n", login.said)
            self.assertIn(f"{self.dovecot.host} refused the sign-in for "
                          f"{peers.USER}:\n    535 5.7.8 ", login.said)
            self.assertIn(remedy, login.said)
            self.assertTrue(self.newest_is_kept(gw))
            if start:
                # at once, without a message
                self.wait_paused(gw, f"refused the sign-in for {peers.USER}: "
                                 "535 5.7.8", remedy)
            else:
                gw.start()
            ids = self.send(gw, 2)
            self.wait_paused(gw, "535 5.7.8")
            # the token is as good as it was: only this ends the pause
            self.assertIn(self.accepted, self.sign_in(gw).said)
            self.wait_arrived(ids)

    def test_another_mailbox_is_configured(self):
        gw = self.office()
        self.sign_in(gw)
        gw.route("50-office", self.oauth("device_code", user=peers.OTHER_USER))
        gw.command("reload", check=True)
        self.wait_paused(gw, "the stored sign-in is for another user; sign in "
                         "again: postern login office")
        gw.route("50-office", self.oauth("device_code"))
        gw.command("reload", check=True)
        self.passes(gw)


if __name__ == "__main__":
    oauth_stage.main()
