/* question.c - the list of an instance's questions */
#include "module/question.h"

#include "base/ticket.h"
#include "module/backend.h"

bool
question_allowed(struct postern_instance *me, const char *service)
{
	if (me->host != NULL && me->loop != NULL && !me->blocking)
		return true;
	instance_mistake(me, "%s is for backends that do not block, not for "
			 "filters, and not in check()", service);
	return false;
}

void
question_begin(struct question *q, struct postern_instance *me)
{
	if (me->asked == NULL)
		me->asked = tickets_new();
	q->me = me;
	q->ticket = ticket_open(me->asked, q);
	me->awaited += q->awaited;
	q->next = me->questions;
	q->prev = &me->questions;
	if (q->next != NULL)
		q->next->prev = &q->next;
	me->questions = q;
}

void
question_end(struct question *q)
{
	struct postern_instance *me = q->me;

	ticket_close(me->asked, q->ticket);
	*q->prev = q->next;
	if (q->next != NULL)
		q->next->prev = q->prev;
	me->awaited -= q->awaited;
	if (q->awaited && !me->closing && me->events != NULL &&
	    me->events->answered != NULL)
		me->events->answered(me->arg);
}

uint64_t
question_ticket(const struct postern_instance *me, uint64_t ticket)
{
	return ticket_find(me->asked, ticket) != NULL ? ticket : 0;
}

void
postern_give_up(postern_instance *me, uint64_t question)
{
	struct question *q = me->asked ? ticket_find(me->asked, question)
				       : NULL;

	if (q == NULL)
		return;
	question_end(q);
	q->forget(q);
}

void
instance_questions_end(struct postern_instance *me)
{
	while (me->questions != NULL)
		postern_give_up(me, me->questions->ticket);
	tickets_free(&me->asked);
}
