#!/usr/bin/env python3
"""bench.py - how fast, beside Postfix, in the same run

smtp-source, or tls-source -> relay -> smtp-sink on this machine: end-to-end rate (from the
first connection until the sink has the last message) and CPU seconds of the
relay for 1000 messages.  The two relays take turns; medians are printed, and
ratios of each pair of turns.

    bench.py BUILD [--rounds 5] [--only TEXT] [--quick]
"""
import argparse
import dataclasses
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from bench_peers import (Keys, Nothing, Postern, Postfix, Sink, Stunnel,
                         cpu_of)


@dataclasses.dataclass
class Case:
    name: str
    bytes: int
    sessions: int
    messages: int
    keep: bool = False      # the source keeps its connections


@dataclasses.dataclass
class Setting:
    """How the relays are set up for some cases."""
    cases: list
    signed: bool = False    # DKIM, RSA-2048; Postfix by opendkim
    tls_out: bool = False   # STARTTLS to the sink, connections kept
    tls_in: bool = False    # STARTTLS demanded of the source
    routes: dict = dataclasses.field(default_factory=dict)
    build: str = ""
    folder: str = ""
    keys: Keys = None


SETTINGS = [
    Setting([Case("4 KiB, 10 sessions", 4096, 10, 4000),
             Case("4 KiB, 10 sessions, kept", 4096, 10, 4000, keep=True),
             Case("4 KiB, 1 session", 4096, 1, 500),
             Case("4 KiB, 50 sessions", 4096, 50, 4000),
             Case("64 KiB, 10 sessions", 65536, 10, 1000),
             Case("5 MiB, 10 sessions", 5 * 1048576, 10, 60)]),
    Setting([Case("DKIM: 4 KiB, 10 sessions", 4096, 10, 1500)], signed=True),
    Setting([Case("STARTTLS out: 4 KiB, 10 sessions", 4096, 10, 4000)],
            tls_out=True),
    Setting([Case("STARTTLS in: 4 KiB, 10 sessions", 4096, 10, 1500),
             Case("STARTTLS in: 4 KiB, 10 sessions, kept", 4096, 10, 3000,
                  keep=True)], tls_in=True),
]
IDLE = {
    "20-oauth": "route: oauth\nbackend: oauth\nmatch: {recipient: '@o.test'}\n"
                "oauth: {provider: microsoft, tenant: t.test, client_id: c, "
                "user: u@o.test}\n",
    "30-direct": "route: direct\nbackend: direct\nmatch: {recipient: '@d.test'}\n",
}


def source(case, port, tls):
    """The command that sends what the case wants."""
    if tls:
        return [tls, str(case.sessions), str(case.messages), str(case.bytes),
                str(port)] + ["keep"] * case.keep
    return ["smtp-source", "-s", str(case.sessions), "-m", str(case.messages),
            "-l", str(case.bytes), "-f", "a@src.test", "-t", "b@dst.test",
            "-M", "client.test"] + ["-d"] * case.keep + [f"127.0.0.1:{port}"]


def turn(relay, sink, command, case):
    """Rate and CPU seconds per 1000 of one run."""
    before, cpu = sink.messages(), cpu_of(relay.pids())
    start = time.monotonic()
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    while sink.messages() < before + case.messages:
        if time.monotonic() - start > 300:
            sys.exit(f"{relay.name}: only {sink.messages() - before} of "
                     f"{case.messages} messages arrived")
        time.sleep(0.005)
    seconds = time.monotonic() - start
    time.sleep(0.3)
    return (case.messages / seconds,
            (cpu_of(relay.pids()) - cpu) * 1000 / case.messages)


def compare(case, relays, rounds):
    results = {relay.name: [] for relay, *_ in relays}
    for i in range(rounds + 1):     # the first warms up
        for relay, sink, tls in relays:
            one = turn(relay, sink, source(case, relay.port, tls), case)
            if i > 0:
                results[relay.name].append(one)
    row = {n: (statistics.median(x[0] for x in v),
               statistics.median(x[1] for x in v)) for n, v in results.items()}
    alone = f"{row['no relay'][0]:.0f}" if "no relay" in row else "–"
    p, q = results["postern"], results["postfix"]
    rate = statistics.median(a[0] / b[0] for a, b in zip(p, q))
    cpu = statistics.median(b[1] / a[1] if a[1] else 0 for a, b in zip(p, q))
    print(f"| {case.name} | {alone} | {row['postfix'][0]:.0f} | "
          f"{row['postern'][0]:.0f} | **{rate:.1f}** | {row['postfix'][1]:.2f} | "
          f"{row['postern'][1]:.3f} | **{cpu:.1f}** |", flush=True)


def lay_out(setting, kind, started):
    """A relay, the sink behind it, and the source's program where it must
    speak STARTTLS."""
    def start(kind, *args):
        started.append(kind(*args))
        return started[-1]

    sink = start(Sink)
    port = sink.port
    if setting.tls_out:
        port = start(Stunnel, setting.folder, setting.keys, port).port
    tls = f"{setting.build}/tests/bench/tls-source" if setting.tls_in else ""
    return start(kind, setting, port), sink, tls


def run(setting, rounds):
    started = []
    os.mkdir(setting.folder, 0o755)
    try:
        # without a relay, the tools would have to speak TLS with each other
        kinds = [Postfix, Postern] if setting.tls_in or setting.tls_out else [
            Nothing, Postfix, Postern]
        relays = [lay_out(setting, kind, started) for kind in kinds]
        for case in setting.cases:
            compare(case, relays, rounds)
    finally:
        for one in reversed(started):
            one.stop()


def idle_memory(setting):
    """Of a gateway with a route of each of the three backends."""
    os.mkdir(setting.folder, 0o755)
    relay = Postern(setting, 9)
    try:
        time.sleep(2)
        print(f"idle with all three backends: {relay.pss()} KiB PSS\n")
    finally:
        relay.stop()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("build")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--only", default="")
    p.add_argument("--quick", action="store_true")
    a = p.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = tempfile.mkdtemp(prefix="postern-bench-", dir=os.getcwd())
    os.chmod(folder, 0o755)
    try:
        common = {"build": os.path.abspath(a.build), "keys": Keys(folder)}
        subprocess.run(["make", "-s", "-C", a.build, "tests/bench/tls-source"],
                       check=True, stdin=subprocess.DEVNULL)
        idle_memory(Setting([], routes=IDLE, folder=f"{folder}/idle", **common))
        print("| messages | no relay /s | Postfix /s | Postern /s | times | "
              "Postfix CPU s/1000 | Postern CPU s/1000 | times less |\n"
              "|---|---|---|---|---|---|---|---|", flush=True)
        for i, setting in enumerate(SETTINGS):
            cases = [c for c in setting.cases if a.only in c.name]
            if cases:
                run(dataclasses.replace(setting, cases=cases,
                                        folder=f"{folder}/{i}", **common),
                    1 if a.quick else a.rounds)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
