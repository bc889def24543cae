/* rot13.c - a layer for tests */
#include "rot13.h"

#include "base/macros.h"
#include "base/mem.h"

#include <string.h>

struct rot {
	struct layer layer;
	bool greeted, heard;
	bool *freed;
};

static enum layer_step
rot_handshake(struct layer *l, struct error *err)
{
	struct rot *r = container_of(l, struct rot, layer);
	enum layer_step step = LAYER_OK;
	char c;
	size_t n;

	if (!r->greeted)
		step = l->below->ops->write(l->below, SPAN("?"), &n, err);
	if (step != LAYER_OK)
		return step;
	r->greeted = true;
	if (!r->heard)
		step = l->below->ops->read(l->below, &c, 1, &n, err);
	if (step != LAYER_OK)
		return step;
	r->heard = true;
	if (c == '!')
		return LAYER_OK;
	error_set(err, ERROR_PROTOCOL, "rot13: no, says the peer");
	return LAYER_FAILED;
}

static void
rot(char *p, size_t n)
{
	for (; n > 0; n--, p++)
		if (*p >= 'a' && *p <= 'z')
			*p = (char)('a' + (*p - 'a' + 13) % 26);
}

static enum layer_step
rot_read(struct layer *l, char *to, size_t max, size_t *n, struct error *err)
{
	enum layer_step step = l->below->ops->read(l->below, to, max, n, err);

	if (step == LAYER_OK)
		rot(to, *n);
	return step;
}

static enum layer_step
rot_write(struct layer *l, struct span bytes, size_t *n, struct error *err)
{
	char some[3];
	size_t len = MIN(bytes.n, sizeof(some));

	memcpy(some, bytes.p, len);
	rot(some, len);
	return l->below->ops->write(l->below, (struct span){ some, len }, n,
				    err);
}

static void
rot_shutdown(struct layer *l)
{
	struct error err;
	size_t n;

	l->below->ops->write(l->below, SPAN("."), &n, &err);
}

static void
rot_free(struct layer *l)
{
	struct rot *r = container_of(l, struct rot, layer);

	*r->freed = true;
	mem_free(r);
}

static const struct layer_ops rot_ops = {
	"rot13", rot_handshake, rot_read, rot_write, NULL, rot_shutdown,
	rot_free,
};

struct layer *
rot_new(bool *freed)
{
	struct rot *r = NEW(struct rot);

	r->layer.ops = &rot_ops;
	r->freed = freed;
	return &r->layer;
}
