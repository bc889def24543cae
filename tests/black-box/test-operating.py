"""test-operating.py - the administrator's side"""
import grp
import json
import os
import pwd
import re
import shutil
import signal
import smtplib
import socket
import stat
import subprocess
import threading
import time

import harness
from certificates import TestCa
from harness import Case, free_port, wait_until

SOURCE = os.path.join(os.path.dirname(__file__), "..", "..")


def with_a_lan(text):
    """`lan' has a warning where the machine of the tests has no such network."""
    return re.sub(r"\blan\]", "192.168.0.0/16]", text)


class Configuration(Case):
    def check(self, gw, *want):
        r = gw.command("check")
        self.assertEqual(r.returncode, 78, r.stdout + r.stderr)
        for text in want:
            self.assertIn(text, r.stderr)
        started = gw.command("run")
        self.assertEqual(started.returncode, 78)
        return r.stderr

    def test_all_mistakes_at_once(self):
        gw = self.gateway(start=False, extra="hostnam: x\nretry: {first: soon}\n"
                          "tls: {certificate: x}\n")
        gw.route("20-bad", "route: bad\nbackend: conector\n")
        gw.route("30-bad", "route: bad2\nbackend: connector\n"
                 "connector: {hots: h, port: 99999}\n")
        said = self.check(gw, "unknown key `hostnam'", "did you mean `hostname'",
                          "retry", "x cannot be read: No such file or directory", "did you mean `connector'",
                          "unknown key `hots'", "did you mean `host'", "port",
                          "20-bad.yaml:2:", "^~~")
        self.assertEqual(said.count("error:"), 6)
        self.assertNotIn("missing", said)
        self.assertIn("\n6 errors, 1 warning in 3 files\n", said)
        self.assertFalse(os.path.exists(gw.spool))

    def test_dangling_names(self):
        gw = self.gateway(start=False)
        gw.write("postern.yaml", gw.read().replace(
            "user: root", "user: no-such-user"))
        gw.route("20-bad", "route: bad\nbackend: 'null'\n"
                 "match: {listener: 127.0.0.1:1}\n")
        self.check(gw, "there is no user `no-such-user'",
                   "`127.0.0.1:1' is not one of the listeners", "20-bad.yaml:3:")

    def test_a_file_that_the_user_cannot_read(self):
        if os.geteuid() != 0:
            self.skipTest("only root becomes somebody else")
        gw = self.gateway(start=False)
        gw.write("postern.yaml", gw.read().replace("user: root", "user: nobody"))
        secret = os.path.join(self.folder, "secret")
        with open(os.open(secret, os.O_WRONLY | os.O_CREAT, 0o600), "w") as f:
            f.write("word")
        os.makedirs(os.path.join(gw.folder, "dkim"))
        gw.command("dkim", "new", "example.test", "one", check=True)
        key = os.path.join(gw.folder, "dkim", "example.test.one.pem")
        os.chown(key, 0, 0)
        rows = [
            ("password_file", secret, "backend: connector\nconnector:\n"
             "  {host: h.test, tls: verify, user: u, password_file: %s}\n"),
            ("client_secret_file", secret, "backend: oauth\noauth:\n"
             "  {provider: google, grant: refresh_token, client_id: c, user: u@e.test,\n"
             "   refresh_token: r, client_secret_file: %s}\n"),
            ("DKIM key", key, "backend: 'null'\ndkim:\n"
             "  - {domain: example.test, selector: one, key: %s}\n"),
        ]
        for name, path, text in rows:
            gw.route("20-own", "route: own\nmatch: {}\n" + text % path)
            said = self.check(gw, f"{path}: the gateway runs as the user `nobody', "
                              "which cannot read it: Permission denied", "^~~",
                              "hint: `chgrp nogroup FILE; chmod 640 FILE'")
            self.assertRegex(said, f"20-own.yaml:.*{name}")
            self.assertEqual(said.count("error:"), 1)
            os.chown(path, 0, grp.getgrnam("nogroup").gr_gid)
            os.chmod(path, 0o640)
            self.assertEqual(gw.command("check").returncode, 0)
            os.chown(path, 0, 0)
            os.chmod(path, 0o600)

    def test_hints(self):
        rows = [
            ("listen", "listen: 0.0.0.0:2527\n", "hint: write `- address: 0.0.0.0:2527'"),
            ("listen", "listen:\n  - 0.0.0.0:2527\n", "hint: write `- address: 0.0.0.0:2527'"),
            ("route", "route: own\nbackend: smtp\n", "hint: did you mean `connector'?"),
            ("spool", "spool: /nowhere\n", "hint: write sqlite:/nowhere"),
            ("listen", "modules: x.so\n", "check the path: a relative one begins at the folder of postern.yaml"),
            ("hostname", "a_b..c", "hint: write the name that others know this machine by"),
            ("route", "route: own\nbackend: zzzzzzzz\n", "hint: there are connector, direct, fault, "
             "maildir, null, oauth, tag;"),
            ("route", "route: own\nbackend: oauth\noauth:\n  provider:microsoft\n  tenant: x\n",
             "or a space is missing after `:' in the line before"),
            ("route", "route: own\nmatch: {recipient: '@-'}\nbackend: 'null'\n",
             "hint: write @example.org"),
        ]
        for i, (where, text, hint) in enumerate(rows):
            gw = self.gateway(start=False, name=f"gw{i}")
            if where == "route":
                gw.route("20-own", text)
            elif where in ("listen", "spool"):
                gw.write("postern.yaml", re.sub(f"(?m)^{where}:.*\n", text, gw.read()))
            else:
                gw.write("postern.yaml", re.sub("(?m)^hostname:.*$", f"hostname: {text}",
                                                gw.read()))
            self.check(gw, hint)

    def test_one_mistake_hides_no_other(self):
        key = os.path.join(self.folder, "bad.pem")
        with open(key, "w") as f:
            f.write("no key")
        # what stands in postern.yaml beside the usual, a route, and what is said
        rows = [
            ("hostname: [x\n", "route: own\nbackend: connector\nconnector: {hots: h}\n"
             "match: {client: x}\n", "postern.yaml:", "unknown key `hots'", "`x' "
                 "is not an address"),
            ("hostnam: [x\n", "route: own\nbackend: archive\n", "postern.yaml:"),
            ("", "ruote: own\nbackend: connector\nconnector: {hots: h}\nmatch: {client: x}\n",
             "did you mean `route'", "unknown key `hots'", "`x' is not an address"),
            ("", "backend: connector\nconnector: {host: h, port: 0}\n", "`route' is missing",
             "`port' must be"),
            ("", "route: own\nconnector: {host: h, port: 0}\n", "`backend' is missing",
             "`port' must be"),
            ("", "route: own\nbackend: conector\nconnector: {hots: h}\n"
             "filters: [tga, {tagg: {heade: x}}]\n", "did you mean `connector'", "unknown key `hots'",
             "there is no module `tga'", "there is no module `tagg'", "unknown key `heade'",
             "`value' is missing"),
            ("", "route: own\nbackend: office365\noffice365: {username: x}\n",
             "there is no module `office365'", "did you mean `user'", "`provider' is missing",
             "`client_id' is missing"),
            ("relya: {networks: [x]}\nlimit: {recipients: 0}\nretri: {first: soon}\n",
             "route: own\nbackend: 'null'\n", "did you mean `relay'", "`x' is not a network",
             "did you mean `limits'", "`recipients' must be", "did you mean `retry'", "`first' must be"),
            ("modules: /nowhere/x.so\nspool: /nowhere\n", "route: own\nbackend: 'null'\n",
             "/nowhere/x.so: No such file", "`/nowhere' is not a spool"),
            ("", "route: own\nbackend: zzzzzzz\nfilters: [{tag: {heade: x}}]\n",
             "there is no module `zzzzzzz'", "unknown key `heade'", "`value' is missing"),
            ("", "route: own\nbackend: 'null'\ndkim: [{domain: a_b..c, selector: s, key: %s}]\n" % key,
             "`a_b..c' is not a domain", "there is no private key in PEM"),
            ("dsn: {route: own}\n", "ruote: own\nbackend: 'null'\n", "did you mean `route'"),
            ("dsn: {route: own}\n", "route: [own\n", "20-own.yaml:"),
            ("spool: sqlite:/nowhere/at/all\nstate: /etc/passwd/x\n", "route: own\nbackend: 'null'\n",
             "`spool': /nowhere/at/all: there is no folder /nowhere/at", "hint: correct the path",
             "`state': /etc/passwd is a file, not a folder"),
            ("spool: sqlite:/etc/passwd\n", "route: own\nbackend: 'null'\n",
             "`spool': /etc/passwd is a file, not a folder"),
            ("retry: {factor: 0.5}\ntls: {certificate: /nowhere.pem}\nrelay: {networks: [x]}\n",
             "route: own\nbackend: 'null'\n", "must be at least 1", "/nowhere.pem cannot be read", "`x' "
                 "is not a network"),
        ]
        for i, (extra, route, *want) in enumerate(rows):
            with self.subTest(route=route, extra=extra):
                gw = self.gateway(start=False, name=f"gw{i}")
                if "spool: " in extra:
                    gw.write("postern.yaml", re.sub("(?m)^spool:.*\n", "", gw.read()))
                gw.write("postern.yaml", gw.read() + extra)
                gw.route("20-own", route)
                said = self.check(gw, *want)
                self.assertEqual(said.count("error:"), len(want) - said.count("hint: correct"), said)

    def test_no_postern_yaml(self):
        gw = self.gateway(start=False)
        gw.route("20-own", "route: own\nbackend: 'null'\nmatch: {recipient: x@x.test}\n"
                 "limits: {connections: 0}\n")
        os.unlink(gw.config)
        said = self.check(gw, "postern.yaml: error: cannot be read: No such file",
                          "`connections' must be")
        self.assertEqual((said.count("error:"), said.count("warning:")), (2, 0), said)
        os.unlink(os.path.join(gw.folder, "conf.d", "20-own.yaml"))
        os.unlink(os.path.join(gw.folder, "conf.d", "50-capture.yaml"))
        said = self.check(gw, "cannot be read: No such file")
        self.assertEqual((said.count("error:"), said.count("warning:")), (1, 0), said)
        self.assertIn("or name another one with -c; samples are in /", said)

    def test_not_yaml(self):
        gw = self.gateway(start=False)
        gw.route("20-bad", "route: [a\nbackend: x\n")
        self.check(gw, "20-bad.yaml:")

    def test_json_of_check(self):
        gw = self.gateway(start=False, extra="hostnam: x\n")
        found = json.loads(gw.command("check", "--json").stdout)
        self.assertEqual(found[0]["level"], "error")
        self.assertIn("hostnam", found[0]["message"])
        self.assertGreater(found[0]["line"], 0)

    def test_a_module_that_does_not_load(self):
        gw = self.gateway(start=False)
        bad = os.path.join(self.folder, "bad.so")
        with open(bad, "w") as f:
            f.write("this is no module")
        gw.write("postern.yaml", gw.read() + f"modules: [{bad}]\n")
        self.check(gw, bad)

    def test_a_module_beside_the_configuration(self):
        gw = self.gateway(start=False)
        where = os.path.join(gw.folder, "own")
        os.makedirs(where)
        shutil.copy(os.path.join(harness.BUILD, "backends", "null", ".libs", "null.so"),
                    os.path.join(where, "null.so"))
        for path in ("own/null.so", "${POSTERN_TEST_OWN}/null.so"):
            gw.write("postern.yaml", gw.read().split("modules:")[0] + f"modules: ['{path}']\n")
            os.environ["POSTERN_TEST_OWN"] = where
            r = gw.command("check")
            del os.environ["POSTERN_TEST_OWN"]
            self.assertEqual(r.returncode, 0, r.stderr)
        self.check(gw, "a variable in `${POSTERN_TEST_OWN}/null.so' is not set")

    def test_an_empty_file_is_right(self):
        gw = self.gateway(start=False)
        gw.write("postern.yaml", "")
        self.assertEqual(gw.command("check").returncode, 0)

    def test_samples_are_right(self):
        gw = self.of_the_samples()
        samples = os.path.join(SOURCE, "conf.d")
        names = [n for n in os.listdir(samples) if n.endswith(".yaml")]
        self.assertGreater(len(names), 1)
        for n in names:
            with open(os.path.join(samples, n)) as f:
                self.takes(gw, f.read(), n[3:-5])

    def test_what_the_readme_shows_is_right(self):
        gw = self.of_the_samples()
        with open(os.path.join(SOURCE, "README.md")) as f:
            shown = re.findall(r"^```yaml\n(.*?)^```", f.read(), re.S | re.M)
        self.assertEqual(len(shown), 5)
        for text in shown[1:]:
            self.takes(gw, text, re.search(r"^route: (\S+)", text).group(1))
        port = str(gw.port)
        gw.write("postern.yaml", with_a_lan(shown[0]).replace("0.0.0.0:25", "127.0.0.1:" + port)
                 + gw.read().split(port + "}]\n")[1])
        self.takes(gw, shown[1], "microsoft")

    def test_what_the_manual_shows_is_right(self):
        gw = self.of_the_samples()
        with open(os.path.join(SOURCE, "core", "daemon", "postern.yaml.5.in")) as f:
            page = f.read().split(".Sh EXAMPLES")[1]
        shown = re.findall(r"^\.Pa \S*/(\S+) :\n\.Bd [^\n]*\n(.*?)^\.Ed", page, re.S | re.M)
        self.assertEqual([name for name, _ in shown],
                         ["postern.yaml", "10-own.yaml", "90-microsoft.yaml"])
        gw.write("postern.yaml", with_a_lan(shown[0][1]) + f"spool: sqlite:{gw.spool}\n")
        for name, text in shown[1:]:
            gw.route(name[:-5], text)
        r = gw.command("check")
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertIn("right: 2 routes: own, microsoft\n", r.stdout)

    def takes(self, gw, route, name):
        gw.route("10", route.replace("/etc/postern", self.folder))
        r = gw.command("check")
        self.assertEqual(r.returncode, 0, r.stderr)
        for line in r.stderr.splitlines():
            # said of a mailbox that is the only way out, and of nothing else
            if "warning: " in line:
                self.assertIn("backend: oauth\n", route)
                self.assertIn("which logs in as a mailbox", line)
        gw.start()
        self.assertEqual(gw.json("status")["running"]["routes"], [name])
        gw.stop()

    def of_the_samples(self):
        """A gateway without a route, and the files that samples name."""
        gw = self.gateway(start=False)
        os.unlink(os.path.join(gw.folder, "conf.d", "50-capture.yaml"))
        self.files_of_the_samples(gw)
        return gw

    def files_of_the_samples(self, gw):
        def write(name, bytes_):
            path = os.path.join(self.folder, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as f:
                f.write(bytes_)

        root = TestCa(os.path.join(self.folder, "root"))
        relay = TestCa(os.path.join(self.folder, "ca"), under=root).issue("gw.test", client=True)
        for made, name in zip(relay, ("relay.pem", "relay.key")):
            with open(made, "rb") as f:
                write(f"tls/{name}", f.read())
        write("secrets/google-client", b"secret")
        write("secrets/google-refresh", b"refresh")
        r = gw.command("dkim", "new", "example.org", "p2026",
                       "--out", f"{self.folder}/dkim/example.org.p2026.pem")
        self.assertEqual(r.returncode, 0, r.stderr)


class Explain(Case):
    def test_it_tells_why_and_why_not(self):
        gw = self.gateway(start=False)
        gw.route("10-own", "route: own\nbackend: connector\nconnector: {host: h}\n"
                 "match: {recipient: \"@own.test\", client: 10.0.0.0/8}\n")
        r = gw.command("explain", "--client", "127.0.0.1", "a@b.test", "c@own.test")
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertIn("client 127.0.0.1 is not among 10.0.0.0/8", r.stdout)
        self.assertRegex(r.stdout, "capture +TAKEN")
        rows = gw.json("explain", "a@b.test", "c@own.test")
        self.assertEqual(rows[0]["route"], "capture")
        stranger = gw.command("explain", "--client", "203.0.113.9", "a@b.test",
                              "c@own.test")
        self.assertRegex(stranger.stdout, r"^c@own\.test\n  => refused: 203\.0\.113\.9 may "
                         r"not relay \(550 5\.7\.1\); `relay\.networks' has loopback: ")
        self.assertRegex(stranger.stdout, "capture +would be taken by backend")
        self.assertNotIn("TAKEN", stranger.stdout)
        self.assertEqual(stranger.returncode, 65)
        r = gw.command("explain", "--client", "203.0.113.9", "a@b.test", "c@own.test",
                       "--json")
        self.assertEqual(r.returncode, 65)
        rows = json.loads(r.stdout)
        self.assertFalse(rows[0]["accepted"])
        self.assertIsNone(rows[0]["route"])
        self.assertIn("may not relay", rows[0]["note"])

    def test_an_option_that_names_nothing(self):
        gw = self.gateway(start=False)
        for option, value, words in (
                ("--listener", "192.0.2.1:25", "not one of the listeners"),
                ("--client", "300.1.1.1", "not an IP address"),
                ("--size", "large", "such as 12M")):
            r = gw.command("explain", option, value, "a@b.test", "c@own.test")
            self.assertEqual((r.returncode, r.stdout), (64, ""), option)
            self.assertIn(f"{option} `{value}': ", r.stderr)
            self.assertIn(words, r.stderr)

    def answered(self, gw, size):
        """What the intake says to it, in the end."""
        with gw.smtp() as s:
            s.ehlo("x")
            said = s.docmd("MAIL", f"FROM:<a@b.test> SIZE={size}")
            return s.docmd("RCPT", "TO:<c@own.test>") if said[0] == 250 else said

    def test_it_says_what_the_intake_says(self):
        route = "route: capture\nbackend: 'null'\n"
        for name, extra, rules, size, code, status in (
                ("taken", "", "match: {recipient: '@own.test'}\n", 10, "250 2.1.5", 0),
                ("other", "", "match: {recipient: '@x.test'}\n", 10, "550 5.7.1", 65),
                ("none", "", None, 10, "451 4.3.5", 75),
                ("stranger", "relay: {networks: [192.0.2.1]}\n", "", 10, "550 5.7.1",
                 65),
                ("large", "limits: {message_size: 1K}\n", "", 2000, "552 5.3.4", 65)):
            with self.subTest(name):
                gw = self.gateway({"50-capture": route + (rules or "")}, extra,
                                  start=False, name=name)
                if rules is None:
                    os.unlink(os.path.join(gw.folder, "conf.d", "50-capture.yaml"))
                gw.start()
                said = self.answered(gw, size)
                self.assertEqual(f"{said[0]} {said[1].decode()[:5]}", code)
                r = gw.command("explain", "--size", str(size), "a@b.test", "c@own.test")
                self.assertEqual(r.returncode, status, r.stdout)
                self.assertEqual(f"({code})" in r.stdout, status != 0, r.stdout)

    def test_the_worst_of_many(self):
        gw = self.gateway(start=False)
        gw.route("50-capture", "route: capture\nbackend: 'null'\n"
                 "match: {recipient: '@own.test'}\n")
        for rcpts, status in ((["a@own.test", "b@own.test"], 0),
                              (["a@x.test", "b@own.test"], 65),
                              (["a@own.test", "b@x.test"], 65)):
            r = gw.command("explain", "a@b.test", *rcpts)
            self.assertEqual(r.returncode, status, r.stdout)


class Queue(Case):
    def test_the_spool_is_moved(self):
        """As postern(8) says it: MAINTENANCE."""
        gw = self.gateway({"10-out": self.connector(free_port())},
                          extra="retry: {first: 1h, longest: 1h}\n")
        large = "x" * 70 + "\r\n"
        for body in ("small\r\n", large * 4000):      # a row, and a file
            gw.send("Subject: moved\r\n\r\n" + body)
        before = sorted(q["id"] for q in gw.queue())
        self.assertEqual(gw.stop(), 0)
        moved = os.path.join(self.folder, "elsewhere")
        shutil.move(gw.spool, moved)
        gw.write("postern.yaml", gw.read().replace(gw.spool, moved))
        gw.route("10-out", gw.capture().replace("capture", "out"))
        self.assertEqual(gw.command("check").returncode, 0)
        gw.start()
        self.assertLessEqual({q["id"] for q in gw.queue()}, set(before))
        gw.command("queue", "retry", "--all", check=True)
        self.assertEqual(sorted(len(m) > 280000 for m in gw.wait_captured(2)),
                         [False, True])
        gw.wait_empty()
        self.assertFalse(os.path.exists(gw.spool))

    def waiting(self, n):
        gw = self.gateway({"10-out": self.connector(free_port())},
                          extra="retry: {first: 1h, longest: 1h}\n")
        for i in range(n):
            gw.send(to=[f"u{i}@dst.test"])
        wait_until(lambda: [(q["state"], q["attempts"]) for q in gw.queue()]
                   == [("waiting", 1)] * n,
                   what="the first attempts")
        return gw

    def test_looking(self):
        gw = self.waiting(3)
        rows = gw.queue()
        self.assertEqual(rows[0]["route"], "out")
        self.assertEqual(rows[0]["recipients"][0]["address"], "u0@dst.test")
        self.assertIn("refused", rows[0]["last"])
        text = gw.command("queue", "list").stdout
        self.assertIn("u2@dst.test", text)
        self.assertIn("refused", text)
        shown = gw.command("queue", "show", rows[1]["id"]).stdout
        self.assertIn("u1@dst.test", shown)
        self.assertEqual(len(gw.json("queue", "list", "--address", "u2@")), 1)
        self.assertNotEqual(gw.command("queue", "show", "0000000000").returncode, 0)

    def test_acting(self):
        gw = self.waiting(3)
        ids = [q["id"] for q in gw.queue()]
        gw.command("queue", "hold", ids[0], check=True)
        self.assertEqual([q["id"] for q in gw.json("queue", "list", "--held")],
                         [ids[0]])
        gw.command("queue", "remove", ids[1], check=True)
        self.assertEqual([q["id"] for q in gw.queue()], [ids[0], ids[2]])
        peer = self.peer()
        gw.route("10-out", self.connector(peer.port))
        gw.command("reload", check=True)
        gw.command("queue", "retry", "--all", check=True)
        wait_until(lambda: len(gw.queue()) == 1, what="the retry")
        gw.command("queue", "release", ids[0], check=True)
        gw.command("queue", "retry", ids[0])
        gw.wait_empty()
        self.assertEqual(len(peer.messages), 2)

    def by_me(self):
        return f" uid={os.getuid()} user={pwd.getpwuid(os.getuid()).pw_name}\n"

    def test_active_is_the_same_everywhere(self):
        go = threading.Event()
        self.addCleanup(go.set)

        def answer(verb, line):
            if verb == ".":
                go.wait(60 * harness.SLOW)

        gw = self.gateway({"10-out": self.connector(
            self.peer(answer).port, more="limits: {connections: 1}\n")})
        for i in range(3):
            gw.send(to=[f"u{i}@dst.test"])
        wait_until(lambda: sorted(q["state"] for q in gw.queue())
                   == ["active", "waiting", "waiting"], what="the first delivery")
        status = gw.json("status")
        self.assertEqual([(r["route"], r["active"]) for r in status["routes"]],
                         [("out", 1)])
        self.assertEqual([(r["route"], r["active"]) for r in status["destinations"]],
                         [("out", 1)])
        for q in gw.queue():
            shown = json.loads(gw.command("queue", "show", q["id"], "--json").stdout)
            self.assertEqual(shown["state"], q["state"])
        go.set()
        gw.wait_empty()

    def test_acts_leave_a_trace(self):
        gw = self.waiting(3)
        ids = [q["id"] for q in gw.queue()]
        for verb in ("hold", "release", "retry", "remove"):
            gw.command("queue", verb, ids[0], check=True)
            gw.wait_log(f"dispatch: queue {verb} ids={ids[0]} from=a@src.test "
                        f"to=u0@dst.test changed=1{self.by_me()}")
            if verb == "retry":
                self.idle(gw, 3)
        gw.command("queue", "hold", "--route", "out", check=True)
        gw.wait_log(f'dispatch: queue hold route=out ids="{ids[1]}, {ids[2]}" '
                    'from="a@src.test, a@src.test" to="u1@dst.test, u2@dst.test" '
                    "changed=2" + self.by_me())
        gw.command("queue", "remove", ids[0])
        gw.wait_log("dispatch: queue remove changed=0" + self.by_me())
        gw.command("reload", check=True)
        gw.wait_log("reload: the new configuration is active" + self.by_me())
        gw.process.send_signal(signal.SIGHUP)
        gw.wait_log("reload: the new configuration is active signal=SIGHUP\n")
        gw.stop(signal.SIGINT)
        gw.wait_log("stopping: running sessions and deliveries finish first "
                    "signal=SIGINT\n")

    def idle(self, gw, n):
        wait_until(lambda: [q["state"] for q in gw.queue()] == ["waiting"] * n,
                   what="the end of the attempts")

    def test_what_strangers_said_drives_no_terminal(self):
        gw = self.gateway({"10-out": "route: out\nbackend: fault\n"
                           "fault: {answer: '450 4.2.0 later'}\n"},
                          extra="retry: {first: 1h, longest: 1h}\n")
        with socket.create_connection(("127.0.0.1", gw.port), 30) as c:
            f = c.makefile("rb")
            f.readline()
            for line in (b"EHLO \xc2\x9b31mhelo",
                         b"MAIL FROM:<\xc2\x9b2J@src.test> SMTPUTF8",
                         b"RCPT TO:<\xc2\x85x@dst.test>", b"DATA",
                         b"Message-ID: <\x1b]0;x\x07y>\r\n\r\nb\r\n."):
                c.sendall(line + b"\r\n")
                reply = f.readline()
                while reply[3:4] == b"-":
                    reply = f.readline()
                self.assertIn(reply[:1], b"23")
        row = wait_until(lambda: [q for q in gw.queue() if q["last"]],
                         what="the attempt")[0]
        self.assertEqual(row["helo"], "\x9b31mhelo")
        esc = "\x1b[31m\x9b2J"
        for args in (["queue", "list"], ["queue", "show", row["id"]],
                     ["queue", "show", row["id"], "--json"],
                     ["queue", "list", "--json"], ["status"],
                     ["queue", "show", esc], ["queue", esc], [esc],
                     ["queue", "retry", "--route", esc], ["explain", esc, "a@b"],
                     ["explain", "a@b.test", esc], ["check", esc],
                     ["explain", f'"{esc[1:]}"@src.test', "c@d.test"],
                     ["module", "show", esc], ["send", "--to", esc],
                     ["queue", f"--{esc}"]):
            r = gw.command(*args, input="")
            for said in (r.stdout, r.stderr):
                self.assertNotRegex(said, "[\x00-\x09\x0b-\x1f\x7f-\x9f]",
                                    args)
            self.assertTrue(r.stdout or r.stderr, args)
        self.assertIn("\\xc2\\x9b31mhelo", gw.command(
            "queue", "show", row["id"]).stdout)
        self.assertNotIn("\x9b", gw.log())

    def test_errors_of_the_api_have_words(self):
        gw = self.gateway()
        with socket.socket(socket.AF_UNIX) as c:
            c.connect(os.path.join(gw.spool, "control"))
            c.sendall(b"GET /v1/queue/%ff%fe HTTP/1.1\r\nHost: x\r\n"
                      b"Connection: close\r\n\r\n")
            answer = b""
            while part := c.recv(65536):
                answer += part
        told = json.loads(answer.split(b"\r\n\r\n", 1)[1])
        self.assertIn("is not an id", told["error"])

    def test_a_route_that_is_not_there(self):
        gw = self.waiting(1)
        for verb in ("retry", "hold", "list"):
            r = gw.command("queue", verb, "--route", "ouz")
            self.assertEqual(r.returncode, 65, verb)
            self.assertIn("no route `ouz'", r.stderr)
            self.assertIn("did you mean `out'", r.stderr)
        r = gw.command("queue", "hold", "--route", "out")
        self.assertEqual(r.returncode, 0, r.stderr)
        # one that is gone, but has messages
        gw.route("10-out", self.connector(free_port(), name="other"))
        gw.command("reload", check=True)
        self.assertEqual(len(gw.json("queue", "list", "--route", "out")), 1)
        gw.command("queue", "remove", "--route", "out", check=True)
        self.assertEqual(gw.command("queue", "remove", "--route",
                                    "out").returncode, 65)
        self.assertEqual(gw.command("queue", "remove", "--route",
                                    "other").returncode, 0)

    def test_usage(self):
        gw = self.gateway(start=False)
        self.assertEqual(gw.command("queue", "remove").returncode, 64)
        self.assertEqual(gw.command("queue", "list").returncode, 69)
        # an option that would be passed over is refused
        for line, option in (("list --all", "all"), ("show 1 --route a", "route"),
                             ("show 1 --held", "held"), ("show 1 --all", "all"),
                             ("remove --all --held", "held"),
                             ("retry 1 --address x", "address")):
            r = gw.command("queue", *line.split())
            self.assertEqual(r.returncode, 64, line)
            self.assertIn(f"takes no `--{option}'", r.stderr)
        for c in ("run", "check", "explain", "reload", "status", "queue",
                  "module", "send", "version"):
            r = gw.command(c, "--help")
            self.assertEqual(r.returncode, 0)
            self.assertIn("usage: postern", r.stdout)


class Reload(Case):
    def test_a_wrong_one_changes_nothing(self):
        gw = self.gateway()
        gw.route("20-bad", "route: bad\nbackend: nonsense\n")
        r = gw.command("reload")
        self.assertEqual(r.returncode, 78)
        self.assertIn("nonsense", r.stderr)
        gw.process.send_signal(signal.SIGHUP)
        gw.wait_log("stays active")
        gw.send()
        gw.wait_captured(1)

    def test_a_right_one_is_taken(self):
        gw = self.gateway()
        with gw.smtp() as s:
            s.ehlo()
            other = os.path.join(self.folder, "Other")
            gw.route("10-first", "route: first\nbackend: maildir\n"
                     f"maildir: {{path: {other}}}\n")
            gw.process.send_signal(signal.SIGHUP)
            gw.wait_log("the new configuration is active")
            s.sendmail("a@src.test", ["b@dst.test"], "x")
        wait_until(lambda: os.path.isdir(other + "/new")
                   and os.listdir(other + "/new"), what="the new route")
        self.assertEqual(gw.captured(), [])

    def test_listeners_come_and_go(self):
        gw = self.gateway()
        old, gw.port = gw.port, free_port()
        text = gw.read().replace(str(old), str(gw.port))
        gw.write("postern.yaml", text)
        gw.command("reload", check=True)
        gw.send()
        gw.wait_captured(1)
        with self.assertRaises(OSError):
            socket.create_connection(("127.0.0.1", old), 5)
        self.assertIn(f" reload: listening on 127.0.0.1:{gw.port}\n", gw.log())
        self.assertIn(f" reload: no longer listening on 127.0.0.1:{old}\n", gw.log())
        self.assertEqual(gw.log().count("listening on"), 3)

    def test_all_of_ipv6_is_ipv4_too(self):
        if not harness.has_ipv6():
            self.skipTest("this host has no IPv6")
        gw = self.gateway(start=False, extra="relay: {networks: [127.0.0.1, '::1']}\n")
        gw.write("postern.yaml", gw.read().replace(
            f"127.0.0.1:{gw.port}", f"'[::]:{gw.port}'"))
        gw.start()
        v6, v4 = f"[::]:{gw.port}", f"0.0.0.0:{gw.port}"
        self.assertEqual(gw.json("status")["running"]["listen"], [v6, v4])
        for i, host in enumerate(("127.0.0.1", "::1")):
            with smtplib.SMTP(host, gw.port, timeout=30) as s:
                s.sendmail("a@src.test", ["b@dst.test"], f"Subject: {i}\r\n\r\nx\r\n")
        received = b"".join(gw.wait_captured(2))
        self.assertIn(b"[127.0.0.1]", received)
        self.assertIn(b"[IPv6:::1]", received)
        self.assertNotIn(b"ffff", received)
        # an IPv4 address of its own for the port, and back, by a reload
        both = gw.read().replace("]\n", ", {address: '%s'}]\n" % v4, 1)
        alone = gw.read()
        for text in (both, alone):
            gw.write("postern.yaml", text)
            gw.command("reload", check=True)
            gw.send()
            self.assertEqual(gw.json("status")["running"]["listen"], [v6, v4])
        gw.wait_captured(4)

    def test_counts_go_on(self):
        gw = self.gateway()
        gw.send()
        gw.wait_captured(1)
        gw.wait_empty()
        gw.maildir += "-other"
        gw.route("50-capture", gw.capture())
        gw.command("reload", check=True)
        self.assertEqual([r["delivered"] for r in gw.json("status")["routes"]], [1])
        self.assertIn("  capture: 1 delivered, 0 deferred, 0 bounced\n",
                      gw.command("status").stdout)
        gw.send()
        gw.wait_captured(1)
        gw.wait_empty()
        self.assertIn("  capture: 2 delivered, 0 deferred, 0 bounced\n",
                      gw.command("status").stdout)

    def test_status_tells_what_is_in_force(self):
        gw = self.gateway()
        self.assertEqual(gw.json("status")["running"]["hostname"],
                         "gw.example.test")
        gw.write("postern.yaml", gw.read().replace(
            "gw.example.test", "other.example.test"))
        for _ in range(3):      # the first configuration is freed by now
            gw.command("reload", check=True)
            running = gw.json("status")["running"]
            self.assertEqual(running["hostname"], "other.example.test")
        self.assertIn("on other.example.test", gw.command("status").stdout)

    def test_limits_of_space_and_memory_are_taken(self):
        gw = self.gateway(extra="limits: {free_space: 900000G}\n")
        before = gw.read()

        def refused():
            with gw.smtp() as s:
                s.ehlo()
                s.mail("a@src.test")
                answers = [s.docmd("RCPT", f"TO:<{'u' * 100}{i}@dst.test>"
                                   f" ORCPT=rfc822;{'o' * 480}")
                           for i in range(1000)]
                answers.append(s.data("x"))
            return {c for c, text in answers if b"4.3.1" in text}

        def reload(limits):
            gw.write("postern.yaml", before.replace(
                "{free_space: 900000G}", limits))
            gw.command("reload", check=True)

        with self.assertRaises(smtplib.SMTPDataError) as e:
            gw.send()
        self.assertEqual(e.exception.smtp_code, 452)
        reload("{free_space: 0}")
        gw.send()
        gw.wait_captured(1)
        self.assertEqual(refused(), set())
        reload("{free_space: 0, memory: 1M}")
        self.assertEqual(refused(), {452})
        reload("{free_space: 900000G}")
        wait_until(lambda: self.full(gw), what="the refusal")

    def full(self, gw):
        try:
            gw.send()
            return False
        except smtplib.SMTPDataError as e:
            return e.smtp_code == 452

    def test_a_reload_that_comes_too_late_says_why(self):
        gw = self.gateway()
        gw.process.send_signal(signal.SIGSTOP)
        gw.process.send_signal(signal.SIGHUP)
        gw.process.send_signal(signal.SIGTERM)
        gw.process.send_signal(signal.SIGCONT)
        self.assertEqual(gw.process.wait(60 * harness.SLOW), 0)
        gw.process = None
        told = re.findall(r"reload: (.*)\n.*stays active", gw.log())
        self.assertIn(told, ([], ["the gateway is stopping"]))

    def test_each_mistake_of_a_reload_is_a_line_of_the_log(self):
        gw = self.gateway()
        gw.route("60-bad", "route: bad\nbackend: conector\nmatsch: {}\n")
        gw.process.send_signal(signal.SIGHUP)
        gw.wait_log("stays active")  # the last of them
        told = re.findall(r"Z ((?:error|warning): reload: .*)", gw.log())
        self.assertEqual(len(told), 4, gw.log())
        for line, start, end in (
                (told[0], "warning: reload: ", "(99-capture.yaml)"),
                (told[1], "error: reload: ", "hint: did you mean `connector'?"),
                (told[2], "error: reload: ", "hint: did you mean `match'?"),
                (told[3], "error: reload: ", "stays active signal=SIGHUP")):
            self.assertTrue(line.startswith(start), line)
            self.assertTrue(line.endswith(end), line)
            self.assertNotIn("\\n", line)

    def test_a_backend_that_does_not_open_is_told_with_its_place(self):
        module = os.path.join(harness.BUILD, "tests", "black-box", ".libs", "refuse.so")
        gw = self.gateway(extra=f"modules: [{module}]\n")
        gw.route("20-refuse", "route: refuse\nbackend: refuse\nmatch: {recipient: p@p.test}\n"
                 "refuse:\n  mode: x\n")
        self.assertEqual(gw.command("check").returncode, 0)
        r = gw.command("reload")
        self.assertNotEqual(r.returncode, 0)
        place = gw.folder + "/conf.d/20-refuse.yaml:5:9: module `refuse': `mode' cannot be had today"
        self.assertIn(place, r.stderr)
        self.assertIn("hint: write mode: twice", r.stderr)
        gw.wait_log(place + "; hint: write mode: twice")
        gw.stop()
        r = gw.command("run")
        self.assertNotEqual(r.returncode, 0)
        self.assertIn(place, r.stderr)
        self.assertIn("hint: write mode: twice", r.stderr)

    def test_what_needs_a_restart_says_so(self):
        gw = self.gateway()
        gw.write("postern.yaml", gw.read().replace("user: root", "user: nobody")
                 + "intake_threads: 7\n")
        r = gw.command("reload")
        self.assertEqual(r.returncode, 78)
        self.assertIn("`user', `intake_threads' cannot change while the gateway runs; restart",
                      r.stderr)


class Life(Case):
    def test_stopping_finishes_what_is_in_flight(self):
        asked, go = threading.Event(), threading.Event()

        def answer(verb, line):
            if verb == ".":
                asked.set()
                go.wait(20)

        peer = self.peer(answer)
        gw = self.gateway({"10-out": self.connector(peer.port)})
        gw.send()
        self.assertTrue(asked.wait(20))
        gw.process.send_signal(signal.SIGTERM)
        gw.wait_log("stopping")
        time.sleep(0.3)
        self.assertIsNone(gw.process.poll())
        go.set()
        self.assertEqual(gw.process.wait(30), 0)
        gw.process = None
        gw.wait_log("0 messages are left")
        self.assertEqual(len(peer.messages), 1)

    def test_stopping_has_an_end(self):
        never = threading.Event()
        self.addCleanup(never.set)
        peer = self.peer(lambda verb, line: never.wait(60) and None
                         if verb == "." else None)
        gw = self.gateway({"10-out": self.connector(peer.port)},
                          extra="stop_patience: 500ms\n")
        gw.send()
        wait_until(lambda: any(l == "DATA" for l in peer.lines), what="DATA")
        self.assertEqual(gw.stop(), 0)
        gw.wait_log("1 message is left")

    def pour(self, port, done):
        """Large messages, one after another, until it is cut off."""
        body = b"x" * 70 + b"\r\n"
        try:
            with socket.create_connection(("127.0.0.1", port)) as s:
                while not done.is_set():
                    s.sendall(b"HELO x\r\nMAIL FROM:<a@src.test>\r\n"
                              b"RCPT TO:<b@dst.test>\r\nDATA\r\n")
                    for _ in range(20):
                        s.sendall(body * 3000)
                    s.sendall(b".\r\n")
                    s.setblocking(False)
                    try:
                        s.recv(65536)
                    except BlockingIOError:
                        pass
                    s.setblocking(True)
        except OSError:
            pass

    def test_told_to_stop_twice(self):
        """Bodies being written, committed and delivered are cut off."""
        for i, delay in enumerate((0.3, 0.5, 0.7)):
            gw = self.gateway(name=f"gw{i}")
            done = threading.Event()
            self.addCleanup(done.set)
            threads = [threading.Thread(target=self.pour,
                                        args=(gw.port, done), daemon=True)
                       for _ in range(6)]
            for t in threads:
                t.start()
            time.sleep(delay)
            gw.process.send_signal(signal.SIGTERM)
            time.sleep(0.01)
            self.assertEqual(gw.stop(), 0)
            done.set()
            for t in threads:
                t.join(10)

    def test_a_late_signal_changes_nothing(self):
        """The loop has ended, the results are not all written yet."""
        for i in range(6):
            gw = self.gateway(name=f"gw{i}")
            gw.send()
            p = gw.process
            p.send_signal(signal.SIGTERM)
            end = time.monotonic() + 20
            while p.poll() is None and time.monotonic() < end:
                p.send_signal(signal.SIGHUP)
                time.sleep(0.0005)
            self.assertEqual(p.wait(20), 0)
            gw.process = None

    def test_root_becomes_the_user(self):
        if os.geteuid() != 0:
            self.skipTest("not root")
        gw = self.gateway(start=False)
        gw.write("postern.yaml", gw.read().replace(
            "user: root", "user: nobody"))
        os.chmod(gw.folder, 0o777)
        gw.start()
        with open(f"/proc/{gw.process.pid}/status") as f:
            status = f.read()
        uid = pwd.getpwnam("nobody").pw_uid
        self.assertRegex(status, rf"Uid:\s+{uid}\s+{uid}\s+{uid}\s+{uid}")
        self.assertRegex(status, r"CapEff:\s+0*400\n")
        limits = open(f"/proc/{gw.process.pid}/limits").read()
        self.assertRegex(limits, r"Max core file size +0 ")
        gw.send()
        gw.wait_captured(1)
        mode = os.stat(os.path.join(gw.spool, "control")).st_mode
        self.assertEqual(stat.S_IMODE(mode), 0o660)

    def test_the_manager_is_told(self):
        path = os.path.join(self.folder, "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.bind(path)
            os.chmod(path, 0o777)
            s.settimeout(20)
            gw = self.gateway(start=False).start(env={"NOTIFY_SOCKET": path})
            self.assertEqual(s.recv(100), b"READY=1")
            gw.stop()
            self.assertEqual(s.recv(100), b"STOPPING=1")

    def test_status(self):
        gw = self.gateway()
        gw.send()
        gw.wait_captured(1)
        gw.wait_empty()
        s = gw.json("status")
        self.assertEqual(s["intake"]["accepted"], 1)
        self.assertEqual(s["queue"]["items"], 0)
        self.assertEqual(s["running"]["routes"], ["capture"])
        self.assertEqual([(r["route"], r["delivered"]) for r in s["routes"]],
                         [("capture", 1)])
        self.assertEqual([(r["route"], r["delivered"]) for r in s["destinations"]],
                         [("capture", 1)])
        text = gw.command("status").stdout
        self.assertIn("capture", text)

    def test_lines_of_the_journal_have_priorities(self):
        for form in ("text", "json"):
            for ours in (True, False):
                gw = self.gateway(start=False, name=f"{form}-{ours}",
                                  extra=f"log: {{format: {form}, level: debug}}\n")
                open(gw.log_path, "ab").close()
                st = os.stat(gw.log_path)
                gw.start(env={"JOURNAL_STREAM":
                              f"{st.st_dev}:{st.st_ino if ours else st.st_ino + 1}"})
                gw.route("60-bad", "route: bad\nbackend: nonsense\n")
                gw.process.send_signal(signal.SIGHUP)
                gw.wait_log("stays active")
                gw.stop()
                found = set()
                for line in gw.log().splitlines():
                    m = re.match(r"(?:<(\d)>)?(?:20\S+ (?:(\w+): )?|\{.*?\"level\":\"(\w+)\")",
                                 line)
                    self.assertTrue(m, line)
                    level = m[3] or (m[2] if m[2] in ("error", "warning", "debug")
                                     else "info")
                    found.add((level, m[1]))
                want = {"error": "3", "info": "6", "debug": "7"} if ours else {}
                self.assertEqual({f for f in found if f[0] != "warning"},
                                 {(l, want.get(l)) for l in ("error", "info", "debug")})

    def test_one_log_line_says_everything(self):
        peer = self.peer()
        for form in ("text", "json"):
            gw = self.gateway({"10-out": self.connector(peer.port)}, name=form,
                              extra=f"log: {{format: {form}}}\n")
            gw.send()
            gw.wait_empty()
            gw.stop()
            line = next(l for l in gw.log().splitlines() if "delivered" in l
                        and "b@dst.test" in l)
            if form == "json":
                d = json.loads(line)
                self.assertEqual(d["route"], "out")
                for l in gw.log().splitlines():
                    json.loads(l)
            for text in ("a@src.test", "b@dst.test", "out", "127.0.0.1",
                         "250", "taken"):
                self.assertIn(text, line)

    def test_the_log_tells_whether_it_is_signed(self):
        gw = self.gateway(start=False)
        gw.command("dkim", "new", "src.test", "one", check=True)
        with open(os.path.join(gw.folder, "conf.d", "50-capture.yaml")) as f:
            text = f.read()
        keys = "dkim: [{domain: src.test, selector: one, key: ../dkim/src.test.one.pem}]\n"
        for more, sender, want in ((keys, "src.test", " dkim=signed "),
                                   (keys, "other.test", " dkim=none "),
                                   ("", "plain.test", None)):
            gw.route("50-capture", text + more)
            gw.start()
            gw.send(f"From: a@{sender}\r\nSubject: x\r\n\r\nhello\r\n", f"a@{sender}")
            gw.wait_empty()
            gw.stop()
            line = next(l for l in gw.log().splitlines()
                        if "delivered" in l and f"from=a@{sender}" in l)
            if want:
                self.assertIn(want, line)
            else:
                self.assertNotIn("dkim=", line)

    def test_send_and_modules(self):
        gw = self.gateway()
        r = gw.command("send", "--from", "a@src.test", "--to", "b@dst.test",
                       "--subject", "by hand", input="hello\n")
        self.assertEqual(r.returncode, 0, r.stderr)
        message = gw.wait_captured(1)[0]
        self.assertIn(b"Subject: by hand", message)
        self.assertIn(b"hello", message)
        names = {m["name"] for m in gw.json("module", "list")}
        self.assertLessEqual({"connector", "maildir", "null", "fault", "tag"}, names)
        self.assertIn("host", gw.command("module", "show", "connector").stdout)
        self.assertEqual(gw.command("module", "show", "nosuch").returncode, 65)

    def test_a_filter_of_a_route(self):
        gw = self.gateway(start=False)
        gw.route("50-capture", gw.capture()
                 + "filters: [{tag: {header: X-Tag, value: seen}}]\n")
        gw.start().send()
        self.assertIn(b"X-Tag: seen", gw.wait_captured(1)[0])


if __name__ == "__main__":
    harness.main()
