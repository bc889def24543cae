/* fuzz-command.c - a line from a client, taken for each command in turn */
#include "fuzz.h"

#include "mail/command.h"
#include "mail/xtext.h"
#include "base/buf.h"
#include "base/limits.h"
#include "base/macros.h"

#include <string.h>

static void
check_error(const struct command_error *err)
{
	must(err->code >= 500 && err->code < 560);
	must(err->enhanced != NULL && err->enhanced[0] == '5');
	must(err->why.text[0] != '\0');
}

static void
check_mail(struct span args)
{
	struct command_error err = { .code = 0 };
	struct mail_command m;

	if (!command_mail(args, &m, &err)) {
		check_error(&err);
		return;
	}
	must(fuzz_within(m.sender.text, args));
	must(fuzz_within(m.envid, args) && m.envid.n <= LIMIT_ENVID);
	must(fuzz_within(m.auth, args));
	must(m.smtputf8 || !address_needs_utf8(m.sender.text));
}

static void
check_rcpt(struct span args, bool utf8)
{
	struct command_error err = { .code = 0 };
	struct rcpt_command r;

	if (!command_rcpt(args, utf8, &r, &err)) {
		check_error(&err);
		return;
	}
	must(fuzz_within(r.recipient.text, args) && r.recipient.text.n > 0);
	must(fuzz_within(r.orcpt, args) && r.orcpt.n <= LIMIT_ORCPT);
	must(r.notify < 16);
	must(!(r.notify & DSN_NOTIFY_NEVER) || r.notify == DSN_NOTIFY_NEVER);
	must(utf8 || !address_needs_utf8(r.recipient.text));
	must(utf8 || !address_needs_utf8(r.orcpt));
}

static void
check_xtext(struct span s)
{
	AUTO(buf_fini) struct buf a = BUF_MAX(1 << 20), b = BUF_MAX(1 << 20);

	must(xtext_encode(&a, s));
	must(xtext_decode(&b, buf_span(&a)));
	must(span_eq(buf_span(&b), s));
	buf_clear(&b);
	if (!xtext_decode(&b, s))
		must(b.len == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span line = fuzz_span(data, size), verb, args, name;
	struct command_error cerr = { .code = 0 };
	struct error err;
	uint64_t n;
	bool last;

	if (size > LIMIT_COMMAND)
		return 0;
	command_split(line, &verb, &args);
	must(fuzz_within(verb, line) && fuzz_within(args, line));
	must(verb.n + args.n <= line.n);
	check_mail(args);
	check_rcpt(args, false);
	check_rcpt(args, true);
	check_xtext(args);
	if (command_hello(args, &name, &err))
		must(fuzz_within(name, line) && name.n <= LIMIT_DOMAIN);
	if (!command_bdat(args, &n, &last, &cerr))
		check_error(&cerr);
	return 0;
}
