/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The state machine of a connection (ARCHITECTURE.md has it as a table), without a kernel: what came in, the time and
 * the settings decide what becomes of a packet, which segments are sent, and what the daemon is told.
 *
 *	            datagram out: SYN                       SYN in: SYN-ACK
 *	   IDLE ---------------------> SYN_SENT     IDLE -------------------> SYN_RECEIVED
 *	     ^                            |  \                                     |
 *	     |  retries used up:          |   `-- SYN in: SYN-ACK -> SYN_RECEIVED  | ACK or data in
 *	     |  cooldown                  |       (simultaneous)                   |
 *	     `----------------------------'                                        v
 *	     ^                            `--- SYN-ACK in: ACK -----------> ESTABLISHED
 *	     `--- exact RST, FIN, silence after keepalives, failed liveness check ---'
 *
 * CLOSED is the tombstone of an entry that is about to be deleted: nobody may revive it.
 *
 * Numbers are in host order and wrap (RFC 9293 3.4). Times are nanoseconds of one monotonic clock. Every function
 * that takes a struct effect expects it zeroed.
 */
#ifndef MIMIC_CORE_CONN_H
#define MIMIC_CORE_CONN_H

#include "conn_egress.h"
#include "conn_ingress.h"
#include "conn_queue.h"
#include "conn_refit.h"
#include "conn_state.h"
#include "conn_tick.h"

#endif
