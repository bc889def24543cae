"""test-oauth.py - the backend oauth: tokens got, renewed and refused, with a
real provider and a real mail system behind it
"""
import contextlib
import json
import os
import signal
import threading
import time

import oauth_stage
import peers_oauth as peers
from harness import SLOW, wait_until
from oauth_stage import EAGER, PATIENT, Stage


class ClientCredentials(Stage):
    def test_one_token_for_all_that_wait(self):
        gw = self.office()
        self.provider.hold()
        ids = self.send(gw, 15)
        wait_until(lambda: self.row(gw)["active"] == 15,
                   what="15 deliveries that wait for a token")
        wait_until(lambda: self.provider.held() == 1, what="the question")
        self.assertEqual(self.arrived(ids), [])
        self.provider.well()
        self.wait_arrived(ids)
        self.assertEqual(self.statuses(), [200])
        self.passes(gw)
        self.assertEqual(self.statuses(), [200])

    def test_the_secret_from_a_file_and_a_variable(self):
        _, secret = self.APP
        gw = self.gateway({
            "10-file": self.oauth(
                "client_credentials", "file", {"recipient": "file@dst.test"},
                client_secret=None,
                client_secret_file=self.secret("app", secret)),
            "20-variable": self.oauth(
                "client_credentials", "variable",
                client_secret="${APP_SECRET}")}, start=False)
        gw.start(env={"APP_SECRET": secret})
        self.passes(gw, to=["file@dst.test"])
        self.passes(gw)
        self.assertEqual(self.statuses(), [200, 200])

    def test_renewed_ahead_of_its_end(self):
        life = 6 * SLOW
        self.provider.lifetime(life)
        gw = self.office(extra=PATIENT)
        self.passes(gw)
        # nobody sends anything meanwhile
        wait_until(lambda: len(self.issued("ClientCredentials")) == 2,
                   life + 10, "the renewal")
        first, second = self.issued("ClientCredentials")
        self.assertLess(second["at"] - first["at"], life * 1000)
        self.passes(gw)
        self.assertNotIn("about to fail", gw.log())
        self.assertEqual(set(self.statuses()), {200})

    def test_a_wrong_secret(self):
        path = self.secret("app", "not-the-secret")
        gw = self.office(extra=PATIENT, client_secret=None,
                         client_secret_file=path)
        ids = self.send(gw)
        why = self.wait_paused(gw, "invalid_client", "check "
                               "client_id and client_secret, and reload")
        self.assertNotIn("postern login", why)
        # what was wrong is asked once, not hammered at
        self.send(gw)
        self.assertEqual(self.statuses(), [401])
        self.secret("app", self.APP[1])
        gw.command("reload", check=True)
        self.wait_arrived(ids)
        gw.wait_empty()
        self.assertIsNone(self.row(gw)["paused"])

    def test_what_was_mended_at_the_provider(self):
        gw = self.office(extra=PATIENT)
        self.provider.error("unauthorized_client")
        ids = self.send(gw, 2)
        self.wait_paused(gw, "unauthorized_client: said the test", "reload")
        self.provider.well()
        gw.command("reload", check=True)
        self.wait_arrived(ids)


