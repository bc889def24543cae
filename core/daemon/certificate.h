/* certificate.h - certificates are checked; the listeners' one is given out
 * and followed
 *
 * That one is read once before any port is opened, and after that whenever its
 * files change, without a reload.  Sessions that have begun keep theirs.
 */
#ifndef DAEMON_CERTIFICATE_H
#define DAEMON_CERTIFICATE_H

#include "base/error.h"
#include "conf/diag.h"

struct app;
struct identity;
struct module_certificate;
struct smtpd_config;
struct tls_identity;

/* Whether one can be read (by whom the gateway becomes), fits its key, and is
 * good for some time.  trust_file: the authorities that everybody knows; NULL:
 * none are. */
bool certificate_can_show(const struct identity *who, const char *trust_file,
			  const struct module_certificate *c,
			  struct diags *d);
/* The same of the listeners'; messages point into root, which is
 * postern.yaml's. */
bool certificate_check(const struct smtpd_config *c, const struct node *root,
		       const struct identity *who, const char *trust_file,
		       struct diags *d);

/* What the configuration names; *ret is NULL where it names none.  Blocks. */
bool certificate_read(const struct smtpd_config *c, struct tls_identity **ret,
		      struct error *err);

/* Takes over i (NULL: there is no TLS), gives it to intake, and from now on
 * follows the files of c.  On the delivery loop. */
void certificate_use(struct app *app, const struct smtpd_config *c,
		     struct tls_identity *i);
/* Follows nothing any more. */
void certificate_stop(struct app *app);

#endif
