/* http.c - the control socket: who may speak, and finding the row
 *
 * libmicrohttpd's thread calls us for each request; bodies are bounded by
 * LIMIT_CONTROL_BODY.
 */
#include "admin/api.h"

#include "admin/runs.h"
#include "base/buf.h"
#include "base/encode.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/mem.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const struct log admin_log = { .room = "admin" };

/* At the first need: a store in trouble is no reason not to answer. */
struct spool_reader *
admin_reader(struct admin *a, struct error *err)
{
	if (a->reader == NULL)
		a->reader = spool_reader_open(a->deps.spool, err);
	return a->reader;
}

/* Mail, paths and what a client asks for may hold any bytes. */
json_t *
api_text(struct span s)
{
	AUTO(buf_fini) struct buf b = BUF_MAX(3 * s.n + 1);
	json_t *v;

	while (s.n > 0) {
		size_t n = utf8_length(s);

		buf_add(&b, n ? span_sub(s, 0, n) : SPAN("\xef\xbf\xbd"));
		s = span_from(s, n ? n : 1);
	}
	v = json_stringn(buf_str(&b), b.len);
	return v ? v : json_null();
}

json_t *
api_text_or_null(const char *s)
{
	return s ? api_text(span_of(s)) : json_null();
}

unsigned
api_error(unsigned status, json_t **ret, const char *fmt, ...)
{
	char words[500];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	*ret = json_pack("{s:o}", "error", api_text(span_of(words)));
	return status;
}

/* --- who speaks ------------------------------------------------------ */

static bool
in_our_group(int fd, gid_t gid)
{
	gid_t groups[256];
	socklen_t size = sizeof(groups);

	if (gid == getegid())
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) < 0)
		return false;
	for (size_t i = 0; i < size / sizeof(groups[0]); i++)
		if (groups[i] == getegid())
			return true;
	return false;
}

static bool
peer_allowed(struct MHD_Connection *c, unsigned *uid)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(c,
		MHD_CONNECTION_INFO_CONNECTION_FD);
	struct ucred who;
	socklen_t size = sizeof(who);

	if (info == NULL || getsockopt(info->connect_fd, SOL_SOCKET,
				       SO_PEERCRED, &who, &size) < 0)
		return false;
	*uid = who.uid;
	return who.uid == 0 || who.uid == geteuid() ||
	       in_our_group(info->connect_fd, who.gid);
}

/* --- one request ----------------------------------------------------- */

struct exchange {
	struct buf body;
	bool too_large;
};

static const char *
query(const struct request *rq, const char *name)
{
	return MHD_lookup_connection_value(rq->connection,
					   MHD_GET_ARGUMENT_KIND, name);
}

static unsigned
find_and_run(struct request *rq, const char *method, const char *path,
	     json_t **ret)
{
	bool known = false;

	for (const struct api_row *row = api_rows; row->path; row++) {
		size_t n = strlen(row->path);

		if (strncmp(path, row->path, n) != 0 ||
		    (path[n] != '\0') != row->prefix)
			continue;
		known = true;
		if (strcmp(method, row->method) != 0)
			continue;
		rq->tail = path + n;
		return row->run(rq, ret);
	}
	return known ? api_error(405, ret, "%s does not take %s", path, method)
		     : api_error(404, ret, "there is no %s", path);
}

static unsigned
answer(struct admin *admin, struct MHD_Connection *c, struct exchange *ex,
       const char *method, const char *path, json_t **ret)
{
	struct request rq = { .admin = admin, .query = query,
			      .connection = c };
	json_error_t why;
	unsigned status, uid;

	if (!peer_allowed(c, &uid))
		return api_error(403, ret, "only root, the service's user and "
				 "its group may use this socket");
	if (ex->too_large)
		return api_error(413, ret, "a request has at most %d bytes",
				 LIMIT_CONTROL_BODY);
	if (strcmp(method, "POST") == 0) {
		rq.by = who_user(uid);
		rq.body = ex->body.len == 0 ? json_object()
			: json_loadb(buf_span(&ex->body).p, ex->body.len,
				     JSON_REJECT_DUPLICATES, &why);
		if (!json_is_object(rq.body)) {
			json_decref(rq.body);
			return api_error(400, ret, "the body is not a JSON "
					 "object");
		}
	}
	status = find_and_run(&rq, method, path, ret);
	json_decref(rq.body);
	return status;
}

