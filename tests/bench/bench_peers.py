"""bench_peers.py - the relays that are compared, and what stands around them

Everything listens on loopback, lives in one scratch folder, and is stopped
by whoever made it.
"""
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

TICK = os.sysconf("SC_CLK_TCK")
QUIET = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL,
         "stderr": subprocess.DEVNULL}
os.environ["PATH"] += ":/usr/sbin:/sbin"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_port(port):
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    sys.exit(f"nothing listens on {port}")


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(text)
    return path


def cpu_of(pids):
    """User and system seconds of processes and of their dead children."""
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/stat") as f:
                fields = f.read().rsplit(")", 1)[1].split()
            total += sum(int(x) for x in fields[11:15])
        except OSError:
            pass
    return total / TICK


def family(pid):
    """The process and all below it."""
    found = [pid]
    for parent in found:
        try:
            with open(f"/proc/{parent}/task/{parent}/children") as f:
                found += [int(x) for x in f.read().split()]
        except OSError:
            pass
    return found


class Keys:
    """A certificate for TLS and a key for DKIM."""

    def __init__(self, folder):
        self.certificate = f"{folder}/tls.pem"
        self.key, self.dkim = f"{folder}/tls.key", f"{folder}/dkim.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                        "-subj", "/CN=bench.test", "-keyout", self.key,
                        "-out", self.certificate], check=True, **QUIET)
        subprocess.run(["openssl", "genrsa", "-out", self.dkim, "2048"],
                       check=True, **QUIET)


class Sink:
    """smtp-sink, counting."""

    def __init__(self):
        self.port = free_port()
        self.out = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            ["smtp-sink", "-c", "-u", "nobody", "-m", "2000",
             f"127.0.0.1:{self.port}", "1024"],
            stdin=subprocess.DEVNULL, stdout=self.out,
            stderr=subprocess.DEVNULL)
        wait_port(self.port)

    def messages(self):
        """smtp-sink -c redraws "sess quit mesg" after carriage returns."""
        end = os.fstat(self.out.fileno()).st_size
        text = os.pread(self.out.fileno(), 200, max(0, end - 200)).decode()
        found = re.findall(r"mesg=(\d+)\r", text)
        return int(found[-1]) if found else 0

    def stop(self):
        self.process.kill()
        self.process.wait()


class Stunnel:
    """STARTTLS for smtp-sink, which has none."""

    def __init__(self, folder, keys, port):
        self.port = free_port()
        config = write(f"{folder}/stunnel-{self.port}.conf", f"""foreground = quiet
pid =
debug = crit
[smtp]
accept = 127.0.0.1:{self.port}
connect = 127.0.0.1:{port}
protocol = smtp
cert = {keys.certificate}
key = {keys.key}
TIMEOUTclose = 0
socket = l:TCP_NODELAY=1
socket = r:TCP_NODELAY=1
""")
        self.process = subprocess.Popen(["stunnel", config], **QUIET)
        wait_port(self.port)

    def stop(self):
        self.process.terminate()
        self.process.wait()


class OpenDkim:
    """The signing milter beside Postfix."""

    def __init__(self, folder, keys):
        self.port = free_port()
        config = write(f"{folder}/opendkim.conf", f"""Domain src.test
Selector bench
KeyFile {keys.dkim}
Canonicalization relaxed/simple
Mode s
Socket inet:{self.port}@127.0.0.1
InternalHosts 127.0.0.1
Background no
RequireSafeKeys no
UMask 077
OversignHeaders From,To,Subject,Date
""")
        self.process = subprocess.Popen(["opendkim", "-f", "-x", config],
                                        **QUIET)
        wait_port(self.port)

    def pids(self):
        return [self.process.pid]

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Nothing:
    """No relay: what the tools alone can do."""
    name = "no relay"

    def __init__(self, setting, port):
        self.port = port

    def pids(self):
        return []

    def stop(self):
        pass


