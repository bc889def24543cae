/* http_multi.c - curl's sockets and its timer as watchers of the loop
 *
 * curl_global_init() may not run beside itself, nor beside the first use of
 * GnuTLS in older libraries.  It is called here only, by the one loop that
 * asks web servers, and counted by curl; libcurl guards it since 7.84, and
 * GnuTLS has set itself up before main().
 */
#include "io/http_multi.h"

#include "base/error.h"
#include "base/macros.h"
#include "base/mem.h"

/* One socket of curl's.  Not freed inside its own callback. */
struct watch {
	struct ev_io io;
	struct http_multi *multi;
	struct watch *next, **prev;
	struct later later;
};

struct http_multi {
	struct loop *loop;
	const struct http_multi_events *events;
	CURLM *curl;			/* NULL: nobody asks anything */
	struct timer timer;		/* curl's */
	struct timer idle;
	int64_t idle_ms;
	struct watch *watches;
	size_t transfers;
	bool ready;			/* curl_global_init was called */
};

/* Every setting that may fail would fail for want of memory or because the
 * library is not the one that we were built for. */
#define MULTI_SET(m, option, value) \
	must(curl_multi_setopt((m)->curl, CURLMOPT_##option, value) == CURLM_OK)

static void
multi_act(struct http_multi *m, curl_socket_t fd, int events)
{
	int running, left;
	CURLMsg *msg;

	curl_multi_socket_action(m->curl, fd, events, &running);
	while ((msg = curl_multi_info_read(m->curl, &left)) != NULL) {
		CURL *easy = msg->easy_handle;
		CURLcode code = msg->data.result;

		/* msg is gone when the transfer is removed */
		m->events->ended(easy, code);
	}
}

/* --- sockets --------------------------------------------------------- */

static void
on_socket(struct ev_loop *ev, struct ev_io *io, int events)
{
	struct watch *w = container_of(io, struct watch, io);

	(void)ev;
	multi_act(w->multi, io->fd,
		  (events & EV_READ ? CURL_CSELECT_IN : 0) |
		  (events & EV_WRITE ? CURL_CSELECT_OUT : 0));
}

static void
watch_gone(struct later *l)
{
	mem_free(container_of(l, struct watch, later));
}

static struct watch *
watch_new(struct http_multi *m, curl_socket_t fd)
{
	struct watch *w = NEW(struct watch);

	w->multi = m;
	w->later.run = watch_gone;
	w->next = m->watches;
	w->prev = &m->watches;
	if (m->watches != NULL)
		m->watches->prev = &w->next;
	m->watches = w;
	ev_io_init(&w->io, on_socket, fd, 0);
	curl_multi_assign(m->curl, fd, w);
	return w;
}

static void
watch_end(struct watch *w)
{
	ev_io_stop(loop_ev(w->multi->loop), &w->io);
	*w->prev = w->next;
	if (w->next != NULL)
		w->next->prev = w->prev;
	loop_later(w->multi->loop, &w->later);
}

/* curl says what it wants to know of a socket. */
static int
on_interest(CURL *easy, curl_socket_t fd, int what, void *arg, void *mine)
{
	struct http_multi *m = arg;
	struct watch *w = mine;

	if (what == CURL_POLL_IN)
		m->events->listens(easy);
	if (what == CURL_POLL_REMOVE) {
		if (w != NULL)
			watch_end(w);
		return 0;
	}
	if (w == NULL)
		w = watch_new(m, fd);
	ev_io_stop(loop_ev(m->loop), &w->io);
	ev_io_modify(&w->io, (what & CURL_POLL_IN ? EV_READ : 0) |
			     (what & CURL_POLL_OUT ? EV_WRITE : 0));
	ev_io_start(loop_ev(m->loop), &w->io);
	return 0;
}

/* --- time ------------------------------------------------------------ */

static int
on_timer_wanted(CURLM *curl, long in_ms, void *arg)
{
	struct http_multi *m = arg;

	(void)curl;
	if (in_ms < 0)
		timer_stop(&m->timer);
	else
		timer_start(&m->timer, in_ms);
	return 0;
}

static void
on_timer(struct timer *t)
{
	multi_act(container_of(t, struct http_multi, timer),
		  CURL_SOCKET_TIMEOUT, 0);
}

/* --- its life -------------------------------------------------------- */

static void
multi_open(struct http_multi *m)
{
	if (!m->ready)
		must(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
	m->ready = true;
	m->curl = curl_multi_init();
	must(m->curl != NULL);
	MULTI_SET(m, SOCKETFUNCTION, on_interest);
	MULTI_SET(m, SOCKETDATA, m);
	MULTI_SET(m, TIMERFUNCTION, on_timer_wanted);
	MULTI_SET(m, TIMERDATA, m);
	MULTI_SET(m, PIPELINING, (long)CURLPIPE_NOTHING);
	MULTI_SET(m, MAXCONNECTS, (long)HTTP_IDLE_MAX);
}

static void
multi_close(struct http_multi *m)
{
	if (m->curl == NULL)
		return;
	curl_multi_cleanup(m->curl);
	m->curl = NULL;
	timer_stop(&m->timer);
	while (m->watches != NULL)
		watch_end(m->watches);
}

static void
on_idle(struct timer *t)
{
	multi_close(container_of(t, struct http_multi, idle));
}

struct http_multi *
http_multi_new(struct loop *loop, const struct http_multi_events *events,
	       int64_t idle_ms)
{
	struct http_multi *m = NEW(struct http_multi);

	m->loop = loop;
	m->events = events;
	m->idle_ms = idle_ms;
	timer_init(&m->timer, loop, on_timer);
	timer_init(&m->idle, loop, on_idle);
	return m;
}

void
http_multi_free(struct http_multi **ptr)
{
	struct http_multi *m = *ptr;

	if (m == NULL)
		return;
	must(m->transfers == 0);
	timer_stop(&m->idle);
	multi_close(m);
	if (m->ready)
		curl_global_cleanup();
	mem_free(m);
	*ptr = NULL;
}

void
http_multi_add(struct http_multi *m, CURL *easy)
{
	if (m->curl == NULL)
		multi_open(m);
	timer_stop(&m->idle);
	m->transfers++;
	must(curl_multi_add_handle(m->curl, easy) == CURLM_OK);
}

void
http_multi_remove(struct http_multi *m, CURL *easy)
{
	must(curl_multi_remove_handle(m->curl, easy) == CURLM_OK);
	if (--m->transfers == 0)
		timer_start(&m->idle, m->idle_ms);
}
