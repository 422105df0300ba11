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
int mimic_command(struct __sk_buff *skb)
{
	return command(skb);
}

char _license[] SEC("license") = "GPL";
