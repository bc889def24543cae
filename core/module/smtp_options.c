/* smtp_options.c - one table for all that speak SMTP */
#include "module/smtp_options.h"

#include "base/ip.h"
#include "base/macros.h"
#include "mail/address.h"

#include <string.h>

enum { IDLE_MOST_MS = 300 * 1000, HOUR_MS = 3600 * 1000, ROWS_MAX = 16 };

#define SAME_TLS(t) _Static_assert((int)POSTERN_TLS_##t == (int)TLS_##t, #t)
SAME_TLS(NONE);
SAME_TLS(OPPORTUNISTIC);
SAME_TLS(REQUIRED);
SAME_TLS(VERIFY);

static const struct schema_key rows[] = {
	{ .name = "port", .type = T_INT, .fallback = "25",
	  .offset = offsetof(struct smtp_options, port), .min = 1, .max = 65535,
	  .help = "The port of the server." },
	{ .name = "tls", .type = T_ENUM, .fallback = "opportunistic",
	  .words = "none|opportunistic|required|verify|implicit",
	  .offset = offsetof(struct smtp_options, tls),
	  .help = "none: no TLS. opportunistic: STARTTLS if the server offers it "
		  "and the handshake succeeds, else no TLS. required: "
		  "STARTTLS, with any certificate. verify: STARTTLS, and the "
		  "certificate must be valid. implicit: TLS from the first "
		  "octet, and the certificate must be valid." },
	KEY(smtp_options, server_name, T_STRING, NULL,
	    "The name that the server's certificate must have. Default: the name "
	    "of the host."),
	KEY(smtp_options, certificate, T_PATH, NULL,
	    "The client certificate, for a server that asks for one: a file with "
	    "the gateway's certificate first, then its issuers (PEM)."),
	KEY(smtp_options, key, T_PATH, NULL,
	    "The file with the private key of the client certificate (PEM). "
	    "Default: the file of the certificate."),
	KEY(smtp_options, trust_file, T_PATH, NULL,
	    "The certificate authorities that the gateway trusts for this server "
	    "(PEM). Default: `outgoing.trust_file'."),
	KEY(smtp_options, helo, T_STRING, NULL,
	    "The name that the gateway gives in EHLO. Default: `hostname'."),
	KEY(smtp_options, source, T_STRING, NULL,
	    "The local address of the connections. Default: `outgoing.source'."),
	{ .name = "idle", .type = T_DURATION, .fallback = "5s",
	  .offset = offsetof(struct smtp_options, idle),
	  .min = 0, .max = IDLE_MOST_MS,
	  .help = "How long the gateway keeps an idle connection. 0: not at all." },
	{ .name = "reuse", .type = T_INT, .fallback = "100",
	  .offset = offsetof(struct smtp_options, reuse),
	  .min = 1, .max = 100000,
	  .help = "The number of messages that one connection may carry." },
};
_Static_assert(ARRAY_SIZE(rows) + 2 <= ROWS_MAX, "room for all rows");

/* --- the table, for one option --------------------------------------- */

/* "30s" as it would be written. */
static const char *
duration_text(int64_t ms, struct arena *a)
{
	int64_t seconds = ms / 1000;

	return seconds % 60 ? arena_printf(a, "%llds", (long long)seconds)
		: arena_printf(a, "%lldm", (long long)seconds / 60);
}

static struct schema_key *
timeouts_schema(size_t offset, struct arena *a)
{
	struct schema_key *keys = arena_array(a, SMTPC_TIMEOUTS + 1,
					      sizeof(*keys));

	for (size_t i = 0; i < SMTPC_TIMEOUTS; i++) {
		const struct smtpc_timeout_row *row = &smtpc_timeout_rows[i];

		keys[i] = (struct schema_key){
			.name = row->key, .type = T_DURATION,
			.offset = offset +
				  offsetof(struct smtp_options, timeouts) +
				  i * sizeof(int64_t),
			.fallback = duration_text(row->default_ms, a),
			.min = 1000, .max = 24 * HOUR_MS, .help = row->help,
		};
	}
	return keys;
}

