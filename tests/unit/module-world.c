/* module-world.c - see module-world.h */
#include "module-world.h"

#include "mail/command.h"

void
smtpc_answers(struct later *l)
{
	struct smtpc *c = container_of(l, struct smtpc, later);
	struct outcome o;

	for (size_t i = 0; i < c->message->rcpt_count; i++) {
		if (c->cancelled)
			outcome_set(&o, OUTCOME_LOCAL, PHASE_CONNECT, "broken off");
		else
			outcome_reply(&o, PHASE_DOT, &(struct smtp_reply){
				      .code = 250, .text = SPAN("taken") });
		c->events->settled(c->arg, i, &o);
	}
	c->events->done(c->arg);
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
	c->later.run = smtpc_answers;
	if (!c->hold)
		loop_later(c->loop, &c->later);
	return 77;
}

void
smtpc_cancel(struct smtpc *c, uint64_t ticket)
{
	assert_int_equal(ticket, 77);
	c->cancelled = true;
	loop_later(c->loop, &c->later);
}

static void
on_finished(struct job *job)
{
	struct world *w = job->owner;

	w->finished++;
	loop_stop(w->loop);
}

static void
rcpt_add(struct envelope *env, const char *text)
{
	struct rcpt_command r = { .notify = 0 };
	struct error err;

	assert_true(address_parse(span_of(text), 0, &r.recipient, &err));
	assert_true(envelope_add(env, &r, 100));
}

static struct envelope *
envelope_sample(void)
{
	struct mail_command m = { .size = 0 };
	struct envelope *env;
	struct error err;

	assert_true(address_parse(SPAN("boss@here.test"), 0, &m.sender, &err));
	env = envelope_new(&m);
	rcpt_add(env, "nobody@x.test");		/* is not in the job */
	rcpt_add(env, "a@x.test");
	rcpt_add(env, "reply-550-5.1.1@x.test");
	rcpt_add(env, "c@x.test");
	envelope_freeze(env);
	return env;
}

void
world_init(struct world *w, const char *module, const char *options,
	   int64_t deadline_ms)
{
	struct backend_place place = {
		.route = "test", .hostname = "gw/1.test", .host = &w->host,
		.deadline_ms = deadline_ms,
	};
	struct error err = { .text = "" };
	struct module *m;

	memset(w, 0, sizeof(*w));
	w->smtpc.loop = w->loop = loop_new("test");
	w->host = (struct host){ .loop = w->loop, .smtpc = &w->smtpc };
	w->yaml = yaml(options);
	m = module_find(module, &err);
	if (m == NULL)
		fail_msg("%s", err.text);
	w->backend = backend_open(m, w->yaml.root, &place, &err);
	if (w->backend == NULL)
		fail_msg("%s", err.text);
	w->env = envelope_sample();
	w->body = body_from_span(SPAN(WORLD_MESSAGE), false);
	for (size_t i = 0; i < RCPTS; i++)
		w->rcpts[i] = i + 1;
	w->job = (struct job){
		.id = "1M5Z8K3QXA", .attempt = 2, .env = w->env,
		.rcpts = w->rcpts, .rcpt_count = RCPTS, .body = w->body,
		.outcomes = w->outcomes, .finished = on_finished, .owner = w,
	};
}

void
world_fini(struct world *w)
{
	backend_close(&w->backend);
	body_source_free(&w->body);
	envelope_free(&w->env);
	yaml_free(&w->yaml);
	loop_free(&w->loop);
}

void
world_deliver(struct world *w)
{
	int before = w->finished;

	memset(w->outcomes, 0, sizeof(w->outcomes));
	backend_deliver(w->backend, &w->job);
	assert_int_equal(w->finished, before);
	run_until(w->loop, &w->finished, before + 1);
	assert_int_equal(w->finished, before + 1);
	assert_null(w->job.inside);
}

void
world_renew(struct world *w)
{
	body_source_free(&w->body);
	envelope_free(&w->env);
	w->job.env = w->env = envelope_sample();
	w->job.body = w->body = body_from_span(SPAN(WORLD_MESSAGE), false);
}

uint64_t
smtpc_probe(struct smtpc *c, const struct smtpc_plan *plan, enum phase upto,
	    const struct smtpc_events *ev, void *arg)
{
	(void)c, (void)plan, (void)upto, (void)ev, (void)arg;
	bug("nothing is asked here");
}

void
smtpc_forget(struct smtpc *c, uint64_t ticket)
{
	(void)c, (void)ticket;
}
