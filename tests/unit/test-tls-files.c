/* test-tls-files.c - certificates and keys in files, and the store of them */
#include "tls-world.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/mem.h"
#include "io/tls_store.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static struct tls_world w;
static char *cert_path, *key_path, *ca_path;

static void
string_free(char **s)
{
	mem_free(*s);
}

static void
save(const char *path, const char *text)
{
	struct error err;

	assert_true(file_replace(path, span_of(text), 0600, &err));
}

static void
save_certs(enum who a, enum who b, enum who key)
{
	const struct cert *chain[] = { &w.certs[a], &w.certs[b] };

	pem_save(cert_path, chain, b == WHO_COUNT ? 1 : 2, NULL);
	pem_save(key_path, NULL, 0, &w.certs[key]);
}

/* --- reading --------------------------------------------------------- */

static void
an_identity_knows_its_names_and_its_end(void **state)
{
	const struct cert *chain[] = { &w.certs[WHO_SERVER] };
	struct tls_identity *a, *b, *c;
	int64_t in_a_year = clock_wall_ms() + INT64_C(365) * 86400000;
	struct error err;

	(void)state;
	save_certs(WHO_SERVER, WHO_CA, WHO_SERVER);
	a = tls_identity_read(cert_path, key_path, &err);
	assert_non_null(a);
	assert_string_equal(tls_identity_names(a),
			    "mx.example.org, mx2.example.org, 127.0.0.1");
	assert_in_range(tls_identity_expires_ms(a), in_a_year - 600000,
			in_a_year + 600000);
	/* all in one file */
	pem_save(cert_path, chain, 1, &w.certs[WHO_SERVER]);
	b = tls_identity_read(cert_path, NULL, &err);
	assert_non_null(b);
	assert_true(tls_identity_number(a) != tls_identity_number(b));
	c = tls_identity_ref(b);
	tls_identity_unref(&b);
	assert_null(b);
	assert_true(tls_identity_number(c) > 0);
	tls_identity_unref(&c);
	tls_identity_unref(&c);
	tls_identity_unref(&a);
	/* an expired one is taken; a subject's name is better than none */
	save_certs(WHO_EXPIRED, WHO_COUNT, WHO_EXPIRED);
	a = tls_identity_read(cert_path, key_path, &err);
	assert_non_null(a);
	assert_true(tls_identity_expires_ms(a) < clock_wall_ms());
	tls_identity_unref(&a);
	save_certs(WHO_CA, WHO_COUNT, WHO_CA);
	a = tls_identity_read(cert_path, key_path, &err);
	assert_non_null(a);
	assert_string_equal(tls_identity_names(a), "Test CA");
	tls_identity_unref(&a);
}

static void
save_locked_key(const char *path)
{
	gnutls_datum_t pem;

	assert_true(gnutls_x509_privkey_export2_pkcs8(
		w.certs[WHO_SERVER].key, GNUTLS_X509_FMT_PEM, "secret",
		GNUTLS_PKCS_PBES2_AES_256, &pem) >= 0);
	save(path, (char *)pem.data);
	gnutls_free(pem.data);
}

static const char *
why_not(const char *cert, const char *key)
{
	static char text[1000];
	struct error err = { .text = "" };
	struct tls_identity *i = tls_identity_read(cert, key, &err);

	assert_null(i);
	snprintf(text, sizeof(text), "%s|%s", err.text, err.hint);
	return text;
}

#define CHECK_WORDS(said, path, words) \
	do { \
		const char *text = (said); \
		if (strncmp(text, path, strlen(path)) != 0 || \
		    strstr(text, words) == NULL) \
			fail_msg("`%s' instead of `%s'", text, words); \
	} while (0)

