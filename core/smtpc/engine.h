/* engine.h - what the engine's parts share.  Private to smtpc/. */
#ifndef SMTPC_ENGINE_H
#define SMTPC_ENGINE_H

#include "base/log.h"
#include "base/ticket.h"
#include "smtpc/smtpc.h"

struct away;
struct client;
struct errand;

enum {
	POOL_MAX = 200,			/* idle connections, of all hosts */
	SESSIONS_MAX = 500,		/* TLS sessions to be taken up again */
};

struct smtpc {
	struct loop *loop;
	struct dns *dns;
	struct tickets *tickets;
	struct tls_sessions *sessions;
	struct away *away;
	const char *mark;		/* ours; NULL: none */
	struct errand *attempts;
	struct client *clients;
	struct client *newest_idle, *oldest_idle;
	struct smtpc_counts counts;
};

extern const struct log smtpc_log;

#endif
