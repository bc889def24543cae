/* control.c - HTTP on the control socket, by libcurl
 *
 * Exit statuses: 69 (EX_UNAVAILABLE) when no gateway answers, 77 (EX_NOPERM)
 * when we may not speak to it, 75 for everything that may go better later.
 */
#include "cli/control.h"

#include "base/buf.h"
#include "base/macros.h"
#include "base/mem.h"
#include "conf/diag.h"
#include "daemon/gateway.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { ANSWER_MAX = 64 * 1024 * 1024 };

struct control {
	CURL *curl;
	char *socket;
	struct buf answer;
	bool as_it_is;			/* for programs, which want --json */
};

/* --- finding it ------------------------------------------------------ */

static char *
find_socket(const struct cli *cli, int *rc)
{
	AUTO(buf_fini) struct buf text = BUF_MAX(256 * 1024);
	struct diags *d = diags_new();
	struct snapshot *snap;
	const struct gateway_config *g;
	char *path = NULL;

	/* a configuration that is being edited may be wrong: as long as it
	 * tells where the gateway is, we can speak to it */
	gateway_load(cli->config, d, &snap);
	g = snap ? snapshot_get(snap, SLOT_GATEWAY) : NULL;
	if (g != NULL && g->state != NULL) {
		path = mem_printf("%s/control", g->state);
	} else if (g != NULL && diags_errors(d) == 0) {
		print_error("%s names no folder for the control socket",
			    cli->config);
		print_hint("set `state' to a folder of its own");
		*rc = 78;
	} else {
		diags_show(d, &text);
		print_lines(stderr, buf_str(&text));
		*rc = 78;
	}
	diags_free(&d);
	snapshot_unref(&snap);
	return path;
}

/* One that was left by a gateway that was killed answers nobody. */
static bool
socket_answers(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool ok;

	if (strlen(path) >= sizeof(at.sun_path) || fd < 0)
		return false;
	memcpy(at.sun_path, path, strlen(path));
	ok = connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0;
	close(fd);
	return ok;
}

static bool
socket_reachable(const char *path, bool quietly, int *rc)
{
	if (access(path, R_OK | W_OK) == 0 &&
	    (!quietly || socket_answers(path)))
		return true;
	if (quietly && errno != EACCES) {
		*rc = 69;
	} else if (errno == EACCES) {
		print_error("%s: you are not allowed to control the gateway", path);
		print_hint("run this as root, or as a member of the service's "
			   "group");
		*rc = 77;
	} else {
		print_error("%s: no gateway runs with this configuration",
			    path);
		print_hint("start it with `postern run', or name its "
			   "configuration with -c");
		*rc = 69;
	}
	return false;
}

static struct control *
open_socket(const struct cli *cli, bool quietly, int *rc)
{
	char *path = find_socket(cli, rc);
	struct control *c;

	if (path == NULL)
		return NULL;
	if (!socket_reachable(path, quietly, rc)) {
		mem_free(path);
		return NULL;
	}
	curl_global_init(CURL_GLOBAL_NOTHING);
	c = NEW(struct control);
	c->socket = path;
	c->answer = BUF_MAX(ANSWER_MAX);
	c->as_it_is = cli->json;
	c->curl = curl_easy_init();
	return c;
}

struct control *
control_open(const struct cli *cli, int *rc)
{
	return open_socket(cli, false, rc);
}

struct control *
control_open_quietly(const struct cli *cli, int *rc)
{
	return open_socket(cli, true, rc);
}

void
control_close(struct control **ptr)
{
	struct control *c = *ptr;

	if (c == NULL)
		return;
	curl_easy_cleanup(c->curl);
	curl_global_cleanup();
	buf_fini(&c->answer);
	mem_free(c->socket);
	mem_free(c);
	*ptr = NULL;
}

/* --- asking ---------------------------------------------------------- */