static void
what_is_wrong_names_the_file_first(void **state)
{
	AUTO(string_free) char *other = world_path(&w, "other.pem");

	(void)state;
	save_certs(WHO_SERVER, WHO_COUNT, WHO_SERVER);
	CHECK_WORDS(why_not(other, key_path), other, "No such file");
	CHECK_WORDS(why_not(cert_path, other), other, "No such file");
	CHECK_WORDS(why_not(key_path, key_path), key_path,
		    "the file contains no certificate in PEM|the file contains "
		    "a private key: check whether certificate and key are "
		    "swapped");
	CHECK_WORDS(why_not(cert_path, cert_path), cert_path,
		    "the file contains no key in PEM|the file contains a "
		    "certificate: check");
	CHECK_WORDS(why_not(cert_path, NULL), cert_path,
		    "the file contains no key in PEM|append the key");
	save(other, "\x30\x82\x01\x0a");
	CHECK_WORDS(why_not(other, key_path), other,
		    "file contains no certificate in PEM|the file may be in DER; convert "
		    "it to PEM: `openssl "
		    "x509 -inform der");
	CHECK_WORDS(why_not(cert_path, other), other, "`openssl pkey -inform");
	save(other, "\x30\x82\x0b\x2c\x02\x01\x03\x30\x82");
	CHECK_WORDS(why_not(other, key_path), other, "PKCS#12");
	CHECK_WORDS(why_not(cert_path, other), other, "-nocerts -nodes -out");
	save(other, "\x30\x80\x02\x01\x03\x30\x80");
	CHECK_WORDS(why_not(other, key_path), other, "PKCS#12");
	save(other, "\x30\x82\x0b\x2c\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02");
	CHECK_WORDS(why_not(other, key_path), other, "openssl pkcs7 -inform der");
	save(other, "-----BEGIN PKCS7-----\n");
	CHECK_WORDS(why_not(other, key_path), other, "openssl pkcs7 -inform pem");
	save(other, "-----BEGIN CERTIFICATE REQUEST-----\n");
	CHECK_WORDS(why_not(other, key_path), other, "a certificate request");
	save(other, "012345678");
	CHECK_WORDS(why_not(other, key_path), other, "the file contains no certificate in PEM|");
	save(other, "");
	CHECK_WORDS(why_not(other, key_path), other, "no certificate");
	CHECK_WORDS(why_not(cert_path, other), other, "no key");
	save(other, "-----BEGIN CERTIFICATE-----\nMIIB\n"
		    "-----END CERTIFICATE-----\n");
	CHECK_WORDS(why_not(other, key_path), other,
		    "cannot be read as a certificate: ");
	save_locked_key(other);
	CHECK_WORDS(why_not(cert_path, other), other, "password|remove the "
		    "password");
	save_certs(WHO_SERVER, WHO_COUNT, WHO_CLIENT);
	CHECK_WORDS(why_not(cert_path, key_path), key_path,
		    "|that certificate is for mx.example.org, mx2.example.org, "
		    "127.0.0.1: name its own key");
	save_certs(WHO_SERVER, WHO_MIDDLE, WHO_SERVER);
	CHECK_WORDS(why_not(cert_path, key_path), cert_path,
		    "the chain is in the wrong order: certificate 1 was issued "
		    "by CN=Test CA, but the next one is CN=Middle CA|");
	unlink(other);
}

static void
authorities_are_read_or_it_is_said_why(void **state)
{
	AUTO(string_free) char *other = world_path(&w, "other.pem");
	struct tls_trust *t;
	struct error err = { .text = "" };

	(void)state;
	assert_null(tls_trust_read(other, &err));
	CHECK_WORDS(err.text, other, "No such file");
	save(other, "# nothing\n");
	assert_null(tls_trust_read(other, &err));
	CHECK_WORDS(err.text, other, "the file contains no certificate in PEM");
	unlink(other);
	t = tls_trust_read(ca_path, &err);
	assert_non_null(t);
	tls_trust_unref(&t);
	/* the system's, where there are any */
	if (access("/etc/ssl/certs/ca-certificates.crt", R_OK) != 0)
		return;
	t = tls_trust_read("/etc/ssl/certs/ca-certificates.crt", &err);
	if (t == NULL)
		fail_msg("%s", err.text);
	tls_trust_unref(&t);
}

/* --- the store ------------------------------------------------------- */

struct shop {
	struct loop *loop;
	struct workers *workers;
	struct tls_store *store;
	struct timer watchdog;
	unsigned answers, wanted;	/* the loop stops at so many */
	uint64_t identity, trust;	/* the last answer's */
	char error[400];
	unsigned changes;
	uint64_t changed;
};

static void
shop_event(struct shop *s)
{
	if (++s->answers == s->wanted)
		loop_stop(s->loop);
}

