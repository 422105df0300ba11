/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The daemon as a service of systemd: readiness, watchdog, and the descriptor store, which keeps what a successor needs
 * (handover.h) while the unit is restarted or after a crash. Everything here does nothing where systemd did not start the process, or
 * the program was built without libsystemd.
 */
#ifndef MIMIC_SERVICE_H
#define MIMIC_SERVICE_H

#include <stdbool.h>

#include "handover.h"

/* Whether systemd, or whoever speaks its protocol (NOTIFY_SOCKET), has started this process: nobody sits in front of it. */
bool service_is_one(void);

/* What the store had at the start of this process. To be called once, at first. */
void service_take_store(struct handover *handover);

/* Puts everything into the store, in place of what is there. Logs. */
void service_store(const struct handover *handover);

/* Empties the store. */
void service_forget_store(void);

/* The service is up; @status is a line for `systemctl status`. */
void service_ready(const char *status);

/* The configuration is read again; to be followed by service_ready(). Serves Type=notify-reload as well. */
void service_reloading(void);

/* The service ends. */
void service_stopping(void);

/* To be called each second: tells the watchdog, when half of its time is over. */
void service_ping(void);

/*
 * After SIGTERM: whether systemd is going to start a successor that can take over. Asks systemd for the job of the unit (some seconds,
 * when that does not answer); false when it cannot be found out. Logs.
 */
bool service_is_restarted(void);

#endif
