/* api.h - requests of the control socket: a table, and a function for each */
#ifndef ADMIN_API_H
#define ADMIN_API_H

#include "admin/admin.h"
#include "base/clock.h"
#include "spool/spool.h"

#include <jansson.h>
#include <pthread.h>

/* Questions to the loop that are waited for.  At the end nobody may wait for
 * a loop that has stopped, nor may it find a question when admin is gone. */
struct asks {
	pthread_mutex_t lock;
	bool ending;
	struct ask_wait *first;
};

struct admin {
	struct admin_deps deps;
	struct asks asks;
	struct spool_reader *reader;	/* the admin thread's; NULL: not yet */
	struct runs *runs;		/* the loop's */
	struct MHD_Daemon *http;
	char *socket;
};

struct request {
	struct admin *admin;
	const char *tail;		/* of the path, behind a row's prefix */
	/* A parameter of the query, or NULL. */
	const char *(*query)(const struct request *rq, const char *name);
	void *connection;		/* private to http.c */
	json_t *body;			/* POST: an object; else NULL */
	struct who by;			/* POST: who asks */
};

/* A status of HTTP, and *ret, which the caller owns: an object. */
struct api_row {
	const char *method, *path;
	bool prefix;			/* the path goes on: request.tail */
	unsigned (*run)(struct request *rq, json_t **ret);
};
extern const struct api_row api_rows[];

/* The reader; NULL with err when the queue cannot be read now. */
struct spool_reader *admin_reader(struct admin *a, struct error *err);

/* A time of the steady clock as others see it; 0, which says there is none,
 * stays. */
static inline json_int_t
api_time(int64_t steady_ms)
{
	return steady_ms != 0 ? clock_wall_of(steady_ms) : 0;
}

/* A string of any bytes; what is no UTF-8 comes out as U+FFFD. */
json_t *api_text(struct span s);
json_t *api_text_or_null(const char *s);

/* {"error": words}; returns status. */
unsigned api_error(unsigned status, json_t **ret, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

unsigned api_status(struct request *rq, json_t **ret);
unsigned api_reload(struct request *rq, json_t **ret);
unsigned api_queue_list(struct request *rq, json_t **ret);
unsigned api_queue_show(struct request *rq, json_t **ret);
unsigned api_queue_act(struct request *rq, json_t **ret);
unsigned api_action_begin(struct request *rq, json_t **ret);
unsigned api_run_look(struct request *rq, json_t **ret);
unsigned api_run_cancel(struct request *rq, json_t **ret);

/* --- asking the loop ------------------------------------------------------
 * The admin thread waits until ask_answer() has been called for the question,
 * at most `patience_ms'.  A question is shared by both sides and freed by
 * the one that lets go of it last. */
struct ask {
	struct letter letter;
	void (*on_loop)(struct ask *a);	/* must lead to ask_answer() */
	void (*drop)(struct ask *a);	/* frees the object around it */
	struct ask_wait *wait;		/* private */
};
/* False: the loop has not answered in time, or the gateway is stopping; what
 * to say then is ask_failed().  In any case the asker calls ask_release() when
 * it has read the answer. */
bool ask_and_wait(struct admin *admin, struct ask *a, int64_t patience_ms);
void ask_answer(struct ask *a);		/* on the loop; a may be gone after */
void ask_release(struct ask *a);
/* 503, with the reason. */
unsigned ask_failed(struct admin *admin, int64_t patience_ms, json_t **ret);

void asks_init(struct asks *s);
void asks_fini(struct asks *s);
/* On the thread of the loop: from here on no question is taken, and those
 * that have no answer yet get none. */
void asks_end(struct asks *s, struct loop *loop);
bool asks_ending(struct asks *s);

#endif
