#!/usr/bin/env python3
"""bench.py - how fast, beside Postfix, in the same run

smtp-source -> relay -> smtp-sink on this machine: end-to-end rate (from the
first connection until the sink has the last message) and CPU seconds of the
relay for 1000 messages.  The two relays take turns; medians are printed, and
ratios of each pair of turns.

    bench.py BUILD [--rounds 5] [--only NAME] [--quick]
"""
import argparse
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

# name, bytes, sessions, messages, keep connections
CASES = [
    ("4 KiB, 10 sessions", 4096, 10, 4000, False),
    ("4 KiB, 10 sessions, kept", 4096, 10, 4000, True),
    ("4 KiB, 1 session", 4096, 1, 500, False),
    ("4 KiB, 50 sessions", 4096, 50, 4000, False),
    ("64 KiB, 10 sessions", 65536, 10, 1000, False),
    ("5 MiB, 10 sessions", 5 * 1048576, 10, 60, False),
]
TICK = os.sysconf("SC_CLK_TCK")
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


class Postern:
    name = "postern"

    def __init__(self, build, folder, sink):
        self.port, self.folder = free_port(), os.path.join(folder, "postern")
        os.makedirs(f"{self.folder}/conf.d")
        with open(f"{self.folder}/postern.yaml", "w") as f:
            f.write(f"hostname: bench.test\nuser: root\n"
                    f"spool: sqlite:{self.folder}/spool\n"
                    f"listen: [{{address: 127.0.0.1:{self.port}}}]\n")
        with open(f"{self.folder}/conf.d/10.yaml", "w") as f:
            f.write(f"route: out\nbackend: connector\nconnector:\n"
                    f"  host: 127.0.0.1\n  port: {sink.port}\n"
                    "limits: {connections: 20}\n")
        env = dict(os.environ, POSTERN_MODULE_PATH=f"{build}/backends:{build}/plugins")
        self.log = open(f"{self.folder}/log", "wb")
        self.process = subprocess.Popen(
            [f"{build}/postern", "-c", f"{self.folder}/postern.yaml", "run"],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, env=env)
        wait_port(self.port)

    def pids(self):
        return [self.process.pid]

    def idle_pss(self):
        with open(f"/proc/{self.process.pid}/smaps_rollup") as f:
            return int(re.search(r"(?m)^Pss:\s+(\d+)", f.read()).group(1))

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Postfix:
    name = "postfix"

    def __init__(self, build, folder, sink):
        self.port, box = free_port(), os.path.join(folder, "postfix")
        self.box = box
        for d in ("etc", "queue", "data"):
            os.makedirs(os.path.join(box, d))
        shutil.chown(f"{box}/data", "postfix")
        for name in ("postfix-files", "dynamicmaps.cf"):
            if os.path.exists(f"/etc/postfix/{name}"):
                shutil.copy(f"/etc/postfix/{name}", f"{box}/etc/")
        with open(f"{box}/etc/main.cf", "w") as f:
            f.write(f"""compatibility_level = 3.6
queue_directory = {box}/queue
data_directory = {box}/data
myhostname = bench.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_peername_lookup = no
relayhost = [127.0.0.1]:{sink.port}
disable_dns_lookups = yes
smtp_connection_cache_destinations = [127.0.0.1]:{sink.port}
default_destination_concurrency_limit = 100
initial_destination_concurrency = 100
in_flow_delay = 0
default_process_limit = 200
smtpd_client_connection_count_limit = 0
message_size_limit = 157286400
maillog_file = {box}/log
maillog_file_prefixes = {box}
""")
        rows = [f"127.0.0.1:{self.port} inet n - n - - smtpd"] + [
            f"{n} {k}" for n, k in (
                ("cleanup", "unix n - n - 0 cleanup"),
                ("qmgr", "unix n - n 300 1 qmgr"),
                ("rewrite", "unix - - n - - trivial-rewrite"),
                ("bounce", "unix - - n - 0 bounce"),
                ("defer", "unix - - n - 0 bounce"),
                ("error", "unix - - n - - error"),
                ("smtp", "unix - - n - - smtp"),
                ("tlsmgr", "unix - - n 1000? 1 tlsmgr"),
                ("proxymap", "unix - - n - - proxymap"),
                ("scache", "unix - - n - 1 scache"),
                ("anvil", "unix - - n - 1 anvil"),
                ("postlog", "unix-dgram n - n - 1 postlogd"))]
        with open(f"{box}/etc/master.cf", "w") as f:
            f.write("\n".join(rows) + "\n")
        subprocess.run(["postfix", "-c", f"{box}/etc", "start"], check=True,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        wait_port(self.port)

    def pids(self):
        with open(f"{self.box}/queue/pid/master.pid") as f:
            return family(int(f.read()))

    def stop(self):
        subprocess.run(["postfix", "-c", f"{self.box}/etc", "stop"],
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)


class Nothing:
    """No relay: what the tools alone can do."""
    name = "no relay"

    def __init__(self, build, folder, sink):
        self.port = sink.port

    def pids(self):
        return []

    def stop(self):
        pass


def turn(relay, sink, size, sessions, messages, keep):
    """Rate and CPU seconds per 1000 of one run."""
    before, cpu = sink.messages(), cpu_of(relay.pids())
    start = time.monotonic()
    command = ["smtp-source", "-s", str(sessions), "-m", str(messages), "-l",
               str(size), "-f", "a@src.test", "-t", "b@dst.test", "-M",
               "client.test"] + (["-d"] if keep else [])
    subprocess.run(command + [f"127.0.0.1:{relay.port}"], check=True,
                   stdin=subprocess.DEVNULL)
    while sink.messages() < before + messages:
        if time.monotonic() - start > 300:
            sys.exit(f"{relay.name}: only {sink.messages() - before} of "
                     f"{messages} messages arrived")
        time.sleep(0.005)
    seconds = time.monotonic() - start
    time.sleep(0.3)
    return messages / seconds, (cpu_of(relay.pids()) - cpu) * 1000 / messages


def compare(case, relays, rounds):
    name, size, sessions, messages, keep = case
    results = {r.name: [] for r, _ in relays}
    for i in range(rounds + 1):     # the first warms up
        for relay, sink in relays:
            one = turn(relay, sink, size, sessions, messages, keep)
            if i > 0:
                results[relay.name].append(one)
    row = {n: (statistics.median(x[0] for x in v),
               statistics.median(x[1] for x in v)) for n, v in results.items()}
    p, q = results["postern"], results["postfix"]
    rate = statistics.median(a[0] / b[0] for a, b in zip(p, q))
    cpu = statistics.median(b[1] / a[1] if a[1] else 0 for a, b in zip(p, q))
    print(f"| {name} | {row['no relay'][0]:.0f} | {row['postfix'][0]:.0f} | "
          f"{row['postern'][0]:.0f} | **{rate:.1f}** | {row['postfix'][1]:.2f} | "
          f"{row['postern'][1]:.3f} | **{cpu:.1f}** |", flush=True)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("build")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--only")
    p.add_argument("--quick", action="store_true")
    a = p.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = tempfile.mkdtemp(prefix="postern-bench-", dir=os.getcwd())
    os.chmod(folder, 0o755)
    sinks, relays = [], []
    try:
        for kind in (Nothing, Postfix, Postern):
            sinks.append(Sink())
            relays.append((kind(os.path.abspath(a.build), folder, sinks[-1]),
                           sinks[-1]))
        time.sleep(2)
        print(f"idle memory of postern: {relays[-1][0].idle_pss()} KiB PSS\n")
        print("| messages | no relay /s | Postfix /s | Postern /s | times | "
              "Postfix CPU s/1000 | Postern CPU s/1000 | times less |\n"
              "|---|---|---|---|---|---|---|---|", flush=True)
        for case in CASES:
            if a.only is None or a.only in case[0]:
                compare(case, relays, 1 if a.quick else a.rounds)
    finally:
        for relay, sink in relays:
            relay.stop()
        for sink in sinks:
            sink.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