static bool
fallback_take(struct schema_key *keys, struct span pair, struct arena *a)
{
	size_t eq = span_find(pair, '=');

	for (; keys->name != NULL; keys++)
		if (span_eq(span_sub(pair, 0, eq), span_of(keys->name))) {
			keys->fallback = arena_span(a, span_from(pair,
								 eq + 1)).p;
			return eq < pair.n;
		}
	return false;
}

bool
smtp_options_schema(const char *fallback, size_t offset, struct arena *a,
		    struct schema_key **ret)
{
	struct schema_key *keys = arena_array(a, ROWS_MAX, sizeof(*keys));
	struct span rest = span_of(fallback), pair;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		keys[i] = rows[i];
		keys[i].offset += offset;
	}
	keys[ARRAY_SIZE(rows)] = (struct schema_key){
		.name = "timeouts", .type = T_BLOCK,
		.keys = timeouts_schema(offset, a),
		.help = "The timeout of each step of a connection.",
	};
	*ret = keys;
	while (span_split(&rest, ' ', &pair))
		if (!fallback_take(keys, pair, a))
			return false;
	return true;
}

/* --- values ---------------------------------------------------------- */

/* An address, as it stands between brackets after EHLO. */
static bool
literal_valid(struct span s)
{
	struct ip ip;

	if (s.n < 2 || s.p[0] != '[' || s.p[s.n - 1] != ']')
		return false;
	s = span_sub(s, 1, s.n - 2);
	if (span_starts_nocase(s, SPAN("IPv6:")))
		s = span_from(s, 5);
	return ip_parse(s, &ip);
}

size_t
smtp_options_faults(const struct smtp_options *o,
		    struct smtp_fault ret[SMTP_FAULTS_MAX])
{
	bool verifies = o->tls == POSTERN_TLS_VERIFY ||
			o->tls == POSTERN_TLS_IMPLICIT;
	struct span helo = span_of(o->helo), name = span_of(o->server_name);
	struct ip ip;
	const struct {
		bool wrong;
		const char *key, *words;
	} all[] = {
		{ o->source && !ip_parse(span_of(o->source), &ip),
		  "source", "must be an address of this host" },
		{ o->helo && !domain_valid(helo, false) && !literal_valid(helo),
		  "helo", "must be a domain name, or an address in brackets" },
		{ o->server_name && !domain_valid(name, false) &&
		  !ip_parse(name, &ip),
		  "server_name", "must be a host's name or an address" },
		{ o->key && !o->certificate,
		  "key", "belongs to a `certificate', and there is none" },
		{ o->certificate && o->tls == POSTERN_TLS_NONE,
		  "certificate", "is never sent with `tls: none'" },
		{ o->server_name && !verifies, "server_name",
		  "is used only with `tls: verify' or `implicit'" },
		{ o->trust_file && !verifies, "trust_file",
		  "is used only with `tls: verify' or `implicit'" },
	};
	size_t n = 0;

	_Static_assert(ARRAY_SIZE(all) <= SMTP_FAULTS_MAX, "room for all");
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (all[i].wrong)
			ret[n++] = (struct smtp_fault){ all[i].key,
							all[i].words };
	return n;
}

void
smtp_options_plan(const struct smtp_options *o,
		  struct postern_smtp_plan *plan)
{
	*plan = (struct postern_smtp_plan){
		.port = (uint32_t)o->port, .reuse = (uint32_t)o->reuse,
		.idle_ms = o->idle > 0 ? o->idle : -1,
		.helo = o->helo, .source = o->source, .tls = o->tls,
		.server_name = o->server_name,
		.certificate = o->certificate, .key = o->key,
		.trust_file = o->trust_file,
	};
	for (size_t i = 0; i < SMTPC_TIMEOUTS; i++)
		plan->timeouts_ms[i] = o->timeouts[i];
}
