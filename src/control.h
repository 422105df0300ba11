/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Builds control segments and sends frames on the interface. Everything leaves through one AF_PACKET socket, so
 * netfilter never sees a TCP packet of ours.
 */
#ifndef MIMIC_CONTROL_H
#define MIMIC_CONTROL_H

#include <stddef.h>
#include <stdint.h>

#include "abi.h"

enum {
	CONTROL_FRAME_MAX = MIMIC_L2_MAX + 40 + 20 + 12 + 1, /* IPv6, TCP, options of a SYN, a probe's byte */
};

/*
 * Builds the frame of @reply, one of those of @event, with all checksums, such as a Linux without TCP timestamps would send
 * it; SYN and SYN-ACK carry MSS (@mtu - 40 or - 60), SACK-permitted and window scale. *@next_id is the next IPv4
 * identification. Pure. @frame holds CONTROL_FRAME_MAX bytes. Returns its length.
 */
size_t control_build(uint8_t *frame, const struct mimic_event *event, const struct reply *reply, uint32_t mtu,
		     uint16_t *next_id);

/* A socket that sends frames on @ifindex, with SO_MARK @mark if it is not 0. Returns it or -errno. */
int control_open(int ifindex, uint32_t mark);

/*
 * Sends one whole frame, whose IP header begins at @l3_off, and never waits. Returns 0 or -errno: -EAGAIN when the
 * socket's buffer is full of frames that the device has not sent yet; -ENOBUFS when TC egress or the queue dropped it.
 */
int control_send(int fd, int ifindex, const uint8_t *frame, size_t len, size_t l3_off);

#endif
