/* service-world.c - see service-world.h */
#include "service-world.h"

#include "mail/command.h"

#include <ftw.h>

/* --- doubles ---------------------------------------------------------- */

static uint64_t
ask(struct asked *list, size_t *n, void *arg, struct asked **ret)
{
	must(*n < ASKED);
	*ret = &list[*n];
	**ret = (struct asked){ .open = true, .arg = arg };
	return TICKET + (*n)++;
}

static void
forget(struct asked *list, size_t n, uint64_t ticket)
{
	must(ticket >= TICKET && ticket < TICKET + n);
	must(list[ticket - TICKET].open);
	list[ticket - TICKET].open = false;
	list[ticket - TICKET].forgotten = true;
}

uint64_t
dns_query(struct dns *d, const char *name, enum dns_type type,
	  dns_answer_fn *done, void *arg)
{
	struct asked *a;
	uint64_t ticket = ask(d->asked, &d->n, arg, &a);

	a->dns = done;
	snprintf(a->text, sizeof(a->text), "%s %d", name, (int)type);
	if (d->at_once == NULL)
		return ticket;
	a->open = false;
	done(arg, d->at_once);
	return 0;
}

void
dns_forget(struct dns *d, uint64_t ticket)
{
	forget(d->asked, d->n, ticket);
}

uint64_t
http_send(struct http *h, const struct http_request *rq, http_fn *done,
	  void *arg)
{
	struct asked *a;
	uint64_t ticket = ask(h->asked, &h->n, arg, &a);

	a->http = done;
	a->author = rq->author;
	snprintf(a->text, sizeof(a->text), "%s %s %zu:%s [%.*s] %lld %zu %s %s",
		 rq->method ? rq->method : "-", rq->url, rq->header_count,
		 rq->header_count ? rq->headers[0] : "", SPAN_ARG(rq->body),
		 (long long)rq->timeout_ms, rq->answer_max,
		 rq->trust_file ? rq->trust_file : "-",
		 rq->proxy ? rq->proxy : "-");
	return ticket;
}

void
http_cancel(struct http *h, uint64_t ticket)
{
	forget(h->asked, h->n, ticket);
}

uint64_t
tls_store_get(struct tls_store *s, const struct tls_files *files,
	      tls_store_fn *done, void *arg)
{
	bool failed = s->err.text[0] != '\0';
	struct asked *a;
	uint64_t ticket = ask(s->asked, &s->n, arg, &a);

	a->tls = done;
	snprintf(a->text, sizeof(a->text), "%s %s %d %s",
		 files->certificate ? files->certificate : "-",
		 files->key ? files->key : "-", files->trust,
		 files->trust_file ? files->trust_file : "-");
	if (!s->at_once)
		return ticket;
	a->open = false;
	done(arg, failed ? NULL : &s->made, failed ? &s->err : NULL);
	return 0;
}

void
tls_store_forget(struct tls_store *s, uint64_t ticket)
{
	forget(s->asked, s->n, ticket);
}

void
tls_store_doubt(struct tls_store *s, const struct tls_files *files)
{
	(void)files;
	s->doubts++;
}

uint64_t
smtpc_send(struct smtpc *c, const struct smtpc_plan *plan,
	   const struct smtpc_message *m, const struct smtpc_events *ev,
	   void *arg)
{
	c->plan = plan;
	c->message = m;
	c->events = ev;
	c->arg = arg;
	return TICKET + c->sent++;
}

void
smtpc_cancel(struct smtpc *c, uint64_t ticket)
{
	must(ticket == TICKET + c->sent - 1);
	c->cancelled++;
}

uint64_t
smtpc_probe(struct smtpc *c, const struct smtpc_plan *plan, enum phase upto,
	    const struct smtpc_events *ev, void *arg)
{
	c->plan = plan;
	c->message = NULL;
	c->upto = upto;
	c->events = ev;
	c->arg = arg;
	return TICKET + c->sent++;
}

void
smtpc_forget(struct smtpc *c, uint64_t ticket)
{
	must(ticket == TICKET + c->sent - 1);
	c->forgotten++;
}

void
smtpc_answer(struct smtpc *c, const struct outcome *o)
{
	const struct smtpc_events *ev = c->events;
	size_t n = c->message != NULL ? c->message->rcpt_count : 1;

	for (size_t i = 0; i < n; i++)
		ev->settled(c->arg, i, o);
	ev->done(c->arg);
}

/* --- the world -------------------------------------------------------- */

static void
on_paused(void *arg, const char *why)
{
	struct service_world *w = arg;

	w->pauses++;
	snprintf(w->paused, sizeof(w->paused), "%s", why);
}

static void
on_ready(void *arg)
{
	struct service_world *w = arg;

	w->readies++;
}