static enum MHD_Result
send_json(struct MHD_Connection *c, unsigned status, json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT);
	struct MHD_Response *r;
	enum MHD_Result rc;

	json_decref(value);
	if (text == NULL)
		return MHD_NO;
	r = MHD_create_response_from_buffer(strlen(text), text,
					    MHD_RESPMEM_MUST_FREE);
	MHD_add_response_header(r, "Content-Type", "application/json");
	rc = MHD_queue_response(c, status, r);
	MHD_destroy_response(r);
	return rc;
}

static enum MHD_Result
on_request(void *arg, struct MHD_Connection *c, const char *path,
	   const char *method, const char *version, const char *data,
	   size_t *size, void **state)
{
	struct exchange *ex = *state;
	json_t *value = NULL;
	unsigned status;

	(void)version;
	if (ex == NULL) {
		ex = *state = NEW(struct exchange);
		ex->body = BUF_MAX(LIMIT_CONTROL_BODY);
		return MHD_YES;
	}
	if (*size > 0) {
		if (!buf_add(&ex->body, (struct span){ data, *size }))
			ex->too_large = true;
		*size = 0;
		return MHD_YES;
	}
	status = answer(arg, c, ex, method, path, &value);
	return send_json(c, status, value ? value : json_object());
}

static void
on_completed(void *arg, struct MHD_Connection *c, void **state,
	     enum MHD_RequestTerminationCode why)
{
	struct exchange *ex = *state;

	(void)arg, (void)c, (void)why;
	if (ex == NULL)
		return;
	buf_fini(&ex->body);
	mem_free(ex);
	*state = NULL;
}

/* --- the socket ------------------------------------------------------ */

/* 0660 from the first moment on. */
static int
socket_bind(const char *path, struct error *err)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	mode_t old;
	int fd, rc;

	if (strlen(path) >= sizeof(at.sun_path)) {
		error_set(err, ERROR_CONFIG, "%s: too long for a socket's "
			  "path", path);
		error_hint(err, "set `state' to a shorter folder");
		return -1;
	}
	memcpy(at.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		error_errno(err, "a Unix socket");
		return -1;
	}
	unlink(path);	/* one that was left; the spool's lock is ours */
	old = umask(0117);
	rc = bind(fd, (struct sockaddr *)&at, sizeof(at));
	umask(old);
	if (rc < 0 || listen(fd, 64) < 0) {
		error_errno(err, "%s", path);
		close(fd);
		return -1;
	}
	return fd;
}

struct admin *
admin_start(const struct admin_deps *deps, struct error *err)
{
	struct admin *a = NEW(struct admin);
	int fd;

	a->deps = *deps;
	a->socket = mem_strdup(deps->socket);
	a->deps.socket = a->socket;
	asks_init(&a->asks);
	a->runs = runs_new(deps->loop, deps->dispatch);
	fd = socket_bind(a->socket, err);
	if (fd >= 0) {
		a->http = MHD_start_daemon(
			MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC, 0, NULL,
			NULL, on_request, a,
			MHD_OPTION_LISTEN_SOCKET, fd,
			MHD_OPTION_CONNECTION_LIMIT, 64u,
			MHD_OPTION_CONNECTION_TIMEOUT, 60u,
			MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL,
			MHD_OPTION_END);
		if (a->http == NULL)
			error_set(err, ERROR_SYSTEM, "%s: the HTTP server "
				  "does not start", a->socket);
	}
	if (a->http != NULL) {
		log_debug(&admin_log, "control socket %s", a->socket);
		return a;
	}
	if (fd >= 0)
		close(fd);
	admin_stop(&a);
	return NULL;
}

void
admin_stop(struct admin **ptr)
{
	struct admin *a = *ptr;

	if (a == NULL)
		return;
	asks_end(&a->asks, a->deps.loop);
	if (a->http != NULL) {
		MHD_stop_daemon(a->http);	/* closes the socket */
		unlink(a->socket);
	}
	runs_free(&a->runs);
	spool_reader_close(&a->reader);
	asks_fini(&a->asks);
	mem_free(a->socket);
	mem_free(a);
	*ptr = NULL;
}
