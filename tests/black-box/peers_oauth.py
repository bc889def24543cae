"""peers_oauth.py - an OAuth provider and a mail system that demands its tokens

OidcProvider is npm's oidc-provider, a certified one, and DovecotSubmission is
Dovecot's submission service, which asks the provider about the tokens that it
is shown and hands what it accepts to a Sink.
Each is started by a test and ended by it; nothing outlives its standard input
or its folder.
"""
import contextlib
import fcntl
import grp
import hashlib
import json
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import threading
import unittest
import urllib.error
import urllib.parse
import urllib.request

from browser import UserAgent
from certificates import TestCa, needs, run
from harness import SLOW, Peer, free_port, wait_until

__all__ = ["DovecotSubmission", "OidcProvider", "Sink", "TestCa"]

HERE = os.path.dirname(os.path.abspath(__file__))
OIDC = os.path.join(HERE, "oidc")
TENANT = "yourcompany.test"
USER = f"accounting@{TENANT}"
OTHER_USER = f"scanner@{TENANT}"
RESOURCE = "https://outlook.office365.com"
DEFAULT_SCOPE = f"{RESOURCE}/.default"
SEND_SCOPE = f"{RESOURCE}/SMTP.Send"


# --- the provider ---------------------------------------------------------------

def cache_folder():
    """Where what is installed for tests is kept between them; ours alone."""
    folder = os.environ.get("POSTERN_TEST_CACHE") or os.path.join(
        tempfile.gettempdir(), f"postern-test-cache-{os.getuid()}")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    if os.stat(folder).st_uid != os.getuid():
        raise unittest.SkipTest(f"{folder} is somebody else's: name another "
                                "by POSTERN_TEST_CACHE")
    return folder


