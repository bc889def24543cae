/* dns_hosts.c - the table of /etc/hosts: sorted by the hash of the names */
#include "io/dns_hosts.h"

#include "base/arena.h"
#include "base/file.h"
#include "base/macros.h"
#include "base/mem.h"
#include "io/dns_record.h"

#include <stdlib.h>
#include <unistd.h>

enum { HOSTS_MAX = 16 * 1024 * 1024 };	/* lists that block names are large */

struct host {
	uint64_t hash;
	struct span name;
	struct ip ip;
	size_t place;			/* in the file */
};

struct dns_hosts {
	struct arena *arena;		/* the names */
	struct host *v;
	size_t n, room;
};

void
dns_hosts_free(struct dns_hosts **h)
{
	if (*h == NULL)
		return;
	arena_free(&(*h)->arena);
	mem_free((*h)->v);
	mem_free(*h);
	*h = NULL;
}

static void
hosts_add(struct dns_hosts *h, struct span name, struct ip ip)
{
	if (h->n == h->room) {
		h->room = h->room ? h->room * 2 : 16;
		h->v = mem_resize(h->v, h->room, sizeof(*h->v));
	}
	h->v[h->n] = (struct host){
		.hash = span_hash_nocase(name), .ip = ip, .place = h->n,
		.name = arena_span(h->arena, name),
	};
	h->n++;
}

/* Takes the next word from *line; false when there is none. */
static bool
word_take(struct span *line, struct span *ret)
{
	size_t n = 0;

	while (line->n > 0 && (line->p[0] == ' ' || line->p[0] == '\t' ||
			       line->p[0] == '\r'))
		*line = span_from(*line, 1);
	while (n < line->n && line->p[n] != ' ' && line->p[n] != '\t' &&
	       line->p[n] != '\r')
		n++;
	*ret = span_sub(*line, 0, n);
	*line = span_from(*line, n);
	return n > 0;
}

static void
hosts_line(struct dns_hosts *h, struct span line)
{
	struct span word;
	struct error err;
	struct ip ip;

	line = span_sub(line, 0, span_find(line, '#'));
	/* fe80::1%lo0: without its interface an address leads nowhere */
	if (!word_take(&line, &word) || !ip_parse(word, &ip))
		return;
	while (word_take(&line, &word)) {
		word = dns_name_trim(word);
		if (dns_name_check(word, &err))
			hosts_add(h, word, ip);
	}
}

static int
by_hash(const void *left, const void *right)
{
	const struct host *a = left, *b = right;

	if (a->hash != b->hash)
		return a->hash < b->hash ? -1 : 1;
	return a->place < b->place ? -1 : a->place > b->place;
}

struct dns_hosts *
dns_hosts_parse(struct span text)
{
	struct dns_hosts *h = NEW(struct dns_hosts);
	struct span line;

	h->arena = arena_new();
	while (span_split(&text, '\n', &line))
		hosts_line(h, line);
	if (h->n > 0)
		qsort(h->v, h->n, sizeof(*h->v), by_hash);
	return h;
}

struct dns_hosts *
dns_hosts_read(const char *path, struct error *err)
{
	AUTO(buf_fini) struct buf text = BUF_MAX(HOSTS_MAX);

	if (access(path, F_OK) == 0 && !file_read(&text, path, err))
		return NULL;
	return dns_hosts_parse(buf_span(&text));
}

/* The first with this hash, or where it would be. */
static size_t
hosts_seek(const struct dns_hosts *h, uint64_t hash)
{
	size_t low = 0, high = h->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (h->v[middle].hash < hash)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool
ip_among(struct ip ip, const struct ip *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (ip_eq(v[i], ip))
			return true;
	return false;
}

bool
dns_hosts_find(const struct dns_hosts *h, struct span name,
	       unsigned char family, struct ip *ret, size_t max, size_t *n)
{
	uint64_t hash = span_hash_nocase(name);
	bool found = false;

	*n = 0;
	for (size_t i = hosts_seek(h, hash); i < h->n && h->v[i].hash == hash;
	     i++) {
		const struct host *one = &h->v[i];

		if (!span_eq_nocase(one->name, name))
			continue;
		found = true;
		if (one->ip.family == family && *n < max &&
		    !ip_among(one->ip, ret, *n))
			ret[(*n)++] = one->ip;
	}
	return found;
}
