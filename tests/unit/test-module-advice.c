/* test-module-advice.c - do the keys of an SMTP client fit together, and to
 * whom do they lead? */
#include "test-module.h"

#include "module/loaded.h"

struct relay {
	const char *host;
	struct postern_smtp_plan smtp;
};

static void
describe(const void *self, const char *recipient,
	 struct postern_destination *ret)
{
	(void)self, (void)recipient, (void)ret;
}

static void
deliver(void *self, postern_job *job)
{
	(void)self, (void)job;
}

static struct module *
relay_module(void)
{
	static const struct postern_backend backend = {
		.describe = describe, .deliver = deliver,
	};
	static const struct postern_option rows[] = {
		POSTERN_OPTION(struct relay, host, POSTERN_STRING,
			       .flags = POSTERN_NEXT_HOP, .help = "h"),
		POSTERN_OPTION(struct relay, smtp, POSTERN_SMTP, .help = "h"),
		{ 0 },
	};
	const struct postern_module table = {
		.abi = POSTERN_ABI, .size = sizeof(struct postern_module),
		.sizes = POSTERN_SIZES_HERE, .name = "relay",
		.summary = "relays", .self_size = sizeof(struct relay),
		.options = rows, .backend = &backend,
	};
	struct error err = { .text = "" };
	struct module *m = module_adopt(&table, "x.so", &err);

	if (m == NULL)
		fail_msg("%s", err.text);
	return m;
}

static void
ports_that_do_not_suit_are_told(void **state)
{
	static const struct { const char *text, *said; } rows[] = {
		{ "{port: 465, tls: verify}",
		  "1:8: warning: on port 465 servers begin with TLS" },
		{ "{port: 587, tls: implicit}",
		  "1:18: warning: on port 587 servers begin TLS with STARTTLS" },
		{ "{tls: implicit}", "1:7: warning: on port 25 " },
		{ "{port: 465, tls: implicit}", NULL },
		{ "{port: 2525, tls: implicit}", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct module *m = relay_module();
		struct yaml y = yaml(rows[i].text);
		struct relay self;
		struct options_target to = { .what = "it", .self = &self,
					     .arena = m->arena };
		uint64_t print;

		CHECK_ROW(i, options_bind(m, y.root, &to, &print, y.d));
		CHECK_ROW(i, options_advise(&to, y.d));
		CHECK_ROW(i, diags_warnings(y.d) == (rows[i].said != NULL));
		if (rows[i].said != NULL)
			CHECK_HAS(yaml_said(&y), rows[i].said);
		yaml_free(&y);
		module_drop(&m);
	}
}

/* As check() does; "" : nothing. */
static void
refuse(struct yaml *y, const char *key)
{
	if (key[0] != '\0')
		diag_error(y->d, schema_mark(y->root, key), "no");
}

static void
what_the_module_refuses_is_not_told_otherwise(void **state)
{
	static const struct {
		const char *text, *refused, *says;
		bool told;
	} rows[] = {
		{ "{tls: implicit}", "tls", "on port 25", false },
		{ "{port: 465}", "port", "on port 465", false },
		{ "{tls: implicit, port: 587}", "port", "on port 587", false },
		{ "{tls: implicit, host: x}", "host", "on port 25", true },
		{ "{certificate: /c}", "certificate", "tls: verify", false },
		{ "{certificate: /c}", "", "tls: verify", true },
		{ "{certificate: /c, tls: opportunistic}", "tls",
		  "tls: verify", false },
		{ "{server_name: x.test}", "server_name", "`server_name' ",
		  false },
		{ "{server_name: x.test, port: 26}", "port", "`server_name' ",
		  true },
		{ "{server_name: x.test}", "", "`server_name' ", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct module *m = relay_module();
		struct yaml y = yaml(rows[i].text);
		struct relay self;
		struct options_target to = { .what = "it", .self = &self,
					     .arena = m->arena };
		uint64_t print;

		CHECK_ROW(i, options_bind(m, y.root, &to, &print, y.d));
		refuse(&y, rows[i].refused);
		options_advise(&to, y.d);
		CHECK_ROW(i, (strstr(yaml_said(&y), rows[i].says) != NULL) ==
			     rows[i].told);
		yaml_free(&y);
		module_drop(&m);
	}
}

/* --- the next hop ----------------------------------------------------- */

static void
on_hop(void *arg, const struct module_hop *h)
{
	snprintf(arg, 100, "%s %u at %u:%u", h->host, h->port,
		 (unsigned)h->mark->line, (unsigned)h->mark->column);
}

static void
the_next_hop_is_told(void **state)
{
	static const struct { const char *text, *told, *refused; } cases[] = {
		{ "{host: x.test, port: 26}", "x.test 26 at 1:8", "" },
		{ "{host: x.test, port: 25}", "x.test 25 at 1:8", "port" },
		{ "{host: x.test}", "", "host" },
		{ "{port: 26}", "", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct module *m = relay_module();
		struct yaml y = yaml(cases[i].text);
		char told[100] = "";
		const struct module_access access = {
			.next_hop = on_hop, .arg = told,
		};
		struct relay self;
		struct options_target to = { .what = "it", .self = &self,
					     .arena = m->arena,
					     .access = &access };
		uint64_t print;

		CHECK_ROW(i, options_bind(m, y.root, &to, &print, y.d));
		refuse(&y, cases[i].refused);
		CHECK_ROW(i, options_advise(&to, y.d));
		assert_string_equal(told, cases[i].told);
		yaml_free(&y);
		module_drop(&m);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ports_that_do_not_suit_are_told),
		cmocka_unit_test(what_the_module_refuses_is_not_told_otherwise),
		cmocka_unit_test(the_next_hop_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
