// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the kernel offers only as inline functions or macros, one function for
 * each, so that Rust can call it, and parameters that are lists. No logic
 * lives here.
 */

#include <linux/cpumask.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/x_tables.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/sched/isolation.h>
#include <linux/timekeeping.h>
#include <linux/user_namespace.h>
#include <linux/wait_bit.h>
#include <net/dst.h>
#include <net/icmp.h>
#include <net/ip.h>
#include <net/inet_sock.h>
#include <net/ip_fib.h>
#include <net/addrconf.h>
#include <net/ip6_fib.h>
#include <net/ip6_route.h>
#include <net/ipv6.h>
#include <linux/icmpv6.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_helper.h>
#include <net/netfilter/nf_conntrack_seqadj.h>
#include <net/netfilter/nf_conntrack_zones.h>
#include <net/netns/generic.h>
#include <net/sctp/checksum.h>
#include <net/udp.h>
#include <linux/seq_file_net.h>

#include "helpers.h"

static unsigned short ftp_ports[RVS_MAX_FTP_PORTS] = { 21 };
static unsigned int ftp_port_count = 1;
module_param_array(ftp_ports, ushort, &ftp_port_count, 0444);
MODULE_PARM_DESC(ftp_ports, "Ports of FTP's control connections, at most 8, separated by commas (default: 21)");

const u16 *rvs_ftp_ports(unsigned int *count)
{
	*count = ftp_port_count;
	return ftp_ports;
}

#ifdef CONFIG_PREEMPT_RT
#error "rvs does not run on PREEMPT_RT kernels yet: the lock of a bucket spins"
#endif

static bool rvs_has_xfrm_policies(const struct net *net)
{
#ifdef CONFIG_XFRM
	return READ_ONCE(net->xfrm.policy_count[XFRM_POLICY_OUT]);
#else
	return false;
#endif
}

/* False in a soft interrupt, which no other interrupts. */
bool rvs_local_bh_disable(void)
{
	if (in_serving_softirq())
		return false;
	local_bh_disable();
	return true;
}

void rvs_local_bh_enable(void)
{
	local_bh_enable();
}

void rvs_cpu_relax(void)
{
	cpu_relax();
}

#ifdef CONFIG_LOCKDEP
static struct lock_class_key rvs_chain_key;
static struct lockdep_map rvs_chain = {
	.name = "rvs_chain",
	.key = &rvs_chain_key,
	.wait_type_inner = LD_WAIT_CONFIG,
};
#endif

void rvs_lockdep_acquire_chain(unsigned int nesting)
{
	lock_acquire_exclusive(&rvs_chain, nesting, 0, NULL, _RET_IP_);
}

void rvs_lockdep_release_chain(void)
{
	lock_release(&rvs_chain, _RET_IP_);
}

void rvs_assert_rcu_read_side(void)
{
	RCU_LOCKDEP_WARN(!rcu_read_lock_held(), "rvs: nobody holds the RCU read side");
}

u64 rvs_total_memory(void)
{
	return (u64)totalram_pages() << PAGE_SHIFT;
}

bool rvs_cond_resched(void)
{
	cond_resched();
	return !fatal_signal_pending(current);
}

void __percpu *rvs_alloc_percpu(size_t size, size_t align)
{
	return __alloc_percpu_gfp(size, align, GFP_KERNEL_ACCOUNT | __GFP_ZERO);
}

void rvs_this_cpu_add_u64(u64 __percpu *counter, u64 value)
{
	this_cpu_add(*counter, value);
}

u64 rvs_this_cpu_inc_return_u64(u64 __percpu *counter)
{
	return this_cpu_inc_return(*counter);
}

u64 rvs_per_cpu_read_u64(u64 __percpu *counter, unsigned int cpu)
{
	return READ_ONCE(*per_cpu_ptr(counter, cpu));
}

unsigned int rvs_next_possible_cpu(int cpu)
{
	return cpumask_next(cpu, cpu_possible_mask);
}

