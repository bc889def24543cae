/* inside.h - what the files of dispatch/ share, and nobody else includes
 *
 * An item in memory is always there for one attempt:
 *
 *   window       holds attempts, by item id; pulls what is due
 *   attempt      one attempt of one item: its queued recipients, split into
 *   delivery     some recipients of one destination, which is one job
 *   destination  the line in which deliveries wait; concurrency and rest
 *   outlet       a route as it is here: its backend, its destinations, and
 *                its pause
 *   report       a DSN while it is being written
 *   settlement   what became of recipients, on its way to the spool
 *
 * Ownership: the window owns attempts, an attempt its item and deliveries,
 * dispatch outlets and destinations.  An attempt ends when the last of its
 * settlements has come home.  Everything here is on the delivery loop, but for
 * the few functions that say so.
 */
#ifndef DISPATCH_INSIDE_H
#define DISPATCH_INSIDE_H

#include "base/limits.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/mem.h"
#include "dispatch/dispatch.h"
#include "dispatch/own.h"
#include "dispatch/pace.h"
#include "dispatch/remedy.h"
#include "dispatch/verdict.h"
#include "mail/dsn.h"
#include "module/backend.h"
#include "route/route.h"

#include <stdatomic.h>

/* --- tally.c --------------------------------------------------------- */

enum { TALLY_BUCKETS = 1024 };

struct tally {
	struct tally *next;
	unsigned refs;
	char *route, *destination;	/* owned */
	uint64_t delivered, deferred, bounced;	/* recipients, since the start */
};

struct tallies {
	struct tally *buckets[TALLY_BUCKETS];
	size_t n;
};

/* The counts of a destination, or of the route itself (""); whoever has them
 * lets go of them by tally_unref(). */
struct tally *tally_get(struct dispatch *d, const char *route,
			const char *destination);
void tally_unref(struct dispatch *d, struct tally **t);
void tally_count(struct tally *t, enum verdict v);
void tallies_free(struct dispatch *d);

/* --- outlet.c, retire.c, pause.c -------------------------------------- */

struct pause {
	char *why;			/* NULL: the route is not paused; else
					 * the reason, and behind it the remedy */
	char *reason, *remedy, *host;	/* the same apart; "" : not known */
	int64_t since_ms;		/* steady clock; 0: not yet */
	int64_t probe_at_ms;		/* clock_now_ms() */
	unsigned failures;		/* of probes, one after another */
	bool probing;			/* one delivery is under way */
	bool by_backend;		/* which can be asked again */
	struct timer timer;
};

struct outlet {
	struct outlet *next;
	struct dispatch *dispatch;
	char *name, *module, *hostname;		/* owned */
	char *mailbox;			/* its backend logs in as; "" : none */
	struct snapshot *snap;			/* keeps route alive */
	const struct route *route;
	struct backend *backend;
	enum backend_manner manner;
	struct pause pause;
	struct notice notice;
	unsigned connections;		/* to one destination; 0: as it says */
	unsigned per_minute;		/* the same */
	unsigned parallel, active;		/* jobs of the backend */
	struct destination *stalled, **stalled_last; /* wait for the backend */
	struct tally *tally;
	bool retired;			/* closes when all of it has ended */
	bool silent;			/* its backend has left the state */
	bool fresh;			/* opened by the present configure; */
	bool heir;			/* it has taken another's place */
	struct later closing;
};

bool outlets_configure(struct dispatch *d, struct snapshot *snap,
		       struct error *err);
struct outlet *outlet_find(struct dispatch *d, const char *name);
/* After a job has come back. */
void outlet_job_over(struct outlet *o);
void outlets_free(struct dispatch *d);
void outlet_free(struct outlet *o);

void retire_init(struct outlet *o);
/* These have no successor, or another: they close when all has ended. */
void outlets_retire(struct dispatch *d, struct outlet *list);
/* Of a retired one something ended. */
void outlet_close_when_idle(struct outlet *o);
/* An outlet of that name has the route's state. */
bool outlet_state_taken(struct dispatch *d, const char *name);
/* The gateway stops: their backends know. */
void outlets_stop(struct dispatch *d);
/* One that waits for an answer which must not be lost, or NULL. */
const struct outlet *outlets_busy(const struct dispatch *d);
/* Starts what may start, in all its destinations. */
void outlet_run(struct outlet *o);
/* Sends whatever waits in its lines back to the spool. */
void outlet_empty(struct outlet *o);

