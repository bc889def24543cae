/* test-base.c - buffers, spans, ids, mailboxes, timers, tickets, workers */
#include "unit.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/error.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/macros.h"
#include "base/mem.h"
#include "base/ticket.h"
#include "base/worker.h"
#include "base/who.h"

#include <jansson.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void
buffers_hold_their_maximum(void **state)
{
	AUTO(buf_fini) struct buf b = BUF_MAX(10);

	(void)state;
	assert_true(buf_add_str(&b, "0123456789"));
	assert_false(buf_add_char(&b, 'x'));
	assert_int_equal(b.len, 10);
	buf_drop(&b, 4);
	assert_true(buf_addf(&b, "%d", 1234));
	assert_false(buf_addf(&b, "%d", 5));
	assert_string_equal(buf_str(&b), "4567891234");
	assert_null(buf_room(&b, SIZE_MAX));
}

static void
spans_know_their_8_bits(void **state)
{
	char text[20];
	struct span all = { text, sizeof(text) };

	(void)state;
	assert_false(span_has_8bit(SPAN_NONE));
	for (size_t i = 0; i < sizeof(text); i++) {
		memset(text, 0x7f, sizeof(text));
		assert_false(span_has_8bit(all));
		text[i] = (char)0x80;
		assert_true(span_has_8bit(all));
		assert_false(span_has_8bit(span_sub(all, 0, i)));
		assert_false(span_has_8bit(span_from(all, i + 1)));
	}
}

static void
spans_split_and_parse(void **state)
{
	static const struct {
		const char *text;
		uint64_t max;
		bool ok;
		uint64_t want;
	} rows[] = {
		{ "0", 10, true, 0 }, { "10", 10, true, 10 },
		{ "11", 10, false, 0 }, { "", 10, false, 0 },
		{ "-1", 10, false, 0 }, { "1x", 10, false, 0 },
		{ "18446744073709551615", UINT64_MAX, true, UINT64_MAX },
		{ "18446744073709551616", UINT64_MAX, false, 0 },
		{ "9", 5, false, 0 },
	};
	struct span rest = SPAN("a,,b"), part;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t v = 0;

		CHECK_ROW(i, span_u64(span_of(rows[i].text), rows[i].max, &v)
			  == rows[i].ok && v == rows[i].want);
	}
	assert_true(span_split(&rest, ',', &part) && span_eq(part, SPAN("a")));
	assert_true(span_split(&rest, ',', &part) && part.n == 0);
	assert_true(span_split(&rest, ',', &part) && span_eq(part, SPAN("b")));
	assert_false(span_split(&rest, ',', &part));
	assert_true(span_eq_nocase(SPAN("Foo.TEST"), SPAN("fOO.test")));
	assert_true(span_eq(span_trim(SPAN(" \tx ")), SPAN("x")));
}

