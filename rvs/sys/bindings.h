/* SPDX-License-Identifier: GPL-2.0-only */
/* What bindgen reads to make the Rust view of the kernel interfaces in use. */
#ifndef RVS_SYS_BINDINGS_H
#define RVS_SYS_BINDINGS_H

#include <linux/capability.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/ip.h>
#include <linux/ip_vs.h>
#include <linux/jiffies.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/netfilter/x_tables.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>
#include <linux/percpu.h>
#include <linux/proc_fs.h>
#include <linux/random.h>
#include <linux/rcupdate.h>
#include <linux/seq_file.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <linux/swap.h>
#include <linux/sysctl.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <linux/workqueue.h>
#include <net/genetlink.h>
#include <net/gso.h>
#include <net/icmp.h>
#include <net/ip.h>
#include <net/ip_tunnels.h>
#include <net/ip6_route.h>
#include <net/ipv6.h>
#include <net/net_namespace.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_expect.h>
#include <net/netfilter/nf_conntrack_zones.h>
#include <net/netfilter/nf_nat_helper.h>
#include <net/netfilter/ipv6/nf_defrag_ipv6.h>
#include <net/netns/generic.h>
#include <net/route.h>

#include "helpers.h"

/* Macros with casts, which bindgen can't evaluate. */
static const slab_flags_t RVS_SLAB_NO_MERGE = SLAB_NO_MERGE;
static const unsigned int RVS_HZ = HZ;
static const u8 RVS_MCAST_CAP_NET_ADMIN = GENL_MCAST_CAP_NET_ADMIN;
static const int RVS_ANY_CPU = WORK_CPU_UNBOUND;
static const gfp_t RVS_GFP_NEW_ENTRY = GFP_ATOMIC | __GFP_NOWARN;

#endif
