/* ports.c - binding, and closing what is not listed any more */
#include "daemon/ports.h"

#include "base/mem.h"
#include "conf/snapshot.h"
#include "io/listen.h"
#include "smtpd/config.h"

#include <string.h>
#include <unistd.h>

static bool
endpoint_eq(struct endpoint a, struct endpoint b)
{
	return a.port == b.port && ip_eq(a.ip, b.ip);
}

const struct listener_config *
ports_config(const struct snapshot *snap, struct endpoint at)
{
	const struct smtpd_config *c = snapshot_get(snap, SLOT_SMTPD);
	const struct listener_config *listen = c->listen.v;

	for (size_t i = 0; i < c->listen.n; i++)
		if (endpoint_eq(listen[i].at, at))
			return &listen[i];
	return NULL;
}

static bool
is_listed(const struct ports *list, struct endpoint at)
{
	while (list != NULL && !endpoint_eq(list->at, at))
		list = list->next;
	return list != NULL;
}

static void
one_free(struct ports *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p->fds[i] >= 0)
			close(p->fds[i]);
	mem_free(p->fds);
	mem_free(p);
}

static struct ports *
one_bind(const struct listener_config *c, size_t n, struct error *err)
{
	struct ports *p = NEW(struct ports);

	p->at = c->at;
	p->config = c;
	p->fds = mem_array(n, sizeof(int));
	memset(p->fds, 0xff, n * sizeof(int));
	for (size_t i = 0; i < n; i++) {
		/* port 0: the first decides, the others join it */
		p->fds[i] = listen_open(&p->at, i == 0, err);
		if (p->fds[i] < 0) {
			one_free(p, n);
			return NULL;
		}
	}
	return p;
}

/* Drops what stands in front of `before'. */
static void
drop_until(struct ports **list, size_t n, const struct ports *before)
{
	while (*list != before) {
		struct ports *p = *list;

		*list = p->next;
		one_free(p, n);
	}
}

bool
ports_bind(struct ports **list, size_t n, const struct snapshot *snap,
	   struct error *err)
{
	const struct smtpd_config *c = snapshot_get(snap, SLOT_SMTPD);
	const struct listener_config *listen = c->listen.v;
	struct ports *before = *list;

	for (size_t i = 0; i < c->listen.n; i++) {
		struct ports *p;

		if (is_listed(*list, listen[i].at))
			continue;
		p = one_bind(&listen[i], n, err);
		if (p == NULL) {
			drop_until(list, n, before);
			return false;
		}
		p->next = *list;
		*list = p;
	}
	return true;
}

/* Who is told that we are ready may connect at once: the kernel listens on
 * every port before the loops begin to accept. */
bool
ports_listen(const struct ports *list, size_t n, struct error *err)
{
	for (; list != NULL; list = list->next)
		for (size_t i = 0; i < n; i++)
			if (!listen_begin(list->fds[i], err))
				return false;
	return true;
}

void
ports_keep(struct ports **list, size_t n, const struct snapshot *snap)
{
	for (struct ports **at = list; *at != NULL;) {
		struct ports *p = *at;

		p->config = ports_config(snap, p->config->at);
		if (p->config != NULL) {
			at = &p->next;
			continue;
		}
		*at = p->next;
		one_free(p, n);
	}
}

void
ports_free(struct ports **list, size_t n)
{
	drop_until(list, n, NULL);
}
