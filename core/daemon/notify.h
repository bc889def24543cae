/* notify.h - telling the service manager (sd_notify(3), by hand) */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

/* "READY=1", "STOPPING=1", "RELOADING=1\nMONOTONIC_USEC=..."; nothing when
 * nobody asked. */
void notify_manager(const char *state);
void notify_reloading(void);

#endif
