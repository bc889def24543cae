/* certificate.c - what listeners and routes prove themselves with */
#include "daemon/certificate.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/macros.h"
#include "conf/schema.h"
#include "daemon/app.h"
#include "daemon/privileges.h"
#include "io/tls_store.h"
#include "module/module.h"
#include "smtpd/config.h"

#include <string.h>

enum {
	LOOK_EVERY_MS = 10 * 1000,
	WARN_BEFORE_DAYS = 14,
};

#define DAY_MS (INT64_C(24) * 60 * 60 * 1000)

/* --- check ----------------------------------------------------------- */

static bool
told(struct diags *d, const struct module_certificate *c, bool of_key,
     struct error *err)
{
	error_prefix(err, of_key ? "`key'" : "`certificate'");
	diag_error(d, of_key ? c->key_mark : c->mark, "%s", err->text);
	if (err->hint[0] != '\0')
		diag_hint(d, "%s", err->hint);
	return false;
}

static void
warn_of_its_end(const struct tls_identity *i, const struct mark *mark,
		struct diags *d)
{
	int64_t left_ms = tls_identity_expires_ms(i) - clock_wall_ms();
	char text[32];

	if (left_ms > WARN_BEFORE_DAYS * DAY_MS)
		return;
	clock_iso(tls_identity_expires_ms(i), text, sizeof(text));
	if (left_ms < 0) {
		diag_warning(d, mark, "the certificate for %s expired at %s",
			     tls_identity_names(i), text);
		diag_hint(d, "others will refuse it: renew it in the same file; "
			  "no reload is needed");
		return;
	}
	diag_warning(d, mark, "the certificate for %s expires in %d days, at "
		     "%s", tls_identity_names(i), (int)(left_ms / DAY_MS), text);
	diag_hint(d, "renew it in the same file; no reload is needed");
}

/* Whether the others can build the chain up to an authority that they know
 * (RFC 8446 section 4.4.2: all but the root is sent). */
static void
warn_of_its_issuer(const struct tls_identity *i, const char *trust_file,
		   const struct mark *mark, struct diags *d)
{
	const char *issuer = tls_identity_lacks_issuer(i);
	AUTO(tls_trust_unref) struct tls_trust *trust = NULL;
	struct error err;

	if (issuer == NULL)
		return;
	trust = trust_file ? tls_trust_read(trust_file, &err) : NULL;
	if (trust != NULL && tls_trust_knows_issuer(trust, i))
		return;
	diag_warning(d, mark, "the certificate of its issuer, %s, does not "
		     "stand behind the certificate for %s", issuer,
		     tls_identity_names(i));
	diag_hint(d, "append it to the file (authorities call the whole file "
		  "fullchain or bundle); without it others cannot verify the "
		  "certificate, unless they know this issuer themselves");
}

/* Whoever reads it can pretend to be this gateway. */
static void
warn_of_its_readers(const char *file, const struct mark *mark,
		    struct diags *d)
{
	if (!file_is_public(file))
		return;
	diag_warning(d, mark, "every user of this host can read the key in %s",
		     file);
	diag_hint(d, "chmod o-rwx %s", file);
}

/* Each of the two files by itself, so that one does not hide the other. */
static bool
files_are_good(const struct identity *who, const struct module_certificate *c,
	       bool alone, struct diags *d)
{
	struct error err;
	bool ok = true;

	if (!identity_can_read(who, c->file, &err) ||
	    !tls_certificate_check(c->file, &err) ||
	    (!alone && !tls_key_check(c->file, false, &err)))
		ok = told(d, c, false, &err);
	if (alone && (!identity_can_read(who, c->key, &err) ||
		      !tls_key_check(c->key, true, &err)))
		ok = told(d, c, true, &err);
	return ok;
}

bool
certificate_can_show(const struct identity *who, const char *trust_file,
		     const struct module_certificate *c, struct diags *d)
{
	AUTO(tls_identity_unref) struct tls_identity *i = NULL;
	bool alone = c->key != NULL && strcmp(c->key, c->file) != 0;
	struct error err;

	if (!files_are_good(who, c, alone, d))
		return false;
	i = tls_identity_read(c->file, c->key, &err);
	if (i == NULL)
		return told(d, c, alone, &err);
	warn_of_its_end(i, c->mark, d);
	warn_of_its_issuer(i, trust_file, c->mark, d);
	warn_of_its_readers(alone ? c->key : c->file,
			    alone ? c->key_mark : c->mark, d);
	return true;
}

bool
certificate_check(const struct smtpd_config *c, const struct node *root,
		  const struct identity *who, const char *trust_file,
		  struct diags *d)
{
	const struct node *block = node_get(root, "tls");
	const struct module_certificate files = {
		.file = c->certificate, .key = c->key,
		.mark = schema_mark(block, "certificate"),
		.key_mark = schema_mark(block, "key"),
	};

	return files.file == NULL ||
	       certificate_can_show(who, trust_file, &files, d);
}

/* --- use ------------------------------------------------------------- */

bool
certificate_read(const struct smtpd_config *c, struct tls_identity **ret,
		 struct error *err)
{
	*ret = NULL;
	if (c->certificate == NULL)
		return true;
	*ret = tls_identity_read(c->certificate, c->key, err);
	return *ret != NULL;
}

static void
on_changed(void *arg, struct tls_identity *i)
{
	struct app *app = arg;

	/* what the store holds may be older than what a reload has just read;
	 * it looks again soon */
	if (app->certificate != NULL &&
	    tls_identity_number(i) < tls_identity_number(app->certificate))
		return;
	tls_identity_unref(&app->certificate);
	app->certificate = tls_identity_ref(i);
	intake_certificate(&app->intake, i);
}

void
certificate_use(struct app *app, const struct smtpd_config *c,
		struct tls_identity *i)
{
	tls_identity_unref(&app->certificate);
	app->certificate = i;
	intake_certificate(&app->intake, i);
	tls_store_watch(app->services.tls, c->certificate, c->key, LOOK_EVERY_MS,
			on_changed, app);
}

void
certificate_stop(struct app *app)
{
	tls_store_watch(app->services.tls, NULL, NULL, 0, NULL, NULL);
	tls_identity_unref(&app->certificate);
}