static void
on_made(void *arg, const struct tls_made *made, const struct error *err)
{
	struct shop *s = arg;

	s->identity = s->trust = 0;
	s->error[0] = '\0';
	if (err != NULL) {
		assert_null(made);
		snprintf(s->error, sizeof(s->error), "%s", err->text);
	} else {
		if (made->identity != NULL)
			s->identity = tls_identity_number(made->identity);
		if (made->trust != NULL)
			s->trust = tls_trust_number(made->trust);
	}
	shop_event(s);
}

static void
on_changed(void *arg, struct tls_identity *i)
{
	struct shop *s = arg;

	s->changes++;
	s->changed = tls_identity_number(i);
	shop_event(s);
}

static void
on_watchdog(struct timer *t)
{
	struct shop *s = container_of(t, struct shop, watchdog);

	loop_stop(s->loop);
}

static void
shop_open(struct shop *s)
{
	*s = (struct shop){ .loop = loop_new("test") };
	s->workers = workers_new("test", 2);
	s->store = tls_store_new(s->loop, s->workers, ca_path);
	timer_init(&s->watchdog, s->loop, on_watchdog);
	save_certs(WHO_SERVER, WHO_CA, WHO_SERVER);
}

static void
shop_close(struct shop *s)
{
	tls_store_free(&s->store);
	workers_free(&s->workers);
	timer_stop(&s->watchdog);
	loop_free(&s->loop);
}

/* Runs until so many more answers have come. */
static void
shop_run(struct shop *s, unsigned answers)
{
	s->wanted = s->answers + answers;
	timer_start(&s->watchdog, unit_slowly(10 * 1000));
	loop_run(s->loop);
	timer_stop(&s->watchdog);
	assert_int_equal(s->answers, s->wanted);
}

static void
shop_wait(struct shop *s, int64_t ms)
{
	s->wanted = 0;
	timer_start(&s->watchdog, ms);
	loop_run(s->loop);
}

static struct tls_files
both(void)
{
	return (struct tls_files){ .certificate = cert_path, .key = key_path,
				   .trust = true };
}

static void
what_was_read_is_given_out_again(void **state)
{
	struct tls_files files = both(), none = { .certificate = NULL };
	uint64_t identity, trust;
	struct shop s;

	(void)state;
	shop_open(&s);
	assert_true(tls_store_get(s.store, &files, on_made, &s) != 0);
	/* a second one waits for the same, a third is forgotten */
	assert_true(tls_store_get(s.store, &files, on_made, &s) != 0);
	tls_store_forget(s.store,
			 tls_store_get(s.store, &files, on_made, &s));
	shop_run(&s, 2);
	assert_string_equal(s.error, "");
	assert_true(s.identity != 0 && s.trust != 0);
	identity = s.identity;
	trust = s.trust;
	assert_int_equal(tls_store_get(s.store, &files, on_made, &s), 0);
	assert_int_equal(s.answers, 3);
	assert_int_equal(s.identity, identity);
	assert_int_equal(s.trust, trust);
	assert_int_equal(tls_store_get(s.store, &none, on_made, &s), 0);
	assert_int_equal(s.identity, 0);
	assert_int_equal(s.trust, 0);
	/* what is under way when all ends is forgotten */
	files.key = NULL;
	assert_true(tls_store_get(s.store, &files, on_made, &s) != 0);
	shop_close(&s);
	assert_int_equal(s.answers, 4);
}

static void
a_file_that_cannot_be_read_is_tried_again(void **state)
{
	struct tls_files files = both();
	struct shop s;

	(void)state;
	shop_open(&s);
	unlink(key_path);
	tls_store_get(s.store, &files, on_made, &s);
	shop_run(&s, 1);
	CHECK_WORDS(s.error, key_path, "No such file");
	save_certs(WHO_SERVER, WHO_CA, WHO_SERVER);
	tls_store_get(s.store, &files, on_made, &s);
	shop_run(&s, 1);
	assert_string_equal(s.error, "");
	assert_true(s.identity != 0);
	/* other authorities, by the request and by the store */
	files.trust_file = "/nonexistent/ca.pem";
	tls_store_get(s.store, &files, on_made, &s);
	shop_run(&s, 1);
	CHECK_WORDS(s.error, "/nonexistent/ca.pem", "No such file");
	files.trust_file = NULL;
	tls_store_trust_file(s.store, cert_path);
	tls_store_get(s.store, &files, on_made, &s);
	shop_run(&s, 1);
	assert_string_equal(s.error, "");
	shop_close(&s);
}