unsigned int rvs_nr_cpu_ids(void)
{
	return nr_cpu_ids;
}

unsigned int rvs_raw_smp_processor_id(void)
{
	return raw_smp_processor_id();
}

void *rvs_net_generic(const struct net *net, unsigned int id)
{
	return net_generic(net, id);
}

void rvs_wait_until_unvisited(u32 *visits)
{
	wait_var_event(visits, !smp_load_acquire(visits));
}

void rvs_wake_up_visited(u32 *visits)
{
	wake_up_var(visits);
}

void rvs_init_delayed_work(struct delayed_work *work, work_func_t func,
			   const char *name, struct lock_class_key *key)
{
	INIT_DELAYED_WORK(work, func);
	lockdep_init_map(&work->work.lockdep_map, name, key, 0);
}

int rvs_xt_register_match(struct xt_match *match)
{
#if IS_REACHABLE(CONFIG_NETFILTER_XTABLES)
	return xt_register_match(match);
#else
	return -EOPNOTSUPP;
#endif
}

void rvs_xt_unregister_match(struct xt_match *match)
{
#if IS_REACHABLE(CONFIG_NETFILTER_XTABLES)
	xt_unregister_match(match);
#endif
}

void rvs_kfree_skb(struct sk_buff *skb)
{
	kfree_skb(skb);
}

void rvs_skb_dst_drop(struct sk_buff *skb)
{
	skb_dst_drop(skb);
}

void rvs_dst_hold(struct dst_entry *dst)
{
	dst_hold(dst);
}

struct dst_entry *rvs_dst_check(struct dst_entry *dst, u32 cookie)
{
	return dst_check(dst, cookie);
}

u32 rvs_dst_mtu(const struct dst_entry *dst)
{
	return dst_mtu(dst);
}

void rvs_dst_update_pmtu(struct dst_entry *dst, struct sock *sk, u32 mtu)
{
	dst->ops->update_pmtu(dst, sk, NULL, mtu, true);
}

/*
 * Whether this route of a packet was found for its socket. What a device of this host wraps, a tunnel's outer packet, is from a
 * device and keeps the socket of what is inside, of any kind.
 */
bool rvs_skb_is_routed_for_socket(const struct sk_buff *skb, const struct dst_entry *dst)
{
	const struct sock *sk = skb->sk;

	return !skb->dev && sk && sk_fullsock(sk) &&
	       (sk->sk_family == AF_INET6 || (sk->sk_family == AF_INET && dst->ops->family == AF_INET));
}

struct sk_buff *rvs_skb_of_bytes(const void *bytes, unsigned int len, unsigned int header_len,
				 unsigned int headroom, u16 protocol)
{
	struct sk_buff *skb = alloc_skb(headroom + len, GFP_ATOMIC | __GFP_NOWARN);

	if (!skb)
		return NULL;
	skb_reserve(skb, headroom);
	skb_put_data(skb, bytes, len);
	skb_reset_network_header(skb);
	skb_set_transport_header(skb, header_len);
	skb->protocol = htons(protocol);
	return skb;
}

bool rvs_skb_cut(struct sk_buff *skb, unsigned int len)
{
	if (skb_unclone(skb, GFP_ATOMIC))
		return false;
	skb_gso_reset(skb);
	if (skb->protocol == htons(ETH_P_IPV6))
		IP6CB(skb)->frag_max_size = 0;
	return !pskb_trim(skb, len);
}

void rvs_skb_orphan(struct sk_buff *skb)
{
	skb_orphan(skb);
}

void rvs_nf_conntrack_put(unsigned long nfct)
{
	nf_conntrack_put((struct nf_conntrack *)(nfct & NFCT_PTRMASK));
}

int rvs_skb_cow_head(struct sk_buff *skb, unsigned int headroom)
{
	return skb_cow_head(skb, headroom);
}

unsigned char *rvs_skb_push(struct sk_buff *skb, unsigned int len)
{
	return __skb_push(skb, len);
}

void rvs_skb_pull(struct sk_buff *skb, unsigned int len)
{
	__skb_pull(skb, len);
}

