/* dns_record.c - names and records, between the wire and text */
#include "io/dns_record.h"

#include "base/buf.h"
#include "base/macros.h"

#include <string.h>

/* --- names ----------------------------------------------------------- */

struct span
dns_name_trim(struct span name)
{
	return name.n > 0 && name.p[name.n - 1] == '.'
	     ? span_sub(name, 0, name.n - 1) : name;
}

/* A backslash would begin an escape. */
static bool
byte_may_be_asked(char c)
{
	return c > ' ' && c < 0x7f && c != '\\';
}

bool
dns_name_check(struct span name, struct error *err)
{
	struct span rest = name, label;

	if (name.n == 0)
		return error_set(err, ERROR_PROTOCOL, "the name is empty");
	if (name.n > DNS_NAME_MAX)
		return error_set(err, ERROR_PROTOCOL, "no name in the DNS is "
				 "longer than %d bytes", DNS_NAME_MAX);
	for (size_t i = 0; i < name.n; i++)
		if (!byte_may_be_asked(name.p[i]))
			return error_set(err, ERROR_PROTOCOL, "the name has a "
					 "byte that no host's has");
	while (span_split(&rest, '.', &label)) {
		if (label.n == 0)
			return error_set(err, ERROR_PROTOCOL, "a part of the "
					 "name is empty");
		if (label.n > DNS_LABEL_MAX)
			return error_set(err, ERROR_PROTOCOL, "a part of the "
					 "name is longer than %d bytes",
					 DNS_LABEL_MAX);
	}
	return true;
}

static void
label_add(struct buf *text, struct span label)
{
	for (size_t i = 0; i < label.n; i++) {
		unsigned char c = (unsigned char)label.p[i];

		if (c <= ' ' || c >= 0x7f)
			buf_addf(text, "\\%03u", c);
		else if (strchr(".\\\"();", c) != NULL)
			buf_addf(text, "\\%c", c);
		else
			buf_add_char(text, (char)c);
	}
}

/* Takes a name from the front of *s; as text it has no last dot. */
static bool
name_take(struct span *s, struct arena *arena, const char **ret)
{
	AUTO(buf_fini) struct buf text = BUF_MAX(DNS_NAME_TEXT);
	size_t used = 0, n;

	for (;;) {
		if (s->n == 0)
			return false;
		n = (unsigned char)s->p[0];
		used += n + 1;
		/* above 63 it is a pointer, which leads out of the record */
		if (n > DNS_LABEL_MAX || n >= s->n || used > DNS_NAME_WIRE)
			return false;
		if (n > 0 && text.len > 0)
			buf_add_char(&text, '.');
		label_add(&text, span_sub(*s, 1, n));
		*s = span_from(*s, n + 1);
		if (n == 0)
			break;
	}
	*ret = arena_strdup(arena, buf_str(&text));
	return true;
}

/* --- records --------------------------------------------------------- */

static bool
address_parse_wire(struct span data, unsigned char family, struct arena *arena,
		   struct dns_record *ret)
{
	struct ip ip = { .family = family };
	char text[IP_TEXT];

	if (data.n != (family == 4 ? 4 : 16))
		return false;
	memcpy(ip.bytes, data.p, data.n);
	ret->text = arena_strdup(arena, ip_text(ip, text));
	return true;
}

static bool
parse_a(struct span data, struct arena *arena, struct dns_record *ret)
{
	return address_parse_wire(data, 4, arena, ret);
}

static bool
parse_aaaa(struct span data, struct arena *arena, struct dns_record *ret)
{
	return address_parse_wire(data, 6, arena, ret);
}

static bool
parse_name(struct span data, struct arena *arena, struct dns_record *ret)
{
	return name_take(&data, arena, &ret->text) && data.n == 0;
}

static bool
parse_mx(struct span data, struct arena *arena, struct dns_record *ret)
{
	if (data.n < 2)
		return false;
	ret->preference = (uint16_t)((unsigned char)data.p[0] << 8 |
				     (unsigned char)data.p[1]);
	return parse_name(span_from(data, 2), arena, ret);
}

/* One string or more, each with its length in front; a NUL, which the text
 * could not hold, becomes a question mark. */
static bool
parse_txt(struct span data, struct arena *arena, struct dns_record *ret)
{
	char *text = arena_alloc(arena, data.n + 1), *end = text;

	if (data.n == 0)
		return false;
	while (data.n > 0) {
		size_t n = (unsigned char)data.p[0];

		if (n >= data.n)
			return false;
		for (size_t i = 1; i <= n; i++)
			*end++ = data.p[i] ? data.p[i] : '?';
		data = span_from(data, n + 1);
	}
	ret->text = text;
	return true;
}

/* Usage, selector, matching type, and something to match. */
static bool
parse_tlsa(struct span data, struct arena *arena, struct dns_record *ret)
{
	(void)arena, (void)ret;
	return data.n > 3;
}

static const struct {
	enum dns_type type;
	const char *name;
	bool (*parse)(struct span data, struct arena *arena,
		      struct dns_record *ret);
} rows[] = {
	{ DNS_A,     "A",     parse_a    },
	{ DNS_AAAA,  "AAAA",  parse_aaaa },
	{ DNS_CNAME, "CNAME", parse_name },
	{ DNS_PTR,   "PTR",   parse_name },
	{ DNS_MX,    "MX",    parse_mx   },
	{ DNS_TXT,   "TXT",   parse_txt  },
	{ DNS_TLSA,  "TLSA",  parse_tlsa },
};

bool
dns_record_parse(enum dns_type type, struct span data, struct arena *arena,
		 struct dns_record *ret)
{
	*ret = (struct dns_record){ .data = data };
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].type == type)
			return rows[i].parse(data, arena, ret);
	return true;
}

const char *
dns_type_name(enum dns_type type)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].type == type)
			return rows[i].name;
	return "such";
}
