"""peers.py - real servers for the tests, each in a scratch folder

What a test starts it stops, by its process; nothing is left running, and no
server has a descriptor of the test.
"""
import os
import re
import shutil
import socket
import struct
import subprocess
import textwrap
import threading

from harness import free_port, wait_until


class Process:
    """A server that is started with a command and stopped by its id."""

    def __init__(self, folder, name):
        self.folder, self.name = folder, name
        self.log_path = os.path.join(folder, name + ".log")
        self.process = None
        os.makedirs(folder, exist_ok=True)

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)
        return path

    def log(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def run(self, command, ready, **more):
        """Starts it and waits for a text that it writes."""
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, **more)
        wait_until(lambda: ready(self.log()) or self.process.poll() is not None,
                   what=f"the start of {self.name}")
        if self.process.poll() is not None:
            raise AssertionError(f"{self.name} ended:\n{self.log()}")

    def stop(self):
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None


class Knot(Process):
    """Knot DNS, authoritative for zones, which it signs (one key each).

    zones     {"example.test": text of its file, with $ORIGIN and $TTL set};
              "" is the root
    unsigned  those that are not signed
    tampered  {zone: [("www.example.test.", "A", "192.0.2.66")]}: records
              that are changed after the zone was signed
    anchors   whose keys go into trust_anchor_file; default: all signed ones

    .server is "127.0.0.1@PORT" for `dns:', .port its port, .ds a dict of the
    DS records, .trust_anchor_file a file of them."""

    programs = ("knotd", "keymgr")
    head = ("$ORIGIN {zone}.\n$TTL 300\n"
            "@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\n"
            "ns A 127.0.0.1\n")

    def __init__(self, folder, zones, unsigned=(), tampered=None,
                 anchors=None, address="127.0.0.1"):
        super().__init__(folder, "knotd")
        self.address, self.port = address, free_port()
        self.server = f"{address}@{self.port}"
        self.zones, self.unsigned = zones, set(unsigned)
        self.tampered = tampered or {}
        self.anchors = anchors
        self.ds = {}
        self.trust_anchor_file = os.path.join(folder, "anchors")
        for name in ("run", "db", "zones"):
            os.makedirs(os.path.join(folder, name), exist_ok=True)
        for zone in zones:
            self.zone(zone)

    def zone_path(self, zone):
        return os.path.join(self.folder, "zones",
                            (zone or "root") + ".zone")

    def zone(self, zone):
        with open(self.zone_path(zone), "w") as f:
            f.write(self.head.format(zone=zone) +
                    textwrap.dedent(self.zones[zone]))

    def configure(self, frozen=()):
        """frozen: served as they are."""
        text = textwrap.dedent(f"""\
            server:
                rundir: {self.folder}/run
                listen: {self.address}@{self.port}
                udp-workers: 1
                tcp-workers: 1
                background-workers: 1
            database:
                storage: {self.folder}/db
                journal-db-max-size: 16M
                kasp-db-max-size: 16M
                timer-db-max-size: 16M
            log:
              - target: stderr
                any: info
            policy:
              - id: signed
                algorithm: ecdsap256sha256
                single-type-signing: on
            template:
              - id: default
                storage: {self.folder}/zones
                file: "%s.zone"
                journal-content: none
                zonefile-load: whole
                zonefile-sync: 0
            zone:
            """)
        for zone in self.zones:
            text += (f"  - domain: {zone}.\n"
                     f"    file: {self.zone_path(zone)}\n")
            if zone not in self.unsigned and zone not in frozen:
                text += "    dnssec-signing: on\n    dnssec-policy: signed\n"
        self.config = self.write("knot.conf", text)

    def zone_lines(self, zone):
        with open(self.zone_path(zone)) as f:
            return f.read().splitlines()

    def command(self, *args):
        return subprocess.run(args, check=True, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True).stdout

    def serve(self):
        def ready(log):
            return "server started" in log and all(
                re.search(rf"\[{re.escape(z)}\.\] loaded", log)
                for z in self.zones)
        self.run(["knotd", "-c", self.config], ready)

    def start(self):
        self.configure()
        self.serve()
        for zone in self.zones:
            if zone not in self.unsigned:
                self.ds[zone] = [
                    line for line in self.command(
                        "keymgr", "-c", self.config, zone + ".",
                        "ds").splitlines() if " DS " in line]
        with open(self.trust_anchor_file, "w") as f:
            for zone in self.ds if self.anchors is None else self.anchors:
                f.write("\n".join(self.ds[zone]) + "\n")
        os.chmod(self.trust_anchor_file, 0o644)
        if self.tampered:
            self.tamper()
        return self

    def tamper(self):
        for zone in self.tampered:
            wait_until(lambda: any("RRSIG" in line
                                   for line in self.zone_lines(zone)),
                       what=f"the signed file of {zone}")
        self.stop()
        for zone, changes in self.tampered.items():
            lines = self.zone_lines(zone)
            for name, kind, value in changes:
                at = [i for i, line in enumerate(lines)
                      if line.split()[:1] == [name] and
                      line.split()[2:3] == [kind]]
                assert at, f"{name} {kind} is not in {zone}"
                lines[at[0]] = f"{name} 300 {kind} {value}"
            with open(self.zone_path(zone), "w") as f:
                f.write("\n".join(lines) + "\n")
        self.configure(frozen=self.tampered)
        self.serve()


