/* dns_anchor.h - the keys that DNSSEC begins with
 *
 * The root's are known here; a file of DS or DNSKEY records, as in a zone's
 * file, takes their place.
 */
#ifndef IO_DNS_ANCHOR_H
#define IO_DNS_ANCHOR_H

#include "base/buf.h"
#include "base/error.h"

/* One record a string, NULL at the end: the root's. */
extern const char *const dns_root_anchors[];

/* Reads the file and appends to owner the zone of its first record, without
 * the last dot: "" is the root.  Blocks.  Fails when there is no record. */
bool dns_anchor_read(const char *path, struct buf *owner, struct error *err);

#endif
