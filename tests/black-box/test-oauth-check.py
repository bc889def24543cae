"""test-oauth-check.py - a route of OAuth that is not right, and what is said"""
import harness
from harness import Case

USUAL = {"provider": "microsoft", "tenant": "contoso.test", "client_id": "id",
         "user": "scan@contoso.test"}
CUSTOM = {"provider": "custom", "host": "smtp.test",
          "token_endpoint": "https://id.test/token",
          "device_endpoint": "https://id.test/device"}

# what is added to the usual (None: left out), and words; none: it is right
ROWS = (
    ({}, None),
    ({"provider": None}, "missing"),
    ({"provider": "microsft"}, "microsoft"),
    ({"tenant": None}, "yourcompany.onmicrosoft.com"),
    ({"tenant": "a/b"}, "an id or a domain"),
    ({"client_id": None}, "missing"),
    ({"user": None}, "missing"),
    ({"user": "scan"}, "the address of a mailbox"),
    ({"provider": "google"}, "refresh_token"),
    ({"provider": "google", "grant": "refresh_token", "refresh_token": "r"},
     None),
    ({"grant": "refresh_token"}, "(or refresh_token_file) is missing"),
    ({"grant": "client_credentials"}, "(or client_secret_file) is missing"),
    ({"grant": "client_credentials", "client_secret": "s"}, None),
    ({"refresh_token": "r"}, "only be used with `grant: refresh_token'"),
    ({"tls": "opportunistic"}, "whose certificate is valid"),
    ({"token_endpoint": "http://id.test/t"}, "without encryption"),
    ({"token_endpoint": "https://"}, "malformed"),
    ({"token_endpoint": "http://127.0.0.1:80@evil.test/t"}, "a user or a"),
    ({"device_endpoint": "ftp://id.test/"}, "neither with https://"),
    ({"proxy": "http://proxy.test:3128"}, None),
    ({"proxy": "http://u:hunter2@proxy.test:3128"}, None),
    ({"proxy": "proxy.test:3128"}, "http://HOST:PORT"),
    ({"proxy": "https://u:hunter2@proxy.test:3128"}, "http://HOST:PORT"),
    ({"proxy": "http://u:hunter2@proxy.test:3128", "porxy": "x"}, "porxy"),
    ({"host": "[2001:db8::25]"}, None),
    ({"host": "2001:db8::25"}, None),
    ({"host": "[smtp.test"}, "a name or an address alone"),
    (CUSTOM, None),
    ({**CUSTOM, "host": None}, "`host' is missing"),
    ({**CUSTOM, "token_endpoint": None}, "`token_endpoint' is missing"),
    ({**CUSTOM, "device_endpoint": None}, "`device_endpoint' is missing"),
    ({**CUSTOM, "grant": "client_credentials", "client_secret": "s"},
     "`scope' is missing"),
)


# several mistakes in one block, and words of each
TOGETHER = (
    ({"tenant": None, "user": None, "client_id": None}, "`tenant' is missing", "`user' is missing",
     "`client_id' is missing"),
    ({"tenant": "a/b", "user": "scan", "tls": "opportunistic", "token_endpoint": "http://id.test/t",
      "device_endpoint": "ftp://id.test/", "proxy": "proxy.test"},
     "an id or a domain", "the address of a mailbox", "whose certificate is valid", "without encryption",
     "neither with https://", "http://HOST:PORT"),
    ({"provider": "custom", "grant": "client_credentials"}, "`token_endpoint' is missing",
     "`host' is missing", "(or client_secret_file) is missing", "`scope' is missing"),
    ({"provider": "googel", "tenant": None}, "did you mean `google'"),
    ({"tenat": "x", "tenant": None}, "did you mean `tenant'"),
    ({"tenat": "x", "tenant": None, "user": "scan"}, "did you mean `tenant'", "the address of a mailbox"),
    ({"grant": "client_credentials", "clientsecret": "hunter2"}, "did you mean `client_secret'"),
    ({"grant": "refresh_token", "refresh_token": "hunter2", "refresh_token_file": "/nowhere"},
     "`refresh_token' and `refresh_token_file'"),
    ({"host": "${SMTP_HOST}"}, "`host' contains ${SMTP_HOST}"),
    ({"host": "smtp.test/x", "grant": "none"}, "a name or an address alone", "`grant' must be"),
)


class Check(Case):
    def test_all_is_said_at_once(self):
        gw = self.gateway(start=False)
        for more, *want in TOGETHER:
            with self.subTest(more):
                options = ", ".join(f"{k}: '{v}'" for k, v in
                                    {**USUAL, **more}.items() if v is not None)
                gw.route("10-office", "route: office\nbackend: oauth\n"
                         "match: {recipient: '@contoso.test'}\n"
                         f"oauth: {{{options}}}\n")
                said = gw.command("check").stderr
                for words in want:
                    self.assertIn(words, said)
                self.assertEqual(said.count("error:"), len(want), said)
                self.assertNotIn("hunter2", said)

    def test_what_is_wrong_is_said(self):
        gw = self.gateway(start=False)
        for more, words in ROWS:
            with self.subTest(more):
                options = ", ".join(f"{k}: '{v}'" for k, v in
                                    {**USUAL, **more}.items() if v is not None)
                gw.route("10-office", "route: office\nbackend: oauth\n"
                         "match: {recipient: '@contoso.test'}\n"
                         f"oauth: {{{options}}}\n")
                r = gw.command("check")
                said = r.stdout + r.stderr
                self.assertEqual(r.returncode, 78 if words else 0, said)
                self.assertIn(words or "is right", said)
                self.assertNotIn("hunter2", said)


if __name__ == "__main__":
    harness.main()