static size_t
on_bytes(char *bytes, size_t size, size_t n, void *arg)
{
	struct control *c = arg;

	return buf_add(&c->answer, (struct span){ bytes, size * n })
		? size * n : 0;
}

static CURLcode
perform(struct control *c, const char *path, const char *post, long *status)
{
	char *url = mem_printf("http://postern%s", path);
	CURLcode rc;

	buf_clear(&c->answer);
	curl_easy_reset(c->curl);
	curl_easy_setopt(c->curl, CURLOPT_UNIX_SOCKET_PATH, c->socket);
	curl_easy_setopt(c->curl, CURLOPT_URL, url);
	curl_easy_setopt(c->curl, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(c->curl, CURLOPT_PROXY, "");
	curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c->curl, CURLOPT_TIMEOUT, 90L);
	curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, on_bytes);
	curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, c);
	if (post != NULL)
		curl_easy_setopt(c->curl, CURLOPT_COPYPOSTFIELDS, post);
	rc = curl_easy_perform(c->curl);
	curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, status);
	mem_free(url);
	return rc;
}

static int
refused(const char *socket, CURLcode code)
{
	if (code != CURLE_COULDNT_CONNECT) {
		print_error("%s: %s", socket, curl_easy_strerror(code));
		return 75;
	}
	print_error("%s: no gateway answers there", socket);
	print_hint("it ended without removing its socket; start it with "
		   "`postern run'");
	return 69;
}

int
control_ask(struct control *c, const char *path, json_t *body, json_t **ret)
{
	char *post = body ? json_dumps(body, JSON_COMPACT) : NULL;
	long status = 0;
	CURLcode code = perform(c, path, post, &status);
	const char *words;

	free(post);
	json_decref(body);
	if (code != CURLE_OK)
		return refused(c->socket, code);
	*ret = json_loadb(buf_span(&c->answer).p, c->answer.len, 0, NULL);
	if (*ret != NULL && (status == 200 || status == 409)) {
		if (!c->as_it_is)
			printable_json(*ret);
		return 0;
	}
	words = json_string_value(json_object_get(*ret, "error"));
	print_error("%s", words ? words
		    : "the gateway's answer cannot be understood");
	json_decref(*ret);
	*ret = NULL;
	return status == 403 ? 77 : status == 400 || status == 404 ? 65 : 75;
}

char *
control_path(struct control *c, const char *folder, const char *name)
{
	char *escaped = curl_easy_escape(c->curl, name, 0);
	char *ret = mem_printf("%s%s", folder, escaped);

	curl_free(escaped);
	return ret;
}

char *
control_query(struct control *c, const char *path, const char *name,
	      const char *value)
{
	char *escaped = curl_easy_escape(c->curl, value, 0);
	char *ret = mem_printf("%s%c%s=%s", path,
			       strchr(path, '?') ? '&' : '?', name, escaped);

	curl_free(escaped);
	return ret;
}

/* --- words ----------------------------------------------------------- */

const char *
words_duration(json_int_t ms, char *buf)
{
	long long s = ms < 0 ? 0 : ms / 1000;

	if (s < 60)
		snprintf(buf, 32, "%llds", s);
	else if (s < 3600)
		snprintf(buf, 32, "%lldm %llds", s / 60, s % 60);
	else if (s < 86400)
		snprintf(buf, 32, "%lldh %lldm", s / 3600, s / 60 % 60);
	else
		snprintf(buf, 32, "%lldd %lldh", s / 86400, s / 3600 % 24);
	return buf;
}

const char *
words_size(json_int_t bytes, char *buf)
{
	if (bytes < 1024)
		snprintf(buf, 32, "%lld B", (long long)bytes);
	else if (bytes < 1024 * 1024)
		snprintf(buf, 32, "%.1f KiB", (double)bytes / 1024);
	else
		snprintf(buf, 32, "%.1f MiB", (double)bytes / 1048576);
	return buf;
}
