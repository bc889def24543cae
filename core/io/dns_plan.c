/* dns_plan.c - settings, and the context of libunbound that they make
 *
 * ub_ctx_set_option takes what it does not understand in a value without a
 * word: each option here is one that a test has seen to work.
 */
#include "io/dns_plan.h"

#include "base/buf.h"
#include "base/macros.h"
#include "base/mem.h"
#include "io/dns_anchor.h"
#include "io/dns_hosts.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unbound.h>
#include <unistd.h>

/* Names that the root's keys prove not to exist, and that networks use
 * inside: with validation every answer about them would be bogus.  RFC 6761,
 * 6762 (app. G), 8375, 9476. */
static const char *const inner_zones[] = {
	"alt.", "corp.", "home.", "home.arpa.", "internal.", "intranet.",
	"lan.", "local.", "private.", "test.",
};

/* Names that libunbound denies by itself; those of reverse lookups in private
 * networks have an option of their own. */
static const char *const denied_zones[] = {
	"home.arpa.", "invalid.", "onion.", "test.",
};

static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

/* --- copies ---------------------------------------------------------- */

static char *
copy(struct arena *arena, const char *s, const char *fallback)
{
	s = s != NULL ? s : fallback;
	return s != NULL ? arena_strdup(arena, s) : NULL;
}

struct dns_plan *
dns_plan_new(const struct dns_settings *settings)
{
	static const struct dns_settings defaults = { .server_count = 0 };
	const struct dns_settings *from = settings ? settings : &defaults;
	struct dns_plan *p = NEW(struct dns_plan);
	struct endpoint *servers;
	struct dns_stub *stubs;

	p->references = 1;
	p->arena = arena_new();
	servers = arena_array(p->arena, from->server_count + 1,
			      sizeof(*servers));
	stubs = arena_array(p->arena, from->stub_count + 1, sizeof(*stubs));
	p->s = *from;
	for (size_t i = 0; i < from->server_count; i++)
		servers[i] = from->servers[i];
	for (size_t i = 0; i < from->stub_count; i++) {
		stubs[i] = from->stubs[i];
		stubs[i].zone = copy(p->arena, stubs[i].zone, NULL);
	}
	p->s.servers = servers;
	p->s.stubs = stubs;
	p->s.trust_anchor_file = copy(p->arena, from->trust_anchor_file, NULL);
	p->s.resolv_conf = copy(p->arena, from->resolv_conf,
				"/etc/resolv.conf");
	p->s.hosts = copy(p->arena, from->hosts, "/etc/hosts");
	return p;
}

struct dns_plan *
dns_plan_ref(struct dns_plan *p)
{
	p->references++;
	return p;
}

void
dns_plan_unref(struct dns_plan **p)
{
	if (*p != NULL && --(*p)->references == 0) {
		arena_free(&(*p)->arena);
		mem_free(*p);
	}
	*p = NULL;
}

static bool
same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool
same_endpoint(struct endpoint a, struct endpoint b)
{
	return ip_eq(a.ip, b.ip) && a.port == b.port;
}

bool
dns_plan_same(const struct dns_plan *left, const struct dns_plan *right)
{
	const struct dns_settings *a = &left->s, *b = &right->s;

	if (a->server_count != b->server_count ||
	    a->stub_count != b->stub_count || a->dnssec != b->dnssec ||
	    a->special_names != b->special_names ||
	    !same_text(a->trust_anchor_file, b->trust_anchor_file) ||
	    !same_text(a->resolv_conf, b->resolv_conf) ||
	    !same_text(a->hosts, b->hosts))
		return false;
	for (size_t i = 0; i < a->server_count; i++)
		if (!same_endpoint(a->servers[i], b->servers[i]))
			return false;
	for (size_t i = 0; i < a->stub_count; i++)
		if (!same_text(a->stubs[i].zone, b->stubs[i].zone) ||
		    !same_endpoint(a->stubs[i].server, b->stubs[i].server))
			return false;
	return true;
}

/* --- files ----------------------------------------------------------- */