class RefreshToken(Stage):
    def seeded(self, extra=EAGER, **more):
        """A gateway that begins with a token from elsewhere."""
        path = self.secret("seed", self.provider.refresh_token())
        return self.office("refresh_token", extra, refresh_token_file=path,
                           **more)

    def test_what_comes_anew_is_kept(self):
        self.provider.lifetime(2)
        gw = self.seeded()
        path, stop, seen = self.sign_in_file(gw), threading.Event(), set()

        def look():
            while not stop.is_set():
                token = self.kept(gw)
                seen.add(token)
                if token is None and len(seen) > 1:
                    return      # it was there: never is there nothing
                time.sleep(0.001)
        reader = threading.Thread(target=look)
        reader.start()
        self.addCleanup(reader.join)
        self.addCleanup(stop.set)
        wait_until(lambda: self.passes(gw) and len(seen) > 3, 60,
                   "three renewals")
        self.assertTrue(reader.is_alive(), "the sign-in was unreadable")
        known = {row["value"] for row in self.issued("RefreshToken")}
        self.assertTrue(seen - {None} <= known, "not one that was given")
        gw.stop()
        self.assertEqual([f for f in os.listdir(os.path.dirname(path))
                          if f != "sign-in"], [])

    def test_it_is_durable_before_it_is_used(self):
        gw = self.seeded(extra=PATIENT)
        seen = []
        self.at_mail(lambda: seen.append(self.newest_is_kept(gw)))
        for _ in range(3):
            self.provider.expire()
            self.passes(gw)
        self.assertEqual(seen, [True] * 3)
        self.assertEqual(len(self.issued("RefreshToken")), 4)

    def test_killed_as_soon_as_the_new_one_is_used(self):
        gw = self.seeded()
        first = self.issued("RefreshToken")[-1]["value"]
        doomed = [gw.process]

        def on_mail():
            while doomed:
                doomed.pop().kill()
        self.at_mail(on_mail)
        ids = self.send(gw)
        gw.process.wait(30 * SLOW)
        gw.process = None
        self.assertTrue(self.kept(gw) not in (None, first), "the old is kept")
        gw.start()
        wait_until(lambda: self.arrived(ids), 30, "the message")
        self.passes(gw)
        gw.stop(signal.SIGKILL)
        gw.start()
        self.passes(gw)
        # the provider takes a token once: none of them was shown twice
        self.assertEqual(set(self.statuses()), {200})

    def test_it_cannot_be_kept(self):
        gw = self.seeded(start=False)
        os.makedirs(gw.spool)
        blocked = os.path.join(gw.spool, "routes")
        with open(blocked, "w"):
            pass
        gw.start()
        self.passes(gw)
        gw.wait_log(f"the new sign-in cannot be stored: {gw.spool}/routes")
        gw.wait_log("do not stop the gateway")
        os.unlink(blocked)
        self.provider.expire()
        self.passes(gw)
        self.assertTrue(self.newest_is_kept(gw))

    def test_revoked_and_obtained_anew(self):
        gw = self.seeded(extra=PATIENT)
        self.passes(gw)
        self.provider.revoke_all()
        ids = self.send(gw)
        why = self.wait_paused(gw, "invalid_grant", "obtain a new refresh "
                               "token, write it into the configuration, and "
                               "reload")
        self.assertNotIn("postern login", why)
        # a restart changes nothing about it
        gw.stop()
        gw.start()
        gw.command("queue", "retry", "--all", check=True)
        self.wait_paused(gw, "invalid_grant")
        self.secret("seed", self.provider.refresh_token())
        gw.command("reload", check=True)
        self.wait_arrived(ids)
        self.passes(gw)