/* Asks when it has not been looked at for a while: is another given out? */
static bool
another_comes(struct shop *s, const struct tls_files *files, uint64_t than)
{
	clock_fake(clock_now_ms() + 10 * 1000, clock_wall_ms());
	assert_true(tls_store_get(s->store, files, on_made, s) != 0);
	shop_run(s, 1);
	assert_string_equal(s->error, "");
	/* and then at once */
	assert_true(tls_store_get(s->store, files, on_made, s) == 0);
	return s->identity != than;
}

static void
new_files_are_noticed_and_broken_ones_change_nothing(void **state)
{
	struct tls_files files = both();
	uint64_t first;
	struct shop s;

	(void)state;
	shop_open(&s);
	clock_fake(clock_now_ms(), clock_wall_ms());
	tls_store_get(s.store, &files, on_made, &s);
	shop_run(&s, 1);
	first = s.identity;
	/* nothing has changed: it is not read again */
	assert_false(another_comes(&s, &files, first));
	save(cert_path, "not a certificate\n");
	assert_false(another_comes(&s, &files, first));
	unlink(cert_path);
	assert_false(another_comes(&s, &files, first));
	/* half of the new pair */
	save_certs(WHO_STRANGER, WHO_COUNT, WHO_SERVER);
	assert_false(another_comes(&s, &files, first));
	save_certs(WHO_STRANGER, WHO_COUNT, WHO_STRANGER);
	assert_true(another_comes(&s, &files, first));
	clock_fake(-1, -1);
	shop_close(&s);
}

/* The clock stands still: nothing is looked at for its age. */
static void
what_has_not_served_is_looked_at_first(void **state)
{
	struct tls_files files = both();
	uint64_t first, second;
	struct shop s;

	(void)state;
	shop_open(&s);
	clock_fake(clock_now_ms(), clock_wall_ms());
	tls_store_doubt(s.store, &files);	/* never heard of */
	tls_store_get(s.store, &files, on_made, &s);
	shop_run(&s, 1);
	first = s.identity;
	/* the same files, the same identity; but not before they were seen */
	tls_store_doubt(s.store, &files);
	assert_true(tls_store_get(s.store, &files, on_made, &s) != 0);
	shop_run(&s, 1);
	assert_true(s.identity == first);
	/* and no longer than that */
	assert_true(tls_store_get(s.store, &files, on_made, &s) == 0);
	/* new ones; a look that began before the doubt is not enough */
	tls_store_doubt(s.store, &files);
	tls_store_get(s.store, &files, on_made, &s);
	save_certs(WHO_STRANGER, WHO_COUNT, WHO_STRANGER);
	tls_store_doubt(s.store, &files);
	shop_run(&s, 1);
	second = s.identity;
	assert_true(second != first);
	/* a broken one changes nothing, and is waited for all the same */
	save(cert_path, "not a certificate\n");
	tls_store_doubt(s.store, &files);
	assert_true(tls_store_get(s.store, &files, on_made, &s) != 0);
	shop_run(&s, 1);
	assert_true(s.identity == second);
	clock_fake(-1, -1);
	shop_close(&s);
}

