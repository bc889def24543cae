/* dsn-facts.h - a report's facts, and what every report must hold to */
#ifndef TESTS_DSN_FACTS_H
#define TESTS_DSN_FACTS_H

#include "mail/dsn.h"

#include "base/macros.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ORIGINAL							\
	"Received: from x\r\n\tby y\r\nFrom: scanner@a.test\r\n"	\
	"Message-ID: <1@a.test>\r\n\r\nthe body\r\n"

static struct outcome refused, refused_ipv6, cut_off, done;

static struct dsn_rcpt rcpts[] = {
	{ .address = SPAN("bob@example.org"),
	  .orcpt = SPAN("rfc822;Bob+2Bx@example.org"),
	  .action = DSN_FAILED, .outcome = &refused },
	{ .address = SPAN("carol@example.net"),
	  .action = DSN_DELAYED, .outcome = &cut_off },
};

static struct dsn_facts
facts(void)
{
	return (struct dsn_facts){
		.hostname = SPAN("gw.example.com"), .id = SPAN("1M5Z8K3QXA"),
		.to = SPAN("it@example.com"), .envid = SPAN("QQ+2B1"),
		.ret = DSN_RET_FULL, .arrival_ms = 1795467187000,
		.now_ms = 1795470787000, .until_ms = 1795639987000,
		.attempts = 3, .original = SPAN(ORIGINAL), .whole = true,
		.rcpts = rcpts, .rcpt_count = 2,
	};
}

static int
set_up(void **state)
{
	struct smtp_reply r = {
		.code = 550, .enhanced = { 5, 1, 1 },
		.text = SPAN("no such user here, and we have looked in every "
			     "corner of the house,\nthe cellar as well"),
	};

	(void)state;
	setenv("TZ", "UTC", 1);
	tzset();
	outcome_reply(&refused, PHASE_RCPT, &r);
	snprintf(refused.host, sizeof(refused.host), "mx1.example.org[192.0.2.1]:25");
	r.enhanced = (struct enhanced){ .class = 0 };
	r.text = SPAN("--=_report_19b26ac5f38_0\nContent-Type: x \xff\xc3\xb6");
	outcome_reply(&refused_ipv6, PHASE_DOT, &r);
	snprintf(refused_ipv6.host, sizeof(refused_ipv6.host), "[2001:db8::1]:25");
	outcome_set(&cut_off, OUTCOME_NETWORK, PHASE_CONNECT, "connection refused");
	r.code = 250;
	outcome_reply(&done, PHASE_DOT, &r);
	return 0;
}

static size_t
count(const char *hay, const char *needle)
{
	size_t n = 0;

	for (; (hay = strstr(hay, needle)) != NULL; hay += strlen(needle))
		n++;
	return n;
}

/* Everything must be lines of CRLF, below 998 octets, without controls. */
static void
check_lines(struct span s)
{
	struct span line;
	size_t i = 0;

	assert_true(span_ends_nocase(s, SPAN("\r\n")));
	s.n--;
	while (span_split(&s, '\n', &line)) {
		CHECK_ROW(i, line.n > 0 && line.n < 998);
		CHECK_ROW(i, line.p[line.n - 1] == '\r');
		CHECK_ROW(i, span_find(line, '\r') == line.n - 1);
		i++;
	}
}

static void
check_has(const char *text, const char *const *wanted, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strstr(text, wanted[i]) == NULL)
			fail_msg("\"%s\" is missing in:\n%s", wanted[i], text);
}

#endif