class LateAnswer(Stage):
    """The provider has replaced the sign-in, and we do not know it yet when
    the route changes or the gateway stops."""

    LATE = 4

    def setUp(self):
        super().setUp()
        self.seed = self.secret("seed", self.provider.refresh_token())

    def route(self, **more):
        return self.oauth("refresh_token", refresh_token_file=self.seed,
                          **more)

    def begin(self, **more):
        gw = self.gateway({"50-office": self.route(**more)}, PATIENT)
        self.passes(gw)
        return gw

    def changed(self, gw, **more):
        gw.route("50-office", self.route(reuse=7, **more))
        gw.command("reload", check=True)

    @contextlib.contextmanager
    def replaced(self):
        """It was, when what is within this has been done; the answer is not
        there yet when that is left."""
        n = len(self.issued("RefreshToken"))
        self.provider.late(self.LATE * SLOW)
        yield
        wait_until(lambda: len(self.issued("RefreshToken")) > n, 30,
                   "the new sign-in")
        self.provider.late(0)
        self.provider.lifetime(3600)

    def renewal(self):
        """One that no message waits for."""
        # long enough for what comes before it
        self.provider.lifetime(6 * SLOW)
        gw = self.begin(margin="1s")
        with self.replaced():
            pass
        return gw

    def still_good(self, gw, ids=()):
        """What is kept, and each question so far."""
        if ids:
            self.wait_arrived(ids)
        self.assertTrue(self.newest_is_kept(gw))
        gw.stop()
        gw.start()
        self.passes(gw)
        self.assertEqual(set(self.statuses()), {200})

    def test_the_gateway_stops(self):
        gw = self.renewal()
        self.assertEqual(gw.stop(), 0)
        gw.wait_log("route `office': the gateway waits for an answer")
        self.assertTrue(self.newest_is_kept(gw))
        gw.start()
        self.still_good(gw)

    def test_it_stops_while_messages_wait(self):
        gw = self.begin()
        self.provider.expire()
        with self.replaced():
            ids = self.send(gw, 3)
        self.assertEqual(gw.stop(), 0)
        gw.start()
        self.still_good(gw, ids)

    def test_the_route_changes(self):
        gw = self.renewal()
        self.changed(gw)
        self.still_good(gw, self.send(gw))

    def test_the_route_changes_while_messages_wait(self):
        gw = self.begin()
        self.provider.expire()
        with self.replaced():
            ids = self.send(gw, 2)
        self.changed(gw)
        ids += self.send(gw, 2)
        self.changed(gw, mechanism="oauthbearer")
        self.still_good(gw, ids + self.send(gw))

    def test_the_route_goes_and_comes_back(self):
        gw = self.renewal()
        gw.route("50-office", "route: other\nbackend: 'null'\n")
        gw.command("reload", check=True)
        self.changed(gw)
        self.still_good(gw, self.send(gw))

    def test_somebody_else_signs_in_meanwhile(self):
        route = self.oauth("device_code")
        gw = self.gateway({"50-office": route}, PATIENT)
        self.sign_in(gw, peers.USER)
        self.passes(gw)
        self.provider.expire()
        with self.replaced():
            ids = self.send(gw)
        gw.route("50-office", self.oauth("device_code", user=peers.OTHER_USER))
        gw.command("reload", check=True)
        self.sign_in(gw, peers.OTHER_USER)
        self.wait_arrived(ids)
        with open(self.sign_in_file(gw)) as f:
            self.assertEqual(json.load(f)["user"], peers.OTHER_USER)
        self.assertTrue(self.newest_is_kept(gw))

    def sign_in(self, gw, user):
        login = oauth_stage.Login(gw)
        self.addCleanup(login.close)
        self.provider.approve(login.code(), user)
        self.assertEqual(login.end(), 0, login.said + login.errors)

    def test_what_could_not_be_kept(self):
        gw = self.gateway({"50-office": self.route()}, PATIENT, False)
        os.makedirs(gw.spool)
        blocked = os.path.join(gw.spool, "routes")
        with open(blocked, "w"):
            pass
        gw.start()
        self.passes(gw)
        gw.wait_log("the new sign-in cannot be stored")
        os.unlink(blocked)
        self.changed(gw)
        self.still_good(gw, self.send(gw))


