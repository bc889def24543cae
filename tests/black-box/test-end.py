"""test-end.py - nothing that hangs keeps the gateway from ending, or its successor
from starting"""
import fcntl
import os
import signal
import socket
import subprocess
import time
import unittest

import harness
from harness import Case, wait_until

HANG = os.path.join(harness.BUILD, "tests/black-box/.libs/hang.so")
SOON = 20 * harness.SLOW


class Log(Case):
    """Standard error is a pipe that is full, and nobody reads it."""

    def full_pipe(self):
        r, w = os.pipe()
        fcntl.fcntl(w, fcntl.F_SETPIPE_SZ, 4096)
        os.set_blocking(w, False)
        try:
            while True:
                os.write(w, b"x\n" * 128)
        except BlockingIOError:
            pass
        os.set_blocking(w, True)
        self.addCleanup(os.close, r)
        self.addCleanup(os.close, w)
        return r, w

    def start(self, gw, err):
        gw.process = subprocess.Popen([harness.POSTERN, "-c", gw.config, "run"],
                                      stdin=subprocess.DEVNULL, stdout=err,
                                      stderr=err, env=harness.environment())
        wait_until(lambda: self.listens(gw), what="the start")

    def listens(self, gw):
        self.assertIsNone(gw.process.poll())
        try:
            socket.create_connection(("127.0.0.1", gw.port), 5).close()
            return True
        except OSError:
            return False

    def ends(self, gw, signals=1, status=0):
        began = time.monotonic()
        for _ in range(signals):
            gw.process.send_signal(signal.SIGTERM)
            time.sleep(0.1)
        self.assertEqual(gw.process.wait(SOON), status)
        self.assertLess(time.monotonic() - began, SOON)
        gw.process = None

    def test_it_ends_and_its_successor_starts(self):
        gw = self.gateway(start=False)
        r, w = self.full_pipe()
        for run in range(1, 4):
            with self.subTest(run=run):
                self.start(gw, w)
                for _ in range(20):
                    gw.send()
                gw.wait_captured(20 * run)
                self.ends(gw, signals=1 + run % 2)

    def test_a_wrong_configuration_ends_it(self):
        gw = self.gateway(start=False, extra="nonsense: 1\n")
        r, w = self.full_pipe()
        p = subprocess.run([harness.POSTERN, "-c", gw.config, "run"], stdout=w,
                           stderr=w, stdin=subprocess.DEVNULL, timeout=SOON,
                           env=harness.environment())
        self.assertEqual(p.returncode, 78)

    def test_what_was_lost_is_told(self):
        # a configuration with a warning, which is told before the log's thread
        gw = self.gateway({"50-x": "route: x\nbackend: 'null'\n"
                           "match: {sender: '@src.test'}\n"}, start=False)
        self.assertIn("warning", gw.command("check").stderr)
        r, w = self.full_pipe()
        self.start(gw, w)
        self.assertGreater(gw.json("status")["log"]["lost"], 0)
        self.assertIn("lines were lost", gw.command("status").stdout)
        os.set_blocking(r, False)
        said = b""

        def told():
            nonlocal said
            try:
                said += os.read(r, 65536)
            except BlockingIOError:
                pass
            return b"lines were lost" in said and b" is ready" in said
        wait_until(told, what="the number of lines that were lost")
        self.ends(gw)


class Disk(Case):
    def test_a_disk_that_hangs(self):
        if not os.path.exists(HANG):
            raise unittest.SkipTest("hang.so is not built")
        with open(harness.POSTERN, "rb") as f:
            if b"__asan_init" in f.read():
                raise unittest.SkipTest("a sanitizer wants to be loaded first")
        hang = os.path.join(self.folder, "hang")
        gw = self.gateway(extra="stop_patience: 200ms\n", start=False)
        gw.start(env={"LD_PRELOAD": HANG, "HANG": hang})
        gw.send()
        gw.wait_captured(1)
        with open(hang, "w"):
            pass
        s = socket.create_connection(("127.0.0.1", gw.port))
        self.addCleanup(s.close)
        s.sendall(b"HELO x\r\nMAIL FROM:<a@src.test>\r\nRCPT TO:<b@dst.test>\r\n"
                  b"DATA\r\nSubject: x\r\n\r\nx\r\n.\r\n")
        wait_until(lambda: b"354" in s.recv(4096), what="DATA")
        time.sleep(0.3)
        gw.process.send_signal(signal.SIGTERM)
        self.assertEqual(gw.process.wait(60 * harness.SLOW), 70)
        gw.process = None
        self.assertIn("stopping: the sessions did not end within", gw.log())
        os.unlink(hang)
        gw.start()
        gw.send()
        gw.wait_empty()
        self.assertEqual(gw.stop(), 0)


if __name__ == "__main__":
    harness.main()