def install_oidc():
    """The folder with node_modules, made once for each lock file.  Two tests
    that begin at once: the second waits."""
    with open(os.path.join(OIDC, "package-lock.json"), "rb") as f:
        name = "oidc-" + hashlib.sha256(f.read()).hexdigest()[:16]
    cache = cache_folder()
    folder = os.path.join(cache, name)
    with open(os.path.join(cache, name + ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.isdir(folder):
            npm_ci(cache, folder)
    return folder


def npm_ci(cache, folder):
    fresh = tempfile.mkdtemp(dir=cache, prefix="new-")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(os.path.join(OIDC, name), fresh)
    try:
        run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund",
            "--no-update-notifier", cwd=fresh, timeout=200,
            env=dict(os.environ, npm_config_cache=os.path.join(cache, "npm")))
    except (AssertionError, subprocess.TimeoutExpired) as e:
        shutil.rmtree(fresh, ignore_errors=True)
        raise unittest.SkipTest(f"npm cannot install oidc-provider: {e}")
    os.rename(fresh, folder)


class OidcProvider:
    """Issuer http://127.0.0.1:PORT, with paths like Microsoft's.

    Access tokens are opaque and good for what introspection says; a refresh
    token can be used once, and the next comes with the answer."""

    # (client_id, client_secret)
    APP = ("11111111-aaaa-4bbb-8ccc-000000000001", "app-secret-of-the-tests")
    DEVICE = ("11111111-aaaa-4bbb-8ccc-000000000002", None)
    WEB = ("11111111-aaaa-4bbb-8ccc-000000000003", "web-secret-of-the-tests")
    INTROSPECTOR = ("dovecot", "introspection-secret-of-the-tests")

    def __init__(self, folder, lifetime=3600):
        needs("node", "npm", "openssl")
        modules = install_oidc()
        self.log_path = os.path.join(folder, "oidc.log")
        self.process = None
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                ["node", os.path.join(OIDC, "server.js"), modules,
                 json.dumps(self.settings())],
                stdin=subprocess.PIPE, stdout=log, stderr=log,
                env=dict(os.environ, NODE_NO_WARNINGS="1"))
        try:
            ports = json.loads(wait_until(self.ready, 60, "the provider"))
            self.port, self.inside = ports["port"], ports["inside"]
            self.lifetime(lifetime)
        except BaseException:
            self.close()
            raise

    def settings(self):
        def client(name, grants, **more):
            row = {"client_id": name[0], "grant_types": grants,
                   "redirect_uris": [], "response_types": [], **more}
            if name[1]:
                row["client_secret"] = name[1]
                row.setdefault("token_endpoint_auth_method",
                               "client_secret_post")
            else:
                row["token_endpoint_auth_method"] = "none"
            return row

        device = "urn:ietf:params:oauth:grant-type:device_code"
        loopback = ["http://127.0.0.1/", "http://localhost/"]
        browser = {"application_type": "native", "redirect_uris": loopback,
                   "response_types": ["code"]}
        return {
            "tenant": TENANT, "resource": RESOURCE,
            "scopes": [DEFAULT_SCOPE, SEND_SCOPE],
            "users": [USER, OTHER_USER],
            "mailboxes": {self.APP[0]: USER},
            "clients": [
                client(self.APP, ["client_credentials"]),
                client(self.DEVICE, [device, "refresh_token",
                                     "authorization_code"], **browser),
                client(self.WEB, ["refresh_token", "authorization_code"],
                       **browser),
                client(self.INTROSPECTOR, [],
                       token_endpoint_auth_method="client_secret_basic"),
            ],
        }

    def ready(self):
        with open(self.log_path) as f:
            for line in f:
                if line.startswith('{"port"'):
                    return line
        if self.process.poll() is not None:
            with open(self.log_path) as f:
                raise AssertionError("the provider ended:\n" + f.read())
        return None

    def close(self):
        if self.process is not None:
            self.process.stdin.close()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None

    # --- addresses ---------------------------------------------------------------

    @property
    def issuer(self):
        return f"http://127.0.0.1:{self.port}"

    def endpoint(self, name):
        return f"{self.issuer}/{TENANT}/oauth2/v2.0/{name}"

    @property
    def token_endpoint(self):
        return self.endpoint("token")

    @property
    def device_endpoint(self):
        return self.endpoint("devicecode")

    @property
    def authorize_endpoint(self):
        return self.endpoint("authorize")

    @property
    def introspection_url(self):
        """With the user and password that Dovecot is to show there."""
        name, secret = self.INTROSPECTOR
        return f"http://{name}:{secret}@127.0.0.1:{self.inside}/introspect"

    # --- what a client does -----------------------------------------------------

    def post(self, url, fields):
        """(status, JSON)"""
        data = urllib.parse.urlencode(fields).encode()
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(url, data, timeout=30 * SLOW) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as e:
            with e:
                text = e.read().decode()
            with contextlib.suppress(ValueError):
                return e.code, json.loads(text)
            return e.code, text

    def token(self, client, grant, **fields):
        """Asks the token endpoint: (status, JSON)."""
        fields = {"client_id": client[0], "grant_type": grant, **fields}
        if client[1]:
            fields["client_secret"] = client[1]
        return self.post(self.token_endpoint, fields)

    def client_credentials(self, scope=DEFAULT_SCOPE):
        """An access token for the application's mailbox."""
        status, said = self.token(self.APP, "client_credentials", scope=scope)
        assert status == 200, said.get("error")
        return said["access_token"]

    def refresh(self, refresh_token, client=None):
        return self.token(client or self.DEVICE, "refresh_token",
                          refresh_token=refresh_token)

    def device_code(self, scope=f"openid offline_access {SEND_SCOPE}"):
        """What the device endpoint says: device_code, user_code, ..."""
        status, said = self.post(self.device_endpoint, {
            "client_id": self.DEVICE[0], "scope": scope})
        assert status == 200, said
        return said

    def redeem(self, device_code):
        return self.token(self.DEVICE,
                          "urn:ietf:params:oauth:grant-type:device_code",
                          device_code=device_code)

    # --- what a person does ------------------------------------------------------

    def enter(self, user_code, user):
        agent = UserAgent(user)
        page = agent.visit(f"{self.issuer}/{TENANT}/device")
        return agent, agent.submit(page, user_code=user_code)

    def approve(self, user_code, user=USER):
        agent, page = self.enter(user_code, user)
        page = agent.sign_in(page)
        if "success" not in page.lower():
            raise AssertionError("the code was not approved:\n" + page)

    def deny(self, user_code, user=USER):
        agent, page = self.enter(user_code, user)
        agent.submit(page, abort="yes")

    def browse(self, url, user=USER):
        """Opens an authorization URL, signs in, agrees, and follows to where
        the client waits; the page that it shows there."""
        agent = UserAgent(user)
        return agent.sign_in(agent.visit(url))

    # --- what the operator does --------------------------------------------------

    def tell(self, action, **fields):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.inside}/-/{action}",
            json.dumps(fields).encode())
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=30 * SLOW) as answer:
            return json.load(answer)

    def refresh_token(self, client=None, user=USER,
                      scope=f"openid offline_access {SEND_SCOPE}"):
        """A fresh one, as if that user had signed in."""
        return self.tell("refresh", client=(client or self.DEVICE)[0],
                         user=user, scope=scope)["refresh_token"]

    def lifetime(self, seconds):
        """Of the access tokens that are issued from now on."""
        self.tell("lifetime", seconds=seconds)

    def codes(self, seconds=600, interval=0):
        """How long device codes live, and how often a client may ask about
        them; 0: nothing is said about that."""
        self.tell("codeLifetime", seconds=seconds)
        self.tell("interval", seconds=interval)

    def revoke_all(self):
        """Every grant and token that there is."""
        self.tell("revoke")

    def expire(self):
        """The access tokens that there are; sign-ins stay."""
        self.tell("expire")

    def issued(self, kind=None):
        """What clients were given, oldest first: [{kind, value, at}], at in
        milliseconds.  Kinds: AccessToken, ClientCredentials, RefreshToken,
        DeviceCode."""
        return [row for row in self.tell("issued")
                if kind in (None, row["kind"])]

    def secrets(self):
        """Everything that nobody else may see."""
        clients = (self.APP, self.DEVICE, self.WEB, self.INTROSPECTOR)
        return [row["value"] for row in self.issued()] + \
            [secret for _, secret in clients if secret]

    def answers(self):
        """Of the token endpoint: [{status, at}], at in milliseconds."""
        return self.tell("requests")

    def requests(self):
        """The statuses that the token endpoint has answered with."""
        return [row["status"] for row in self.answers()]

    def down(self):
        """Connections are refused; introspection works on."""
        self.tell("down")

    def up(self):
        self.tell("up")

    # the token endpoint only, until well()
    def hold(self):
        """Requests wait until then."""
        self.tell("fault", hold=True)

    def held(self):
        return self.tell("held")

    def late(self, seconds):
        """Does at once what it is asked, and says so only then."""
        self.tell("late", seconds=seconds)

    def slow(self, seconds):
        self.fault(0, "", seconds=seconds)

    def html(self, status=200):
        self.fault(status, "<html><body>Sign in to the hotel</body></html>",
                   "text/html")

    def error(self, code, status=400, description="said the test",
              headers=None):
        """ASKED in the description stands for all that was asked."""
        self.fault(status, json.dumps({"error": code, "error_description":
                                       description}), headers=headers)

    def fault(self, status, body, type="application/json", seconds=0,
              headers=None):
        self.tell("fault", status=status, body=body, type=type,
                  seconds=seconds, headers=headers or {})

    def well(self):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.inside}/-/fault", b"null")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=30 * SLOW):
            pass