static void
stamp(const char *path, int64_t *v)
{
	struct stat st;

	if (path == NULL || stat(path, &st) != 0)
		return;			/* none is all zeroes */
	v[0] = (int64_t)st.st_dev;
	v[1] = (int64_t)st.st_ino;
	v[2] = (int64_t)st.st_size;
	v[3] = (int64_t)st.st_mtim.tv_sec;
	v[4] = (int64_t)st.st_mtim.tv_nsec;
}

void
dns_plan_stamps(const struct dns_plan *p, struct dns_stamps *ret)
{
	*ret = (struct dns_stamps){ .v = { { 0 } } };
	stamp(p->s.server_count ? NULL : p->s.resolv_conf, ret->v[0]);
	stamp(p->s.hosts, ret->v[1]);
	stamp(p->s.trust_anchor_file, ret->v[2]);
}

/* --- making ---------------------------------------------------------- */

static bool
taken(int rc, const char *what, struct error *err)
{
	return rc == UB_NOERROR ? true
		: error_set(err, ERROR_CONFIG, "%s: libunbound: %s", what,
			    ub_strerror(rc));
}

static bool
option(struct ub_ctx *ub, const char *name, const char *value,
       struct error *err)
{
	return taken(ub_ctx_set_option(ub, name, value), name, err);
}

/* "192.0.2.1@53", as libunbound writes it. */
static const char *
at_text(struct endpoint e, char *buf, size_t size)
{
	char ip[IP_TEXT];

	snprintf(buf, size, "%s@%u", ip_text(e.ip, ip), (unsigned)e.port);
	return buf;
}

/* Without the file, as without a server in it: resolv.conf(5). */
static bool
resolv_conf_take(const struct dns_plan *p, struct ub_ctx *ub,
		 struct error *err)
{
	if (access(p->s.resolv_conf, F_OK) != 0)
		return taken(ub_ctx_set_fwd(ub, "127.0.0.1"), "127.0.0.1",
			     err);
	return taken(ub_ctx_resolvconf(ub, p->s.resolv_conf),
		     p->s.resolv_conf, err);
}

static bool
servers_take(const struct dns_plan *p, struct ub_ctx *ub, struct error *err)
{
	char at[IP_TEXT + 8];

	for (size_t i = 0; i < p->s.server_count; i++) {
		at_text(p->s.servers[i], at, sizeof(at));
		if (!taken(ub_ctx_set_fwd(ub, at), at, err))
			return false;
	}
	for (size_t i = 0; i < p->s.stub_count; i++) {
		at_text(p->s.stubs[i].server, at, sizeof(at));
		if (!taken(ub_ctx_set_stub(ub, p->s.stubs[i].zone, at, 0),
			   p->s.stubs[i].zone, err))
			return false;
	}
	return p->s.server_count > 0 || resolv_conf_take(p, ub, err);
}

/* The world of the root's keys has no inner names in it, and knows nothing of
 * our stubs; a file of anchors is the operator's own world. */
static bool
root_anchors_take(const struct dns_plan *p, struct ub_ctx *ub,
		  struct error *err)
{
	for (size_t i = 0; dns_root_anchors[i] != NULL; i++)
		if (!taken(ub_ctx_add_ta(ub, dns_root_anchors[i]),
			   "the root's keys", err))
			return false;
	for (size_t i = 0; i < ARRAY_SIZE(inner_zones); i++)
		if (!option(ub, "domain-insecure:", inner_zones[i], err))
			return false;
	for (size_t i = 0; i < p->s.stub_count; i++)
		if (!option(ub, "domain-insecure:", p->s.stubs[i].zone, err))
			return false;
	return option(ub, "insecure-lan-zones:", "yes", err);
}

static bool
anchors_take(const struct dns_plan *p, struct dns_made *m, struct error *err)
{
	const char *file = p->s.trust_anchor_file;
	struct buf owner = BUF_MAX(DNS_NAME_MAX);
	bool ok;

	if (file == NULL)
		return root_anchors_take(p, m->ub, err);
	ok = dns_anchor_read(file, &owner, err) &&
	     taken(ub_ctx_add_ta_file(m->ub, file), file, err);
	snprintf(m->zone, sizeof(m->zone), "%s", ok ? buf_str(&owner) : "");
	buf_fini(&owner);
	return ok;
}

