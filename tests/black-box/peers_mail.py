"""peers_mail.py - Postfix and Exim, as next hops of a gateway

Each has several doors: ports of one server with settings of their own, so
that a whole file of tests needs to start it once.  Mail for dst.test is kept
in a Maildir.

Debian's packages of the two exclude each other.  Postfix is the one that is
installed; Exim's packages are unpacked into the folder where things installed
for tests are kept, and run from there.
"""
import fcntl
import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
import textwrap
import unittest

from certificates import needs, run
from harness import wait_until
from peers import Process
from peers_oauth import cache_folder

DOMAIN = "dst.test"


class MailServer(Process):
    """doors {"name": settings}; .ports has the port of each, at .address:
    one of this process alone, so that nobody else takes so many ports.  Or
    at (address, port)."""

    address = "127.{}.{}.{}".format(64 | os.getpid() >> 16 & 63,
                                    os.getpid() >> 8 & 255, os.getpid() & 255)
    numbers = itertools.count(10025)

    def __init__(self, folder, name, doors, at=None):
        super().__init__(folder, name)
        os.chmod(folder, 0o755)
        self.doors = doors
        if at:
            self.address, self.numbers = at[0], itertools.count(at[1])
        self.ports = {door: next(self.numbers) for door in doors}
        self.mail_folder = os.path.join(folder, "mail")

    def folders(self, *names):
        for name in names:
            os.makedirs(os.path.join(self.folder, name), exist_ok=True)

    def mail(self):
        """What has arrived, as bytes."""
        new = os.path.join(self.mail_folder, "all", "new")
        found = []
        for name in sorted(os.listdir(new)) if os.path.isdir(new) else ():
            with open(os.path.join(new, name), "rb") as f:
                found.append(f.read())
        return found

    def wait_mail(self, words, n=1):
        """The messages that have these words, n at least."""
        def arrived():
            found = [m for m in self.mail() if words.encode() in m]
            return found if len(found) >= n else None
        return wait_until(arrived, 30, f"`{words}' in {n} messages at "
                                       f"{self.name}")


# --- Postfix ------------------------------------------------------------------

POSTFIX_SERVICES = (
    ("cleanup", "unix n - n - 0 cleanup"), ("qmgr", "unix n - n 300 1 qmgr"),
    ("rewrite", "unix - - n - - trivial-rewrite"),
    ("bounce", "unix - - n - 0 bounce"), ("defer", "unix - - n - 0 bounce"),
    ("virtual", "unix - n n - - virtual"), ("error", "unix - - n - - error"),
    ("smtp", "unix - - n - - smtp"), ("tlsmgr", "unix - - n 1000? 1 tlsmgr"),
    ("proxymap", "unix - - n - - proxymap"), ("anvil", "unix - - n - 1 anvil"),
    ("postlog", "unix-dgram n - n - 1 postlogd"),
)
POSTFIX_QUEUE = ("active", "bounce", "corrupt", "defer", "deferred", "flush",
                 "hold", "incoming", "private", "public", "maildrop", "saved",
                 "trace")


