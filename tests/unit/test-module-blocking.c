/* test-module-blocking.c - backends that block, and past whose deadline
 * nobody waits; maildir is one */
#include "module-world.h"

#include "base/file.h"

#include <dirent.h>

/* --- blocking backends ----------------------------------------------- */

struct pipes {
	int wait[2], tell[2];
	char options[120];
};

static void
pipes_init(struct pipes *p, const char *more)
{
	assert_int_equal(pipe(p->wait), 0);
	assert_int_equal(pipe(p->tell), 0);
	snprintf(p->options, sizeof(p->options), "{wait_fd: %d, tell_fd: %d%s}",
		 p->wait[0], p->tell[1], more);
}

static void
pipes_fini(struct pipes *p)
{
	close(p->wait[0]);
	close(p->wait[1]);
	close(p->tell[0]);
	close(p->tell[1]);
}

/* Blocks until the module tells that it has begun 'b' or ended 'e'. */
static void
heard(struct pipes *p, char want)
{
	char c = 0;

	assert_int_equal(read(p->tell[0], &c, 1), 1);
	assert_int_equal(c, want);
}

static void
go_on(struct pipes *p)
{
	assert_int_equal(write(p->wait[1], "x", 1), 1);
}

static void
a_worker_delivers(void **state)
{
	struct pipes p;
	struct world w;

	(void)state;
	pipes_init(&p, ", reads: yes");
	world_init(&w, "slow", p.options, 0);
	assert_int_equal(backend_parallel(w.backend), 1);
	for (int i = 0; i < 3; i++) {
		go_on(&p);
		world_deliver(&w);
		assert_int_equal(w.outcomes[2].code, 250);
		assert_string_equal(w.outcomes[2].text, "read 32, 0 for a@x.test");
		heard(&p, 'b');
		heard(&p, 'e');
	}
	world_fini(&w);
	pipes_fini(&p);
}

static void
a_worker_that_settles_nothing(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, "slow", "settles: no", 0);
	world_deliver(&w);
	assert_int_equal(w.outcomes[0].kind, OUTCOME_LOCAL);
	CHECK_HAS(w.outcomes[0].text, "module `slow' gave no outcome");
	world_fini(&w);
}

/* Past the deadline the job comes back; so does the next one, which never
 * began; then the worker does, and everything it does is in vain. */
static void
a_worker_past_its_deadline(void **state)
{
	struct pipes p;
	struct world w;

	(void)state;
	pipes_init(&p, ", reads: yes");
	world_init(&w, "slow", p.options, 50);
	world_deliver(&w);
	CHECK_HAS(w.outcomes[0].text, "`slow' did not finish within 1 s");
	heard(&p, 'b');
	world_deliver(&w);
	CHECK_HAS(w.outcomes[2].text, "was busy with another message");

	/* its owner's things are gone by now */
	world_renew(&w);
	go_on(&p);
	heard(&p, 'e');
	assert_string_not_equal(w.outcomes[0].text, "slowly");

	/* and it works again */
	go_on(&p);
	world_deliver(&w);
	assert_int_equal(w.outcomes[0].code, 250);
	world_fini(&w);
	pipes_fini(&p);
}

static void
a_worker_is_cancelled(void **state)
{
	struct pipes p;
	struct world w;

	(void)state;
	pipes_init(&p, "");
	world_init(&w, "slow", p.options, 0);
	backend_deliver(w.backend, &w.job);
	heard(&p, 'b');
	backend_cancel(w.backend, &w.job);
	run_until(w.loop, &w.finished, 1);
	CHECK_HAS(w.outcomes[1].text, "the gateway stops");

	/* its instance stays behind, and the loop may go */
	world_fini(&w);
	go_on(&p);
	heard(&p, 'e');
	pipes_fini(&p);
}

/* A body whose pread waits on a pipe: a read that is under way at the
 * deadline is waited for, since its bytes belong to the owner. */
struct piped_body {
	struct body_source source;
	int fd;
	_Atomic int begun;
};

static bool
piped_pread(struct body_source *s, uint64_t offset, char *to, size_t max,
	    size_t *got, struct error *err)
{
	struct piped_body *b = container_of(s, struct piped_body, source);
	char c;

	(void)offset, (void)to, (void)max, (void)err;
	b->begun = 1;
	if (read(b->fd, &c, 1) != 1)
		return error_errno(err, "pipe");
	*got = 0;
	return true;
}

