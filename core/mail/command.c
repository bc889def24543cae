/* command.c - MAIL, RCPT and BDAT with their parameters
 *
 * A parameter is a row: its keyword and what takes its value.  A keyword
 * that is in no row is answered 555, a value that its row does not take 501.
 */
#include "mail/command.h"

#include "base/encode.h"
#include "base/limits.h"
#include "base/macros.h"
#include "mail/xtext.h"

#include <string.h>

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool
is_control(unsigned char c)
{
	return c < 32 || c == 127;
}

void
command_split(struct span line, struct span *verb, struct span *args)
{
	size_t n = 0;

	line = span_trim(line);
	while (n < line.n && !is_blank(line.p[n]))
		n++;
	*verb = span_sub(line, 0, n);
	*args = span_trim(span_from(line, n));
}

bool
command_hello(struct span args, struct span *ret, struct error *err)
{
	args = span_trim(args);
	if (args.n > LIMIT_DOMAIN)
		return error_set(err, ERROR_PROTOCOL, "the name is too long");
	for (size_t i = 0; i < args.n; i++)
		if (is_control((unsigned char)args.p[i]))
			return error_set(err, ERROR_PROTOCOL, "the name holds "
					 "a control character");
	*ret = args;
	return true;
}

/* --- values of parameters -------------------------------------------- */

static bool
refuse(struct command_error *err, int code, const char *enhanced,
       const char *why)
{
	err->code = code;
	err->enhanced = enhanced;
	return error_set(&err->why, ERROR_PROTOCOL, "%s", why);
}

static bool
refuse_value(struct command_error *err, const char *why)
{
	return refuse(err, 501, "5.5.4", why);
}

/* RFC 1870 section 4: up to twenty digits; more than we can count is more
 * than anybody takes. */
static bool
mail_size(void *to, struct span value, struct command_error *err)
{
	struct mail_command *m = to;
	uint64_t ignored;

	if (span_u64(value, UINT64_MAX, &m->size))
		return true;
	if (value.n != 20 || value.p[0] < '0' || value.p[0] > '9' ||
	    !span_u64(span_from(value, 1), UINT64_MAX, &ignored))
		return refuse_value(err, "SIZE is not a number");
	m->size = UINT64_MAX;
	return true;
}

static bool
mail_body(void *to, struct span value, struct command_error *err)
{
	struct mail_command *m = to;

	if (span_eq_nocase(value, SPAN("BINARYMIME")))
		return refuse(err, 555, "5.5.4", "BODY=BINARYMIME is not "
			      "offered here");
	m->body = span_eq_nocase(value, SPAN("8BITMIME")) ? BODY_8BITMIME
							   : BODY_7BIT;
	return m->body == BODY_8BITMIME ||
	       span_eq_nocase(value, SPAN("7BIT")) ||
	       refuse_value(err, "BODY is neither 7BIT nor 8BITMIME");
}

static bool
mail_smtputf8(void *to, struct span value, struct command_error *err)
{
	struct mail_command *m = to;

	(void)value;
	(void)err;
	m->smtputf8 = true;
	return true;
}

static bool
mail_ret(void *to, struct span value, struct command_error *err)
{
	struct mail_command *m = to;

	if (span_eq_nocase(value, SPAN("FULL")))
		m->ret = DSN_RET_FULL;
	else if (span_eq_nocase(value, SPAN("HDRS")))
		m->ret = DSN_RET_HDRS;
	else
		return refuse_value(err, "RET is neither FULL nor HDRS");
	return true;
}

static bool
mail_envid(void *to, struct span value, struct command_error *err)
{
	struct mail_command *m = to;

	if (value.n > LIMIT_ENVID)
		return refuse_value(err, "ENVID is too long");
	if (!xtext_valid(value))
		return refuse_value(err, "ENVID is not xtext");
	m->envid = value;
	return true;
}

/* RFC 4954 section 5: "<>" or a mailbox in xtext */
static bool
mail_auth(void *to, struct span value, struct command_error *err)
{
	struct mail_command *m = to;

	if (value.n > LIMIT_ORCPT || !xtext_valid(value))
		return refuse_value(err, "AUTH is not xtext");
	m->auth = value;
	return true;
}

