/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef RVS_SYS_HELPERS_H
#define RVS_SYS_HELPERS_H

#if !IS_ENABLED(CONFIG_NF_CONNTRACK) || !IS_ENABLED(CONFIG_NF_NAT)
#error "rvs needs a kernel with connection tracking and NAT: set CONFIG_NF_CONNTRACK and CONFIG_NF_NAT to y or m"
#endif

#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/skbuff.h>
#include <linux/workqueue.h>
#include <net/dst.h>
#include <net/genetlink.h>
#include <net/net_namespace.h>
#include <net/netfilter/nf_conntrack.h>

bool rvs_local_bh_disable(void);
void rvs_local_bh_enable(void);
void rvs_cpu_relax(void);
void rvs_lockdep_acquire_chain(unsigned int nesting);
void rvs_lockdep_release_chain(void);
void rvs_assert_rcu_read_side(void);
u64 rvs_total_memory(void);
bool rvs_cond_resched(void);
void __percpu *rvs_alloc_percpu(size_t size, size_t align);
void rvs_this_cpu_add_u64(u64 __percpu *counter, u64 value);
u64 rvs_this_cpu_inc_return_u64(u64 __percpu *counter);
u64 rvs_per_cpu_read_u64(u64 __percpu *counter, unsigned int cpu);
unsigned int rvs_next_possible_cpu(int cpu);
unsigned int rvs_nr_cpu_ids(void);
unsigned int rvs_raw_smp_processor_id(void);
void *rvs_net_generic(const struct net *net, unsigned int id);
void rvs_wait_until_unvisited(u32 *visits);
void rvs_wake_up_visited(u32 *visits);
void rvs_init_delayed_work(struct delayed_work *work, work_func_t func, const char *name, struct lock_class_key *key);
struct xt_match;
int rvs_xt_register_match(struct xt_match *match);
void rvs_xt_unregister_match(struct xt_match *match);
void rvs_kfree_skb(struct sk_buff *skb);
void rvs_skb_dst_drop(struct sk_buff *skb);
void rvs_dst_hold(struct dst_entry *dst);
struct dst_entry *rvs_dst_check(struct dst_entry *dst, u32 cookie);
u32 rvs_dst_mtu(const struct dst_entry *dst);
void rvs_dst_update_pmtu(struct dst_entry *dst, struct sock *sk, u32 mtu);
bool rvs_skb_is_routed_for_socket(const struct sk_buff *skb, const struct dst_entry *dst);
struct sk_buff *rvs_skb_of_bytes(const void *bytes, unsigned int len, unsigned int header_len,
				 unsigned int headroom, u16 protocol);
bool rvs_skb_cut(struct sk_buff *skb, unsigned int len);
void rvs_skb_orphan(struct sk_buff *skb);
void rvs_nf_conntrack_put(unsigned long nfct);
int rvs_skb_cow_head(struct sk_buff *skb, unsigned int headroom);
unsigned char *rvs_skb_push(struct sk_buff *skb, unsigned int len);
void rvs_skb_pull(struct sk_buff *skb, unsigned int len);
unsigned int rvs_ll_reserved_space(const struct dst_entry *dst);
bool rvs_net_is_of_initial_users(const struct net *net);
bool rvs_routes_by_source(struct net *net, bool is_ipv6);
u16 rvs_first_unprivileged_port(const struct net *net);
bool rvs_skb_wants_no_defrag(const struct sk_buff *skb);
int rvs_dst_output(struct net *net, struct sk_buff *skb);
bool rvs_is_bound_for_slave(const struct sk_buff *skb);
bool rvs_dst_is_loopback(const struct dst_entry *dst);
u32 rvs_route6_cookie(const struct dst_entry *dst);
bool rvs_ipv6_is_enabled(void);
void rvs_skb_dst_set(struct sk_buff *skb, struct dst_entry *dst);
struct dst_entry *rvs_ip6_route_output(struct net *net, struct flowi6 *flow);
const struct net_device *rvs_dst_dev(const struct dst_entry *dst);
u32 rvs_largest_fragment6(const struct sk_buff *skb);
void rvs_skb_ensure_dev(struct sk_buff *skb, struct net *net);
void rvs_icmp6_send(struct sk_buff *skb, u8 type, u8 code, u32 info);
void rvs_icmp_send(struct sk_buff *skb, u8 type, u8 code, __be32 info);
void rvs_ip_select_ident(struct net *net, struct sk_buff *skb);
void rvs_ip6_update_pmtu(struct sk_buff *skb, struct net *net, u32 mtu);
void rvs_skb_set_flow_hash(struct sk_buff *skb, u32 hash);
u16 rvs_flow_port(struct net *net, struct sk_buff *skb);
u16 rvs_lco_checksum(struct sk_buff *skb);
u16 rvs_skb_checksum(const struct sk_buff *skb, int offset, int len);
void rvs_write_sctp_checksum(struct sk_buff *skb, unsigned int offset);
void rvs_dst_link_failure(struct sk_buff *skb);
struct sk_buff *rvs_genlmsg_new(void);
struct sk_buff *rvs_genlmsg_new_atomic(void);
bool rvs_genl_has_listeners(const struct genl_family *family, struct net *net, unsigned int group);
void rvs_genlmsg_multicast(const struct genl_family *family, struct net *net, struct sk_buff *skb, unsigned int group);
void rvs_genl_set_err(const struct genl_family *family, struct net *net, unsigned int group, int error);
u64 rvs_real_time(void);
u64 rvs_monotonic_time(void);
u32 rvs_current_process(void);
void rvs_current_program(char name[TASK_COMM_LEN]);
void rvs_nlmsg_free(struct sk_buff *skb);
const struct genl_info *rvs_genl_info_dump(struct netlink_callback *cb);
int rvs_genlmsg_reply(struct sk_buff *skb, struct genl_info *info);
void rvs_genlmsg_end(struct sk_buff *skb, void *header);
void rvs_genlmsg_cancel(struct sk_buff *skb, void *header);
struct net *rvs_genl_info_net(const struct genl_info *info);
struct net *rvs_notified_net(const void *info);
struct proc_dir_entry *rvs_net_proc(struct net *net);
struct net *rvs_seq_file_net(struct seq_file *seq);
size_t rvs_cpumask_size(void);
int rvs_cpulist_parse(const char *list, unsigned long *bits);
void rvs_housekeeping_cpus(unsigned long *bits);
void rvs_current_cpus(unsigned long *bits);
/* How many elements the parameter ftp_ports has at most. */
#define RVS_MAX_FTP_PORTS 8

const u16 *rvs_ftp_ports(unsigned int *count);
struct nf_conn *rvs_ct_of_tuple(const struct nf_conntrack_tuple_hash *tuple);
bool rvs_ct_is_in_default_zone(const struct nf_conn *ct);
unsigned int rvs_ct_confirm(struct sk_buff *skb);
bool rvs_ct_has_seqadj(const struct nf_conn *ct);
bool rvs_ct_provide_seqadj(struct nf_conn *ct);
bool rvs_ct_provide_help(struct nf_conn *ct);

#endif