class StoredSignIn(Stage):
    """It cannot be had from the file: no other token is used instead, for
    that one was used up long ago."""

    def setUp(self):
        super().setUp()
        seed = self.secret("seed", self.provider.refresh_token())
        self.gw = self.office("refresh_token", PATIENT,
                              refresh_token_file=seed)
        self.passes(self.gw)
        self.gw.stop()
        self.path = self.sign_in_file(self.gw)

    def probe(self):
        self.gw.command("queue", "retry", "--all", check=True)

    def test_unreadable(self):
        os.rename(self.path, self.path + ".away")
        os.mkdir(self.path)
        self.gw.start()
        ids = self.send(self.gw)
        self.wait_paused(self.gw, "the stored sign-in cannot be read: "
                         f"{self.path}", "correct this")
        self.probe()
        self.wait_paused(self.gw, "the stored sign-in cannot be read")
        os.rmdir(self.path)
        os.rename(self.path + ".away", self.path)
        self.probe()
        self.wait_arrived(ids)
        self.assertEqual(self.statuses(), [200, 200])

    def test_damaged(self):
        with open(self.path) as f:
            text = f.read()
        with open(self.path, "w") as f:
            f.write(text[:40])
        self.gw.start()
        ids = self.send(self.gw)
        self.wait_paused(self.gw, "the stored sign-in is damaged (the "
                         "file routes/office/sign-in", "delete the file")
        self.assertEqual(self.statuses(), [200])
        with open(self.path, "w") as f:
            f.write(text)
        self.probe()
        self.wait_arrived(ids)
        self.assertEqual(self.statuses(), [200, 200])

    def test_removed(self):
        with open(self.path, "w"):
            pass
        self.gw.start()
        ids = self.send(self.gw)
        self.wait_paused(self.gw, "damaged")
        self.secret("seed", self.provider.refresh_token())
        os.unlink(self.path)
        self.gw.command("reload", check=True)
        self.wait_arrived(ids)


class Refused(Stage):
    """The server does not take a token that seemed good."""

    def test_fetched_once_more(self):
        gw = self.office(extra=PATIENT)
        self.passes(gw)
        self.provider.expire()
        ids = self.send(gw, 8)
        self.wait_arrived(ids)
        self.assertEqual(self.statuses(), [200, 200])
        gw.wait_log("AUTH XOAUTH2 is about to fail: ")
        self.assertNotIn("deferred id=", gw.log())

    def test_a_connection_that_is_kept_needs_no_new_login(self):
        gw = self.office(extra=PATIENT, idle="60s")
        self.passes(gw)
        self.provider.expire()
        self.passes(gw)
        self.assertEqual(self.statuses(), [200])

    def test_no_token_will_do(self):
        gw = self.office(extra=PATIENT, user=peers.OTHER_USER)
        ids = self.send(gw, 3)
        self.wait_paused(gw, "535 5.7.8", "logging in", "postern login office")
        # the first, and one more: not one for each message
        self.assertEqual(self.statuses(), [200, 200])
        self.assertEqual(len(gw.queue()), 3)
        gw.route("50-office", self.oauth("client_credentials"))
        gw.command("reload", check=True)
        self.wait_arrived(ids)


class Provider(Stage):
    """It does not answer as it should: that pauses nothing."""

    def waits_until_well(self, gw, ids, sentence):
        gw.wait_log(sentence)
        wait_until(lambda: gw.queue()[0]["last"], what="the first attempt")
        self.assertIn(sentence, gw.queue()[0]["last"])
        self.assertEqual(self.arrived(ids), [])
        self.assertIsNone(self.row(gw)["paused"])
        self.nothing_bounced(gw)
        self.provider.up()
        self.provider.well()
        self.wait_arrived(ids)
        gw.wait_empty()

    def test_down(self):
        gw = self.office()
        self.provider.down()
        self.waits_until_well(
            gw, self.send(gw, 2), "no access token: "
            f"{self.provider.token_endpoint}: 127.0.0.1: ")
        gw.wait_log(f"check that a server listens there on port "
                    f"{self.provider.port}")

    def test_slow(self):
        gw = self.office(endpoint_timeout="1s")
        self.provider.hold()
        self.waits_until_well(
            gw, self.send(gw), "no access token: "
            f"{self.provider.token_endpoint}: timed out while waiting for "
            "the answer of 127.0.0.1")

    def test_html(self):
        gw = self.office()
        for status in (200, 502):
            self.provider.html(status)
            self.waits_until_well(
                gw, self.send(gw), "no access token: the token endpoint "
                f"answered {status} with text/html instead of JSON")
            self.provider.expire()

    def test_errors(self):
        gw = self.office()
        for code, status in (("server_error", 500),
                             ("temporarily_unavailable", 503),
                             ("too_many_requests", 429)):
            self.provider.error(code, status)
            self.waits_until_well(gw, self.send(gw),
                                  f"no access token: {code}: said the test")
            self.provider.expire()

    def test_it_wants_a_rest(self):
        gw = self.office()
        self.provider.error("temporarily_unavailable", 503,
                            headers={"Retry-After": str(2 * SLOW)})
        ids = self.send(gw)
        wait_until(lambda: self.statuses() == [503], what="the answer")
        self.provider.well()
        self.wait_arrived(ids)
        # it was tried meanwhile, but the provider was left alone
        wait_until(lambda: gw.log().count("deferred id=") > 1, what="two lines")
        self.assertEqual(self.statuses(), [503, 200])
        before, after = self.provider.answers()[-2:]
        self.assertGreaterEqual(after["at"] - before["at"], 1900 * SLOW)