static bool
rcpt_notify(void *to, struct span value, struct command_error *err)
{
	static const struct { struct span word; unsigned flag; } words[] = {
		{ SPAN("NEVER"), DSN_NOTIFY_NEVER },
		{ SPAN("SUCCESS"), DSN_NOTIFY_SUCCESS },
		{ SPAN("FAILURE"), DSN_NOTIFY_FAILURE },
		{ SPAN("DELAY"), DSN_NOTIFY_DELAY },
	};
	struct rcpt_command *r = to;
	unsigned notify = 0;
	struct span word;

	while (span_split(&value, ',', &word)) {
		unsigned flag = 0;

		for (size_t i = 0; i < ARRAY_SIZE(words); i++)
			if (span_eq_nocase(word, words[i].word))
				flag = words[i].flag;
		if (flag == 0)
			return refuse_value(err, "NOTIFY is none of NEVER, "
					    "SUCCESS, FAILURE, DELAY");
		notify |= flag;
	}
	if ((notify & DSN_NOTIFY_NEVER) && notify != DSN_NOTIFY_NEVER)
		return refuse_value(err, "NOTIFY=NEVER goes with nothing else");
	r->notify = notify;
	return true;
}

/* RFC 6533 section 3: the type utf-8 has an escape of its own, and in an
 * SMTPUTF8 transaction the characters as they are, which the caller saw. */
static bool
utf8_orcpt_valid(struct span s)
{
	for (size_t i = 0, n; i < s.n; i += n) {
		n = utf8_length(span_from(s, i));
		if (n == 0 || s.p[i] == '=')
			return false;
	}
	return s.n > 0;
}

static bool
rcpt_orcpt(void *to, struct span value, struct command_error *err)
{
	struct rcpt_command *r = to;
	size_t semicolon = span_find(value, ';');
	struct span type = span_sub(value, 0, semicolon);
	struct span text = span_from(value, semicolon + 1);

	if (value.n > LIMIT_ORCPT)
		return refuse_value(err, "ORCPT is too long");
	if (semicolon == value.n || !xtext_valid(type) ||
	    address_needs_utf8(type))
		return refuse_value(err, "ORCPT lacks its type, as in "
				    "rfc822;user@example.org");
	if (!(span_eq_nocase(type, SPAN("utf-8")) ? utf8_orcpt_valid(text)
						   : xtext_valid(text)))
		return refuse_value(err, "ORCPT is not xtext");
	r->orcpt = value;
	return true;
}

/* --- parameters ------------------------------------------------------ */

struct param {
	struct span keyword;
	bool has_value;
	bool (*take)(void *to, struct span value, struct command_error *err);
};

static const struct param mail_params[] = {
	{ SPAN("SIZE"),     true,  mail_size },
	{ SPAN("BODY"),     true,  mail_body },
	{ SPAN("SMTPUTF8"), false, mail_smtputf8 },
	{ SPAN("RET"),      true,  mail_ret },
	{ SPAN("ENVID"),    true,  mail_envid },
	{ SPAN("AUTH"),     true,  mail_auth },
};

static const struct param rcpt_params[] = {
	{ SPAN("NOTIFY"),   true,  rcpt_notify },
	{ SPAN("ORCPT"),    true,  rcpt_orcpt },
};

static bool
param_take(const struct param *rows, size_t n, struct span word, void *to,
	   unsigned *seen, struct command_error *err)
{
	size_t equals = span_find(word, '=');
	struct span keyword = span_sub(word, 0, equals);

	for (size_t i = 0; i < n; i++) {
		if (!span_eq_nocase(keyword, rows[i].keyword))
			continue;
		if (*seen & 1u << i)
			return refuse_value(err, "a parameter occurs twice");
		*seen |= 1u << i;
		/* an `=' with nothing behind it is wrong in either case */
		if (rows[i].has_value != (equals + 1 < word.n) ||
		    equals + 1 == word.n)
			return refuse_value(err, rows[i].has_value
				? "a parameter lacks its value"
				: "a parameter has a value that takes none");
		return rows[i].take(to, span_from(word, equals + 1), err);
	}
	refuse(err, 555, "5.5.4", "");
	return error_set(&err->why, ERROR_PROTOCOL,
			 "the parameter %.*s is not known here",
			 (int)MIN(keyword.n, 40), keyword.p);
}