unsigned int rvs_ll_reserved_space(const struct dst_entry *dst)
{
	const struct net_device *dev = dst_dev_rcu(dst);

	return LL_RESERVED_SPACE(dev);
}

bool rvs_net_is_of_initial_users(const struct net *net)
{
	return net->user_ns == &init_user_ns;
}

bool rvs_routes_by_source(struct net *net, bool is_ipv6)
{
	return (is_ipv6 ? fib6_has_custom_rules(net) : fib4_has_custom_rules(net)) || rvs_has_xfrm_policies(net);
}

u16 rvs_first_unprivileged_port(const struct net *net)
{
	return READ_ONCE(net->ipv4.sysctl_ip_prot_sock);
}

bool rvs_skb_wants_no_defrag(const struct sk_buff *skb)
{
	const struct sock *sk = skb_to_full_sk(skb);

	return sk && sk_fullsock(sk) && sk->sk_family == PF_INET && inet_test_bit(NODEFRAG, sk);
}

int rvs_dst_output(struct net *net, struct sk_buff *skb)
{
	return dst_output(net, NULL, skb);
}

bool rvs_is_bound_for_slave(const struct sk_buff *skb)
{
	return netif_is_l3_slave(skb_dst_dev(skb));
}

bool rvs_dst_is_loopback(const struct dst_entry *dst)
{
	return dst_dev(dst)->flags & IFF_LOOPBACK;
}

u32 rvs_route6_cookie(const struct dst_entry *dst)
{
	return rt6_get_cookie(dst_rt6_info(dst));
}

bool rvs_ipv6_is_enabled(void)
{
	return ipv6_mod_enabled();
}

void rvs_skb_dst_set(struct sk_buff *skb, struct dst_entry *dst)
{
	skb_dst_set(skb, dst);
}

struct dst_entry *rvs_ip6_route_output(struct net *net, struct flowi6 *flow)
{
	return ip6_route_output(net, NULL, flow);
}

const struct net_device *rvs_dst_dev(const struct dst_entry *dst)
{
	return dst_dev(dst);
}

u32 rvs_largest_fragment6(const struct sk_buff *skb)
{
	return IP6CB(skb)->frag_max_size;
}

void rvs_skb_ensure_dev(struct sk_buff *skb, struct net *net)
{
	skb->dev = skb->dev ?: net->loopback_dev;
}

void rvs_icmp6_send(struct sk_buff *skb, u8 type, u8 code, u32 info)
{
	icmpv6_send(skb, type, code, info);
}

void rvs_icmp_send(struct sk_buff *skb, u8 type, u8 code, __be32 info)
{
	icmp_send(skb, type, code, info);
}

void rvs_ip_select_ident(struct net *net, struct sk_buff *skb)
{
	struct iphdr *iph = ip_hdr(skb);
	__be16 before = iph->id;

	ip_select_ident(net, skb, NULL);
	csum_replace2(&iph->check, before, iph->id);
}

void rvs_ip6_update_pmtu(struct sk_buff *skb, struct net *net, u32 mtu)
{
	ip6_update_pmtu(skb, net, htonl(mtu), 0, 0, sock_net_uid(net, NULL));
}

void rvs_skb_set_flow_hash(struct sk_buff *skb, u32 hash)
{
	if (!skb->l4_hash && !skb->sw_hash)
		__skb_set_sw_hash(skb, hash, true);
}

u16 rvs_flow_port(struct net *net, struct sk_buff *skb)
{
	return ntohs(udp_flow_src_port(net, skb, 0, 0, false));
}

u16 rvs_lco_checksum(struct sk_buff *skb)
{
	return csum_fold(lco_csum(skb));
}

u16 rvs_skb_checksum(const struct sk_buff *skb, int offset, int len)
{
	return csum_fold(skb_checksum(skb, offset, len, 0));
}

void rvs_write_sctp_checksum(struct sk_buff *skb, unsigned int offset)
{
	((struct sctphdr *)(skb->data + offset))->checksum = sctp_compute_cksum(skb, offset);
}

