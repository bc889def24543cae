"""verifiers.py - strangers who verify DKIM signatures

Of each signature two: dkimpy, and Perl's Mail::DKIM for RSA, libopendkim
(which makes only the RSA ones) for ed25519, which Mail::DKIM does not know
yet.
"""
import os
import re
import subprocess
import sys

from harness import BUILD, SLOW, requires

try:
    import dkim
    import dns.resolver
    import nacl.signing  # noqa: F401  dkimpy needs it for ed25519
except ImportError:
    # another python3 on the path than the one that Debian's packages serve
    if not os.environ.get("POSTERN_TEST_PYTHON"):
        os.environ["POSTERN_TEST_PYTHON"] = "/usr/bin/python3"
        os.execv("/usr/bin/python3", ["/usr/bin/python3", "-B"] + sys.argv)
    print("skipped: python3-dkim, python3-dnspython and python3-nacl are not "
          "installed")
    sys.exit(77)

requires("perl")
if subprocess.run(["perl", "-MMail::DKIM::Verifier", "-MNet::DNS",
                   "-e1"], stderr=subprocess.DEVNULL).returncode:
    print("skipped: libmail-dkim-perl is not installed")
    sys.exit(77)

OPENDKIM = os.path.join(BUILD, "tests", "unit", "verify-message")
PERL = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                    "dkim-verify.pl")


def ask_txt(port, name):
    """The TXT record that a name server on 127.0.0.1 has, or None."""
    r = dns.resolver.Resolver(configure=False)
    r.nameservers, r.port = ["127.0.0.1"], port
    r.lifetime = 30 * SLOW
    try:
        answer = r.resolve(name, "TXT")
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return None
    return b"".join(answer[0].strings).decode()


class Verifiers:
    """They look into records, {name: value of the TXT record}."""

    def __init__(self, folder, records):
        self.folder, self.records = folder, records
        self.path = os.path.join(folder, "records")
        with open(self.path, "w") as f:
            for name, value in records.items():
                f.write(f"{name}\t{value}\n")

    def txt(self, name, timeout=5):
        name = name.decode() if isinstance(name, bytes) else name
        return self.records.get(name.rstrip("."), "").encode()

    def dkimpy(self, message):
        """What it says of each signature, from the top."""
        found = []
        d = dkim.DKIM(message)
        for i in range(len(self.signatures(d))):
            try:
                found.append("pass" if d.verify(idx=i, dnsfunc=self.txt)
                             else "fail")
            except dkim.DKIMException:
                found.append("fail")
        return found

    @staticmethod
    def signatures(d):
        return [v for f, v in d.headers if f.lower() == b"dkim-signature"]

    def ask(self, program, messages):
        """The same by a program, for many messages at once."""
        paths = []
        for i, m in enumerate(messages):
            paths.append(os.path.join(self.folder, f"m{i}"))
            with open(paths[-1], "wb") as f:
                f.write(m)
        r = subprocess.run([*program, self.path, *paths],
                           stdout=subprocess.PIPE, check=True,
                           timeout=120 * SLOW)
        return [line.split() for line in r.stdout.decode().split("\n")[:-1]]

    def mail_dkim(self, messages):
        return self.ask(["perl", PERL], messages)

    def opendkim(self, messages):
        return self.ask([OPENDKIM], messages)

    def ours(self, message):
        """(place, kind) of those signatures whose keys are in records."""
        def tag(value, name):
            found = re.search(rb"(?:^|;)\s*" + name + rb"=\s*([^;\s]+)", value)
            return found.group(1).decode() if found else ""
        return [(i, tag(v, b"a").replace("-sha256", ""))
                for i, v in enumerate(self.signatures(dkim.DKIM(message)))
                if f"{tag(v, b's')}._domainkey.{tag(v, b'd')}"
                in self.records]

    def strangers(self, messages):
        """Of each message all that is said of our signatures."""
        for m, perl, lib in zip(messages, self.mail_dkim(messages),
                                self.opendkim(messages)):
            py, said = self.dkimpy(m), {}
            for i, kind in self.ours(m):
                said[kind + " dkimpy"] = py[i]
                if kind == "rsa":
                    said["rsa Mail::DKIM"] = perl[i]
                else:
                    said["ed25519 libopendkim"] = lib[i]
            yield said