static bool
params_take(const struct param *rows, size_t n, struct span rest, void *to,
	    struct command_error *err)
{
	unsigned seen = 0;

	if (rest.n && !is_blank(rest.p[0]))
		return refuse_value(err, "a blank is missing behind the "
				    "address");
	for (size_t i = 0; i < rest.n; i++)
		if (is_control((unsigned char)rest.p[i]) && rest.p[i] != '\t')
			return refuse_value(err, "the parameters hold a "
					    "control character");
	for (rest = span_trim(rest); rest.n; rest = span_trim(rest)) {
		struct span word;
		size_t end = 0;

		while (end < rest.n && !is_blank(rest.p[end]))
			end++;
		word = span_sub(rest, 0, end);
		if (!param_take(rows, n, word, to, &seen, err))
			return false;
		rest = span_from(rest, end);
	}
	return true;
}

/* --- commands -------------------------------------------------------- */

/* "FROM:", and for devices "FROM :" */
static bool
skip_word(struct span *args, struct span word)
{
	struct span rest = span_trim(*args);

	if (!span_starts_nocase(rest, word))
		return false;
	rest = span_trim(span_from(rest, word.n));
	if (rest.n == 0 || rest.p[0] != ':')
		return false;
	*args = span_from(rest, 1);
	return true;
}

/* RFC 6531 section 3.5: 553 with X.6.7 when SMTPUTF8 was not said */
static bool
utf8_allowed(struct address a, bool utf8, struct command_error *err)
{
	return utf8 || !address_needs_utf8(a.text) ||
	       refuse(err, 553, "5.6.7", "the address needs SMTPUTF8");
}

bool
command_mail(struct span args, struct mail_command *ret,
	     struct command_error *err)
{
	struct mail_command m = { .size = 0 };

	if (!skip_word(&args, SPAN("FROM")))
		return refuse_value(err, "the syntax is MAIL FROM:<address>");
	if (!path_parse(&args, ADDRESS_NULL | ADDRESS_UTF8, &m.sender,
			&err->why)) {
		err->code = 501;
		err->enhanced = "5.1.7";
		return false;
	}
	if (!params_take(mail_params, ARRAY_SIZE(mail_params), args, &m, err) ||
	    !utf8_allowed(m.sender, m.smtputf8, err))
		return false;
	*ret = m;
	return true;
}

bool
command_rcpt(struct span args, bool utf8, struct rcpt_command *ret,
	     struct command_error *err)
{
	struct rcpt_command r = { .notify = 0 };

	if (!skip_word(&args, SPAN("TO")))
		return refuse_value(err, "the syntax is RCPT TO:<address>");
	if (!path_parse(&args, ADDRESS_POSTMASTER | ADDRESS_UTF8, &r.recipient,
			&err->why)) {
		err->code = 501;
		err->enhanced = "5.1.3";
		return false;
	}
	if (!params_take(rcpt_params, ARRAY_SIZE(rcpt_params), args, &r, err) ||
	    !utf8_allowed(r.recipient, utf8, err))
		return false;
	if (!utf8 && address_needs_utf8(r.orcpt))
		return refuse_value(err, "ORCPT needs SMTPUTF8");
	*ret = r;
	return true;
}

/* RFC 3030 section 2 */
bool
command_bdat(struct span args, uint64_t *size, bool *last,
	     struct command_error *err)
{
	struct span number, rest;
	uint64_t n;

	command_split(args, &number, &rest);
	if (!span_u64(number, INT64_MAX, &n))
		return refuse_value(err, "the syntax is BDAT size [LAST]");
	if (rest.n && !span_eq_nocase(rest, SPAN("LAST")))
		return refuse_value(err, "only LAST may follow the size");
	*size = n;
	*last = rest.n > 0;
	return true;
}
