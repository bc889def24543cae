"""test-crash.py - what was acknowledged survives; what was not is nothing"""
import contextlib
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


def read(path):
    with open(path, "rb") as f:
        return f.read()


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
        disk = self.full_disk("4m")
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

    def full_disk(self, size):
        disk = os.path.join(self.folder, "disk")
        os.mkdir(disk)
        if os.geteuid() != 0 or subprocess.run(
                ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", disk],
                capture_output=True).returncode != 0:
            self.skipTest("a small file system cannot be mounted here")
        self.addCleanup(subprocess.run, ["umount", "-l", disk])
        return disk

    def fill(self, disk):
        with open(os.path.join(disk, "filler"), "ab", buffering=0) as f:
            with contextlib.suppress(OSError):
                while f.write(b"x" * 4096):
                    pass

    def send_code(self, gw):
        try:
            gw.send()
            return 250
        except smtplib.SMTPDataError as e:
            return e.smtp_code

    def queue_on_a_full_disk(self):
        disk = self.full_disk("6m")
        up = threading.Event()
        peer = self.peer(lambda verb, line: "450 4.2.0 later"
                         if verb == "MAIL" and not up.is_set() else None)
        gw = self.gateway({"10-out": self.connector(peer.port)},
                          spool=os.path.join(disk, "spool"),
                          extra="limits: {free_space: 0}\n"
                                "retry: {first: 50ms, factor: 1}\n")
        for i in range(12):
            gw.send(f"X-Id: {i}\r\n\r\n" + ("x" * 70 + "\r\n") * 400)
        gw.stop(signal.SIGKILL)
        self.fill(disk)
        return gw, peer, up, disk

    def test_a_start_on_a_full_disk(self):
        gw, peer, up, disk = self.queue_on_a_full_disk()
        gw.start()

        def refuses():      # though it gives back what it does not need
            self.fill(disk)
            return (self.send_code(gw) == 452 and
                    "NOT ACCEPTING" in gw.command("status").stdout)
        wait_until(refuses, what="the refusal")
        # the operator can make room, and so do deliveries
        queued = len(gw.queue())
        self.assertGreaterEqual(queued, 12)
        wait_until(lambda: gw.command("queue", "remove", gw.queue()[0]["id"]
                                      ).returncode == 0, what="the removal")
        # nor do attempts that fail take what the results will need
        wait_until(lambda: gw.log().count("dispatch: deferred") > 1000, 60,
                   "a thousand attempts")
        up.set()
        gw.command("queue", "retry", "--all")
        gw.wait_empty(60)
        self.assertGreaterEqual(len(peer.messages), queued - 1)
        # what the queue took is the disk's again: somebody takes that, too
        end = time.monotonic() + 2
        while time.monotonic() < end or self.send_code(gw) != 452:
            self.fill(disk)
            time.sleep(0.02)
        again = gw.log().count("accepted again")
        time.sleep(2.5)
        self.assertEqual(self.send_code(gw), 452)
        gw.count_log("accepted again", again)
        os.unlink(os.path.join(disk, "filler"))
        wait_until(lambda: self.send_code(gw) == 250, what="acceptance")
        gw.count_log("accepted again", again + 1)

    def test_a_start_without_any_room(self):
        """The reserve is used up, and SQLite cannot make its files."""
        gw, peer, up, disk = self.queue_on_a_full_disk()
        os.unlink(os.path.join(disk, "filler"))
        gw.start()
        gw.stop()
        self.assertEqual([f for f in os.listdir(gw.spool)
                          if f.startswith("spool.db-")], [])
        os.unlink(os.path.join(gw.spool, "reserve"))
        self.fill(disk)
        gw.start()
        self.assertEqual(self.send_code(gw), 452)
        self.assertEqual(gw.command("status").returncode, 2)
        self.assertIn("NOT ACCEPTING", gw.command("status").stdout)
        os.unlink(os.path.join(disk, "filler"))
        up.set()
        wait_until(lambda: self.send_code(gw) == 250, what="acceptance")
        gw.wait_empty(60)
        self.assertEqual(set(self.ids(peer)), set(range(12)))
        gw.count_log("accepted again", 1)

    def busy_gateway(self, size, free_space, until):
        """Mail comes in faster than the log is put in its place, and none
        goes out, until until(gw, disk)."""
        disk = self.full_disk(size)
        up = threading.Event()
        peer = self.peer(lambda verb, line: "450 4.2.0 later"
                         if verb == "MAIL" and not up.is_set() else None)
        gw = self.gateway({"10-out": self.connector(peer.port)},
                          spool=os.path.join(disk, "spool"),
                          extra=f"limits: {{free_space: {free_space}}}\n"
                                "retry: {first: 300ms, factor: 1}\n")
        clients = Clients(gw.port, 4, 40000)
        try:
            wait_until(lambda: until(gw, disk), 60, "so much mail")
        finally:
            clients.stop()
        self.assertGreater(len(clients.acknowledged), 100)
        return gw, peer, up, disk, clients.acknowledged

    def all_of_it_goes_out_once(self, gw, peer, up, acknowledged):
        up.set()
        gw.command("queue", "retry", "--all")
        gw.wait_empty(30)
        ids = self.ids(peer)
        self.assertEqual(acknowledged - set(ids), set())
        self.assertEqual(len(ids), len(set(ids)), "delivered twice")

    def test_a_disk_that_mail_fills_gets_empty(self):
        gw, peer, up, _, acknowledged = self.busy_gateway(
            "16m", "0", lambda gw, disk: "mail is refused" in gw.log())
        self.all_of_it_goes_out_once(gw, peer, up, acknowledged)
        # the queue's room is the disk's again
        wait_until(lambda: self.send_code(gw) == 250, 30, "acceptance")

    def test_a_disk_that_somebody_fills_gets_empty(self):
        def much_is_in_the_log(gw, disk):
            if os.path.getsize(gw.spool + "/spool.db-wal") < 12 << 20:
                return False
            with open(os.path.join(disk, "filler"), "wb") as f:
                with contextlib.suppress(OSError):
                    for at in range(0, 1 << 30, 1 << 18):
                        os.posix_fallocate(f.fileno(), at, 1 << 18)
            return True

        gw, peer, up, disk, acknowledged = self.busy_gateway(
            "48m", "8M", much_is_in_the_log)
        self.all_of_it_goes_out_once(gw, peer, up, acknowledged)
        os.unlink(os.path.join(disk, "filler"))
        wait_until(lambda: self.send_code(gw) == 250, what="acceptance")

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
                  if read(os.path.join(gw.spool, f)).startswith(b"SQLite"))
        with sqlite3.connect(db) as c:
            c.execute("PRAGMA user_version = 999")
        c.close()
        before = read(db)
        r = gw.command("run")
        self.assertEqual(r.returncode, 78, r.stderr)
        self.assertIn("999", r.stderr)
        self.assertEqual(read(db), before)

    def test_the_queue_is_taken_up_again(self):
        gw = self.gateway({"10-out": self.connector(harness.free_port())})
        for i in range(20):
            gw.send(f"X-Id: {i}\r\n\r\nx")
        self.assertEqual(gw.stop(), 0)
        gw.wait_log("20 messages are left in the queue")
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