/* The one that can be opened is not forgotten while the other hangs. */
static void
who_waits_keeps_all_its_files(void **state)
{
	AUTO(string_free) char *hangs = mem_printf("%s.hangs", ca_path);
	struct tls_files files = both(), alone = both();
	struct tls_files others = { .trust = true };
	AUTO(buf_fini) struct buf pem = BUF_MAX(64 * 1024);
	uint64_t first;
	struct error err;
	struct shop s;
	int fd;

	(void)state;
	assert_true(file_read(&pem, ca_path, &err));
	shop_open(&s);
	assert_int_equal(mkfifo(hangs, 0600), 0);
	clock_fake(clock_now_ms(), clock_wall_ms());
	alone.trust = false;
	tls_store_get(s.store, &alone, on_made, &s);
	shop_run(&s, 1);
	first = s.identity;
	files.trust_file = hangs;
	assert_true(tls_store_get(s.store, &files, on_made, &s) != 0);
	clock_fake(clock_now_ms() + 2 * 60 * 60 * 1000, clock_wall_ms());
	tls_store_get(s.store, &others, on_made, &s);
	shop_run(&s, 1);
	fd = open(hangs, O_WRONLY | O_CLOEXEC);
	assert_int_equal(write(fd, pem.data + pem.head, pem.len), pem.len);
	close(fd);
	shop_run(&s, 1);
	assert_string_equal(s.error, "");
	assert_true(s.identity == first && s.trust != 0);
	/* and it is the same as before, looked at once more */
	tls_store_get(s.store, &alone, on_made, &s);
	shop_run(&s, 1);
	assert_true(s.identity == first);
	unlink(hangs);
	clock_fake(-1, -1);
	shop_close(&s);
}

static void
a_watch_tells_the_first_and_every_new_one(void **state)
{
	struct shop s;
	uint64_t first;

	(void)state;
	shop_open(&s);
	tls_store_watch(s.store, cert_path, key_path, 10, on_changed, &s);
	shop_run(&s, 1);
	first = s.changed;
	shop_wait(&s, 50);
	assert_int_equal(s.changes, 1);
	save(key_path, "broken\n");
	shop_wait(&s, 50);
	assert_int_equal(s.changes, 1);
	save_certs(WHO_STRANGER, WHO_COUNT, WHO_STRANGER);
	if (s.changes == 1)
		shop_run(&s, 1);
	assert_int_equal(s.changes, 2);
	assert_true(s.changed != first);
	/* whoever begins to watch anew is told at once */
	tls_store_watch(s.store, cert_path, key_path, 10, on_changed, &s);
	assert_int_equal(s.changes, 3);
	tls_store_watch(s.store, NULL, NULL, 0, NULL, NULL);
	save_certs(WHO_SERVER, WHO_CA, WHO_SERVER);
	shop_wait(&s, 50);
	assert_int_equal(s.changes, 3);
	shop_close(&s);
}

static void
a_watch_waits_for_files_that_come_later(void **state)
{
	struct shop s;

	(void)state;
	shop_open(&s);
	unlink(cert_path);
	tls_store_watch(s.store, cert_path, key_path, 10, on_changed, &s);
	shop_wait(&s, 50);
	assert_int_equal(s.changes, 0);
	save_certs(WHO_SERVER, WHO_CA, WHO_SERVER);
	shop_run(&s, 1);
	assert_int_equal(s.changes, 1);
	shop_close(&s);
}

static int
open_world(void **state)
{
	const struct cert *ca;

	(void)state;
	world_open(&w);
	log_configure(LOG_FORMAT_TEXT, LOG_LEVEL_ERROR);
	cert_path = world_path(&w, "cert.pem");
	key_path = world_path(&w, "key.pem");
	ca_path = world_path(&w, "authorities.pem");
	ca = &w.certs[WHO_CA];
	pem_save(ca_path, &ca, 1, NULL);
	return 0;
}

static int
close_world(void **state)
{
	(void)state;
	unlink(cert_path);
	unlink(key_path);
	unlink(ca_path);
	mem_free(cert_path);
	mem_free(key_path);
	mem_free(ca_path);
	world_close(&w);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_identity_knows_its_names_and_its_end),
		cmocka_unit_test(what_is_wrong_names_the_file_first),
		cmocka_unit_test(authorities_are_read_or_it_is_said_why),
		cmocka_unit_test(what_was_read_is_given_out_again),
		cmocka_unit_test(a_file_that_cannot_be_read_is_tried_again),
		cmocka_unit_test(new_files_are_noticed_and_broken_ones_change_nothing),
		cmocka_unit_test(what_has_not_served_is_looked_at_first),
		cmocka_unit_test(who_waits_keeps_all_its_files),
		cmocka_unit_test(a_watch_tells_the_first_and_every_new_one),
		cmocka_unit_test(a_watch_waits_for_files_that_come_later),
	};

	return cmocka_run_group_tests(tests, open_world, close_world);
}
