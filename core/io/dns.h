/* dns.h - asking the DNS without blocking the loop
 *
 * Lives on the delivery loop.  libunbound resolves on a thread of its own
 * and validates with DNSSEC; /etc/hosts is honoured for addresses.  Its
 * context is made at the first question, and anew when the settings,
 * resolv.conf or /etc/hosts have changed.  Names are taken as they stand: the
 * search list of resolv.conf is not used.
 *
 * dnssec auto: the root's key is asked for first, and hourly; when it does
 * not come (a resolver that strips DNSSEC would make every name bogus) an
 * unvalidated context answers, and no answer is `secure'.
 *
 * A name that only the local resolver knows (a container's, an office's) is
 * bogus to one that validates.  With dnssec auto, and where the administrator
 * wrote the name himself, the local resolver is believed, when the signed DNS
 * proves that a domain above the name, or a name of one label, does not
 * exist.  No such answer is `secure'.
 *
 * RFC 1035, 4033-4035, 6761 (special names), 7505 (null MX).
 */
#ifndef IO_DNS_H
#define IO_DNS_H

#include "base/ip.h"
#include "base/error.h"
#include "base/loop.h"
#include "base/worker.h"

struct dns;

enum dns_dnssec { DNSSEC_AUTO, DNSSEC_ON, DNSSEC_OFF };

struct dns_stub {			/* who answers for a zone */
	const char *zone;		/* "example.test" */
	struct endpoint server;
};

/* Copied.  Zeroes are the defaults. */
struct dns_settings {
	const struct endpoint *servers;	/* forwarders; none: resolv.conf */
	size_t server_count;
	const struct dns_stub *stubs;
	size_t stub_count;
	enum dns_dnssec dnssec;
	const char *trust_anchor_file;	/* NULL: the root keys known here */
	bool special_names;		/* ask also for .test, .onion and their
					 * like, instead of denying them */
	const char *resolv_conf, *hosts;	/* NULL: those in /etc */
};

enum dns_type {				/* IANA's numbers */
	DNS_A = 1, DNS_CNAME = 5, DNS_PTR = 12, DNS_MX = 15, DNS_TXT = 16,
	DNS_AAAA = 28, DNS_TLSA = 52,
};

enum dns_status {
	DNS_OK,			/* at least one record */
	DNS_NODATA,		/* the name exists, such a record does not */
	DNS_NXDOMAIN,		/* an answer: the name does not exist */
	DNS_FAILED,		/* no answer, or a bogus one: try later; never
				 * a proof of anything */
};

/* Who wrote the name that is looked up. */
enum dns_author {
	DNS_BY_ANYBODY,			/* a stranger's record, say */
	DNS_BY_ADMINISTRATOR,		/* the configuration */
};

struct dns_record {
	struct span data;		/* as on the wire */
	const char *text;		/* A, AAAA: address; MX, CNAME, PTR: name
					 * without its last dot ("" : the root);
					 * TXT: the strings joined; else NULL */
	uint16_t preference;		/* MX */
};

/* Borrowed, with all in it, until the callback returns. */
struct dns_answer {
	enum dns_status status;
	bool secure;			/* validated, all the way */
	const struct dns_record *records;
	size_t n;
	const char *canonical;		/* behind the CNAMEs; the name itself */
	uint32_t ttl_s;
	const char *why;		/* words when not DNS_OK */
};
typedef void dns_answer_fn(void *arg, const struct dns_answer *a);

/* The addresses of a host: both families, IPv4 and IPv6 in turn, beginning
 * with IPv4, without duplicates. */
struct dns_addresses {
	enum dns_status status;
	bool secure;			/* both answers were */
	const struct ip *ips;
	size_t n;
	const char *why;
};
typedef void dns_addresses_fn(void *arg, const struct dns_addresses *a);

/* settings NULL: all defaults.  workers outlives it. */
struct dns *dns_new(struct loop *loop, struct workers *workers,
		    const struct dns_settings *settings);
/* Forgets what is under way.  Not from within a callback of a question. */
void dns_free(struct dns **d);
/* From the next question on. */
void dns_configure(struct dns *d, const struct dns_settings *settings);

/* name is a domain name, with or without a last dot; IDN as A-labels.  Each
 * returns a ticket for dns_forget(); done may come before it returns (then
 * the ticket is 0).  A question that is not answered within DNS_PATIENCE_MS
 * is DNS_FAILED. */
uint64_t dns_query(struct dns *d, const char *name, enum dns_type type,
		   dns_answer_fn *done, void *arg);
/* A name that is an address (with or without brackets) is answered without
 * asking anybody. */
uint64_t dns_lookup(struct dns *d, const char *name, enum dns_author author,
		    dns_addresses_fn *done, void *arg);
void dns_forget(struct dns *d, uint64_t ticket);

enum { DNS_PATIENCE_MS = 30 * 1000 };

/* For status: whether answers are validated now, and why not. */
enum { DNS_UNVALIDATED_MAX = 32 };
struct dns_state {
	bool asked;			/* false: no question yet */
	bool validating;
	const char *why;		/* borrowed; "" when it is */
	/* Names that were taken from the local resolver unvalidated, although
	 * answers are validated: the latest, at most so many; borrowed. */
	char *const *unvalidated;
	size_t unvalidated_count;
};
struct dns_state dns_state(const struct dns *d);

#endif
