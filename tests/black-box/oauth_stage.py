"""oauth_stage.py - a gateway between a device, an OAuth provider and a mail
system, for the tests of the backend oauth

All tests of a file share one provider and one Dovecot.  A message is known by
an id in its body, which is looked for at the far end.
"""
import base64
import contextlib
import functools
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
import unittest
import urllib.parse
import uuid

import harness
import peers_oauth as peers
from harness import SLOW, Case, wait_until

# never and at once: what leaves does so because something was mended
PATIENT = "retry: {first: 1h, longest: 1h}\n"
EAGER = "retry: {first: 300ms, longest: 300ms}\n"


class World:
    """One of each peer, made by the first test that needs it."""

    @classmethod
    @functools.cache
    def of_this_file(cls):
        world = cls()
        unittest.addModuleCleanup(world.stack.close)
        return world

    def __init__(self):
        self.stack = contextlib.ExitStack()
        self.folder = tempfile.mkdtemp(prefix="postern-test-")
        self.stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        os.chmod(self.folder, 0o755)

    def closed(self, peer):
        self.stack.callback(peer.close)
        return peer

    @functools.cached_property
    def ca(self):
        return peers.TestCa(os.path.join(self.folder, "ca"))

    @functools.cached_property
    def provider(self):
        return self.closed(peers.OidcProvider(self.folder))

    @functools.cached_property
    def dovecot(self):
        return self.closed(peers.DovecotSubmission(self.folder, self.ca,
                                                   self.provider))

    @functools.cache
    def passwords(self, mechanisms, host):
        """Another Dovecot, that wants the mailbox's password."""
        folder = os.path.join(self.folder, mechanisms)
        return self.closed(peers.DovecotSubmission(
            folder, self.ca, passwords={peers.USER: "opensesame"}, host=host,
            mechanisms=mechanisms))


