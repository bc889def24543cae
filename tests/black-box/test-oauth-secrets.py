"""test-oauth-secrets.py - tokens, passwords and client secrets are nowhere but
where they must be

Each run of a gateway here handles them in every way that it knows, and tells
as much as it can be made to; then all that it said and wrote is searched.
"""
import base64
import os
import resource
import subprocess

import harness
import oauth_stage
import peers_oauth as peers
from harness import wait_until
from oauth_stage import EAGER, Login, Stage, disguises, files_below, leaks

PASSWORD = "opensesame"
SANITIZERS_OFF = ":".join(f"handle_{signal}=0" for signal in (
    "segv", "sigbus", "sigill", "sigfpe", "abort"))


class Nowhere(Stage):
    def routes(self):
        """One for each way to come by a token, and one with a password."""
        self.passwords = self.world.passwords("login", "127.0.0.23")
        self.seed = self.provider.refresh_token()

        def to(name):
            return {"recipient": f"{name}@dst.test"}
        return {
            "10-app": self.oauth("client_credentials", "app", to("app")),
            "20-person": self.oauth("device_code", "person", to("person")),
            "30-seed": self.oauth("refresh_token", "seed", to("seed"),
                                  refresh_token=self.seed),
            "40-wrong": self.oauth("client_credentials", "wrong", to("wrong"),
                                   client_secret="wrong-secret-of-the-tests"),
            "50-password": "route: password\nbackend: connector\n"
                           "connector:\n" + self.block({
                               "user": peers.USER, "tls": "verify",
                               "idle": "0s", "password": PASSWORD,
                               **self.server(self.passwords)})}

    def secrets(self):
        return self.provider.secrets() + [
            self.seed, PASSWORD, "wrong-secret-of-the-tests"]

    def run_everything(self, gw):
        """Every grant, a sign-in, refusals by either side; what commands said
        meanwhile."""
        said = {}
        login = Login(gw, "person")
        self.addCleanup(login.close)
        self.user_code = login.code()
        self.provider.approve(self.user_code)
        self.assertEqual(login.end(), 0)
        said["login"] = login.said.replace(self.user_code, "") + login.errors
        self.send(gw, to=["wrong@dst.test"])
        self.wait_paused(gw, "invalid_client", route="wrong")
        for _ in range(2):      # the second time with an expired token
            for name in ("app", "person", "seed"):
                self.wait_arrived(self.send(gw, to=[f"{name}@dst.test"]))
            self.wait_arrived(self.send(gw), dovecot=self.passwords)
            self.provider.expire()
        self.provider.revoke_all()
        for name in ("person", "seed"):
            self.send(gw, to=[f"{name}@dst.test"])
            self.wait_paused(gw, "invalid_grant", route=name)
        # a provider that repeats what it was shown
        self.provider.error("invalid_grant", description="What is ASKED?")
        gw.command("queue", "retry", "--all", check=True)
        for name in ("person", "seed", "wrong"):
            wait_until(lambda: "What is " in self.row(gw, name)["paused"]
                       and "****" in self.row(gw, name)["paused"],
                       what="an answer with a secret in it")
        self.provider.well()
        return said

    def ask_everything(self, gw):
        """All that can be asked of it, as text and as JSON."""
        said = {}
        ids = [item["id"] for item in gw.queue()]
        self.assertEqual(len(ids), 3)
        for words in (["status"], ["queue", "list"], ["queue", "show", *ids],
                      ["check"], ["explain", "a@src.test", "app@dst.test"],
                      ["module", "show", "oauth"], ["reload"],
                      ["login", "person-who-is-not-there"]):
            for more in ([], ["--json"]):
                r = gw.command(*words, *more)
                said[" ".join(words + more)] = r.stdout + r.stderr
        return said

    def places(self, gw, said):
        """{name: bytes} of all that was said and written, but the sign-ins."""
        kept = [self.sign_in_file(gw, name) for name in ("person", "seed")]
        for path in kept:
            self.assertTrue(os.path.exists(path))
        return {**{name: text.encode() for name, text in said.items()},
                **files_below(gw.spool, but=kept), "log": gw.log().encode()}

    def nowhere(self, how):
        gw = self.gateway(self.routes(), EAGER + f"log: {how}\n")
        said = {**self.run_everything(gw), **self.ask_everything(gw)}
        running = self.places(gw, said)
        gw.stop()
        for places in (running, self.places(gw, said)):
            found = leaks(places, self.secrets())
            self.assertEqual([place for place, _ in found], [])
            code = self.user_code
            self.assertEqual([place for place, _ in leaks(places, [code])], [])
        return gw, running

    def test_in_text(self):
        self.nowhere("{format: text, level: debug}")

    def test_in_json_and_the_search_finds(self):
        gw, places = self.nowhere("{format: json, level: debug}")
        # what was to be said, and was: of each kind of place one
        for word, name in (("a@src.test", "log"), (peers.USER, "status"),
                           ("a@src.test", "queue list --json"),
                           ("client_id", "module show oauth")):
            self.assertIn((name, word), leaks(places, [word]))
        found = [name for name, _ in leaks(places, ["person@dst.test"])]
        self.assertTrue(any("/spool.db" in name for name in found), found)
        # and the sign-ins, were they not left out
        everything = files_below(gw.spool)
        for name in ("person", "seed"):
            path = self.sign_in_file(gw, name)
            self.assertEqual(
                [place for place, _ in leaks(everything,
                                             [self.kept(gw, name)])], [path])

    def test_the_search_sees_through_disguises(self):
        token = "aZ9-_.~/+ and more than that"
        response = base64.b64encode(
            f"user=a\x01auth=Bearer {token}\x01\x01".encode())
        for text in (f"x{token}y".encode(), response):
            self.assertEqual(leaks({"here": text}, [token, "other-token"]),
                             [("here", token)])
        self.assertEqual(leaks({"here": response.swapcase()}, [token]), [])
        self.assertEqual(len(set(disguises(token))), 5)

    def test_a_configuration_that_is_wrong(self):
        """Lines of it are shown, their secrets are not."""
        gw = self.gateway(self.routes(), start=False)
        secret = self.APP[1]
        for text in (
                f"  client_secrets: {secret}\n",
                f"  client_secret: {secret}\n  client_secret_file: x\n",
                f"  client_secret: [{secret}]\n", f"  token: {secret}\n",
                f"  password: {secret}\n", f"  refresh_token: '{secret}'\n"):
            route = self.oauth("device_code", client_secret=None) + text
            gw.route("20-person", route)
            for more in ([], ["--json"]):
                r = gw.command("check", *more)
                self.assertEqual(r.returncode, 78, text)
                said = r.stdout + r.stderr
                self.assertIn("20-person.yaml", said)
                self.assertEqual(leaks({text: said.encode()},
                                       [secret, PASSWORD]), [])
            login = Login(gw, "person")
            self.addCleanup(login.close)
            self.assertEqual(login.end(), 78)
            said = login.said + login.errors
            self.assertEqual(leaks({text: said.encode()}, [secret]), [])


