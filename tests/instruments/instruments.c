// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a debug kernel must notice: "insmod instruments.ko mistake=NAME" makes
 * one mistake, on purpose, and tests that the instrument for it is on, and that
 * the guest's runner hears it. Not for a machine that is needed for anything else.
 */
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/spinlock.h>
#include <linux/timer.h>

static char *mistake = "";
module_param(mistake, charp, 0);
MODULE_PARM_DESC(mistake, "the mistake to make");

struct object {
	struct list_head link;
	struct timer_list timer;
};

static void do_nothing(struct timer_list *timer)
{
}

static void forget(struct rcu_head *head)
{
}

static void use_after_free(void)
{
	struct object *object = kzalloc(sizeof(*object), GFP_KERNEL);

	kfree(object);
	(void)READ_ONCE(object->link.next);
}

static void out_of_bounds(void)
{
	char *object = kzalloc(40, GFP_KERNEL);

	OPTIMIZER_HIDE_VAR(object);
	WRITE_ONCE(object[40], 1);
	kfree(object);
}

static void leak(void)
{
	static struct object *others[256];

	for (int i = 0; i < 10; i++)
		others[i] = kzalloc(sizeof(struct object), GFP_KERNEL);
	/* Others of their size wipe out the traces in the allocator's own lists. */
	for (int i = 0; i < ARRAY_SIZE(others); i++)
		others[i] = kzalloc(sizeof(struct object), GFP_KERNEL);
	for (int i = 0; i < ARRAY_SIZE(others); i++)
		kfree(others[i]);
}

static void sleep_in_atomic(void)
{
	static DEFINE_SPINLOCK(lock);

	spin_lock(&lock);
	kfree(kzalloc(sizeof(struct object), GFP_KERNEL));
	spin_unlock(&lock);
}

static void unprotected_rcu(void)
{
	static struct object __rcu *object;

	(void)rcu_dereference(object);
}

static void lock_inversion(void)
{
	static DEFINE_MUTEX(one);
	static DEFINE_MUTEX(other);

	mutex_lock(&one);
	mutex_lock(&other);
	mutex_unlock(&other);
	mutex_unlock(&one);
	mutex_lock(&other);
	mutex_lock(&one);
	mutex_unlock(&one);
	mutex_unlock(&other);
}

static void free_active_timer(void)
{
	struct object *object = kzalloc(sizeof(*object), GFP_KERNEL);

	timer_setup(&object->timer, do_nothing, 0);
	mod_timer(&object->timer, jiffies + 1000 * HZ);
	kfree(object);
}

static void call_rcu_twice(void)
{
	static struct rcu_head head;

	rcu_read_lock();
	call_rcu(&head, forget);
	call_rcu(&head, forget);
	rcu_read_unlock();
}

static void corrupt_list(void)
{
	LIST_HEAD(list);
	struct object *object = kzalloc(sizeof(*object), GFP_KERNEL);

	list_add(&object->link, &list);
	list_del(&object->link);
	list_del(&object->link);
	kfree(object);
}

static void per_cpu_preemptible(void)
{
	(void)smp_processor_id();
}

static const struct {
	const char *name;
	void (*make)(void);
} mistakes[] = {
	{ "use-after-free", use_after_free },
	{ "out-of-bounds", out_of_bounds },
	{ "leak", leak },
	{ "sleep-in-atomic", sleep_in_atomic },
	{ "unprotected-rcu", unprotected_rcu },
	{ "lock-inversion", lock_inversion },
	{ "free-active-timer", free_active_timer },
	{ "call-rcu-twice", call_rcu_twice },
	{ "corrupt-list", corrupt_list },
	{ "per-cpu-preemptible", per_cpu_preemptible },
};

static int __init instruments_init(void)
{
	for (int i = 0; i < ARRAY_SIZE(mistakes); i++) {
		if (!strcmp(mistake, mistakes[i].name)) {
			mistakes[i].make();
			return 0;
		}
	}
	return -EINVAL;
}
module_init(instruments_init);

static void __exit instruments_exit(void)
{
	rcu_barrier();
}
module_exit(instruments_exit);

MODULE_DESCRIPTION("Mistakes for a debug kernel to notice");
MODULE_LICENSE("GPL");