class Postern:
    name = "postern"

    def __init__(self, setting, port):
        self.port, folder = free_port(), f"{setting.folder}/postern"
        listen = f"{{address: 127.0.0.1:{self.port}}}"
        if setting.tls_in:
            listen = f"{{address: 127.0.0.1:{self.port}, tls: required}}"
        text = (f"hostname: bench.test\nuser: root\nlisten: [{listen}]\n"
                f"spool: sqlite:{folder}/spool\n")
        if setting.tls_in:
            text += (f"tls: {{certificate: {setting.keys.certificate}, "
                     f"key: {setting.keys.key}}}\n")
        route = (f"route: out\nbackend: connector\nconnector: {{host: 127.0.0.1, "
                 f"port: {port}, tls: {'required' if setting.tls_out else 'none'}}}\n"
                 "limits: {connections: 20}\n")
        if setting.signed:
            route += ("dkim: [{domain: src.test, selector: bench, "
                      f"key: {setting.keys.dkim}}}]\n")
        write(f"{folder}/conf.d/10.yaml", route)
        for name, more in setting.routes.items():
            write(f"{folder}/conf.d/{name}.yaml", more)
        config = write(f"{folder}/postern.yaml", text)
        modules = f"{setting.build}/backends:{setting.build}/plugins"
        with open(f"{folder}/log", "wb") as log:
            self.process = subprocess.Popen(
                [f"{setting.build}/postern", "-c", config, "run"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=dict(os.environ, POSTERN_MODULE_PATH=modules))
        wait_port(self.port)

    def pids(self):
        return [self.process.pid]

    def pss(self):
        with open(f"/proc/{self.process.pid}/smaps_rollup") as f:
            return int(re.search(r"(?m)^Pss:\s+(\d+)", f.read()).group(1))

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


POSTFIX = """compatibility_level = 3.6
queue_directory = {box}/queue
data_directory = {box}/data
myhostname = bench.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_peername_lookup = no
relayhost = [127.0.0.1]:{port}
disable_dns_lookups = yes
smtp_connection_cache_destinations = [127.0.0.1]:{port}
default_destination_concurrency_limit = 100
initial_destination_concurrency = 100
in_flow_delay = 0
default_process_limit = 200
smtpd_client_connection_count_limit = 0
message_size_limit = 157286400
maillog_file = {box}/log
maillog_file_prefixes = {box}
"""
SERVICES = {
    "cleanup": "unix n - n - 0 cleanup",
    "qmgr": "unix n - n 300 1 qmgr",
    "rewrite": "unix - - n - - trivial-rewrite",
    "bounce": "unix - - n - 0 bounce",
    "defer": "unix - - n - 0 bounce",
    "error": "unix - - n - - error",
    "smtp": "unix - - n - - smtp",
    "tlsmgr": "unix - - n 1000? 1 tlsmgr",
    "tlsproxy": "unix - - n - 0 tlsproxy",
    "proxymap": "unix - - n - - proxymap",
    "scache": "unix - - n - 1 scache",
    "anvil": "unix - - n - 1 anvil",
    "postlog": "unix-dgram n - n - 1 postlogd",
}


class Postfix:
    name = "postfix"

    def __init__(self, setting, port):
        self.port, box = free_port(), f"{setting.folder}/postfix"
        self.box, self.milter = box, None
        for d in ("etc", "queue", "data"):
            os.makedirs(os.path.join(box, d))
        shutil.chown(f"{box}/data", "postfix")
        for name in ("postfix-files", "dynamicmaps.cf"):
            if os.path.exists(f"/etc/postfix/{name}"):
                shutil.copy(f"/etc/postfix/{name}", f"{box}/etc/")
        config = POSTFIX.format(box=box, port=port)
        if setting.tls_in:
            config += ("smtpd_tls_security_level = encrypt\n"
                       f"smtpd_tls_cert_file = {setting.keys.certificate}\n"
                       f"smtpd_tls_key_file = {setting.keys.key}\n")
        if setting.tls_out:
            config += ("smtp_tls_security_level = encrypt\n"
                       "smtp_tls_connection_reuse = yes\n"
                       "smtp_tls_session_cache_database = "
                       "btree:$data_directory/smtp_scache\n")
        if setting.signed:
            self.milter = OpenDkim(box, setting.keys)
            config += f"smtpd_milters = inet:127.0.0.1:{self.milter.port}\n"
        write(f"{box}/etc/main.cf", config)
        rows = [f"127.0.0.1:{self.port} inet n - n - - smtpd"]
        rows += [f"{name} {row}" for name, row in SERVICES.items()]
        write(f"{box}/etc/master.cf", "\n".join(rows) + "\n")
        subprocess.run(["postfix", "-c", f"{box}/etc", "start"], check=True,
                       **QUIET)
        wait_port(self.port)

    def pids(self):
        with open(f"{self.box}/queue/pid/master.pid") as f:
            pids = family(int(f.read()))
        return pids + (self.milter.pids() if self.milter else [])

    def stop(self):
        subprocess.run(["postfix", "-c", f"{self.box}/etc", "stop"], **QUIET)
        if self.milter:
            self.milter.stop()