void pause_init(struct outlet *o);
void pause_fini(struct outlet *o);
bool outlet_is_paused(const struct outlet *o);
/* Paused, and it is not yet time for a probe: nothing need wait here. */
bool outlet_turns_away(const struct outlet *o);
/* Not paused, or a probe is due. */
bool outlet_may_start(const struct outlet *o);
int64_t outlet_pause_ms(const struct outlet *o);	/* until the next probe */
void outlet_pause(struct outlet *o, const char *why);
/* The same, with what is known apart; NULL: not known. */
struct pause_words { const char *reason, *remedy, *host; };
void outlet_pause_for(struct outlet *o, const struct pause_words *words);
void outlet_resume(struct outlet *o, const char *how);
/* Somebody may have mended it: resumes, unless the backend has paused it and
 * says itself whether that goes on. */
void outlet_try_again(struct outlet *o, const char *how);
/* All of its mail is due now. */
void outlet_retry_all(struct outlet *o);
/* A delivery starts: is it a probe?  And that one has been judged. */
bool outlet_probe_begins(struct outlet *o);
void outlet_probe_over(struct outlet *o, const struct job *job);

/* --- destination.c --------------------------------------------------- */

struct destination {
	struct destination *next;		/* in the hash table */
	struct destination *next_stalled;
	struct outlet *outlet;
	char *name;				/* owned */
	uint64_t hash;
	struct delivery *first, **last;		/* the line */
	unsigned waiting, active;
	unsigned narrow;		/* at once, 0: as the route says */
	unsigned ease;				/* successes since it changed */
	bool stalled, probing;
	unsigned failures;		/* of the host, one after another */
	int64_t rest_until_ms;			/* clock_now_ms(); 0: none */
	int64_t rested_ms, succeeded_ms;	/* when, the same clock */
	int64_t pace_ms;			/* what a job takes, smoothed */
	unsigned connections, per_minute; /* as the backend says; 0: not */
	struct pace pace;			/* messages a minute */
	struct outcome *why;		/* the latest of them, or NULL */
	struct timer timer;		/* end of rest, end of idleness */
	struct tally *tally;
	char *words;			/* of the last failure, or NULL */
	struct delivery *filling;		/* scratch of placing.c */
};

/* Finds or makes it, with what the backend says of it now.  Kept until it
 * has been idle for a while. */
struct destination *destination_get(struct outlet *o,
				    const struct backend_destination *what);
/* Sends whatever waits in the line away, for as long as the route pauses. */
void destination_turn_away_paused(struct destination *t);
/* The route's own limits, which may have changed, go before what the backend
 * knows. */
void destination_suit(struct destination *t);
/* Puts a delivery in the line, and starts what may start; it is turned away
 * at once while the destination rests. */
void destination_add(struct destination *t, struct delivery *y);
/* Takes a waiting one out of the line. */
void destination_take(struct destination *t, struct delivery *y);
void destination_run(struct destination *t);
/* A job came back: counts, widens, narrows, rests.  Starts nothing. */
void destination_job_over(struct destination *t, const struct delivery *y);
/* What is left of its rest; 0: none. */
int64_t destination_rest_ms(const struct destination *t);
unsigned destination_limit(const struct destination *t);	/* as of now */
void destination_wake(struct destination *t);		/* ends its rest */
void destination_failed(struct destination *t, const struct outcome *o);
void destinations_each(struct dispatch *d,
		       void (*fn)(void *arg, struct destination *t), void *arg);
void destination_free(struct destination *t);
void destinations_free(struct dispatch *d);

/* --- delivery.c ------------------------------------------------------ */

struct delivery {
	struct job job;
	struct attempt *attempt;
	struct destination *destination;
	struct delivery *next;			/* in the line */
	struct delivery *sibling, **self;	/* of the attempt */
	size_t *rcpts, room, one;	/* indexes; one: the usual case */
	bool active, probe;
	int64_t started_ms;			/* clock_now_ms() */
	int64_t started_steady_ms;
	char id[ITEM_TEXT];
	struct later freeing;
};

/* Of the attempt, without recipients yet, in no line. */
struct delivery *delivery_new(struct attempt *a, struct destination *t);
void delivery_add_rcpt(struct delivery *y, size_t index);
/* Hands it to the backend. */
void delivery_start(struct delivery *y);
/* Without having been tried: its destination rests for so long. */
void delivery_turn_away(struct delivery *y, const struct outcome *why,
			int64_t rest_ms);
