"""harness.py - a gateway of its own for each test, and peers for it

The program under test is the real one, as it lies in the build folder
(POSTERN_BUILD; `make check' sets it).  Everything lives in a scratch folder
and listens on loopback; what a test started is ended by the test, by its id.
"""
import contextlib
import faulthandler
import json
import os
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import unittest

BUILD = os.environ.get("POSTERN_BUILD", os.getcwd())
POSTERN = os.path.join(BUILD, "postern")
MODULES = ":".join(os.path.join(BUILD, d) for d in ("backends", "plugins"))
SLOW = int(os.environ.get("POSTERN_TEST_SLOW", "1"))  # under sanitizers: more


# smtplib, http.server and email.utils look up this host's full name, which
# takes seconds where the resolver of the machine is dead.
socket.getfqdn = lambda name="": name or "client.test"


def free_port():
    """A port that was free a moment ago."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(("::1", 0))
        return True
    except OSError:
        return False


def wait_until(true, seconds=15, what="it"):
    """Polls until true() is; the value, or an assertion that names what."""
    end = time.monotonic() + seconds * SLOW
    while True:
        value = true()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not happen in time")
        time.sleep(0.02)


def environment():
    env = dict(os.environ, POSTERN_MODULE_PATH=MODULES, LC_ALL="C.UTF-8")
    env.pop("NOTIFY_SOCKET", None)
    return env


class Gateway:
    """A configuration in a scratch folder, and the program running on it."""

    def __init__(self, folder, routes=None, extra="", spool=None):
        self.folder = folder
        self.port = free_port()
        self.spool = spool or os.path.join(folder, "spool")
        self.maildir = os.path.join(folder, "Maildir")
        self.config = os.path.join(folder, "postern.yaml")
        self.log_path = os.path.join(folder, "log")
        self.process = None
        os.makedirs(os.path.join(folder, "conf.d"), exist_ok=True)
        self.write("postern.yaml",
                   "hostname: gw.example.test\n"
                   f"user: {os.environ.get('POSTERN_TEST_USER', 'root')}\n"
                   f"listen: [{{address: 127.0.0.1:{self.port}}}]\n"
                   f"spool: 'sqlite:{self.spool}'\n" + textwrap.dedent(extra))
        for name, text in (routes or {"50-capture": self.capture()}).items():
            self.route(name, text)

    def capture(self):
        return f"""\
            route: capture
            backend: maildir
            maildir:
              path: {self.maildir}
            """

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w") as f:
            f.write(textwrap.dedent(text))

    def read(self):
        with open(self.config) as f:
            return f.read()

    def route(self, name, text):
        self.write(f"conf.d/{name}.yaml", text)

    # --- the program -----------------------------------------------------

    def command(self, *args, input=None, check=False, timeout=60):
        r = subprocess.run([POSTERN, "-c", self.config, *args], input=input,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           text=True, timeout=timeout * SLOW, env=environment(),
                           stdin=None if input is not None else subprocess.DEVNULL)
        # a status that tells of trouble has been told, too
        if check and r.returncode not in ((0, 1, 2) if args[0] == "status" else (0,)):
            r.check_returncode()
        return r

    def json(self, *args):
        return json.loads(self.command(*args, "--json", check=True).stdout)

    def start(self, wait=True, env=None):
        log = open(self.log_path, "ab")
        start = log.tell()
        self.process = subprocess.Popen([POSTERN, "-c", self.config, "run"],
                                        stdin=subprocess.DEVNULL, stdout=log,
                                        stderr=log,
                                        env=dict(environment(), **(env or {})))
        log.close()
        if wait:
            wait_until(lambda: " is ready" in self.log()[start:]
                       or self.process.poll() is not None, what="the start")
            if self.process.poll() is not None:
                raise AssertionError("the gateway ended:\n" + self.log())
        return self

    def log(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def stop(self, how=signal.SIGTERM):
        """Ends it and returns its exit status."""
        if self.process is None:
            return None
        self.process.send_signal(how)
        status = self.process.wait(60 * SLOW)
        self.process = None
        return status

    # its lines come some milliseconds late

    def wait_log(self, text, seconds=15):
        wait_until(lambda: text in self.log(), seconds, f"`{text}' in the log")

    def count_log(self, text, n):
        """So often, neither less nor more."""
        wait_until(lambda: self.log().count(text) >= n,
                   what=f"`{text}' {n} times in the log")
        time.sleep(0.02 * SLOW)
        assert self.log().count(text) == n, f"`{text}' comes too often"

    # --- mail ---------------------------------------------------------------

    def smtp(self):
        return smtplib.SMTP("127.0.0.1", self.port, timeout=30 * SLOW)

    def send(self, body="Subject: test\r\n\r\nhello\r\n",
             sender="a@src.test", to=("b@dst.test",)):
        with self.smtp() as s:
            return s.sendmail(sender, list(to), body)

    def captured(self):
        """The messages in the Maildir, as bytes."""
        new = os.path.join(self.maildir, "new")
        if not os.path.isdir(new):
            return []
        found = []
        for name in sorted(os.listdir(new)):
            with open(os.path.join(new, name), "rb") as f:
                found.append(f.read())
        return found

    def wait_captured(self, n, seconds=15):
        wait_until(lambda: len(self.captured()) >= n, seconds,
                   f"the arrival of {n} messages")
        return self.captured()

    def queue(self):
        return self.json("queue", "list")

    def wait_empty(self, seconds=20):
        wait_until(lambda: self.queue() == [], seconds, "an empty queue")


class Peer(threading.Thread):
    """A scripted SMTP server, for replies that no real one can be made to
    give: `answer' gets a verb ("." for the end of data, "334" for what comes
    after AUTH) and the line, and returns a reply, None for the usual one, or
    "close".  With tls, an SSLContext, it offers STARTTLS, and AUTH after it."""

    usual = {"EHLO": "250-peer.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n"
                     "250-SIZE 50000000\r\n250-DSN\r\n250 ENHANCEDSTATUSCODES",
             "HELO": "250 peer.test", "MAIL": "250 2.1.0 ok",
             "RCPT": "250 2.1.5 ok", "DATA": "354 go ahead",
             ".": "250 2.0.0 taken", "QUIT": "221 2.0.0 bye",
             "RSET": "250 2.0.0 ok", "": "220 peer.test ESMTP",
             "AUTH": "334 ", "334": "235 2.7.0 ok"}

    def __init__(self, answer=lambda verb, line: None, host="127.0.0.1",
                 port=0, tls=None):
        super().__init__(daemon=True)
        self.answer, self.tls = answer, tls
        if tls:
            self.usual = {**self.usual, "STARTTLS": "220 2.0.0 go"}
        self.messages, self.lines, self.connections = [], [], 0
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.listener = socket.create_server((host, port), family=family,
                                             backlog=100)
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        while True:
            try:
                c, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.session, args=(c,),
                             daemon=True).start()

    def reply(self, c, verb, line):
        said = self.answer(verb, line) or self.usual.get(verb, "500 what")
        if verb == "EHLO" and said == self.usual["EHLO"] and self.tls:
            offer = "AUTH PLAIN" if isinstance(c, ssl.SSLSocket) else "STARTTLS"
            said = said.replace("250 ENH", f"250-{offer}\r\n250 ENH")
        if said == "close":
            c.close()
            return None
        c.sendall(said.encode() + b"\r\n")
        return said

    def session(self, c):
        with contextlib.suppress(OSError, ValueError), c, c.makefile("rb") as f:
            if self.reply(c, "", "") is None:
                return
            if not self.dialogue(c, f):
                return
            with self.tls.wrap_socket(c, server_side=True) as s, \
                    s.makefile("rb") as f:
                self.dialogue(s, f)

    def dialogue(self, c, f):
        """True: TLS is to begin."""
        mail, rcpts, verb, said = False, 0, "", ""
        for raw in f:
            line = raw.decode("utf-8", "replace").rstrip("\r\n")
            self.lines.append(line)
            verb = "334" if verb == "AUTH" and said.startswith("334") else \
                line.split(" ")[0].split(":")[0].upper()
            if (verb == "RCPT" and not mail) or (verb == "DATA" and rcpts == 0):
                c.sendall(b"503 5.5.1 not now\r\n")
                continue
            said = self.reply(c, verb, line)
            if verb in ("MAIL", "RSET", "EHLO"):
                mail, rcpts = verb == "MAIL" and str(said).startswith("2"), 0
            elif verb == "RCPT" and said and said.startswith("2"):
                rcpts += 1
            if said is None or verb == "QUIT":
                return False
            if verb == "STARTTLS" and self.tls and said.startswith("220"):
                return True
            if verb == "DATA" and said.startswith("354") and \
                    not self.take(c, f):
                return False
        return False

    def take(self, c, f):
        lines = []
        for raw in f:
            if raw == b".\r\n":
                break
            lines.append(raw[1:] if raw.startswith(b".") else raw)
        else:
            return False        # cut off: no message
        # taken before it is acknowledged, as a server should
        said = self.answer(".", "") or self.usual["."]
        if said.startswith("2"):
            self.messages.append(b"".join(lines))
        if said != "close":
            c.sendall(said.encode() + b"\r\n")
        return said != "close"

    def close(self):
        # the thread in accept() must have gone: the number of a descriptor
        # that is closed under it may be the next peer's listener
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.join(10)
        self.listener.close()


class Case(unittest.TestCase):
    """A scratch folder for each test; gateways that are ended after it."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="postern-test-")
        os.chmod(self.folder, 0o755)
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def gateway(self, routes=None, extra="", start=True, name="gw", **more):
        gw = Gateway(os.path.join(self.folder, name), routes, extra, **more)
        self.addCleanup(self.end, gw)
        return gw.start() if start else gw

    def end(self, gw):
        if gw.process is not None:
            gw.process.kill()
            gw.process.wait()
        if self.failed() and os.path.exists(gw.log_path):
            sys.stderr.write(f"--- log of {self.id()}\n{gw.log()[-8000:]}\n")

    def failed(self):
        outcome = self._outcome
        result = getattr(outcome, "result", None) or outcome
        return any(t is self for t, _ in
                   list(getattr(result, "failures", [])) +
                   list(getattr(result, "errors", [])))

    def peer(self, answer=lambda verb, line: None, tls=None):
        p = Peer(answer, tls=tls)
        self.addCleanup(p.close)
        return p

    def connector(self, port, name="out", more="", host="127.0.0.1"):
        return (f"route: {name}\nbackend: connector\nconnector:\n"
                f"  host: {host}\n  port: {port}\n{textwrap.dedent(more)}")


def requires(*programs):
    """Skips the whole file when a program is not there."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    os.environ["PATH"] = path
    for p in programs:
        if shutil.which(p) is None:
            print(f"skipped: {p} is not installed")
            sys.exit(77)


def main():
    if not os.path.exists(POSTERN):
        print(f"skipped: there is no {POSTERN}")
        sys.exit(77)
    # a test that hangs is a test that fails
    faulthandler.dump_traceback_later(600, exit=True)
    unittest.main(verbosity=2)