class Postfix(MailServer):
    """The settings are those of main.cf, and a door's go before them.  A door
    signs its lines of the log as postfix/DOOR/smtpd."""

    def __init__(self, folder, doors, at=None, **settings):
        needs("postfix", "postconf")
        if os.geteuid() != 0:
            raise unittest.SkipTest("postfix wants root")
        super().__init__(folder, "postfix", doors, at)
        self.etc = os.path.join(folder, "etc")
        self.spool = os.path.join(folder, "queue")
        self.folders("etc", "queue", "queue/pid", "data", "mail",
                     *(f"queue/{name}" for name in POSTFIX_QUEUE))
        for name in POSTFIX_QUEUE:
            shutil.chown(os.path.join(self.spool, name), "postfix")
        shutil.chown(os.path.join(folder, "data"), "postfix")
        shutil.chown(self.mail_folder, "nobody")
        self.write("etc/main.cf", self.main(settings))
        self.write("etc/master.cf", self.master())

    def main(self, more):
        settings = {
            "compatibility_level": "3.6", "queue_directory": self.spool,
            "data_directory": os.path.join(self.folder, "data"),
            "myhostname": "mx." + DOMAIN, "mydestination": "",
            "virtual_mailbox_domains": DOMAIN,
            "virtual_mailbox_base": self.mail_folder,
            "virtual_mailbox_maps": "static:all/",
            "virtual_uid_maps": f"static:{pwd.getpwnam('nobody').pw_uid}",
            "virtual_gid_maps": f"static:{pwd.getpwnam('nobody').pw_gid}",
            "inet_interfaces": "127.0.0.1", "inet_protocols": "ipv4",
            "mynetworks": "", "alias_maps": "", "smtpd_peername_lookup": "no",
            "smtpd_error_sleep_time": "0",
            "smtpd_client_connection_count_limit": "0",
            "smtpd_relay_restrictions": "reject_unauth_destination",
            "maillog_file": self.log_path, "maillog_file_prefixes": self.folder,
            "import_environment": "MAIL_CONFIG MAIL_DEBUG MAIL_LOGTAG TZ LANG=C "
                                  "POSTLOG_SERVICE POSTLOG_HOSTNAME",
            **more}
        return "".join(f"{k} = {v}\n" for k, v in settings.items())

    def master(self):
        lines = []
        for door, settings in self.doors.items():
            lines.append(f"{self.address}:{self.ports[door]} inet n - n - - smtpd\n"
                         f"  -o syslog_name=postfix/{door}\n")
            lines += [f"  -o {{ {k} = {v} }}\n" for k, v in settings.items()]
        return "".join(lines) + "".join(f"{name} {kind}\n" for name, kind
                                        in POSTFIX_SERVICES)

    def start(self):
        """The master process alone: the script around it only checks files
        that belong to an installation."""
        folder = run("postconf", "-c", self.etc, "-h", "daemon_directory").strip()
        out_path = os.path.join(self.folder, "master.out")
        with open(out_path, "wb") as out:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM",
                 os.path.join(folder, "master"), "-c", self.etc, "-s"],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        wait_until(lambda: self.process.poll() is not None or
                   os.path.exists(self.log_path) and
                   "daemon started" in self.log(), what="the start of postfix")
        if self.process.poll() is not None:
            with open(out_path) as out:
                raise AssertionError(f"postfix ended:\n{out.read()}")
        return self


# --- Exim ---------------------------------------------------------------------

EXIM_PACKAGE = "exim4-daemon-light"


def apt_download(cache, into):
    """Whoever we are, and however old the system's lists are: where they do
    not lead to the package, by lists of our own."""
    apt = ["apt-get", "-q", "-o", "APT::Sandbox::User=", "-o",
           "Acquire::Retries=1", "-o", "Acquire::http::Timeout=20"]
    lists = os.path.join(cache, "apt-lists")
    ours = ["-o", f"Dir::State::Lists={lists}"]
    os.makedirs(os.path.join(lists, "partial"), exist_ok=True)
    download = ["download", EXIM_PACKAGE]
    try:
        try:
            run(*apt, *download, cwd=into, timeout=100)
        except AssertionError:
            run(*apt, *ours, "update", timeout=100)
            run(*apt, *ours, *download, cwd=into, timeout=100)
    except (AssertionError, subprocess.TimeoutExpired) as e:
        raise unittest.SkipTest(f"apt-get cannot download {EXIM_PACKAGE}: {e}")


