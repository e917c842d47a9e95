// SPDX-License-Identifier: GPL-2.0
/*
 * For guests that QEMU emulates with a thread for each CPU (TCG; 7.2 and 10.0 tried): makes
 * up for a store into code that another CPU's translation of that code misses.
 *
 * QEMU drops what it has translated of a page, and then stores into the page.  A CPU that
 * translates in between does so from the old bytes, and keeps that translation until the
 * page's next store.  The kernel patches its code (static branches, tracepoints) behind an
 * int3 that it replaces last; so what remains is an int3 that is no longer there.  Older
 * kernels (6.1) begin such an instruction again, for ever; newer ones (7.3) die of it.
 *
 * Here a store of the same byte drops the translation, as the int3 is about to be handled,
 * and for newer kernels the int3 is claimed and its instruction begins again.
 *
 * Code is read only where it runs.  Each CPU has a page of its own where it maps the code's
 * page and stores.  (With %CR0.WP clear it could store right there, but the page would be dirty
 * then and read only still: that is how shadow stacks look, and the kernel complains of it when
 * a module's memory is given back.)
 */
#include <linux/ftrace.h>
#include <linux/gfp.h>
#include <linux/kdebug.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/vmalloc.h>

#include <asm/pgtable.h>
#include <asm/set_memory.h>
#include <asm/text-patching.h>

/* An int3 that is still there after so many tries is meant. */
#define NB_TCG_TRIES	100

/* The last int3 that was there, and how often. */
struct nb_tcg_int3 {
	unsigned long ip;
	unsigned int tries;
};

static DEFINE_PER_CPU(struct nb_tcg_int3, nb_tcg_int3s);

/* Where a CPU stores into code: an address, its entry of the page table, what it maps else. */
struct nb_tcg_window {
	void *at;
	pte_t *pte;
	struct page *page;
};

static DEFINE_PER_CPU(struct nb_tcg_window, nb_tcg_windows);

static void nb_tcg_map(struct nb_tcg_window *window, pte_t pte)
{
	set_pte(window->pte, pte);
	/* No other CPU looks through this window. */
	asm volatile("invlpg (%0)" : : "r" (window->at) : "memory");
}

/*
 * A store that changes nothing, even while another CPU patches that byte.  Called with
 * interrupts off, also in NMIs: one that comes in between leaves the window as it was.
 */
static void nb_tcg_touch(unsigned long ip)
{
	struct nb_tcg_window *window = this_cpu_ptr(&nb_tcg_windows);
	phys_addr_t code = slow_virt_to_phys((void *)ip);
	pte_t before = *window->pte;

	nb_tcg_map(window, pfn_pte(PHYS_PFN(code), PAGE_KERNEL));
	asm volatile("lock orb $0, (%0)"
		     : : "r" (window->at + offset_in_page(ip)) : "memory", "cc");
	nb_tcg_map(window, before);
}

static int nb_tcg_open(struct nb_tcg_window *window)
{
	unsigned int level;

	window->page = alloc_page(GFP_KERNEL);
	if (!window->page)
		return -ENOMEM;
	window->at = vmap(&window->page, 1, VM_MAP, PAGE_KERNEL);
	if (!window->at)
		return -ENOMEM;
	window->pte = lookup_address((unsigned long)window->at, &level);
	return level == PG_LEVEL_4K ? 0 : -EINVAL;
}

static void nb_tcg_close_all(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct nb_tcg_window *window = per_cpu_ptr(&nb_tcg_windows, cpu);

		vunmap(window->at);
		if (window->page)
			__free_page(window->page);
	}
}

static int nb_tcg_open_all(void)
{
	int cpu, err;

	for_each_possible_cpu(cpu) {
		err = nb_tcg_open(per_cpu_ptr(&nb_tcg_windows, cpu));
		if (err) {
			nb_tcg_close_all();
			return err;
		}
	}
	return 0;
}

#ifdef CONFIG_FUNCTION_TRACER
/* Of kprobe_int3_handler(), the first that gets to see what is not being patched. */
static void nb_tcg_before_int3(unsigned long ip, unsigned long parent, struct ftrace_ops *ops,
			       struct ftrace_regs *fregs)
{
	struct pt_regs *regs = (struct pt_regs *)ftrace_get_regs(fregs)->di;

	if (!user_mode(regs))
		nb_tcg_touch(regs->ip - INT3_INSN_SIZE);
}

static struct ftrace_ops nb_tcg_ops = {
	.func = nb_tcg_before_int3,
	.flags = FTRACE_OPS_FL_SAVE_REGS,
};

static int nb_tcg_hook(void)
{
	char name[] = "kprobe_int3_handler";
	int err = ftrace_set_filter(&nb_tcg_ops, name, strlen(name), 1);

	return err ?: register_ftrace_function(&nb_tcg_ops);
}

static void nb_tcg_unhook(void)
{
	unregister_ftrace_function(&nb_tcg_ops);
}
#else
static int nb_tcg_hook(void)
{
	return 0;
}

static void nb_tcg_unhook(void)
{
}
#endif

/* Whether the byte has become another one, or may still do so. */
static bool nb_tcg_is_stale(struct nb_tcg_int3 *last, unsigned long ip)
{
	if (READ_ONCE(*(u8 *)ip) != INT3_INSN_OPCODE) {
		last->tries = 0;
		return true;
	}
	if (last->ip != ip)
		last->tries = 0;
	last->ip = ip;
	return ++last->tries < NB_TCG_TRIES;
}

static int nb_tcg_claim_int3(struct notifier_block *nb, unsigned long why, void *data)
{
	struct pt_regs *regs = ((struct die_args *)data)->regs;
	unsigned long ip = regs->ip - INT3_INSN_SIZE;

	if (why != DIE_INT3 || user_mode(regs) ||
	    !nb_tcg_is_stale(this_cpu_ptr(&nb_tcg_int3s), ip))
		return NOTIFY_DONE;
	nb_tcg_touch(ip);
	regs->ip = ip;
	return NOTIFY_STOP;
}

static struct notifier_block nb_tcg_notifier = {
	.notifier_call = nb_tcg_claim_int3,
	/* Before who would call it an error. */
	.priority = INT_MAX,
};

static int __init nb_tcg_init(void)
{
	int err;

	err = nb_tcg_open_all();
	if (err)
		return err;
	err = register_die_notifier(&nb_tcg_notifier);
	if (err)
		goto close;
	err = nb_tcg_hook();
	if (err)
		goto unregister;
	return 0;

unregister:
	unregister_die_notifier(&nb_tcg_notifier);
close:
	nb_tcg_close_all();
	return err;
}

static void __exit nb_tcg_exit(void)
{
	nb_tcg_unhook();
	unregister_die_notifier(&nb_tcg_notifier);
	nb_tcg_close_all();
}

module_init(nb_tcg_init);
module_exit(nb_tcg_exit);

MODULE_DESCRIPTION("Makes up for stale translations under QEMU's emulation");
MODULE_LICENSE("GPL");