static void
on_nothing(void *arg, int err, struct ub_result *r)
{
	(void)arg, (void)err;
	ub_resolve_free(r);
}

/* A first question, which needs no server, makes all that a context makes
 * late, its thread too: here, not on the loop. */
static bool
start(const struct dns_plan *p, struct ub_ctx *ub, struct error *err)
{
	for (size_t i = 0; p->s.special_names && i < ARRAY_SIZE(denied_zones);
	     i++)
		if (!taken(ub_ctx_zone_remove(ub, denied_zones[i]),
			   denied_zones[i], err))
			return false;
	/* who names a server for a zone below .test wants it asked */
	for (size_t i = 0; i < p->s.stub_count; i++)
		if (!taken(ub_ctx_zone_add(ub, p->s.stubs[i].zone,
					   "transparent"),
			   p->s.stubs[i].zone, err))
			return false;
	return taken(ub_resolve_async(ub, "localhost.", DNS_A, 1, NULL,
				      on_nothing, NULL), "its start", err);
}

/* The loop does not watch ub_fd itself, but an epoll of it: libev leaves a
 * descriptor in its own epoll until it is closed, which ub_ctx_delete does, on
 * another thread and after writing to it. */
static bool
answers_open(struct dns_made *m, struct error *err)
{
	struct epoll_event readable = { .events = EPOLLIN };

	m->answers = epoll_create1(EPOLL_CLOEXEC);
	if (m->answers < 0 || epoll_ctl(m->answers, EPOLL_CTL_ADD,
					ub_fd(m->ub), &readable) != 0)
		return error_errno(err, "epoll");
	return true;
}

/* The lock is held: libunbound has variables of the process that it changes
 * without one whenever a context is made, started or deleted. */
static bool
context_fill(const struct dns_plan *p, struct dns_made *m, struct error *err)
{
	struct ub_ctx *ub = m->ub;

	/* it would write to standard error */
	return taken(ub_ctx_debugout(ub, NULL), "debugout", err) &&
	       taken(ub_ctx_async(ub, 1), "async", err) &&
	       /* of 16, a few slow zones would hold up all others */
	       option(ub, "outgoing-range:", "128", err) &&
	       /* a resolver that was away for some minutes would not be asked
		* for a quarter of an hour after it has come back */
	       option(ub, "infra-host-ttl:", "30", err) &&
	       option(ub, "infra-keep-probing:", "yes", err) &&
	       (!p->s.special_names ||
		option(ub, "unblock-lan-zones:", "yes", err)) &&
	       servers_take(p, ub, err) &&
	       (!m->validating || anchors_take(p, m, err)) &&
	       start(p, ub, err) && answers_open(m, err);
}

static bool
context_make(const struct dns_plan *p, struct dns_made *m, struct error *err)
{
	bool ok;

	pthread_mutex_lock(&one_at_a_time);
	m->ub = ub_ctx_create();
	ok = m->ub != NULL ? context_fill(p, m, err)
	   : error_errno(err, "libunbound gives no context");
	pthread_mutex_unlock(&one_at_a_time);
	return ok;
}

bool
dns_plan_make(const struct dns_plan *p, bool validating, struct dns_made *ret,
	      struct error *err)
{
	*ret = (struct dns_made){ .validating = validating, .answers = -1 };
	ret->hosts = dns_hosts_read(p->s.hosts, err);
	if (ret->hosts != NULL && context_make(p, ret, err))
		return true;
	dns_made_fini(ret);
	return error_prefix(err, "DNS");
}

void
dns_made_fini(struct dns_made *m)
{
	if (m->ub != NULL && m->answers >= 0)
		close(m->answers);
	if (m->ub != NULL) {
		pthread_mutex_lock(&one_at_a_time);
		ub_ctx_delete(m->ub);
		pthread_mutex_unlock(&one_at_a_time);
	}
	dns_hosts_free(&m->hosts);
	m->ub = NULL;
}
