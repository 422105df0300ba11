/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Why something happened to a packet. Each reason has a per-CPU counter of its own and a name, so nothing is
 * lost silently. New reasons are appended: the number is the index into the counter map.
 */
#ifndef MIMIC_CORE_REASON_H
#define MIMIC_CORE_REASON_H

/* X(identifier, name shown to users, explanation) */
#define REASON_LIST(X)                                                                                               \
	X(NONE, "none", "nothing to report")                                                                         \
	X(TX_DATA, "tx_data", "datagrams sent as TCP segments")                                                      \
	X(RX_DATA, "rx_data", "segments restored to datagrams")                                                      \
	X(RX_CONTROL, "rx_control", "control segments received")                                                     \
	X(TX_CONTROL, "tx_control", "control segments handed to the daemon")                                         \
	X(TX_HELD, "tx_held", "datagrams kept until the connection can carry them")                                  \
	X(TX_RELEASED, "tx_released", "kept datagrams sent")                                                         \
	X(TX_STAGED, "tx_staged", "packets split or completed on the staging device")                                \
	X(DROP_HOLD_FULL, "drop_hold_full", "dropped: too many datagrams wait for the handshake")                    \
	X(DROP_HOLD_FAILED, "drop_hold_failed", "dropped: no room on the way to the daemon")                         \
	X(DROP_FLUSHED, "drop_flushed", "dropped: waited for a handshake that failed")                               \
	X(DROP_CONN_ENDED, "drop_conn_ended", "dropped: the connection ended at that moment")                        \
	X(DROP_PASSIVE, "drop_passive", "dropped: a passive side waits for its peer")                                \
	X(DROP_COOLDOWN, "drop_cooldown", "dropped: the peer did not answer, cooling down")                          \
	X(DROP_WINDOW, "drop_window", "dropped: the peer's window is full")                                          \
	X(DROP_TOO_BIG, "drop_too_big", "dropped: larger than the MTU as a TCP segment")                             \
	X(DROP_FRAGMENT, "drop_fragment", "dropped: an IP fragment cannot travel")                                   \
	X(DROP_MALFORMED, "drop_malformed", "dropped: lengths that contradict each other")                           \
	X(DROP_NO_CONN, "drop_no_conn", "dropped: no room for another connection")                                   \
	X(DROP_TRANSFORM, "drop_transform", "dropped: the kernel refused to change the packet")                      \
	X(DROP_NO_STAGING, "drop_no_staging", "dropped: needs the staging device, there is none")                    \
	X(DROP_RX_UNKNOWN, "drop_rx_unknown", "dropped: segment of an unknown connection (no handshake before)")     \
	X(DROP_RX_STATE, "drop_rx_state", "dropped: segment that does not fit the connection's state")               \
	X(DROP_RX_WINDOW, "drop_rx_window", "dropped: segment with a number outside the window")                     \
	X(DROP_RX_OPTIONS, "drop_rx_options", "dropped: malformed TCP options")                                      \
	X(DROP_RX_CHECKSUM, "drop_rx_checksum", "dropped: segment with a wrong checksum")                            \
	X(DROP_RX_PADDING, "drop_rx_padding", "dropped: segment shorter than the padding set")                       \
	X(DROP_RX_RESTORE, "drop_rx_restore", "dropped: the driver refused to change a packet that came in")         \
	X(DROP_RX_MERGED, "drop_rx_merged", "dropped: merged by GRO of the device below; switch it off there")       \
	X(RX_RST, "rx_rst", "resets believed")                                                                       \
	X(RX_RST_CHECKED, "rx_rst_checked", "resets and SYNs answered by a liveness check")                          \
	X(RX_REFUSED, "rx_refused", "SYNs answered by RST: no Mimic there, or no filter for that port")              \
	X(EVENT_LOST, "event_lost", "events lost: the ring to the daemon was full")                                  \
	X(HANDSHAKE_FAILED, "handshake_failed", "handshakes given up")                                               \
	X(TX_TOO_BIG_SENT, "tx_too_big_sent", "ICMP messages that told a sender the path MTU")                       \
	X(RX_PARTIAL_REPAIRED, "rx_partial_repaired", "checksum state repaired at TC ingress")                       \
	X(DROP_RELEASE, "drop_release", "dropped: kept datagram could not be sent or was given up")                  \
	X(RX_ICMP, "rx_icmp", "ICMP errors about our segments handed up")                                            \
	X(DROP_RX_ICMP, "drop_rx_icmp", "dropped: ICMP error about a segment that is not under way")                 \
	X(TX_COOKIE, "tx_cookie", "SYNs answered by a cookie: too many half-open connections")                       \
	X(RX_COOKIE, "rx_cookie", "connections made of a cookie")                                                    \
	X(DROP_HALF_OPEN, "drop_half_open", "dropped: SYN, for too many connections are half open")                  \
	X(DROP_RESET_LIMIT, "drop_reset_limit", "not sent: RSTs, too many or to one source too often")               \
	X(TX_ICMP, "tx_icmp", "ICMP errors about restored datagrams sent as about segments")                         \
	X(DROP_TX_ICMP, "drop_tx_icmp", "dropped: ICMP error about a datagram of no connection")                     \
	X(DROP_RX_FRAGMENT, "drop_rx_fragment", "dropped: segment fragmented on its way: the path's MTU is smaller") \
	X(DROP_STAGING, "drop_staging", "dropped: more at once than the staging device takes")                       \
	X(TOTALS_LOST, "totals_lost", "ended connections whose figures found no room in the totals of their filter") \
	X(DROP_RX_UDP, "drop_rx_udp", "dropped: plain UDP that came for a filter with udp=drop")

enum reason {
#define REASON_ENUM(id, name, text) REASON_##id,
	REASON_LIST(REASON_ENUM)
#undef REASON_ENUM
	REASON_COUNT,
};

#endif
