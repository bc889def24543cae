/* body.c - the simplest source: bytes in memory */
#include "mail/body.h"

#include "base/macros.h"
#include "base/mem.h"
#include "mail/header.h"

#include <string.h>

struct memory_source {
	struct body_source source;
	struct span bytes;		/* borrowed */
};

static struct span
memory_at(struct body_source *s, uint64_t offset, size_t max)
{
	struct memory_source *m = container_of(s, struct memory_source, source);

	if (offset >= m->bytes.n)
		return SPAN_NONE;
	return span_sub(m->bytes, (size_t)offset, max);
}

static void
memory_read(struct body_source *s, uint64_t offset, size_t max,
	    body_read_fn *done, void *arg)
{
	done(arg, memory_at(s, offset, max), NULL);
}

static bool
memory_pread(struct body_source *s, uint64_t offset, char *to, size_t max,
	     size_t *got, struct error *err)
{
	struct span bytes = memory_at(s, offset, max);

	(void)err;
	if (bytes.n)
		memcpy(to, bytes.p, bytes.n);
	*got = bytes.n;
	return true;
}

static void
memory_free(struct body_source *s)
{
	mem_free(container_of(s, struct memory_source, source));
}

static const struct body_ops memory_ops = {
	.read = memory_read, .pread = memory_pread, .free = memory_free,
};

struct body_source *
body_from_span(struct span bytes, bool has_8bit)
{
	struct memory_source *m = NEW(struct memory_source);

	m->source.ops = &memory_ops;
	m->source.size = bytes.n;
	m->source.has_8bit = has_8bit;
	m->source.header_8bit = has_8bit && header_has_8bit(bytes);
	m->bytes = bytes;
	return &m->source;
}

void
body_source_free(struct body_source **s)
{
	if (*s != NULL)
		(*s)->ops->free(*s);
	*s = NULL;
}