class Stage(Case):
    """A Case with the peers, and what is done with them."""

    @classmethod
    def setUpClass(cls):
        cls.world = World.of_this_file()
        cls.ca, cls.provider = cls.world.ca, cls.world.provider
        cls.dovecot = cls.world.dovecot
        cls.APP, cls.DEVICE = cls.provider.APP, cls.provider.DEVICE

    def setUp(self):
        super().setUp()
        self.addCleanup(self.provider.well)
        self.addCleanup(self.provider.up)
        self.addCleanup(self.provider.lifetime, 3600)
        self.addCleanup(self.provider.late, 0)
        self.provider.codes(interval=1)
        self.asked = len(self.provider.requests())
        self.given = len(self.provider.issued())

    def end(self, gw):
        """Nor has it come to harm by all that."""
        try:
            if gw.process is not None and not self.failed():
                self.assertEqual(gw.stop(), 0, "the gateway's own end")
                gw.wait_log("gateway: stopped; ")
                self.assertNotIn("Sanitizer", gw.log())
        finally:
            super().end(gw)

    # --- the configuration -----------------------------------------------

    def secret(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w") as f:
            f.write(text + "\n")
        return path

    def block(self, keys):
        return "".join(f"  {key}: {json.dumps(value)}\n"
                       for key, value in keys.items() if value is not None)

    def server(self, dovecot):
        """The keys that lead to it."""
        return {"host": dovecot.host, "port": dovecot.port,
                "server_name": dovecot.name, "trust_file": self.ca.ca_file}

    def oauth(self, grant, name="office", match=None, **more):
        """A route; a key in more that is None is left out."""
        client = self.APP if grant == "client_credentials" else self.DEVICE
        keys = {"provider": "custom", "grant": grant, "client_id": client[0],
                "client_secret": client[1], "user": peers.USER,
                "token_endpoint": self.provider.token_endpoint,
                "device_endpoint": self.provider.device_endpoint,
                "scope": [peers.DEFAULT_SCOPE] if client is self.APP else
                ["openid", "offline_access", peers.SEND_SCOPE],
                "idle": "0s", **self.server(self.dovecot), **more}
        rules = f"match: {json.dumps(match)}\n" if match else ""
        return (f"route: {name}\n{rules}backend: oauth\noauth:\n"
                + self.block(keys))

    def office(self, grant="client_credentials", extra=EAGER, start=True,
               **more):
        """A gateway whose one route is called office."""
        return self.gateway({"50-office": self.oauth(grant, **more)}, extra,
                            start)

    # --- mail -------------------------------------------------------------

    def send(self, gw, n=1, **more):
        """Hands messages in; their ids."""
        ids = [uuid.uuid4().hex for _ in range(n)]
        for one in ids:
            gw.send(f"Subject: test\r\nFrom: a@src.test\r\n\r\n{one}\r\n",
                    **more)
        return ids

    def arrived(self, ids, dovecot=None):
        sink = (dovecot or self.dovecot).sink
        return [d for d in list(sink.deliveries)
                if any(one.encode() in d.message for one in ids)]

    def wait_arrived(self, ids, seconds=20, dovecot=None):
        """Each of them once, logged in as the mailbox; the deliveries."""
        try:
            wait_until(lambda: len(self.arrived(ids, dovecot)) >= len(ids),
                       seconds, f"the arrival of {len(ids)} messages")
        except AssertionError as e:
            raise AssertionError(f"{e}\n{self.dovecot.log()[-3000:]}")
        found = self.arrived(ids, dovecot)
        self.assertEqual(len(found), len(ids))
        self.assertEqual({d.login for d in found}, {peers.USER})
        return found

    def passes(self, gw, **more):
        """A message gets through; nothing of it stays."""
        found = self.wait_arrived(self.send(gw, **more))
        gw.wait_empty()
        return found

    # --- what is seen -----------------------------------------------------

    def statuses(self):
        """Of the token endpoint, in this test."""
        return self.provider.requests()[self.asked:]

    def issued(self, kind):
        return [row for row in self.provider.issued()[self.given:]
                if row["kind"] == kind]

    def row(self, gw, route="office", destination=None):
        """Of the status: a route's, or that of one of its destinations."""
        status = gw.json("status")
        rows = [r for r in status["destinations"] + status["routes"]
                if (r["route"], r.get("destination")) == (route, destination)]
        return rows[0] if rows else None

    def wait_paused(self, gw, *words, route="office"):
        """The route is paused, nothing has bounced, and the status and the
        log say why and what to do."""
        why = wait_until(lambda: self.row(gw, route)["paused"],
                         what="the pause of the route")
        text = gw.command("status", check=True).stdout
        for said in (why, text, gw.log()):
            for each in words:
                self.assertIn(each, said)
        self.assertIn(f"{route} is PAUSED", text)
        self.nothing_bounced(gw)
        return why

    def nothing_bounced(self, gw):
        for row in gw.json("status")["routes"]:
            self.assertEqual(row["bounced"], 0, row)
        self.assertNotIn("bounced id=", gw.log())

    def sign_in_file(self, gw, route="office"):
        return os.path.join(gw.spool, "routes", route, "sign-in")

    def kept(self, gw, route="office"):
        """The sign-in as it is kept, or None."""
        path = self.sign_in_file(gw, route)
        try:
            with open(path) as f:
                mode = os.fstat(f.fileno()).st_mode
                said = json.load(f)
        except FileNotFoundError:
            return None
        self.assertEqual(stat.S_IMODE(mode), 0o600)
        return said["refresh_token"]

    def newest_is_kept(self, gw):
        return self.kept(gw) == self.issued("RefreshToken")[-1]["value"]

    def at_mail(self, do):
        """When the mail system is told MAIL, before it answers."""
        def answer(verb, line):
            if verb == "MAIL":
                do()
        usual, self.dovecot.sink.answer = self.dovecot.sink.answer, answer
        self.addCleanup(setattr, self.dovecot.sink, "answer", usual)


class Login:
    """`postern login ROUTE' while it runs; said and errors grow meanwhile."""

    def __init__(self, gw, route="office", *more):
        self.process = subprocess.Popen(
            [harness.POSTERN, "-c", gw.config, "login", route, *more],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, env=harness.environment())
        self.said = self.errors = ""
        self.readers = [threading.Thread(target=read, daemon=True)
                        for read in (self.read_said, self.read_errors)]
        for reader in self.readers:
            reader.start()

    def read_said(self):
        for line in self.process.stdout:
            self.said += line

    def read_errors(self):
        for line in self.process.stderr:
            self.errors += line

    def until(self, pattern):
        """What matches, once it does."""
        def look():
            ended = not self.readers[0].is_alive()
            found = re.search(pattern, self.said)
            if not found and ended:
                raise AssertionError(f"no {pattern} in {self.said}"
                                     f"{self.errors}")
            return found and found.group(1)
        return wait_until(look, 30, pattern)

    def code(self):
        """The address is shown, and this is the code for it."""
        self.url = self.until(r"open\n +(\S+)\n")
        return self.until(r"code\n +(\S+)\n")

    def end(self, seconds=30):
        """The exit status, when all has been said."""
        status = self.process.wait(seconds * SLOW)
        for reader in self.readers:
            reader.join(30)
        return status

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.end()
        self.process.stdout.close()
        self.process.stderr.close()


# --- looking for secrets -------------------------------------------------

def disguises(secret):
    """It, and what it looks like in a form and within base64 (RFC 4648) at
    each of the three places where a group of it may begin."""
    bytes_ = secret.encode()
    yield bytes_
    yield urllib.parse.quote(secret, safe="").encode()
    for before in range(3):
        text = base64.b64encode(b"\0" * before + bytes_)
        # what depends on neighbours is left out
        first = -(-before * 8 // 6)
        yield text[first:(before + len(bytes_)) * 8 // 6]


def leaks(places, secrets):
    """(place, secret) for each that is found; places: {name: bytes}."""
    return [(name, secret) for name, text in places.items()
            for secret in secrets
            if any(one in text for one in disguises(secret))]


def files_below(folder, but=()):
    """{path: bytes} of all regular files."""
    found = {}
    for at, _, names in os.walk(folder):
        for path in (os.path.join(at, name) for name in names):
            if path not in but and stat.S_ISREG(os.lstat(path).st_mode):
                with open(path, "rb") as f:
                    found[path] = f.read()
    return found


def main():
    """Like harness.main(), where the peers can be had."""
    try:
        peers.needs("node", "npm", "dovecot", "openssl")
        peers.install_oidc()
    except unittest.SkipTest as why:
        print(f"skipped: {why}")
        sys.exit(77)
    harness.main()
