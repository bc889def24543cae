/* options_advise.c - do the keys of an SMTP client fit together?
 *
 * What a module refuses by itself goes first: of the same key nothing else is
 * told, which would only contradict it.
 */
#include "module/options.h"

#include "base/macros.h"

struct advising {
	const struct smtp_advice *a;
	struct diags *d;
};

static bool
was_refused(const struct advising *g, const char *key)
{
	const struct node *n = g->a->block ? node_get(g->a->block, key) : NULL;

	return n != NULL && diags_mark_told(g->d, n);
}

static bool
advise_together(struct advising *g)
{
	struct smtp_fault faults[SMTP_FAULTS_MAX];
	size_t n = smtp_options_faults(g->a->options, faults);
	bool ok = true;

	for (size_t i = 0; i < n; i++)
		if (!was_refused(g, faults[i].key))
			ok = diag_error(g->d, schema_mark(g->a->block,
							  faults[i].key),
					"`%s' %s", faults[i].key,
					faults[i].words);
	return ok;
}

/* RFC 8314 section 3.3, and RFC 3207: the other way round both sides wait for
 * each other until a timeout. */
static void
advise_port(struct advising *g)
{
	const struct smtp_options *o = g->a->options;
	bool implicit = o->tls == POSTERN_TLS_IMPLICIT;

	if (was_refused(g, "port") || was_refused(g, "tls"))
		return;
	if (o->port == 465 && !implicit) {
		diag_warning(g->d, schema_mark(g->a->block, "port"), "on port "
			     "465 servers begin with TLS, not with STARTTLS");
		diag_hint(g->d, "write tls: implicit, or port: 587");
	} else if ((o->port == 587 || o->port == 25) && implicit) {
		diag_warning(g->d, schema_mark(g->a->block, "tls"), "on port "
			     "%d servers begin TLS with STARTTLS",
			     (int)o->port);
		diag_hint(g->d, "write tls: verify, or port: 465");
	}
}

static void
advise_certificate(struct advising *g)
{
	const struct smtp_options *o = g->a->options;

	if (o->certificate == NULL || o->tls != POSTERN_TLS_OPPORTUNISTIC ||
	    was_refused(g, "certificate") || was_refused(g, "tls"))
		return;
	diag_warning(g->d, schema_mark(g->a->block, "certificate"), "with `tls: "
		     "opportunistic' the mail may go without TLS and without "
		     "your certificate");
	diag_hint(g->d, "write tls: verify");
}

bool
options_advise(const struct options_target *to, struct diags *d)
{
	struct advising g = { .a = &to->advice, .d = d };
	const struct module_access *access = to->access;
	bool ok;

	if (g.a->options == NULL)
		return true;
	ok = advise_together(&g);
	advise_port(&g);
	advise_certificate(&g);
	if (access != NULL && access->next_hop != NULL && g.a->host != NULL &&
	    !was_refused(&g, g.a->host_key))
		access->next_hop(access->arg, &(struct module_hop){
			.host = g.a->host,
			.port = (uint16_t)g.a->options->port,
			.mark = schema_mark(g.a->block, g.a->host_key),
		});
	return ok;
}
