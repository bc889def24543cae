/* mailbox.h - how threads talk: owned letters, in order
 *
 * A letter is embedded in the object that travels.  Posting it hands the
 * object over: the poster must not touch it again.  The owner of the mailbox
 * takes letters in the order of posting and calls each one's `deliver', which
 * finds its object with container_of.
 *
 * A mailbox has no limit of its own; its senders do.
 */
#ifndef BASE_MAILBOX_H
#define BASE_MAILBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct letter {
	struct letter *next;
	void (*deliver)(struct letter *l);	/* on the owner's thread */
};

struct mailbox;

/* wake is called, on the poster's thread, when the mailbox was empty before;
 * NULL for a mailbox whose owner sleeps in mailbox_wait(). */
struct mailbox *mailbox_new(void (*wake)(void *arg), void *arg);
void mailbox_free(struct mailbox **m);		/* must be empty */

void mailbox_post(struct mailbox *m, struct letter *l);	/* any thread */

/* The owner: all letters now waiting, first to last, or NULL. */
struct letter *mailbox_take(struct mailbox *m);
/* The same, but sleeps until there is one; timeout_ms < 0 waits for ever,
 * else NULL is returned when it has passed. */
struct letter *mailbox_wait(struct mailbox *m, int64_t timeout_ms);

/* Calls deliver for each of a list, which may free its letter. */
void letters_deliver(struct letter *list);

#endif