/* Without having been tried: its route is paused. */
void delivery_turn_away_paused(struct delivery *y);
/* Back to the spool without a word, because there are too many. */
void delivery_put_off(struct delivery *y, int64_t pause_ms);
/* Out of its attempt and out of memory soon; it is in no line any more. */
void delivery_end(struct delivery *y);
/* It cannot even begin, by our own fault. */
void delivery_fails_here(struct delivery *y, const char *why);

/* --- attempt.c ------------------------------------------------------- */

struct attempt {
	struct attempt *next;			/* in the window's hash table */
	struct dispatch *dispatch;
	struct item *item;
	struct delivery *deliveries;
	unsigned under_way;		/* deliveries, waiting or active */
	unsigned reports, settling;	/* being written, not yet home */
	size_t queued;				/* recipients that are */
	bool counts;				/* as an attempt of the item */
	bool pauses;			/* it waits for a paused route */
	bool preparing;			/* a worker has its item */
	bool resealed;			/* the spool has it without these
					 * signatures */
	bool leaving;			/* the last settlement is posted */
	int64_t due_ms;			/* steady; INT64_MAX: nobody said */
	int64_t pause_ms;		/* once it was asked for; 0: not */
	char *last;				/* words, or NULL */
	struct settle_rcpt *results;		/* not settled yet */
	size_t result_count, result_room;
	bool news;				/* a final one is among them */
	bool warns;			/* a delay is told this time */
	struct report *held;		/* waits for other deliveries to */
	const struct destination *held_for;	/* this destination */
};

/* Takes the item, for which there is room in the window. */
void attempt_begin(struct dispatch *d, struct item *item);
/* It goes on: it needs no signature, has it, or cannot get it (err). */
void attempt_prepared(struct attempt *a, const struct error *err);
/* After the last settlement came home. */
void attempt_end(struct attempt *a);
/* Nothing of it is with a backend or on its way to the spool. */
bool attempt_is_waiting(const struct attempt *a);
/* Takes the waiting deliveries out of their lines; the item goes back to the
 * spool, due when it says, when nothing else is under way. */
void attempt_withdraw(struct attempt *a, int64_t due_ms);
/* A delivery to t has ended, with a report or without (NULL).  Recipients of
 * one destination are told together: the report waits for the last of its
 * deliveries.  Then it is sent, or what there is to settle is settled. */
struct report *attempt_held(struct attempt *a, const struct destination *t);
void attempt_report(struct attempt *a, struct report *r,
		    const struct destination *t);
/* The same for one that has ended without a judgement. */
void attempt_goes_on(struct attempt *a);
/* The earliest wish holds. */
void attempt_wish(struct attempt *a, int64_t due_ms);
/* The pause after this attempt, the same whoever asks. */
int64_t attempt_pause(struct attempt *a);
void attempt_result(struct attempt *a, size_t rcpt, enum rcpt_state state,
		    const char *words);

/* --- placing.c ------------------------------------------------------- */

/* Where the first of its queued recipients goes; NULL: no route takes it. */
struct outlet *attempt_outlet(struct attempt *a);
/* Its queued recipients into lines; the caller keeps it alive (under_way). */
void attempt_place(struct attempt *a);
/* The same, into a judgement: none of them can be tried. */
void attempt_fails_here(struct attempt *a, const char *why);
/* Waiting ones of a retired outlet go where the new rules say. */
void delivery_move(struct delivery *y);

/* --- prepare.c ------------------------------------------------------- */

/* False: there is nothing to be done, or not now.  Else attempt_prepared()
 * follows. */
bool attempt_prepare(struct attempt *a, const struct outlet *o);
/* False: while it waited in line its route got other keys, so that it has to
 * begin anew. */
bool delivery_is_prepared(const struct delivery *y);

/* --- judge.c --------------------------------------------------------- */

/* Applies verdicts: one outcome for each recipient, or (single) one for all.
 * tried is false for those that were turned away.  Ends the delivery. */
struct judgement {
	const struct outcome *outcomes;
	bool single, tried;
	bool paused;			/* not tried, for the route is */
	int64_t due_ms;				/* steady, when not tried */
};
void delivery_judge(struct delivery *y, const struct judgement *j);

