// SPDX-License-Identifier: GPL-2.0-only
/*
 * The entry points. One source makes two objects: `full`, and with MIMIC_PLAIN `plain`, which needs no kernel BTF
 * (no typed ksym, no CO-RE relocation, no callback).
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include "command.h"
#include "egress.h"
#include "ingress.h"
#include "repair.h"

SEC("tc")
int mimic_egress(struct __sk_buff *skb)
{
	return egress(skb);
}

SEC("xdp.frags")
int mimic_ingress(struct xdp_md *ctx)
{
	return ingress(ctx);
}

SEC("tc")
int mimic_repair(struct __sk_buff *skb)
{
	return repair(skb);
}

/* The staging device, a veth pair: what goes in at one end comes back from the other as a fresh skb. */
SEC("tc")
int mimic_staged(struct __sk_buff *skb)
{
	return staged(skb);
}

SEC("xdp.frags")
int mimic_staging_turn(struct xdp_md *ctx)
{
	return XDP_TX;
}

/* A veth device takes XDP_TX of its peer only if it has a program itself. */
SEC("xdp.frags")
int mimic_staging_pass(struct xdp_md *ctx)
{
	return XDP_PASS;
}

SEC("tc")
int mimic_command(struct __sk_buff *skb)
{
	return command(skb);
}

char _license[] SEC("license") = "GPL";