class NoCoreDump(Stage):
    """What holds secrets leaves no picture of its memory behind."""

    def start(self, *words):
        """With all that allows one, and sanitizers that look away."""
        def unlimited():
            most = resource.getrlimit(resource.RLIMIT_CORE)[1]
            resource.setrlimit(resource.RLIMIT_CORE, (most, most))
        process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, cwd=self.folder,
            env=dict(harness.environment(), ASAN_OPTIONS=SANITIZERS_OFF,
                     UBSAN_OPTIONS=SANITIZERS_OFF), preexec_fn=unlimited)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.addCleanup(process.stdin.close)
        self.addCleanup(process.stdout.close)
        return process

    def break_it(self, process):
        """Overwrites its program; False: we may not."""
        try:
            program = os.readlink(f"/proc/{process.pid}/exe")
            with open(f"/proc/{process.pid}/maps") as f:
                maps = [line.split() for line in f]
            with open(f"/proc/{process.pid}/mem", "r+b", 0) as mem:
                for where, how, *_, name in maps:
                    if "x" in how and name == program:
                        first, end = (int(n, 16) for n in where.split("-"))
                        mem.seek(first)
                        mem.write(bytes(end - first))
        except PermissionError:
            return False
        return True

    def dumped(self, process):
        end = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        self.assertNotEqual(end.si_status, 0)
        return end.si_code == os.CLD_DUMPED

    def no_dump(self, process):
        with open(f"/proc/{process.pid}/limits") as f:
            self.assertRegex(f.read(), r"Max core file size +0 +0 ")
        if self.break_it(process):
            self.assertFalse(self.dumped(process))
        self.assertEqual([n for n in os.listdir(self.folder)
                          if n.startswith("core")], [])

    def test_others_leave_one(self):
        """Where the system is so disposed, by the same means."""
        with open("/proc/sys/kernel/core_pattern") as f:
            if f.read().strip() != "core":
                return      # somebody else is told, who may do as he likes
        process = self.start("cat")
        if resource.getrlimit(resource.RLIMIT_CORE)[1] != 0 and \
                self.break_it(process):
            process.stdin.write(b"go on\n")
            process.stdin.flush()
            self.assertTrue(self.dumped(process))

    def test_the_gateway(self):
        gw = self.office(start=False)
        process = self.start(harness.POSTERN, "-c", gw.config, "run")
        wait_until(lambda: gw.command("status").returncode in (0, 1),
                   what="the start")
        self.passes(gw)
        self.no_dump(process)

    def test_a_login(self):
        gw = self.office("device_code", start=False)
        process = self.start(harness.POSTERN, "-c", gw.config, "login",
                             "office")
        self.assertIn(b"To sign in", process.stdout.readline())
        self.no_dump(process)


if __name__ == "__main__":
    oauth_stage.main()