static void
text_is_wrapped_at_blanks(void **state)
{
	static const struct {
		const char *text, *lines;
	} rows[] = {
		{ "", "" },
		{ "ten bytes.", "ten bytes.|" },
		{ "eleven bytes", "eleven|bytes|" },
		{ "a b c d e f g h", "a b c d e|f g h|" },
		{ "averylongword and", "averylongword|and|" },
		{ "an averylongword", "an|averylongword|" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(buf_fini) struct buf b = BUF_MAX(100);
		struct span rest = span_of(rows[i].text), line;

		while (span_wrap(&rest, 10, &line))
			assert_true(buf_add(&b, line) &&
				    buf_add_char(&b, '|'));
		CHECK_ROW(i, span_eq(buf_span(&b), span_of(rows[i].lines)));
	}
}

static void
ids_are_ten_letters_and_sort(void **state)
{
	char a[11], b[11];
	uint64_t back;

	(void)state;
	encode_id(41, a);
	encode_id(1234567890123456u & ((1ull << 50) - 1), b);
	assert_int_equal(strlen(a), ID_TEXT);
	assert_true(strcmp(a, b) < 0);
	assert_true(decode_id(span_of(a), &back));
	assert_int_equal(back, 41);
	assert_true(decode_id(SPAN("000000oil1"), &back));
	assert_false(decode_id(SPAN("00000000U0"), &back));
	assert_false(decode_id(SPAN("000"), &back));
}

static void
json_is_always_valid(void **state)
{
	static const struct { struct span in; const char *want; } rows[] = {
		{ { "a\"b\\\n", 5 }, "\"a\\\"b\\\\\\n\"" },
		{ { "\x01\x7f", 2 }, "\"\\u0001\\u007f\"" },
		{ { "\xc3\xa4", 2 }, "\"\xc3\xa4\"" },
		{ { "\xc3", 1 }, "\"\xef\xbf\xbd\"" },
		{ { "\xed\xa0\x80", 3 },
		  "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ { "\0", 1 }, "\"\\u0000\"" },
		{ { "\xc2\x9b\xc2\xa0", 4 }, "\"\\u009b\xc2\xa0\"" },
		{ { "0123456789abcdefghij", 20 }, "\"0123456789ab...\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(buf_fini) struct buf b = BUF_MAX(100);

		CHECK_ROW(i, encode_json(&b, rows[i].in, 12));
		CHECK_ROW(i, strcmp(buf_str(&b), rows[i].want) == 0);
	}
}

static void
json_without_room_is_not_begun(void **state)
{
	AUTO(buf_fini) struct buf b = BUF_MAX(8);

	(void)state;
	assert_true(buf_add_str(&b, "ab"));
	for (size_t n = 5; n < 12; n++)
		assert_false(encode_json(&b, span_sub(SPAN("123456789abcd"), 0,
						      n), 100));
	assert_string_equal(buf_str(&b), "ab");
	assert_true(encode_json(&b, SPAN("1234"), 100));
}

/* What log_event writes, read back from where standard error was. */
static size_t
logged(const struct log *log, const struct log_field *fields, size_t n,
       const char *words, char *ret, size_t size)
{
	FILE *f = tmpfile();
	int old = dup(STDERR_FILENO);
	ssize_t got;

	assert_non_null(f);
	fflush(stderr);
	assert_true(dup2(fileno(f), STDERR_FILENO) >= 0);
	log_event(log, LOG_LEVEL_ERROR, fields, n, "%s", words);
	assert_true(dup2(old, STDERR_FILENO) >= 0);
	close(old);
	got = pread(fileno(f), ret, size, 0);
	fclose(f);
	assert_true(got > 0);
	return (size_t)got;
}

/* Each byte that grows when it is encoded, in every place of a line. */
static void
every_json_line_parses(void **state)
{
	static const char bytes[] = "a\"\\\x01\x1b\x7f\xff\xc2";
	static char text[LIMIT_LOG_LINE * 2], line[LIMIT_LOG_LINE * 3];
	static const size_t sizes[] = { 0, 1, 300, 340, 341, 2047, 2048, 2049,
					4096, 8191, 8192, 16000 };

	(void)state;
	log_configure(LOG_FORMAT_JSON, LOG_LEVEL_INFO);
	for (size_t i = 0; i < ARRAY_SIZE(sizes) * (sizeof(bytes) - 1); i++) {
		size_t size = sizes[i / (sizeof(bytes) - 1)];
		struct span s = { text, size };
		struct log log = { .room = "test", .fields = {
			LOG_TEXT("one", s), LOG_TEXT("two", s) } };
		struct log_field fields[] = {
			LOG_TEXT("three", s), LOG_TEXT("four", s),
			LOG_NUM("five", 5), LOG_TEXT("six", s),
			LOG_STR("seven", "7"),
		};
		json_error_t why;
		json_t *parsed;
		size_t n;

		memset(text, bytes[i % (sizeof(bytes) - 1)], size);
		text[size] = '\0';
		n = logged(&log, fields, ARRAY_SIZE(fields), text, line,
			   sizeof(line));
		CHECK_ROW(i, n <= LIMIT_LOG_LINE && line[n - 1] == '\n');
		CHECK_ROW(i, memchr(line, '\n', n - 1) == NULL);
		parsed = json_loadb(line, n, 0, &why);
		if (parsed == NULL)
			fail_msg("row %zu: %s", i, why.text);
		CHECK_ROW(i, json_integer_value(json_object_get(parsed, "five"))
			  == 5);
		json_decref(parsed);
	}
	log_configure(LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
}

static void
printable_text_cannot_drive_a_terminal(void **state)
{
	AUTO(buf_fini) struct buf b = BUF_MAX(100);

	(void)state;
	assert_true(encode_printable(&b,
			SPAN("a\x1b[2J\r\n\xc2\x9bz\xc3\xa4"), 90));
	assert_string_equal(buf_str(&b), "a\\x1b[2J\\r\\n\\xc2\\x9bz\xc3\xa4");
	buf_clear(&b);
	assert_true(encode_printable(&b, SPAN("0123456789"), 4));
	assert_string_equal(buf_str(&b), "0123...");
}

static void
tickets_outlive_their_objects(void **state)
{
	struct tickets *t = tickets_new();
	int a, b;
	uint64_t first = ticket_open(t, &a), second;

	(void)state;
	assert_ptr_equal(ticket_find(t, first), &a);
	ticket_close(t, first);
	assert_null(ticket_find(t, first));
	second = ticket_open(t, &b);
	assert_null(ticket_find(t, first));
	assert_ptr_equal(ticket_find(t, second), &b);
	assert_null(ticket_find(t, 0));
	assert_null(ticket_find(t, ~0ull));
	ticket_close(t, first);
	assert_ptr_equal(ticket_find(t, second), &b);
	tickets_free(&t);
}

struct play {
	struct loop *loop;
	struct task task;
	struct timer timer;
	int worked, done, fired;
};

static void
play_work(struct task *t)
{
	container_of(t, struct play, task)->worked++;
}

static void
play_done(struct task *t)
{
	struct play *p = container_of(t, struct play, task);

	p->done++;
	timer_start(&p->timer, 1);
}

static void
play_fire(struct timer *t)
{
	struct play *p = container_of(t, struct play, timer);

	p->fired++;
	loop_stop(p->loop);
}

static void
work_goes_out_and_comes_home(void **state)
{
	struct play p = { .loop = loop_new("test") };
	struct workers *w = workers_new("test", 2);

	(void)state;
	timer_init(&p.timer, p.loop, play_fire);
	p.task = (struct task){ .work = play_work, .done = play_done,
				.home = loop_mailbox(p.loop) };
	workers_submit(w, &p.task);
	loop_run(p.loop);
	assert_int_equal(p.worked, 1);
	assert_int_equal(p.done, 1);
	assert_int_equal(p.fired, 1);
	workers_free(&w);
	loop_free(&p.loop);
}

struct chore {
	struct task task;
	int *finished;
};

static void
chore_work(struct task *t)
{
	(void)t;
	poll(NULL, 0, 5);
}

static void
chore_done(struct task *t)
{
	++*container_of(t, struct chore, task)->finished;
}

static void
workers_can_be_waited_for(void **state)
{
	struct mailbox *home = mailbox_new(NULL, NULL);
	struct workers *w = workers_new("test", 2);
	struct chore chores[5];
	int finished = 0;

	(void)state;
	workers_drain(w);
	for (size_t i = 0; i < ARRAY_SIZE(chores); i++) {
		chores[i] = (struct chore){ .finished = &finished };
		chores[i].task = (struct task){ .work = chore_work,
						.done = chore_done,
						.home = home };
		workers_submit(w, &chores[i].task);
	}
	workers_drain(w);
	letters_deliver(mailbox_take(home));
	assert_int_equal(finished, ARRAY_SIZE(chores));
	workers_free(&w);
	mailbox_free(&home);
}

/* Two tasks of which the first waits for the second. */
struct pair {
	struct task first, second, before;
	sem_t second_runs;
	_Atomic int met;
};

static void
pair_first(struct task *t)
{
	struct pair *p = container_of(t, struct pair, first);
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 10;
	p->met = sem_timedwait(&p->second_runs, &until) == 0;
}

static void
pair_second(struct task *t)
{
	sem_post(&container_of(t, struct pair, second)->second_runs);
}

static void
pair_nothing(struct task *t)
{
	(void)t;
}

static void
one_idle_worker_is_not_two(void **state)
{
	struct pair p = {
		.before = { .work = pair_nothing, .done = pair_nothing },
		.first = { .work = pair_first, .done = pair_nothing },
		.second = { .work = pair_second, .done = pair_nothing },
	};
	struct workers *w = workers_new("test", 2);

	(void)state;
	sem_init(&p.second_runs, 0, 0);
	/* whether the idle one has woken in between is chance */
	for (int i = 0; i < 200; i++) {
		workers_submit(w, &p.before);
		workers_drain(w);	/* one thread, and it is idle */
		workers_submit(w, &p.first);
		workers_submit(w, &p.second);
		workers_drain(w);
		assert_true(p.met);
		workers_free(&w);
		w = workers_new("test", 2);
	}
	workers_free(&w);
	sem_destroy(&p.second_runs);
}

static void
files_are_replaced_whole(void **state)
{
	char folder[] = "/tmp/postern-base-XXXXXX";
	AUTO(buf_fini) struct buf b = BUF_MAX(8);
	struct error err;

	(void)state;
	assert_non_null(mkdtemp(folder));
	char *deep = mem_printf("%s/a/b", folder);
	char *path = mem_printf("%s/f", deep);
	assert_false(file_make_folder(deep, 0700, &err));
	assert_int_equal(err.kind, ERROR_CONFIG);
	char *above = mem_printf("%s/a", folder);
	assert_non_null(strstr(err.text, above));
	assert_true(file_make_folder(above, 0700, &err));
	assert_true(file_make_folder(deep, 0700, &err));
	assert_true(file_make_folder(deep, 0700, &err));
	mem_free(above);
	assert_true(file_replace(path, SPAN("one"), 0600, &err));
	assert_true(file_replace(path, SPAN("two"), 0600, &err));
	assert_true(file_read(&b, path, &err));
	assert_string_equal(buf_str(&b), "two");
	assert_true(file_replace(path, SPAN("123456789"), 0600, &err));
	buf_clear(&b);
	assert_false(file_read(&b, path, &err));
	assert_int_equal(err.kind, ERROR_LIMIT);
	unlink(path);
	rmdir(deep);
	char *parent = mem_printf("%s/a", folder);
	rmdir(parent);
	rmdir(folder);
	mem_free(parent), mem_free(path), mem_free(deep);
}

static void
arenas_serve_small_and_large(void **state)
{
	struct arena *a = arena_new();
	char *big = arena_alloc(a, 5000), *small = arena_strdup(a, "x");

	(void)state;
	memset(big, 'b', 5000);
	assert_string_equal(small, "x");
	assert_string_equal(arena_printf(a, "%d-%s", 7, "y"), "7-y");
	arena_free(&a);
	assert_null(a);
}

/* In a child: the second line is in the queue when the bug is found. */
static void
die_of_a_bug(int to)
{
	static const struct rlimit no_core = { 0, 0 };

	setrlimit(RLIMIT_CORE, &no_core);
	dup2(to, STDERR_FILENO);
	log_start();
	for (int i = 1; i <= 200; i++)
		log_info(NULL, "line %d;", i);
	bug("found");
}

static void
a_bug_comes_after_the_lines_before_it(void **state)
{
	char said[32 * 1024], *last, *words;
	int ends[2], status;
	size_t n = 0;
	ssize_t got;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (pid == 0)
		die_of_a_bug(ends[1]);
	close(ends[1]);
	while ((got = read(ends[0], said + n, sizeof(said) - 1 - n)) > 0)
		n += (size_t)got;
	said[n] = '\0';
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WTERMSIG(status), SIGABRT);
	last = strstr(said, " line 200;");
	words = strstr(said, "postern: bug at ");
	assert_non_null(last);
	assert_true(words > last);
}

static void
errors_gather_context(void **state)
{
	struct error err;

	(void)state;
	assert_false(error_set(&err, ERROR_CONFIG, "no %s", "key"));
	assert_false(error_prefix(&err, "route `%s'", "x"));
	assert_string_equal(err.text, "route `x': no key");
	assert_int_equal(error_exit_status(&err), 78);
}

static void
errors_show_where_they_are_cut(void **state)
{
	char name[sizeof(((struct error *)0)->text)];
	struct error err;

	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	error_set(&err, ERROR_CONFIG, "%s", name);
	assert_string_equal(err.text, name);
	error_prefix(&err, "route");
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	assert_memory_equal(err.text, "route: xxx", 10);
	assert_string_equal(err.text + sizeof(err.text) - 5, "x...");
	error_prefix(&err, "%s and more", name);
	assert_string_equal(err.text + sizeof(err.text) - 5, "x...");
}

/* --- who ---------------------------------------------------------------- */

static void
users_have_their_names(void **state)
{
	struct log_field f[WHO_FIELDS];
	struct who w = who_user(0);

	(void)state;
	assert_int_equal(w.kind, WHO_USER);
	assert_string_equal(w.user, "root");
	assert_int_equal(who_fields(&w, f), 2);
	assert_string_equal(f[0].key, "uid");
	assert_string_equal(f[1].key, "user");
	w = who_user(4294967294u);		/* nobody's */
	assert_string_equal(w.user, "");
	assert_int_equal(who_fields(&w, f), 1);
	assert_int_equal(f[0].number, 4294967294);
	w = who_signal("SIGHUP");
	assert_int_equal(who_fields(&w, f), 1);
	assert_string_equal(f[0].key, "signal");
	w = (struct who){ .kind = WHO_NOBODY };
	assert_int_equal(who_fields(&w, f), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buffers_hold_their_maximum),
		cmocka_unit_test(spans_split_and_parse),
		cmocka_unit_test(spans_know_their_8_bits),
		cmocka_unit_test(text_is_wrapped_at_blanks),
		cmocka_unit_test(ids_are_ten_letters_and_sort),
		cmocka_unit_test(json_is_always_valid),
		cmocka_unit_test(json_without_room_is_not_begun),
		cmocka_unit_test(every_json_line_parses),
		cmocka_unit_test(printable_text_cannot_drive_a_terminal),
		cmocka_unit_test(tickets_outlive_their_objects),
		cmocka_unit_test(work_goes_out_and_comes_home),
		cmocka_unit_test(workers_can_be_waited_for),
		cmocka_unit_test(one_idle_worker_is_not_two),
		cmocka_unit_test(files_are_replaced_whole),
		cmocka_unit_test(arenas_serve_small_and_large),
		cmocka_unit_test(a_bug_comes_after_the_lines_before_it),
		cmocka_unit_test(errors_gather_context),
		cmocka_unit_test(errors_show_where_they_are_cut),
		cmocka_unit_test(users_have_their_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
