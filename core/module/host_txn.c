/* host_txn.c - what a filter is told of a transaction, and may do to it
 *
 * Strings are made when they are asked for, in the transaction's arena: most
 * transactions are asked nothing.
 */
#include "module/chain.h"

#include "base/limits.h"
#include "base/macros.h"
#include "mail/header.h"

#include <string.h>

static struct arena *
arena_of(struct postern_txn *txn)
{
	if (txn->arena == NULL)
		txn->arena = arena_new();
	return txn->arena;
}

static void
mistake(const struct postern_txn *txn, const char *words)
{
	const struct hooks_seen *s = txn->current;

	if (s != NULL)
		instance_mistake(s->chain->v[s->place], "%s", words);
	else
		log_error(NULL, "mistake of a module: %s, outside of a hook",
			  words);
}

const char *
postern_txn_client(const postern_txn *txn)
{
	return txn->client ? txn->client : "";
}

const char *
postern_txn_helo(const postern_txn *txn)
{
	return txn->helo ? txn->helo : "";
}

const char *
postern_txn_sender(postern_txn *txn)
{
	if (txn->env == NULL)
		return "";
	return arena_span(arena_of(txn), txn->env->sender.text).p;
}

size_t
postern_txn_rcpt_count(const postern_txn *txn)
{
	return txn->env ? txn->env->rcpt_count : 0;
}

const char *
postern_txn_rcpt(postern_txn *txn, size_t i)
{
	if (i < postern_txn_rcpt_count(txn))
		return arena_span(arena_of(txn),
				  txn->env->rcpts[i].address.text).p;
	mistake(txn, "postern_txn_rcpt() of one that is not there");
	return "";
}

void *
postern_txn_data(postern_txn *txn, size_t size)
{
	struct hooks_seen *s = txn->current;

	if (s == NULL || !s->begun)
		return NULL;
	if (s->data == NULL) {
		s->data = arena_alloc(arena_of(txn), MAX(size, 1));
		s->data_size = size;
	}
	if (size == s->data_size)
		return s->data;
	mistake(txn, "postern_txn_data() of another size than before");
	return size < s->data_size ? s->data
				   : arena_alloc(arena_of(txn), size);
}

const char *
postern_txn_header(postern_txn *txn, const char *name, size_t n)
{
	AUTO(buf_fini) struct buf value = BUF_MAX(LIMIT_HEADER);
	struct header_field field;

	if (txn->hook != HOOK_MESSAGE
	    || !header_find(txn->head, span_of(name), n, &field)
	    || !header_unfold(&value, field.value))
		return NULL;
	return arena_span(arena_of(txn), buf_span(&value)).p;
}

uint64_t
postern_txn_size(const postern_txn *txn)
{
	return txn->hook == HOOK_MESSAGE ? txn->size : 0;
}

/* RFC 5322 section 3.6.8: printable, no colon. */
static bool
field_name_valid(const char *name)
{
	size_t n = 0;

	while (name[n] > ' ' && name[n] < 127 && name[n] != ':')
		n++;
	return n > 0 && name[n] == '\0';
}

int
postern_txn_add_header(postern_txn *txn, const char *name, const char *value)
{
	if (txn->hook != HOOK_MESSAGE || txn->prefix == NULL) {
		mistake(txn, "postern_txn_add_header() outside of on_message");
		return -1;
	}
	if (!field_name_valid(name)
	    || !header_add(txn->prefix, span_of(name), span_of(value)))
		return -1;
	return 0;
}

void
postern_txn_reply(postern_txn *txn, int code, const char *enhanced,
		  const char *text)
{
	struct span rest = span_of(enhanced);
	struct enhanced e;

	if (code < 400 || code > 599) {
		mistake(txn, "postern_txn_reply() is for refusals, 400 to 599");
		return;
	}
	if (enhanced != NULL && enhanced[0] != '\0'
	    && (!enhanced_parse(&rest, &e) || rest.n != 0
		|| e.class != code / 100)) {
		mistake(txn, "the enhanced code does not fit the reply");
		enhanced = NULL;
	}
	if (enhanced == NULL || enhanced[0] == '\0')
		enhanced = code < 500 ? "4.7.1" : "5.7.1";
	txn->reply = reply(code, enhanced, "%s", text ? text : "refused");
}

uint64_t
postern_txn_ticket(postern_txn *txn)
{
	struct hooks_seen *s = txn->current;

	if (s == NULL) {
		mistake(txn, "postern_txn_ticket()");
		return 0;
	}
	if (txn->wait == NULL)
		txn->wait = wait_new(s->chain, s->place, txn);
	return txn->wait->ticket;
}
