/* host_dns.c - a module asks the DNS */
#include "module/question.h"

#include "base/macros.h"
#include "base/mem.h"
#include "io/dns.h"
#include "module/host.h"

#define SAME_TYPE(t) _Static_assert((int)POSTERN_DNS_##t == (int)DNS_##t, #t)
SAME_TYPE(A);
SAME_TYPE(CNAME);
SAME_TYPE(PTR);
SAME_TYPE(MX);
SAME_TYPE(TXT);
SAME_TYPE(AAAA);
SAME_TYPE(TLSA);
SAME_TYPE(OK);
SAME_TYPE(NODATA);
SAME_TYPE(NXDOMAIN);
SAME_TYPE(FAILED);

struct dns_question {
	struct question question;
	uint64_t lookup;
	void (*done)(void *arg, const struct postern_dns_answer *answer);
	void *arg;
};

static void
dns_forgotten(struct question *question)
{
	struct dns_question *q = container_of(question, struct dns_question,
					      question);

	dns_forget(q->question.me->host->dns, q->lookup);
	mem_free(q);
}

static struct postern_dns_record
record_copy(const struct dns_record *r)
{
	return (struct postern_dns_record){
		.text = r->text, .data = r->data.p,
		.size = (uint32_t)r->data.n, .preference = r->preference,
	};
}

static void
on_answer(void *arg, const struct dns_answer *a)
{
	struct dns_question *q = arg;
	struct postern_dns_record *records = mem_array(a->n + 1,
						       sizeof(*records));
	const struct postern_dns_record **rows = mem_array(a->n + 1,
							   sizeof(*rows));
	struct postern_dns_answer answer = {
		.status = (int32_t)a->status, .secure = a->secure,
		.records = rows, .n = a->n, .canonical = a->canonical,
		.why = a->why,
	};

	for (size_t i = 0; i < a->n; i++) {
		records[i] = record_copy(&a->records[i]);
		rows[i] = &records[i];
	}
	question_end(&q->question);
	q->done(q->arg, &answer);
	mem_free(rows);
	mem_free(records);
	mem_free(q);
}

uint64_t
postern_dns(postern_instance *me, const char *name, int type,
	    void (*done)(void *arg, const struct postern_dns_answer *answer),
	    void *arg)
{
	static const struct postern_dns_answer none = {
		.status = POSTERN_DNS_FAILED, .why = "there is no DNS here",
	};
	struct dns_question *q;
	uint64_t ticket, lookup;

	if (!question_allowed(me, "postern_dns()") || me->host->dns == NULL) {
		done(arg, &none);
		return 0;
	}
	q = NEW(struct dns_question);
	q->done = done;
	q->arg = arg;
	q->question.forget = dns_forgotten;
	question_begin(&q->question, me);
	ticket = q->question.ticket;
	lookup = dns_query(me->host->dns, name, (enum dns_type)type, on_answer,
			   q);
	/* answered at once, q is gone */
	if (lookup != 0)
		q->lookup = lookup;
	return question_ticket(me, ticket);
}
