"""certificates.py - an authority for the tests, by openssl"""
import os
import shutil
import subprocess
import unittest


def run(*args, **more):
    """A command that must succeed; its output is shown when it does not."""
    done = subprocess.run(args, stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          **more)
    if done.returncode != 0:
        raise AssertionError(f"{args[0]} failed:\n{done.stdout[-4000:]}")
    return done.stdout


def needs(*programs):
    """For a test that needs them: skips it, with a sentence."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    for p in programs:
        if shutil.which(p, path=path) is None:
            raise unittest.SkipTest(f"{p} is not installed")
    os.environ["PATH"] = path


class TestCa:
    """An authority of its own; issue() gives (certificate, key), paths of PEM
    files.  Names may be addresses; days may be negative: expired.

    One under another signs with a certificate that the other issued; then
    .chain is its PEM, and comes behind each certificate of issue()."""

    def __init__(self, folder, name="Test Authority", under=None):
        needs("openssl")
        self.folder = folder
        os.makedirs(folder, exist_ok=True)
        self.count, self.chain = 0, ""
        self.ca_file, self.key_file = self.path("ca.pem"), self.path("ca.key")
        signer = ["-CA", under.ca_file, "-CAkey", under.key_file] if under \
            else []
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-nodes", "-days", "30", *signer,
            "-keyout", self.key_file, "-out", self.ca_file,
            "-subj", f"/CN={name}",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign")
        if under:
            with open(self.ca_file) as f:
                self.chain = f.read() + under.chain

    def path(self, name):
        return os.path.join(self.folder, name)

    def issue(self, name, *others, client=False, days=30):
        self.count += 1
        base = self.path(f"{self.count}-{name}")
        kinds = ("IP" if n.replace(".", "").isdigit() or ":" in n else "DNS"
                 for n in (name, *others))
        names = ",".join(f"{k}:{n}" for k, n in zip(kinds, (name, *others)))
        purpose = "clientAuth" if client else "serverAuth"
        with open(base + ".ext", "w") as f:
            f.write(f"subjectAltName={names}\nextendedKeyUsage={purpose}\n"
                    "basicConstraints=critical,CA:FALSE\n")
        run("openssl", "req", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-nodes", "-keyout", base + ".key",
            "-out", base + ".csr", "-subj", f"/CN={name}")
        run("openssl", "x509", "-req", "-in", base + ".csr",
            "-CA", self.ca_file, "-CAkey", self.key_file,
            "-set_serial", str(self.count), "-days", str(days),
            "-extfile", base + ".ext", "-out", base + ".pem")
        with open(base + ".pem", "a") as f:
            f.write(self.chain)
        return base + ".pem", base + ".key"
