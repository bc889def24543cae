/* network.c - a network, or one address of it? */
#include "conf/network.h"

void
network_warn(struct network n, const char *written, const struct mark *mark,
	     struct diags *d)
{
	struct network base = network_base(n);
	char whole[IP_TEXT], one[IP_TEXT];

	if (ip_eq(base.ip, n.ip))
		return;
	ip_text(base.ip, whole);
	diag_warning(d, mark, "`%s' means the whole network %s/%u, although "
		     "it is the address of one host", written, whole, n.prefix);
	diag_hint(d, "write %s/%u for the network, or %s for the one address",
		  whole, n.prefix, ip_text(n.ip, one));
}