# --- the mail system --------------------------------------------------------------

class Delivery:
    """What arrived at the sink; login is who was authenticated."""

    def __init__(self, login, sender, recipients, message):
        self.login, self.sender = login, sender
        self.recipients, self.message = recipients, message


class Sink(Peer):
    """Takes everything, and knows whom the one before it had authenticated,
    by XCLIENT."""

    usual = dict(Peer.usual, XCLIENT="220 peer.test ESMTP",
                 EHLO=Peer.usual["EHLO"].replace(
                     "250-DSN", "250-DSN\r\n250-XCLIENT ADDR PORT PROTO HELO "
                     "LOGIN SESSION TTL"))

    def __init__(self, answer=lambda verb, line: None, **where):
        self.here = threading.local()
        self.deliveries = []
        super().__init__(answer, **where)

    def reply(self, c, verb, line):
        if verb == "":
            self.here.login = self.here.sender = None
        elif verb == "XCLIENT":
            words = dict(w.split("=", 1) for w in line.split()[1:])
            if "LOGIN" in words:
                self.here.login = words["LOGIN"]
        elif verb == "MAIL":
            self.here.sender, self.here.recipients = self.path(line), []
        elif verb == "RCPT":
            self.here.recipients.append(self.path(line))
        return super().reply(c, verb, line)

    @staticmethod
    def path(line):
        return line[line.index("<") + 1:line.index(">")]

    def take(self, c, f):
        before = len(self.messages)
        fine = super().take(c, f)
        if len(self.messages) > before:
            self.deliveries.append(Delivery(
                self.here.login, self.here.sender, self.here.recipients,
                self.messages[-1]))
        return fine

    def wait(self, n=1, seconds=15):
        wait_until(lambda: len(self.deliveries) >= n, seconds,
                   f"the arrival of {n} messages")
        return self.deliveries