class NameServer(threading.Thread):
    """A name server by UDP that answers what `answer' makes of a query: bytes,
    or None for nothing.  For what no real one can be made to do."""

    def __init__(self, answer=lambda query: None):
        super().__init__(daemon=True)
        self.answer = answer
        self.queries = 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(0.1)
        self.port = self.socket.getsockname()[1]
        self.server = f"127.0.0.1@{self.port}"
        self.ending = False
        self.start()

    def run(self):
        while not self.ending:
            try:
                query, client = self.socket.recvfrom(4096)
            except socket.timeout:
                continue
            self.queries += 1
            said = self.answer(query)
            if said is not None:
                self.socket.sendto(said, client)

    def close(self):
        self.ending = True
        self.join(10)
        self.socket.close()

    @staticmethod
    def question_end(query):
        at = 12
        while query[at]:
            at += query[at] + 1
        return at + 5

    @staticmethod
    def name(query):
        at, labels = 12, []
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode("latin-1"))
            at += query[at] + 1
        return ".".join(labels).lower()

    @classmethod
    def refusing(cls, rcode):
        """Answers every query with a code: 2 is SERVFAIL, 5 REFUSED."""
        def answer(query):
            end = cls.question_end(query)
            return (query[:2] + struct.pack(">HHHHH", 0x8180 | rcode, 1, 0, 0, 0)
                    + query[12:end])
        return cls(answer)

    @classmethod
    def forwarding(cls, port, local=None):
        """Passes queries on as they are.  local: names below which it answers
        itself, without signatures, and what: {"office": {"exchange01.office":
        "192.0.2.1"}}; only the DS record of such a name is its parent's."""
        def answer(query):
            name, end = cls.name(query), cls.question_end(query)
            kind = struct.unpack(">H", query[end - 4:end - 2])[0]
            for zone, hosts in (local or {}).items():
                if name == zone and kind != 43 or name.endswith("." + zone):
                    return cls.own(query, end, kind, name, hosts)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.settimeout(5)
                s.connect(("127.0.0.1", port))
                s.send(query)
                return s.recv(65535)
        return cls(answer)

    @staticmethod
    def own(query, end, kind, name, hosts):
        ip = hosts.get(name)
        known = ip is not None or any(h.endswith("." + name) for h in hosts)
        records = (b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + socket.inet_aton(ip)
                   if ip is not None and kind == 1 else b"")
        return (query[:2] + struct.pack(
            ">HHHHH", 0x8580 | (0 if known else 3), 1, 1 if records else 0, 0,
            0) + query[12:end] + records)

    @classmethod
    def stripping(cls, port):
        """Passes queries on to a server, without asking for DNSSEC, as many a
        router does."""
        def answer(query):
            end = cls.question_end(query)
            bare = query[:10] + b"\0\0" + query[12:end]
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.settimeout(5)
                s.connect(("127.0.0.1", port))
                s.send(bare)
                said = s.recv(65535)
            return said[:2] + struct.pack(
                ">H", struct.unpack(">H", said[2:4])[0] | 0x80) + said[4:]
        return cls(answer)
