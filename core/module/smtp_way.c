/* smtp_way.c - the certificates that a plan names, before and behind it */
#include "module/smtp_way.h"

#include "module/host.h"

#include <string.h>

static void
on_files(void *arg, const struct tls_made *made, const struct error *err)
{
	struct smtp_way *w = arg;
	struct outcome o = { .code = 0 };

	w->files = 0;
	if (err != NULL) {
		outcome_error(&o, OUTCOME_SECURITY, PHASE_STARTTLS, err);
		w->ready(w, &o);
		return;
	}
	if (made->identity != NULL)
		w->plan.identity = tls_identity_ref(made->identity);
	if (made->trust != NULL)
		w->plan.trust = tls_trust_ref(made->trust);
	w->ready(w, NULL);
}

void
way_prepare(struct smtp_way *w,
	    void (*ready)(struct smtp_way *w, const struct outcome *o))
{
	struct tls_store *tls = w->me->host->tls;
	struct outcome o = { .code = 0 };
	uint64_t ticket;

	w->ready = ready;
	if (w->wanted.certificate == NULL && !w->wanted.trust) {
		ready(w, NULL);
		return;
	}
	if (tls == NULL) {
		outcome_set(&o, OUTCOME_LOCAL, PHASE_STARTTLS, "there is no "
			    "TLS here");
		ready(w, &o);
		return;
	}
	/* answered at once, w may be gone */
	ticket = tls_store_get(tls, &w->wanted, on_files, w);
	if (ticket != 0)
		w->files = ticket;
}

bool
way_forget(struct smtp_way *w)
{
	if (w->files == 0)
		return false;
	tls_store_forget(w->me->host->tls, w->files);
	w->files = 0;
	return true;
}

/* Somebody may be mending a file of ours, or theirs that we trust. */
static bool
may_be_for_our_files(const struct outcome *o)
{
	return o->kind == OUTCOME_SECURITY ||
	       (o->kind == OUTCOME_REPLY && o->code >= 400 &&
		o->shown != SHOWN_NOTHING && o->phase <= PHASE_RCPT);
}

void
way_doubt(const struct smtp_way *w, const struct outcome *o)
{
	if (w->me->host->tls != NULL && may_be_for_our_files(o))
		tls_store_doubt(w->me->host->tls, &w->wanted);
}

void
way_release(struct smtp_way *w)
{
	tls_identity_unref(&w->plan.identity);
	tls_trust_unref(&w->plan.trust);
}

void
plan_read(const struct postern_instance *me,
	  const struct postern_smtp_plan *from, struct postern_smtp_plan *ret)
{
	memset(ret, 0, sizeof(*ret));
	memcpy(ret, from, me->module->table.sizes[POSTERN_SIZEOF_PLAN]);
}

struct postern_outcome
outcome_told(const struct outcome *o, char enhanced[24])
{
	return (struct postern_outcome){
		.code = o->code, .phase = (int32_t)o->phase, .text = o->text,
		.host = o->host,
		.enhanced = enhanced_text(o->enhanced, enhanced, 24),
	};
}