static void
on_answered(void *arg)
{
	struct service_world *w = arg;

	w->answers++;
}

static const struct backend_events events = {
	on_paused, on_ready, on_answered,
};

static void
describe(const void *self, const char *recipient,
	 struct postern_destination *ret)
{
	(void)self, (void)recipient, (void)ret;
}

void
deliver_nothing(void *self, postern_job *job)
{
	const struct postern_outcome o = { .text = "nothing is delivered" };

	(void)self;
	postern_settle_rest(job, &o);
}

static const struct postern_backend backend_double = {
	.describe = describe, .deliver = deliver_nothing,
};

static struct module *
complete(const struct postern_module *table)
{
	static struct postern_backend b;	/* copied by module_adopt() */
	struct postern_module t = *table;
	struct error err = { .text = "" };
	struct module *m;

	t.abi = POSTERN_ABI;
	t.size = sizeof(t);
	memcpy(t.sizes, (uint32_t[])POSTERN_SIZES_HERE, sizeof(t.sizes));
	t.name = t.name ? t.name : "service";
	t.summary = "for a test";
	b = t.backend ? *t.backend : backend_double;
	b.describe = describe;
	if (t.filter == NULL)
		t.backend = &b;
	m = module_adopt(&t, "x.so", &err);
	if (m == NULL)
		fail_msg("%s", err.text);
	return m;
}

static struct envelope *
envelope_sample(void)
{
	static const char *const rcpts[] = { "a@x.test", "b@x.test" };
	struct mail_command m = { .size = 0 };
	struct envelope *env;
	struct error err;

	assert_true(address_parse(SPAN("boss@here.test"), 0, &m.sender, &err));
	env = envelope_new(&m);
	for (size_t i = 0; i < ARRAY_SIZE(rcpts); i++) {
		struct rcpt_command r = { .notify = 0 };

		assert_true(address_parse(span_of(rcpts[i]), 0, &r.recipient,
					  &err));
		assert_true(envelope_add(env, &r, 100));
	}
	envelope_freeze(env);
	return env;
}

static void
on_finished(struct job *job)
{
	struct service_world *w = job->owner;

	w->finished++;
	loop_stop(w->loop);
}

static void
open_instance(struct service_world *w)
{
	struct error err = { .text = "" };
	struct backend_place place = {
		.route = "test", .hostname = "gw.test", .host = &w->host,
		.events = &events, .arg = w,
	};
	struct instance_place filter = { .route = "test", .loop = w->loop,
					 .hostname = "gw.test" };

	if (module_is_backend(w->module)) {
		w->backend = backend_open(w->module, NULL, &place, &err);
		if (w->backend == NULL)
			fail_msg("%s", err.text);
		return;
	}
	w->me = instance_open(w->module, NULL, &filter, &err);
	if (w->me == NULL)
		fail_msg("%s", err.text);
}

void
service_open(struct service_world *w, const struct postern_module *table)
{
	memset(w, 0, sizeof(*w));
	snprintf(w->state, sizeof(w->state), "/tmp/postern-unit-XXXXXX");
	assert_non_null(mkdtemp(w->state));
	w->loop = loop_new("test");
	w->workers = workers_new("test", 1);
	w->host = (struct host){
		.loop = w->loop, .smtpc = &w->smtpc, .dns = &w->dns,
		.http = &w->http, .tls = &w->tls, .files = w->workers,
		.state = w->state,
	};
	w->env = envelope_sample();
	w->body = body_from_span(SPAN("Subject: x\r\n\r\n"), false);
	w->rcpts[1] = 1;
	w->job = (struct job){
		.id = "1M5Z8K3QXA", .attempt = 1, .env = w->env,
		.rcpts = w->rcpts, .rcpt_count = ARRAY_SIZE(w->rcpts),
		.body = w->body, .outcomes = w->outcomes,
		.finished = on_finished, .owner = w,
	};
	w->module = complete(table);
	open_instance(w);
}

void
service_settle(struct service_world *w)
{
	for (int i = 0; i < 4; i++) {
		workers_drain(w->workers);
		ev_run(loop_ev(w->loop), EVRUN_NOWAIT);
	}
}

void
service_deliver(struct service_world *w)
{
	memset(w->outcomes, 0, sizeof(w->outcomes));
	backend_deliver(w->backend, &w->job);
}

static int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

void
service_close(struct service_world *w)
{
	backend_close(&w->backend);
	if (module_is_filter(w->module))
		instance_close(&w->me);
	workers_free(&w->workers);
	loop_free(&w->loop);
	module_drop(&w->module);
	body_source_free(&w->body);
	envelope_free(&w->env);
	nftw(w->state, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}