/* --- settle.c -------------------------------------------------------- */

/* Posts what there is to post: final results at once, the rest with the last
 * one.  also (or NULL) is handed over. */
void settle_flush(struct attempt *a, struct spool_accept *also);
void accept_free(struct dispatch *d, struct spool_accept **accept);

/* --- bounce.c -------------------------------------------------------- */

struct report;

/* Who is told of it, as bits; pure. */
enum told { TOLD_NOBODY = 0, TOLD_SENDER = 1, TOLD_OPERATOR = 2 };
unsigned report_audience(const struct item *item, size_t rcpt,
			 enum dsn_action action,
			 const struct dispatch_config *c);
struct told_rcpt {
	size_t index;
	enum dsn_action action;
	unsigned audience;
	struct outcome outcome;
	char *remedy;				/* owned, or NULL */
};
struct report *report_new(struct attempt *a);
/* What t owns is handed over. */
void report_add(struct report *r, const struct told_rcpt *t);
/* Written and settled; r is handed over. */
void report_send(struct report *r);

/* --- outlet.c, again: what is told of an outcome ---------------------- */

enum { REMEDY_MAX = 900 };
/* The remedy, with the names of route, mailbox and sender filled in; "" :
 * there is none.  o may be NULL: no route took the message. */
const char *told_remedy(const struct item *item, const struct outlet *o,
			const struct outcome *outcome, char *buf);

/* --- logline.c ------------------------------------------------------- */

struct logline {
	const struct delivery *delivery;
	const struct outcome *outcome;
	enum verdict verdict;
	const size_t *rcpts;
	size_t n;
	int64_t retry_ms;			/* pause; -1: none */
	bool tried;
	unsigned attempt;
};
void logline_write(const struct logline *l);
extern const struct log dispatch_log;

/* --- window.c -------------------------------------------------------- */

enum { WINDOW_BUCKETS = 1024 };

struct window {
	_Atomic size_t taken;			/* items, and promised room */
	_Atomic int64_t bytes;			/* the same, by weight */
	_Atomic bool closed;
	struct attempt *buckets[WINDOW_BUCKETS];
	size_t count;
	struct mailbox *inbox;			/* committed items */
	struct letter inbox_letter, work_letter;/* in the loop's mailbox */
	_Atomic bool work_posted;
	_Atomic int64_t work_due_ms;		/* steady; INT64_MAX: none */
	struct spool_claim claim;
	bool claiming;
	int64_t share;				/* of the bytes, for the claim */
	int64_t next_due_ms, noted_due_ms;	/* the same */
	struct timer timer;
};

void window_init(struct dispatch *d);
void window_fini(struct dispatch *d);
void window_add(struct dispatch *d, struct attempt *a);
void window_remove(struct dispatch *d, struct attempt *a);
struct attempt *window_find(struct dispatch *d, uint64_t id);
/* fn may remove the one that it is given. */
void window_each(struct dispatch *d, void (*fn)(void *arg, struct attempt *a),
		 void *arg);
void window_pull(struct dispatch *d);	/* when there is room and work */
void window_close(struct dispatch *d);

/* --- dispatch.c ------------------------------------------------------ */

enum { DESTINATION_BUCKETS = 1024 };

struct dispatch {
	struct loop *loop;
	const struct host *host;
	struct workers *workers;
	struct budget *memory;			/* or NULL */
	struct spool *spool;
	struct snapshot *snap;			/* in force */
	const struct dispatch_config *config;
	const struct routes *routes;
	struct outlet *outlets, *retired;
	struct outlet *recent;			/* the one found last */
	struct destination *destinations[DESTINATION_BUCKETS];
	size_t destination_count;
	struct tallies tallies;
	struct window window;
	struct dispatch_reports reports;	/* last: not used */
	char *reports_last;			/* words, or NULL */
	unsigned notices;			/* under way */
	uint64_t dice;				/* state of the generator */
	bool stopping;
	struct timer patience;
	bool cancelled;			/* patience with deliveries is over */
	bool abandoned;			/* they did not heed that */
	bool hurried, told, over;
	void (*stopped)(void *arg);
	void *stopped_arg;
	struct later stopped_later;
};

double dispatch_dice(struct dispatch *d);	/* 0 <= x < 1 */
/* Something ended: perhaps it was the last. */
void dispatch_check_stopped(struct dispatch *d);

#endif
