/* remedy.c - a table; the first row that fits speaks */
#include "dispatch/remedy.h"

#include "base/macros.h"

#include <strings.h>
#include <string.h>

static const char send_as[] =
	"The mailbox that the route signs in with may not send as this "
	"sender. Grant it Send As for that address (in Exchange: "
	"Add-RecipientPermission ADDRESS -Trustee MAILBOX -AccessRights "
	"SendAs), or let the device send as the mailbox.";

static const struct {
	int class, subject, detail;	/* of the enhanced code; 0: any */
	const char *words;		/* that the reply has; NULL: any */
	const char *remedy;
} rows[] = {
	{ 5, 2, 252, NULL, send_as },
	{ 5, 7, 60,  NULL, send_as },
	{ 0, 0, 0,   "SendAsDenied", send_as },
	{ 5, 7, 139, NULL,
	  "SMTP AUTH is switched off for the tenant or the mailbox, or the "
	  "sign-in was blocked: Set-CASMailbox MAILBOX "
	  "-SmtpClientAuthenticationDisabled $false, and look at Security "
	  "Defaults and Conditional Access." },
	{ 5, 7, 3,   "Authentication unsuccessful",
	  "The token is for another mailbox or another service, SMTP AUTH is "
	  "off for the mailbox, or the application is not registered in "
	  "Exchange (New-ServicePrincipal with the object id of the enterprise "
	  "application, Add-MailboxPermission FullAccess)." },
	{ 5, 7, 64,  NULL,
	  "No inbound connector matched us: compare the certificate's names "
	  "with the connector and the accepted domains, and see that the "
	  "whole chain is in the certificate's file." },
	{ 5, 7, 68,  NULL,
	  "The tenant refuses direct send to its own domains (RejectDirectSend): "
	  "let its domains take a route with a connector or with OAuth." },
	{ 5, 7, 30,  NULL,
	  "Basic authentication is gone: use backend oauth for this route." },
	{ 5, 7, 57,  NULL,
	  "The server wants a login, or a certificate that it knows, before "
	  "it takes mail." },
};

static bool
has(const char *text, const char *words)
{
	size_t n = strlen(words);

	for (; *text != '\0'; text++)
		if (strncasecmp(text, words, n) == 0)
			return true;
	return false;
}

static bool
fits(int want, int is)
{
	return want == 0 || want == is;
}

const char *
remedy_of(const struct outcome *o)
{
	if (o->kind != OUTCOME_REPLY || o->code < 400)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (fits(rows[i].class, o->enhanced.class) &&
		    fits(rows[i].subject, o->enhanced.subject) &&
		    fits(rows[i].detail, o->enhanced.detail) &&
		    (rows[i].words == NULL || has(o->text, rows[i].words)))
			return rows[i].remedy;
	return NULL;
}
