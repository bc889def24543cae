"""test-clock.py - somebody sets the clock while the gateway runs, or between two
runs: no message waits for that, is warned of or given up"""
import os
import sqlite3
import struct
import time
import unittest

import harness
from harness import Case, wait_until

WRONG_CLOCK = os.path.join(harness.BUILD, "tests/black-box/.libs/wrong-clock.so")
HOUR, DAY = 3600, 86400
YEAR = 365 * DAY
JUMPS = (HOUR, -3 * DAY, 30 * YEAR, -30 * YEAR)
QUICK = ("retry: {first: 1s, factor: 1, longest: 1s, give_up: 1h, "
         "warn_after: 10m}\n")


def sanitized():
    with open(harness.POSTERN, "rb") as f:
        return b"__asan_init" in f.read() or b"__tsan_init" in f.read()


class Clock(Case):
    def setUp(self):
        super().setUp()
        self.wrong = os.path.join(self.folder, "wrong-by")
        self.answer = "450 4.2.0 not now"
        self.set_clock(0)

    def set_clock(self, seconds):
        """By so much the gateway's clock is wrong."""
        with open(self.wrong, "r+b" if os.path.exists(self.wrong) else "wb") as f:
            f.write(struct.pack("q", seconds))
        self.wrong_by = seconds

    def at_rcpt(self, verb, line):
        return self.answer if verb == "RCPT" else None

    def begin(self, wrong_by, name="gw", routes=None, extra=QUICK):
        if not os.path.exists(WRONG_CLOCK):
            raise unittest.SkipTest("wrong-clock.so is not built")
        self.env = {"LD_PRELOAD": WRONG_CLOCK, "WRONG_CLOCK": self.wrong}
        self.set_clock(wrong_by)
        peer = self.peer(self.at_rcpt)
        gw = self.gateway(routes or {"10-out": self.connector(peer.port)},
                          extra, start=False, name=name)
        gw.start(env=self.env)
        return gw, peer

    def attempts(self, gw):
        return [q["attempts"] for q in gw.queue()]

    def goes_on(self, gw, peer):
        """It is tried again and again, nobody is told, and it arrives."""
        was = self.attempts(gw)[0]
        wait_until(lambda: self.attempts(gw)[0] >= was + 2,
                   what="the next attempts")
        self.assertEqual(len(gw.queue()), 1)
        created_ms = gw.queue()[0]["created_ms"]
        self.assertLess(abs(created_ms / 1000 - time.time() - self.wrong_by), 300)
        self.answer = "250 2.1.5 ok"
        gw.wait_empty()
        self.assertEqual(len(peer.messages), 1)
        self.assertNotIn("multipart/report", peer.messages[0].decode())
        self.assertNotIn("bounced", gw.log())

    @unittest.skipIf(sanitized(), "a sanitizer wants to be loaded first")
    def test_a_clock_that_is_set_while_it_runs(self):
        for jump in JUMPS:
            with self.subTest(jump=jump):
                self.answer = "450 4.2.0 not now"
                gw, peer = self.begin(jump, name=f"gw{jump}")
                gw.send()
                wait_until(lambda: self.attempts(gw) == [1] or
                           self.attempts(gw) > [1], what="an attempt")
                self.set_clock(0)
                self.goes_on(gw, peer)
                self.assertEqual(gw.stop(), 0)

    @unittest.skipIf(sanitized(), "a sanitizer wants to be loaded first")
    def test_a_clock_that_is_set_between_two_runs(self):
        for jump, boot in ((YEAR, False), (-YEAR, False), (30 * YEAR, True),
                           (HOUR, True)):
            with self.subTest(jump=jump, boot=boot):
                self.answer = "450 4.2.0 not now"
                gw, peer = self.begin(jump, name=f"gw{jump}{boot}")
                gw.send()
                wait_until(lambda: self.attempts(gw) and
                           self.attempts(gw)[0] >= 1, what="an attempt")
                self.assertEqual(gw.stop(), 0)
                if boot:
                    self.sql(gw, "UPDATE clock SET boot = 'another'")
                self.set_clock(0)
                gw.start(env=self.env)
                self.goes_on(gw, peer)
                self.assertEqual(gw.stop(), 0)

    @unittest.skipIf(sanitized(), "a sanitizer wants to be loaded first")
    def test_a_route_that_is_paused(self):
        for jump in (HOUR, -HOUR, 30 * YEAR):
            with self.subTest(jump=jump):
                gw, peer = self.begin(jump, name=f"gw{jump}", extra=QUICK)
                said = ["535 5.7.3 no"]
                peer.answer = lambda verb, line: \
                    said[0] if verb == "MAIL" else None
                said[0] = "530 5.7.1 authentication required"
                gw.send()
                gw.wait_log("is paused")
                self.set_clock(0)
                said[0] = None
                gw.wait_empty()
                gw.wait_log("no longer paused")
                self.assertEqual(gw.stop(), 0)

    def sql(self, gw, *statements):
        db = sqlite3.connect(os.path.join(gw.spool, "spool.db"))
        for s in statements:
            db.execute(s)
        db.commit()
        db.close()

    def test_the_queue_of_an_older_version(self):
        """It has no record of the clock, and was written in a wrong year."""
        for years in (1, 70):
            with self.subTest(years=years):
                self.answer = "450 4.2.0 not now"
                peer = self.peer(self.at_rcpt)
                gw = self.gateway({"10-out": self.connector(peer.port)}, QUICK,
                                  name=f"gw{years}")
                gw.send()
                wait_until(lambda: self.attempts(gw) and
                           self.attempts(gw)[0] >= 1, what="an attempt")
                self.assertEqual(gw.stop(), 0)
                ms = years * YEAR * 1000
                self.sql(gw, "DROP TABLE clock",
                         f"UPDATE item SET created = created + {ms}, "
                         f"due = due + {ms}")
                gw.start()
                self.goes_on(gw, peer)
                self.assertEqual(gw.stop(), 0)


if __name__ == "__main__":
    harness.main()
