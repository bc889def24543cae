/* pattern.h - one entry of a list in `match:'
 *
 * Compiled once, in the arena of its snapshot, then read by any thread.
 */
#ifndef ROUTE_PATTERN_H
#define ROUTE_PATTERN_H

#include "base/arena.h"
#include "base/error.h"
#include "base/ip.h"
#include "mail/address.h"

enum pattern_kind {
	PATTERN_TEXT,		/* equal, ASCII case aside */
	PATTERN_NULL,		/* <> : the null reverse-path */
	PATTERN_DOMAIN,		/* @example.org */
	PATTERN_SUBDOMAINS,	/* @.example.org : below it, not itself */
	PATTERN_REGEX,		/* /.../ : PCRE2, caseless, unanchored */
	PATTERN_NETWORK,	/* 10.0.0.0/8 */
};

struct pattern {
	enum pattern_kind kind;
	bool excludes;			/* began with ! */
	struct span text;		/* without the ! ; as written */
	struct span plain;		/* of an address: as address_plain has it */
	struct network network;
	void *regex;			/* pcre2_code */
	_Atomic int64_t *told_ms;	/* when the log heard of its trouble */
};

/* PATTERN_UNDECIDED: the regular expression needs more steps for this text
 * than it is given.  Whoever excludes by it must take that for a yes, all
 * others for a no. */
enum pattern_answer { PATTERN_MISSED, PATTERN_MET, PATTERN_UNDECIDED };

enum pattern_family { PATTERNS_OF_ADDRESSES, PATTERNS_OF_TEXT,
		      PATTERNS_OF_CLIENTS };

/* Compiles what was written; false with what the rule is. */
bool pattern_compile(struct pattern *p, enum pattern_family family,
		     struct span written, struct arena *arena,
		     struct error *err);

/* a as address_plain returns it, so that no way of quoting evades a rule. */
enum pattern_answer pattern_meets_address(const struct pattern *p,
					  struct address a);
enum pattern_answer pattern_meets_text(const struct pattern *p,
				       struct span text);
enum pattern_answer pattern_meets_client(const struct pattern *p,
					 struct ip ip);

#endif
