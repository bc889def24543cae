"""test-crash.py - what was acknowledged survives; what was not is nothing"""
import os
import re
import signal
import smtplib
import subprocess
import threading
import time

import harness
from harness import Case, wait_until

IDS = re.compile(rb"(?m)^X-Id: (\d+)\r?$")


class Clients:
    """Threads that send numbered messages until told to stop, and remember
    which numbers were acknowledged."""

    def __init__(self, port, threads, size=2000):
        self.port, self.size = port, size
        self.acknowledged, self.next = set(), 0
        self.lock, self.stopping = threading.Lock(), threading.Event()
        self.threads = [threading.Thread(target=self.run, daemon=True)
                        for _ in range(threads)]
        for t in self.threads:
            t.start()

    def number(self):
        with self.lock:
            self.next += 1
            return self.next

    def run(self):
        while not self.stopping.is_set():
            try:
                with smtplib.SMTP("127.0.0.1", self.port, timeout=10) as s:
                    while not self.stopping.is_set():
                        self.one(s)
            except (OSError, smtplib.SMTPException):
                time.sleep(0.05)

    def one(self, s):
        n = self.number()
        s.sendmail("a@src.test", ["b@dst.test"],
                   f"X-Id: {n}\r\n\r\n" + "x" * 70 * (self.size // 70))
        with self.lock:
            self.acknowledged.add(n)

    def stop(self):
        self.stopping.set()
        for t in self.threads:
            t.join(30)


class Crash(Case):
    def arrived(self, messages):
        return [int(i) for m in messages for i in IDS.findall(m)]

    def kill_and_check(self, rounds, size):
        peer = self.peer()
        gw = self.gateway({"10-out": self.connector(peer.port)}, start=False,
                          extra="retry: {first: 100ms, longest: 200ms}\n")
        acknowledged = set()
        for _ in range(rounds):
            gw.start()
            clients = Clients(gw.port, 8, size)
            clients.next = max(acknowledged, default=0) + 100000
            wait_until(lambda: len(clients.acknowledged) > 30, 30, "some mail")
            gw.stop(signal.SIGKILL)
            clients.stop()
            acknowledged |= clients.acknowledged
        gw.start()
        gw.wait_empty(60)
        arrived = self.arrived(peer.messages)
        self.assertEqual(acknowledged - set(arrived), set(), "lost")
        # each message is whole
        for m in peer.messages:
            self.assertTrue(m.rstrip().endswith(b"x"))
        self.assertLess(len(arrived) - len(set(arrived)), 200 * rounds)

    def test_kill_under_load(self):
        self.kill_and_check(4, 2000)

    def test_kill_under_load_of_large_bodies(self):
        self.kill_and_check(3, 200000)

    def test_nothing_is_left_over(self):
        gw = self.gateway()
        gw.send("Subject: large\r\n\r\n" + ("x" * 70 + "\r\n") * 5000)
        gw.wait_captured(1)
        gw.wait_empty()
        bodies = os.path.join(gw.spool, "bodies")
        left = [f for _, _, files in os.walk(bodies) for f in files]
        self.assertEqual(left, [])


class Disk(Case):
    def test_no_space_is_452(self):
        gw = self.gateway(extra="limits: {free_space: 900000G}\n")
        with self.assertRaises(smtplib.SMTPDataError) as e:
            gw.send()
        self.assertEqual(e.exception.smtp_code, 452)
        self.assertIn(b"4.3.1", e.exception.smtp_error)
        status = gw.json("status")
        self.assertFalse(status["queue"]["accepting"])
        gw.stop()
        self.assertEqual(gw.captured(), [])

    def test_a_disk_that_fills_loses_nothing(self):
        disk = os.path.join(self.folder, "disk")
        os.mkdir(disk)
        if os.geteuid() != 0 or subprocess.run(
                ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", disk],
                capture_output=True).returncode != 0:
            self.skipTest("a small file system cannot be mounted here")
        self.addCleanup(subprocess.run, ["umount", "-l", disk])
        peer = self.peer(lambda verb, line: "450 4.2.0 later"
                         if verb == "MAIL" and not peer_open.is_set() else None)
        peer_open = threading.Event()
        gw = self.gateway({"10-out": self.connector(peer.port)},
                          spool=os.path.join(disk, "spool"),
                          extra="limits: {free_space: 0}\n"
                                "retry: {first: 300ms, factor: 1}\n")
        acknowledged = 0
        with self.assertRaises(smtplib.SMTPDataError) as e:
            for i in range(400):
                gw.send(f"X-Id: {i}\r\n\r\n" + ("x" * 70 + "\r\n") * 400)
                acknowledged += 1
        self.assertIn(e.exception.smtp_code, (451, 452))
        self.assertGreater(acknowledged, 5)
        gw.stop(signal.SIGKILL)
        subprocess.run(["mount", "-o", "remount,size=8m", disk], check=True)
        gw.start()
        peer_open.set()
        gw.command("queue", "retry", "--all")
        try:
            gw.wait_empty(30)
        finally:
            self.assertEqual(set(range(acknowledged)) - set(self.ids(peer)),
                             set(), f"lost; in the queue: {gw.queue()}")
        gw.send()       # and there is room again

    def ids(self, peer):
        return [int(i) for m in peer.messages for i in IDS.findall(m)]


class Start(Case):
    def test_a_typo_in_the_spool_is_named(self):
        gw = self.gateway(start=False, spool=os.path.join(
            self.folder, "no-such", "spool"))
        r = gw.command("run")
        self.assertEqual(r.returncode, 78, r.stderr)
        self.assertIn(f"there is no folder {self.folder}/no-such ", r.stderr)
        self.assertFalse(os.path.exists(os.path.join(self.folder, "no-such")))

    def test_two_gateways_on_one_spool(self):
        first = self.gateway()
        second = self.gateway(name="second", spool=first.spool, start=False)
        r = second.command("run")
        self.assertEqual(r.returncode, 78, r.stderr)
        self.assertIn(str(first.process.pid), r.stderr)
        first.send()
        first.wait_captured(1)

    def test_a_newer_spool_is_refused_untouched(self):
        import sqlite3
        gw = self.gateway()
        gw.stop()
        db = next(os.path.join(gw.spool, f) for f in os.listdir(gw.spool)
                  if open(os.path.join(gw.spool, f), "rb").read(6) == b"SQLite")
        with sqlite3.connect(db) as c:
            c.execute("PRAGMA user_version = 999")
        c.close()
        before = open(db, "rb").read()
        r = gw.command("run")
        self.assertEqual(r.returncode, 78, r.stderr)
        self.assertIn("999", r.stderr)
        self.assertEqual(open(db, "rb").read(), before)

    def test_the_queue_is_taken_up_again(self):
        gw = self.gateway({"10-out": self.connector(harness.free_port())})
        for i in range(20):
            gw.send(f"X-Id: {i}\r\n\r\nx")
        self.assertEqual(gw.stop(), 0)
        self.assertIn("20 messages are left in the queue", gw.log())
        peer = self.peer()
        gw.route("10-out", self.connector(peer.port))
        gw.start()
        gw.command("queue", "retry", "--all", check=True)
        gw.wait_empty()
        self.assertEqual(sorted(self.ids(peer)), list(range(20)))

    def ids(self, peer):
        return [int(i) for m in peer.messages for i in IDS.findall(m)]


if __name__ == "__main__":
    harness.main()