static void
the_deadline_waits_for_a_read(void **state)
{
	static const struct body_ops ops = { .pread = piped_pread };
	struct piped_body b = { .source = { .ops = &ops, .size = 10 } };
	struct world w;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	b.fd = fds[0];
	world_init(&w, "slow", "reads: yes", 100);
	w.job.body = &b.source;
	backend_deliver(w.backend, &w.job);
	for (int i = 0; i < 4; i++) {
		poll(NULL, 0, 50);
		ev_run(loop_ev(w.loop), EVRUN_NOWAIT);
	}
	assert_int_equal(b.begun, 1);
	assert_int_equal(w.finished, 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	run_until(w.loop, &w.finished, 1);
	CHECK_HAS(w.outcomes[0].text, "did not finish");
	/* the next one has to wait until the worker has come home */
	w.job.body = w.body;
	world_deliver(&w);
	assert_int_equal(w.outcomes[0].code, 250);
	world_fini(&w);
	close(fds[0]);
	close(fds[1]);
}

/* --- maildir --------------------------------------------------------- */

/* The only file in the folder, read whole. */
static void
only_file(const char *folder, struct buf *ret, char *name, size_t size)
{
	DIR *dir = opendir(folder);
	struct dirent *e;
	struct error err;
	unsigned n = 0;
	char path[600];

	assert_non_null(dir);
	while ((e = readdir(dir)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(name, size, "%s", e->d_name);
		snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		n++;
	}
	closedir(dir);
	assert_int_equal(n, 1);
	assert_true(file_read(ret, path, &err));
	unlink(path);
}

static unsigned
files_in(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *e;
	unsigned n = 0;

	assert_non_null(dir);
	while ((e = readdir(dir)) != NULL)
		n += e->d_name[0] != '.';
	closedir(dir);
	return n;
}

static void
maildir_holds_the_message(void **state)
{
	AUTO(buf_fini) struct buf text = BUF_MAX(10000);
	char top[] = "/tmp/postern-maildir-XXXXXX", options[100], path[100];
	char name[256];
	struct world w;

	(void)state;
	assert_non_null(mkdtemp(top));
	snprintf(options, sizeof(options), "path: %s/box", top);
	world_init(&w, "maildir", options, 0);
	world_deliver(&w);
	assert_int_equal(w.outcomes[0].code, 250);
	CHECK_HAS(w.outcomes[2].text, "/box/new/");
	snprintf(path, sizeof(path), "%s/box/new", top);
	only_file(path, &text, name, sizeof(name));
	CHECK_HAS(name, ".gw\\0571.test");
	assert_string_equal(buf_str(&text),
		"Return-Path: <boss@here.test>\n"
		"Delivered-To: a@x.test\n"
		"Delivered-To: reply-550-5.1.1@x.test\n"
		"Delivered-To: c@x.test\n"
		"Subject: x\n\nline\n\r\nbare\rcr\n");
	snprintf(path, sizeof(path), "%s/box/tmp", top);
	assert_int_equal(files_in(path), 0);
	world_fini(&w);

	snprintf(path, sizeof(path), "rm -r %s", top);
	assert_int_equal(system(path), 0);
}

static void
maildir_fails_with_a_reason(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, "maildir", "path: /nonexistent/disk/box", 0);
	world_deliver(&w);
	assert_int_equal(w.outcomes[0].code, 0);
	assert_int_equal(w.outcomes[0].kind, OUTCOME_LOCAL);
	CHECK_HAS(w.outcomes[0].text, "/nonexistent/disk/box: No such file");
	world_fini(&w);
}

/* The reason names what is at fault, and not where it would have ended. */
static void
maildir_names_the_folder_that_fails(void **state)
{
	char top[] = "/tmp/postern-maildir-XXXXXX", text[200];
	struct world w;

	(void)state;
	assert_non_null(mkdtemp(top));
	snprintf(text, sizeof(text), "touch %s/tmp", top);
	assert_int_equal(system(text), 0);
	snprintf(text, sizeof(text), "path: %s", top);
	world_init(&w, "maildir", text, 0);
	world_deliver(&w);
	assert_int_equal(w.outcomes[0].code, 0);
	snprintf(text, sizeof(text), "%s/tmp/", top);
	CHECK_HAS(w.outcomes[0].text, text);
	CHECK_HAS(w.outcomes[0].text, "Not a directory");
	world_fini(&w);
	snprintf(text, sizeof(text), "rm -r %s", top);
	assert_int_equal(system(text), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_worker_delivers),
		cmocka_unit_test(a_worker_that_settles_nothing),
		cmocka_unit_test(a_worker_past_its_deadline),
		cmocka_unit_test(a_worker_is_cancelled),
		cmocka_unit_test(the_deadline_waits_for_a_read),
		cmocka_unit_test(maildir_holds_the_message),
		cmocka_unit_test(maildir_fails_with_a_reason),
		cmocka_unit_test(maildir_names_the_folder_that_fails),
	};

	setenv("POSTERN_MODULE_PATH", MODULE_PATH, 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