void rvs_dst_link_failure(struct sk_buff *skb)
{
	dst_link_failure(skb);
}

struct sk_buff *rvs_genlmsg_new(void)
{
	return genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
}

struct sk_buff *rvs_genlmsg_new_atomic(void)
{
	return genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_ATOMIC | __GFP_NOWARN);
}

bool rvs_genl_has_listeners(const struct genl_family *family, struct net *net, unsigned int group)
{
	return genl_has_listeners(family, net, group) > 0;
}

void rvs_genlmsg_multicast(const struct genl_family *family, struct net *net, struct sk_buff *skb, unsigned int group)
{
	genlmsg_multicast_netns(family, net, skb, 0, group, GFP_ATOMIC | __GFP_NOWARN);
}

void rvs_genl_set_err(const struct genl_family *family, struct net *net, unsigned int group, int error)
{
	genl_set_err(family, net, 0, group, error);
}

u64 rvs_real_time(void)
{
	return ktime_get_real_ns();
}

u64 rvs_monotonic_time(void)
{
	return ktime_get_ns();
}

u32 rvs_current_process(void)
{
	return task_tgid_vnr(current);
}

void rvs_current_program(char name[TASK_COMM_LEN])
{
	strscpy_pad(name, current->group_leader->comm, TASK_COMM_LEN);
}

void rvs_nlmsg_free(struct sk_buff *skb)
{
	nlmsg_free(skb);
}

const struct genl_info *rvs_genl_info_dump(struct netlink_callback *cb)
{
	return genl_info_dump(cb);
}

int rvs_genlmsg_reply(struct sk_buff *skb, struct genl_info *info)
{
	return genlmsg_reply(skb, info);
}

void rvs_genlmsg_end(struct sk_buff *skb, void *header)
{
	genlmsg_end(skb, header);
}

void rvs_genlmsg_cancel(struct sk_buff *skb, void *header)
{
	genlmsg_cancel(skb, header);
}

struct net *rvs_genl_info_net(const struct genl_info *info)
{
	return genl_info_net(info);
}

struct net *rvs_notified_net(const void *info)
{
	return dev_net(netdev_notifier_info_to_dev(info));
}

struct proc_dir_entry *rvs_net_proc(struct net *net)
{
	return net->proc_net;
}

struct net *rvs_seq_file_net(struct seq_file *seq)
{
	return seq_file_net(seq);
}

size_t rvs_cpumask_size(void)
{
	return cpumask_size();
}

int rvs_cpulist_parse(const char *list, unsigned long *bits)
{
	return cpulist_parse(list, to_cpumask(bits));
}

void rvs_housekeeping_cpus(unsigned long *bits)
{
	guard(rcu)();
	cpumask_copy(to_cpumask(bits), housekeeping_cpumask(HK_TYPE_KTHREAD));
}

void rvs_current_cpus(unsigned long *bits)
{
	cpumask_copy(to_cpumask(bits), &current->cpus_mask);
}

struct nf_conn *rvs_ct_of_tuple(const struct nf_conntrack_tuple_hash *tuple)
{
	return nf_ct_tuplehash_to_ctrack(tuple);
}

bool rvs_ct_is_in_default_zone(const struct nf_conn *ct)
{
	return nf_ct_zone(ct)->id == NF_CT_DEFAULT_ZONE_ID;
}

unsigned int rvs_ct_confirm(struct sk_buff *skb)
{
	return nf_conntrack_confirm(skb);
}

bool rvs_ct_has_seqadj(const struct nf_conn *ct)
{
	return nfct_seqadj(ct);
}

bool rvs_ct_provide_seqadj(struct nf_conn *ct)
{
	return nfct_seqadj(ct) || nfct_seqadj_ext_add(ct);
}

bool rvs_ct_provide_help(struct nf_conn *ct)
{
	return nfct_help(ct) || nf_ct_helper_ext_add(ct, GFP_ATOMIC);
}