class DovecotSubmission:
    """Dovecot's submission service on a loopback address that is not the
    client's, so that it demands STARTTLS.

    provider: tokens by XOAUTH2 and OAUTHBEARER; passwords: {user: password},
    by the mechanisms, PLAIN and LOGIN."""

    def __init__(self, folder, ca, provider=None, passwords=None,
                 host="127.0.0.20", name="smtp.example.test",
                 mechanisms="plain login", **certificate):
        needs("dovecot")
        if not os.path.exists("/usr/lib/dovecot/submission"):
            raise unittest.SkipTest("dovecot-submissiond is not installed")
        self.folder = os.path.join(folder, "dovecot")
        os.makedirs(self.folder)
        self.host, self.name, self.port = host, name, free_port()
        self.provider, self.passwords = provider, passwords
        self.mechanisms = mechanisms
        self.log_path = self.path("log")
        self.sink = Sink()
        self.process = None
        self.certificate, self.key = ca.issue(name, **certificate)
        self.write("dovecot.conf", self.configuration())
        self.start()

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text, mode=0o600):
        with open(self.path(name), "w") as f:
            os.fchmod(f.fileno(), mode)
            f.write(text)

    def configuration(self):
        mail = pwd.getpwnam("nobody" if os.getuid() == 0
                            else pwd.getpwuid(os.getuid()).pw_name)
        return f"""\
protocols = submission
listen = {self.host}
hostname = {self.name}
base_dir = {self.path("run")}
state_dir = {self.path("state")}
log_path = {self.log_path}
ssl = required
ssl_cert = <{self.certificate}
ssl_key = <{self.key}
ssl_min_protocol = TLSv1.2
mail_location = maildir:{self.path("mail")}
first_valid_uid = 0
auth_failure_delay = 0
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
{self.users()}
{self.passdb()}
userdb {{
  driver = static
  args = uid={mail.pw_uid} gid={mail.pw_gid} home={self.path("home")}
}}
service submission-login {{
  chroot =
  inet_listener submission {{
    port = {self.port}
  }}
  inet_listener submissions {{
    port = 0
  }}
}}
submission_relay_host = 127.0.0.1
submission_relay_port = {self.sink.port}
submission_relay_trusted = yes
"""

    def users(self):
        """Without root, all is done by whoever runs the test."""
        if os.getuid() == 0:
            return ""
        me = pwd.getpwuid(os.getuid())
        return (f"default_internal_user = {me.pw_name}\n"
                f"default_login_user = {me.pw_name}\n"
                f"default_internal_group = {grp.getgrgid(me.pw_gid).gr_name}\n"
                "service anvil {\n  chroot =\n}\n"
                "service stats {\n  chroot =\n}\n")

    def passdb(self):
        if self.provider is None:
            self.write("passwd", "".join(
                f"{user}:{{PLAIN}}{password}\n"
                for user, password in self.passwords.items()), 0o644)
            return (f"auth_mechanisms = {self.mechanisms}\npassdb {{\n"
                    "  driver = passwd-file\n"
                    f"  args = {self.path('passwd')}\n}}\n")
        self.write("oauth2", f"""\
introspection_mode = post
introspection_url = {self.provider.introspection_url}
active_attribute = active
active_value = true
username_attribute = username
timeout_msecs = {5000 * SLOW}
""", 0o644)
        return ("auth_mechanisms = xoauth2 oauthbearer\npassdb {\n"
                "  driver = oauth2\n  mechanisms = xoauth2 oauthbearer\n"
                f"  args = {self.path('oauth2')}\n}}\n")

    def start(self):
        for folder in ("run", "state", "mail", "home"):
            os.makedirs(self.path(folder), exist_ok=True)
            os.chmod(self.path(folder), 0o777 if folder in ("mail", "home")
                     else 0o755)
        with open(self.path("output"), "wb") as out:
            self.process = subprocess.Popen(
                ["dovecot", "-F", "-c", self.path("dovecot.conf")],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        try:
            wait_until(self.answers, 30, "the start of Dovecot")
        except BaseException:
            self.close()
            raise

    def answers(self):
        if self.process.poll() is not None:
            raise AssertionError("dovecot ended:\n" + self.log())
        with contextlib.suppress(OSError), socket.create_connection(
                (self.host, self.port), timeout=5) as s:
            return s.recv(3) == b"220"
        return False

    def log(self):
        text = ""
        for name in ("output", "log"):
            if os.path.exists(self.path(name)):
                with open(self.path(name), errors="replace") as f:
                    text += f.read()
        return text

    def stop(self):
        """Ends Dovecot alone; start() begins again on the same port."""
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None

    def close(self):
        self.stop()
        self.sink.close()
