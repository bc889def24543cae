"""test-install.py - what `make install' installs, and where it looks"""
import os
import re
import subprocess

import harness
from certificates import TestCa
from harness import BUILD, POSTERN, SLOW, Case, environment

SOURCE = os.path.join(os.path.dirname(__file__), "..", "..")


def make(*words):
    env = environment()
    for name in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL"):
        env.pop(name, None)
    return subprocess.run(["make", "-s", *words], cwd=BUILD, env=env,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=True,
                          timeout=300 * SLOW).stdout


class Installed(Case):
    @classmethod
    def setUpClass(cls):
        cls.root = harness.tempfile.mkdtemp(prefix="postern-test-")
        cls.addClassCleanup(harness.shutil.rmtree, cls.root, ignore_errors=True)
        make("install", "DESTDIR=" + cls.root)
        cls.folders = dict(line.split("=", 1)
                           for line in make("print-folders").splitlines())

    def path(self, kind, name):
        return self.root + os.path.join(self.folders[kind], name)

    def text(self, kind, name):
        with open(self.path(kind, name)) as f:
            return f.read()

    def test_the_spool_is_below_localstatedir(self):
        state = self.folders["statedir"]
        with open(POSTERN, "rb") as f:
            self.assertIn(f"sqlite:{state}\0".encode(), f.read())
        self.assertIn(f"sqlite:{state}", self.text("mandir", "man5/postern.yaml.5"))
        self.assertIn(f".It Pa {state}\n", self.text("mandir", "man8/postern.8"))
        # the gateway makes its folder, in one that is there
        self.assertTrue(os.path.isdir(self.root + os.path.dirname(state)))
        self.assertFalse(os.path.exists(self.root + state))

    def test_texts_name_the_folders_of_this_build(self):
        wrong = [p for own, p in ((self.folders["sysconfdir"] + "/postern",
                                   "/etc/postern"),
                                  (self.folders["statedir"], "/var/lib/postern"))
                 if own != p]
        found, read = [], 0
        for folder, _, names in os.walk(self.root):
            for name in names:
                if not re.search(r"\.([1-8]|yaml|service)$", name):
                    continue
                path = os.path.join(folder, name)
                with open(path) as f:
                    text = f.read()
                read += 1
                found += [(name, p) for p in wrong
                          if re.search(r"(^|[^\w/])" + p, text, re.M)]
        self.assertGreater(read, 12)
        self.assertEqual(found, [])

    def test_the_unit(self):
        unit, state = self.text("unitdir", "postern.service"), self.folders["statedir"]
        self.assertNotRegex(unit, r"@\w+@")
        if state == "/var/lib/postern":
            self.assertIn("\nStateDirectory=postern\n", unit)
            self.assertNotIn("ExecStartPre", unit)
        else:
            self.assertIn(f"\nReadWritePaths=-{state}\n", unit)
            self.assertRegex(unit, rf"\nExecStartPre=\+.* {state}'\n")
            self.assertNotIn("StateDirectory=", re.sub(r"^#.*", "", unit, flags=re.M))

    def test_a_sample_is_installed_and_no_configuration(self):
        self.assertIn("\nrelay:\n", self.text("docdir", "postern.yaml"))
        self.assertIn("\nmatch:", self.text("docdir", "conf.d/40-direct.yaml"))
        self.assertFalse(os.path.exists(self.path("sysconfdir", "postern")))

    def test_it_is_uninstalled(self):
        make("uninstall", "DESTDIR=" + self.root)
        left = [n for _, _, names in os.walk(self.root) for n in names]
        make("install", "DESTDIR=" + self.root)
        self.assertEqual(left, [])

    def test_the_sample_is_right(self):
        with open(os.path.join(SOURCE, "contrib", "postern.yaml")) as f:
            sample = f.read()
        head, body = sample.split("\n\n", 1)
        self.assertTrue(all(line.startswith("#") for line in head.splitlines()))
        gw = self.gateway(start=False)
        for folder in ("tls", "spool"):
            os.makedirs(os.path.join(gw.folder, folder), exist_ok=True)
        made = TestCa(os.path.join(self.folder, "ca")).issue("gw.example.org")
        for path, name in zip(made, ("fullchain.pem", "key.pem")):
            harness.shutil.copy(path, os.path.join(gw.folder, "tls", name))
        # as it stands, and with all that it offers
        for text in (body, re.sub(r"^( *)# ( *(- |\w+:))", r"\1\2",
                                  body, flags=re.M)):
            for folder in ("/etc/postern", "/var/lib/postern"):
                text = text.replace(folder, gw.folder)
            gw.write("postern.yaml", text.replace("user: postern", "user: root"))
            r = gw.command("check")
            self.assertEqual(r.returncode, 0, r.stderr)


class WithoutCmocka(Case):
    def test_the_black_box_tests_have_what_they_need(self):
        wrapper = os.path.join(self.folder, "pkg-config")
        with open(os.open(wrapper, os.O_WRONLY | os.O_CREAT, 0o755), "w") as f:
            f.write("#!/bin/sh\ncase $* in *cmocka*) exit 1; esac\n"
                    'exec pkg-config "$@"\n')
        if os.path.exists(os.path.join(SOURCE, "config.status")):
            self.skipTest("the sources are configured themselves")
        place = os.path.join(self.folder, "build")
        os.mkdir(place)
        r = subprocess.run([os.path.abspath(os.path.join(SOURCE, "configure")), "-q",
                            "PKG_CONFIG=" + wrapper], cwd=place,
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True, timeout=300 * SLOW)
        self.assertEqual(r.returncode, 0, r.stdout)
        self.assertIn("leaves out the unit tests", r.stdout)
        made = make("-C", place, "-n", "check", "TESTS=")
        used = set()
        for name in os.listdir(os.path.dirname(os.path.abspath(__file__))):
            if name.endswith(".py"):
                with open(os.path.join(os.path.dirname(__file__), name)) as f:
                    used |= set(re.findall(r'"tests", "unit", ((?:"[\w.-]+"(?:, )?)+)',
                                           f.read()))
        used = {"/".join(re.findall(r'"([\w.-]+)"', u)) for u in used}
        self.assertGreaterEqual(used, {"ask-dns", "sign-message", "verify-message"})
        made = set(re.findall(r"-o tests/unit/(\S+)", made))
        self.assertEqual({u.replace(".libs/", "").replace(".so", ".la") for u in used}
                         - made, set(), "these are built with cmocka alone")
        self.assertNotIn("test-base", made)


if __name__ == "__main__":
    harness.main()
