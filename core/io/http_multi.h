/* http_multi.h - curl's multi handle on a loop
 *
 * Lives on one loop.  Nothing is made before the first transfer; when none
 * has been under way for a while the handle goes, and with it the
 * connections that it kept for the next.
 */
#ifndef IO_HTTP_MULTI_H
#define IO_HTTP_MULTI_H

#include "base/loop.h"

#include <curl/curl.h>

struct http_multi;

struct http_multi_events {
	/* The transfer is over; calls http_multi_remove(). */
	void (*ended)(CURL *easy, CURLcode code);
	/* It waits for words of the other side: TCP stands.  Often; from
	 * within curl. */
	void (*listens)(CURL *easy);
};

struct http_multi *http_multi_new(struct loop *loop,
				  const struct http_multi_events *events,
				  int64_t idle_ms);
/* Not from within curl; what was added has been removed. */
void http_multi_free(struct http_multi **m);

void http_multi_add(struct http_multi *m, CURL *easy);
void http_multi_remove(struct http_multi *m, CURL *easy);	/* never blocks */

enum { HTTP_IDLE_MAX = 8 };		/* connections that are kept */

#endif