def install_exim():
    """The program, unpacked once.  It is not set-user-id there."""
    cache = cache_folder()
    folder = os.path.join(cache, "exim")
    program = os.path.join(folder, "usr/sbin/exim4")
    with open(folder + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.exists(program):
            return program
        fresh = tempfile.mkdtemp(dir=cache, prefix="new-")
        try:
            apt_download(cache, fresh)
            package, = (n for n in os.listdir(fresh) if n.endswith(".deb"))
            run("dpkg", "-x", package, ".", cwd=fresh)
            os.chmod(os.path.join(fresh, "usr/sbin/exim4"), 0o755)
            os.chmod(fresh, 0o755)
            os.rename(fresh, folder)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    return program


class Exim(MailServer):
    """Settings are lines of Exim's configuration, in which a door is known by
    its port, $received_port; `rcpt' is the ACL that is asked at RCPT.

    The user that Debian's build insists on is made up for it, so it needs no
    root: it is whoever runs the test or, for root, nobody."""

    def __init__(self, folder, doors):
        needs("apt-get", "dpkg", "setpriv")
        program = install_exim()
        super().__init__(folder, "exim", dict.fromkeys(doors))
        root = os.geteuid() == 0
        self.user = pwd.getpwnam("nobody") if root else pwd.getpwuid(os.getuid())
        self.folders("spool", "mail", "log")
        self.program = shutil.copy(program, folder)
        for name in ("", "spool", "mail", "log"):
            os.chown(os.path.join(folder, name), self.user.pw_uid,
                     self.user.pw_gid)
        name, ids = "Debian-exim", f"{self.user.pw_uid}:{self.user.pw_gid}"
        self.environment = {
            "PATH": os.environ["PATH"], "LD_PRELOAD": "libnss_wrapper.so",
            "NSS_WRAPPER_PASSWD": self.write("passwd", "root:x:0:0::/:/bin/sh\n"
                                             f"{name}:x:{ids}::/:/bin/false\n"),
            "NSS_WRAPPER_GROUP": self.write("group", "root:x:0:\n"
                                            f"{name}:x:{self.user.pw_gid}:\n"),
        }
        self.command = [self.program, "-C", os.path.join(folder, "exim.conf")]
        if root:
            self.command = ["setpriv", "--reuid", str(self.user.pw_uid),
                            "--regid", str(self.user.pw_gid),
                            "--clear-groups", *self.command]

    def configure(self, settings, rcpt):
        ports = " : ".join(str(port) for port in self.ports.values())
        self.write("exim.conf", textwrap.dedent(f"""\
            exim_path = {self.program}
            spool_directory = {self.folder}/spool
            log_file_path = {self.folder}/log/%slog
            log_selector = +tls_peerdn +tls_certificate_verified
            pid_file_path = {self.folder}/spool/pid
            primary_hostname = exim.{DOMAIN}
            qualify_domain = {DOMAIN}
            smtp_accept_max = 0
            smtp_accept_queue_per_connection = 0
            smtp_connect_backlog = 100
            local_interfaces = {self.address}
            daemon_smtp_ports = {ports}
            host_lookup =
            rfc1413_hosts =
            dns_ipv4_lookup = *
            disable_ipv6 = true
            keep_environment = LD_PRELOAD : NSS_WRAPPER_PASSWD : NSS_WRAPPER_GROUP
            deliver_drop_privilege = true
            acl_smtp_rcpt = rcpt
            """) + textwrap.dedent(settings) + "begin acl\nrcpt:\n" +
            textwrap.indent(textwrap.dedent(rcpt), "  ") + textwrap.dedent(f"""\
            begin routers
            local:
              driver = accept
              domains = {DOMAIN}
              transport = maildir
            begin transports
            maildir:
              driver = appendfile
              directory = {self.mail_folder}/all
              maildir_format
              create_directory
              user = {self.user.pw_uid}
              group = {self.user.pw_gid}
            """))
        return self

    def log(self):
        text = super().log()
        for name in ("main", "panic"):
            path = os.path.join(self.folder, "log", name + "log")
            if os.path.exists(path):
                with open(path, errors="replace") as f:
                    text += f.read()
        return text

    def start(self):
        tried = subprocess.run([*self.command, "-bV"], text=True,
                               stdin=subprocess.DEVNULL, env=self.environment,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if "shared libraries" in tried.stdout or "LD_PRELOAD" in tried.stdout:
            raise unittest.SkipTest(
                f"Exim lacks something of packages_test in contrib/packages: "
                f"{tried.stdout.splitlines()[0]}")
        self.run(["setpriv", "--pdeathsig", "TERM", *self.command, "-bdf"],
                 lambda log: "daemon started" in log, env=self.environment)
        return self
