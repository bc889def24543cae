/* wait.c - pending answers, redeemed by ticket from any thread
 *
 * One table of tickets for the process, under a mutex.  A wait is found there
 * only while its session is interested, and then its loop is alive: posting
 * to the loop happens under the lock.  Redeeming closes the ticket, so a wait
 * is posted once.
 */
#include "module/chain.h"

#include "base/macros.h"
#include "base/mem.h"
#include "base/ticket.h"

#include <pthread.h>

static pthread_mutex_t tickets_lock = PTHREAD_MUTEX_INITIALIZER;
static struct tickets *pending;		/* of struct hooks_wait; never freed */

static void
wait_free(struct later *l)
{
	mem_free(container_of(l, struct hooks_wait, later));
}

static void
wait_end(struct hooks_wait *w)
{
	timer_stop(&w->patience);
	w->later.run = wait_free;
	loop_later(w->loop, &w->later);
}

static void
on_patience(struct timer *t)
{
	hooks_timed_out(container_of(t, struct hooks_wait, patience));
}

struct hooks_wait *
wait_new(struct filters *chain, size_t place, struct postern_txn *txn)
{
	struct hooks_wait *w = NEW(struct hooks_wait);

	w->loop = chain->loop;
	w->chain = chain;
	w->place = place;
	w->txn = txn;
	timer_init(&w->patience, w->loop, on_patience);
	pthread_mutex_lock(&tickets_lock);
	if (pending == NULL)
		pending = tickets_new();
	w->ticket = ticket_open(pending, w);
	pthread_mutex_unlock(&tickets_lock);
	return w;
}

void
wait_give_up(struct hooks_wait **ptr)
{
	struct hooks_wait *w = *ptr;
	bool redeemed;

	if (w == NULL)
		return;
	*ptr = NULL;
	w->txn = NULL;
	timer_stop(&w->patience);
	pthread_mutex_lock(&tickets_lock);
	redeemed = w->redeemed;
	ticket_close(pending, w->ticket);
	pthread_mutex_unlock(&tickets_lock);
	/* else it is in the loop's mailbox, and ends when it arrives */
	if (!redeemed)
		wait_end(w);
}

static void
on_answer(struct letter *l)
{
	struct hooks_wait *w = container_of(l, struct hooks_wait, letter);

	if (w->txn != NULL)
		hooks_answered(w);
	else if (w->answer != NULL)
		w->answer(w->arg, NULL);
	wait_end(w);
}

/* False when the ticket is over. */
static bool
redeem(uint64_t ticket, postern_verdict verdict, hooks_answer_fn *answer,
       void *arg)
{
	struct hooks_wait *w;

	pthread_mutex_lock(&tickets_lock);
	w = pending ? ticket_find(pending, ticket) : NULL;
	if (w != NULL) {
		ticket_close(pending, ticket);
		w->redeemed = true;
		w->verdict = verdict;
		w->answer = answer;
		w->arg = arg;
		w->letter.deliver = on_answer;
		mailbox_post(loop_mailbox(w->loop), &w->letter);
	}
	pthread_mutex_unlock(&tickets_lock);
	return w != NULL;
}

void
postern_resume(uint64_t ticket, postern_verdict verdict)
{
	redeem(ticket, verdict, NULL, NULL);
}

void
postern_answer(uint64_t ticket,
	       postern_verdict (*answer)(void *arg, postern_txn *txn),
	       void *arg)
{
	if (!redeem(ticket, POSTERN_DEFER, answer, arg))
		answer(arg, NULL);
}
