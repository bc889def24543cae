/* tls_session.c - sessions that a client may take up again
 *
 * A list, the last used first; so short that looking through it costs less
 * than a handshake's thousandth part.  What a handshake proved is believed for
 * an hour, however often the session is taken up: a certificate that has
 * expired since is noticed then.
 */
#include "io/tls_inside.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"

#include <string.h>

enum { BELIEVED_MS = 60 * 60 * 1000 };

struct entry {
	struct entry *next;
	char *key;
	struct buf data;
	enum tls_asked asked;
	int64_t proved_ms;
};

struct tls_sessions {
	struct entry *first;
	size_t count, most;
};

struct tls_sessions *
tls_sessions_new(size_t most)
{
	struct tls_sessions *s = NEW(struct tls_sessions);

	s->most = most;
	return s;
}

static void
entry_free(struct entry *e)
{
	mem_free(e->key);
	buf_wipe(&e->data);
	mem_free(e);
}

void
tls_sessions_free(struct tls_sessions **ptr)
{
	struct tls_sessions *s = *ptr;
	struct entry *next;

	if (s == NULL)
		return;
	for (struct entry *e = s->first; e != NULL; e = next) {
		next = e->next;
		entry_free(e);
	}
	mem_free(s);
	*ptr = NULL;
}

static struct entry *
take_out(struct tls_sessions *s, struct entry **at)
{
	struct entry *e = *at;

	*at = e->next;
	s->count--;
	return e;
}

/* Takes the entry out; NULL: there is none. */
static struct entry *
take(struct tls_sessions *s, const char *key)
{
	for (struct entry **at = &s->first; *at != NULL; at = &(*at)->next)
		if (strcmp((*at)->key, key) == 0)
			return take_out(s, at);
	return NULL;
}

static void
put_first(struct tls_sessions *s, struct entry *e)
{
	e->next = s->first;
	s->first = e;
	s->count++;
}

void
tls_sessions_drop(struct tls_sessions *s, const char *key)
{
	struct entry *e = take(s, key);

	if (e != NULL)
		entry_free(e);
}

bool
tls_sessions_find(struct tls_sessions *s, const char *key,
		  struct tls_kept *ret)
{
	struct entry *e = take(s, key);

	if (e == NULL)
		return false;
	if (clock_now_ms() - e->proved_ms > BELIEVED_MS) {
		entry_free(e);
		return false;
	}
	put_first(s, e);
	*ret = (struct tls_kept){ buf_span(&e->data), e->asked, e->proved_ms };
	return true;
}

void
tls_sessions_keep(struct tls_sessions *s, const char *key,
		  const struct tls_kept *kept)
{
	struct entry *e = take(s, key), **at = &s->first;

	if (e != NULL)
		entry_free(e);
	e = NEW(struct entry);
	e->key = mem_strdup(key);
	e->data = BUF_MAX(LIMIT_TLS_SESSION);
	e->asked = kept->asked;
	e->proved_ms = kept->proved_ms;
	if (!buf_add(&e->data, kept->session) || s->most == 0) {
		entry_free(e);
		return;
	}
	put_first(s, e);
	if (s->count <= s->most)
		return;
	while ((*at)->next != NULL)
		at = &(*at)->next;
	entry_free(take_out(s, at));
}
