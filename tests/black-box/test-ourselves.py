"""test-ourselves.py - mail that would come back: a route that leads to the
gateway's own listener, by whatever way
"""
import contextlib
import socket
import threading

import harness
from harness import Case, free_port, wait_until

PATIENT = "retry: {first: 1h, longest: 1h}\n"
ITSELF = "the server is this gateway itself"


class Detour(threading.Thread):
    """Passes connections on to a port, as a container's or a router's
    forwarding does: an address that is none of the gateway's."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.to = port
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=50)
        self.port = self.listener.getsockname()[1]
        self.connections = 0
        self.start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                here, _ = self.listener.accept()
                self.connections += 1
                there = socket.create_connection(("127.0.0.1", self.to))
                threading.Thread(target=self.both, args=(here, there),
                                 daemon=True).start()

    def both(self, here, there):
        with here, there:
            back = threading.Thread(target=self.pump, args=(there, here),
                                    daemon=True)
            back.start()
            self.pump(here, there)
            back.join()

    @staticmethod
    def pump(a, b):
        with contextlib.suppress(OSError):
            while data := a.recv(65536):
                b.sendall(data)
            b.shutdown(socket.SHUT_WR)

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.join(10)
        self.listener.close()


class AtRunTime(Case):
    def detour(self, gw):
        d = Detour(gw.port)
        self.addCleanup(d.close)
        return d

    def paused(self, gw, route="out"):
        return next(r["paused"] for r in gw.json("status")["routes"]
                    if r["route"] == route)

    def test_a_connector(self):
        gw = self.gateway({}, PATIENT, start=False)
        gw.route("50-capture", self.connector(self.detour(gw).port))
        gw.start()
        for _ in range(3):
            gw.send()
        wait_until(lambda: self.paused(gw), what="the pause")
        self.assertIn(ITSELF, self.paused(gw))
        self.assertIn("`host' and `port' of the route", self.paused(gw))
        # nothing was given away, and nothing is returned
        wait_until(lambda: len(gw.queue()) == 3, what="three that wait")
        gw.count_log(": accepted ", 3)
        self.assertNotIn("bounced id=", gw.log())
        # it is repaired
        peer = self.peer()
        gw.route("50-capture", self.connector(peer.port))
        gw.command("reload", check=True)
        gw.wait_empty()
        self.assertEqual(len(peer.messages), 3)

    def test_another_gateway_is_another(self):
        behind = self.gateway(name="behind")
        gw = self.gateway({}, PATIENT, start=False)
        gw.route("50-capture", self.connector(behind.port))
        gw.start()
        gw.send()
        behind.wait_captured(1)

    def test_a_relay_of_our_name_is_no_gateway(self):
        peer = self.peer(lambda verb, line: "250 gw.example.test"
                         if verb == "EHLO" else None)
        gw = self.gateway({"50-out": self.connector(peer.port)}, PATIENT)
        gw.send()
        gw.wait_empty()
        self.assertEqual(len(peer.messages), 1)

    def test_a_kept_connection_is_looked_at_too(self):
        """One that a connector has left is not taken by a direct route, for
        which the name alone tells."""
        peer = self.peer(lambda verb, line: "250 gw.example.test"
                         if verb == "EHLO" else None)
        gw = self.gateway({
            "50-out": self.connector(peer.port, host="'[127.0.0.1]'", more="""\
                  idle: 60s
                match: {recipient: ["@first.test"]}
                """),
            "60-direct": "route: direct\nbackend: direct\ndirect:\n"
                         f"  port: {peer.port}\n"}, PATIENT)
        gw.send(to=["a@first.test"])
        gw.wait_empty()
        gw.send(to=["a@[127.0.0.1]"])
        gw.wait_log(f"{ITSELF}, by its name gw.example.test")
        self.assertEqual(len(peer.messages), 1)

    def test_what_has_gone_round_is_returned(self):
        """Two gateways send to each other: 5.4.6 is final."""
        port = free_port()
        one = self.gateway({"50-out": self.connector(port)},
                           "retry: {first: 300ms}\n", name="one")
        two = self.gateway({"50-out": self.connector(one.port)},
                           "retry: {first: 300ms}\n", start=False, name="two")
        with open(two.config) as f:
            text = f.read()
        two.write("postern.yaml", text.replace(f":{two.port}", f":{port}"))
        two.port = port
        two.start()
        one.send(sender="")
        wait_until(lambda: "too many hops" in one.log() + two.log(), 60,
                   "the last hop")
        one.wait_empty(60)
        two.wait_empty(60)


class AtCheck(Case):
    """What can be told without the network is told before a start."""

    def said(self, host, port=None, listen=None, backend="connector"):
        gw = self.gateway({}, PATIENT, start=False, name=f"gw{self.count}")
        self.count += 1
        if listen:
            with open(gw.config) as f:
                text = f.read()
            gw.write("postern.yaml", text.replace(
                f"127.0.0.1:{gw.port}", f'"{listen}:{gw.port}"'))
        more = "" if backend == "connector" else (
            "  provider: custom\n  client_id: x\n  client_secret: y\n"
            "  grant: client_credentials\n  scope: [z]\n"
            "  token_endpoint: https://127.0.0.1:9/token\n"
            "  user: a@src.test\n")
        gw.route("50-capture", f"route: out\nbackend: {backend}\n{backend}:\n"
                 f"  host: {host}\n  port: {port or gw.port}\n{more}")
        done = gw.command("check")
        return done.returncode, done.stderr, gw

    count = 0

    def test_our_listener(self):
        mine = socket.gethostbyname_ex("localhost")[2][0]
        for host, listen in (("127.0.0.1", None), ("localhost", None),
                             ("'[127.0.0.1]'", None), (mine, None),
                             ("127.0.0.1", "0.0.0.0"), ("0.0.0.0", "0.0.0.0"),
                             ("127.8.8.8", "0.0.0.0"), ("'::1'", "[::]"),
                             ("'::1'", "[::1]"), ("127.0.0.1", "[::]"),
                             ("'[IPv6:::1]'", "[::1]")):
            with self.subTest(host=host, listen=listen):
                status, said, gw = self.said(host, listen=listen)
                self.assertEqual(status, 78, said)
                bare = host.strip("'")
                self.assertIn(f"50-capture.yaml:4:9: error: {bare} with port "
                              f"{gw.port} is this gateway itself, by its "
                              f"listener {listen or '127.0.0.1'}:{gw.port}",
                              said)
                self.assertIn("hint: write the host and the port of the "
                              "server that is to receive the mail", said)
                self.assertEqual(gw.command("run").returncode, 78)

    def test_an_interface_of_ours(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            with contextlib.suppress(OSError):
                s.connect(("192.0.2.1", 9))     # sends nothing
            mine = s.getsockname()[0]
        if mine.startswith("127.") or mine == "0.0.0.0":
            self.skipTest("there is none but loopback")
        self.assertEqual(self.said(mine, listen="0.0.0.0")[0], 78)
        self.assertEqual(self.said(mine)[0], 0)     # we listen on 127.0.0.1

    def test_a_name_that_hosts_has(self):
        with contextlib.suppress(OSError), open("/etc/hosts") as f:
            for line in f:
                ip, *names = line.partition("#")[0].split() or [""]
                for name in names:
                    if ip == "127.0.0.1" and name != "localhost":
                        self.assertEqual(self.said(f"'{name}'")[0], 78, name)
                        return
        self.skipTest("/etc/hosts has no other name of 127.0.0.1")

    def test_what_is_another(self):
        for host, port, listen in (("127.0.0.1", 9, None),
                                   ("127.0.0.2", None, None),
                                   ("192.0.2.1", None, "0.0.0.0"),
                                   ("'::1'", None, None),
                                   ("nowhere.invalid", None, None)):
            with self.subTest(host=host, port=port):
                status, said, gw = self.said(host, port, listen)
                self.assertEqual((status, said), (0, ""))

    def test_our_name(self):
        status, said, gw = self.said("GW.example.test")
        self.assertEqual(status, 0)
        self.assertIn("50-capture.yaml:4:9: warning: `GW.example.test' is the "
                      f"name of this gateway, which listens on port {gw.port} "
                      "itself", said)
        self.assertEqual(self.said("gw.example.test", 9)[:2], (0, ""))

    def test_oauth_too(self):
        status, said, gw = self.said("127.0.0.1", backend="oauth")
        self.assertEqual(status, 78, said)
        self.assertIn("is this gateway itself", said)


class OneRemedy(Case):
    """What a backend does not take is not praised in the same breath."""

    def test_direct(self):
        for keys, words, hint in (
                ("tls: implicit", "servers of other domains have no implicit "
                 "TLS", "set `tls' to opportunistic"),
                ("server_name: x.test", "`server_name' cannot be used", None)):
            gw = self.gateway({"50-capture": "route: direct\nbackend: direct\n"
                               f"direct: {{{keys}}}\n"}, start=False, name=keys)
            done = gw.command("check")
            self.assertEqual(done.returncode, 78)
            self.assertIn(words, done.stderr)
            self.assertEqual(done.stderr.count("error: "), 1, done.stderr)
            self.assertNotIn("warning: ", done.stderr)
            self.assertEqual(done.stderr.count("hint: "), 1 if hint else 0)
            self.assertIn(hint or "", done.stderr)


if __name__ == "__main__":
    harness.main()
