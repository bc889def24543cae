/* address_list.h - the addresses in a From, To or Reply-To field
 *
 * One parser by the grammar of RFC 5322 sections 3.2 and 3.4, with the
 * obsolete forms of section 4.4 and UTF-8 (RFC 6532): comments (nested), folds
 * and blanks beside the @ and dots, quoted local parts, domain literals,
 * source routes, groups, empty elements.  Pure.
 *
 * What devices write beyond it is taken where only one reading is left:
 *
 *   - in front of <address> anything may stand but <, > and a comma:
 *     scan@copier <scan@example.org>;
 *   - an element that is only words holds no address and is passed over:
 *     "Muster, Anna <a@example.org>" without its quotes;
 *   - the last > may be missing, and words may stand behind it;
 *   - both brackets may be missing behind words: Scanner scan@example.org;
 *   - a semicolon may stand for a comma.
 *
 * All else makes the whole list bad: nobody knows which address a reader
 * sees.
 */
#ifndef MAIL_ADDRESS_LIST_H
#define MAIL_ADDRESS_LIST_H

#include "base/limits.h"
#include "mail/address.h"

enum address_list { ADDRESS_LIST_ONE, ADDRESS_LIST_END, ADDRESS_LIST_BAD };

/* A place in the value of a field, folded as it came; { .rest = value } is its
 * beginning. */
struct address_list_reader {
	struct span rest;
	bool in_group;
};

/* The next address: without comments, folds and source route, its local part
 * in quotes only where it needs them.  Its spans point into room, of
 * LIMIT_PATH bytes. */
enum address_list address_list_next(struct address_list_reader *r, char *room,
				    struct address *ret, struct error *err);

#endif