class Server(Stage):
    def test_oauthbearer(self):
        gw = self.office(extra=PATIENT, mechanism="oauthbearer")
        self.passes(gw)
        self.provider.expire()
        self.passes(gw)
        gw.wait_log("AUTH OAUTHBEARER is about to fail: ")
        self.assertEqual(self.statuses(), [200, 200])

    def test_passwords(self):
        for mechanisms, host in (("plain", "127.0.0.21"),
                                 ("login", "127.0.0.22")):
            dovecot = self.world.passwords(mechanisms, host)
            keys = {"user": peers.USER, "tls": "verify", "idle": "0s",
                    "password_file": self.secret("password", "opensesame"),
                    **self.server(dovecot)}
            gw = self.gateway({"50-out": "route: out\nbackend: connector\n"
                               "connector:\n" + self.block(keys)},
                              PATIENT, name=mechanisms)
            self.wait_arrived(self.send(gw), dovecot=dovecot)
        self.secret("password", "wrong")
        gw.command("reload", check=True)
        ids = self.send(gw)
        self.wait_paused(gw, "535 5.7.8", "check `user' and `password'",
                         route="out")
        self.secret("password", "opensesame")
        gw.command("reload", check=True)
        self.wait_arrived(ids, dovecot=dovecot)

    def test_microsofts_limits(self):
        """3 connections and 30 messages a minute, unless the route says
        otherwise."""
        route = self.oauth("client_credentials", provider="microsoft",
                           tenant="example.test", scope=None)
        gw = self.gateway({"50-office": route}, PATIENT)
        self.provider.hold()
        ids = self.send(gw, 35)
        wait_until(lambda: self.row(gw)["active"] == 3,
                   what="three deliveries")
        row = self.row(gw, destination=peers.USER)
        self.assertEqual((row["limit"], row["per_minute"], row["active"],
                          row["waiting"]), (3, 30, 3, 32))
        text = gw.command("status", check=True).stdout
        self.assertIn("3 at once, 30 a minute", text)
        self.provider.well()
        wait_until(lambda: self.row(gw)["delivered"] == 30, 30,
                   "the first thirty")
        # the rest could begin, were it not for the minute
        wait_until(lambda: self.row(gw)["active"] == 0, what="quiet")
        row = self.row(gw, destination=peers.USER)
        self.assertEqual((row["waiting"], row["rest_ms"]), (5, 0))
        self.assertEqual(len(self.arrived(ids)), 30)
        gw.route("50-office", route + "limits: {connections: 7, "
                 "messages_per_minute: 100}\n")
        gw.command("reload", check=True)
        self.wait_arrived(ids)
        row = self.row(gw, destination=peers.USER)
        self.assertEqual((row["limit"], row["per_minute"]), (7, 100))


if __name__ == "__main__":
    oauth_stage.main()
