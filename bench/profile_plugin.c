// SPDX-License-Identifier: GPL-2.0-only
/*
 * A QEMU plugin that counts how often each instruction of the guest's kernel is executed between two marks.
 *
 * The guest's user space sets the marks by executing `xchg %bx,%bx` (start from zero) and `xchg %cx,%cx` (write the counts to
 * the file OUT.1, at the next mark OUT.2, and so on, as lines "address count"). The argument is out=OUT.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* QEMU's plugin interface, version 4 (QEMU 10.0), as far as it is used here: Debian packages no header for it. */
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_plugin_scoreboard;
typedef struct {
	struct qemu_plugin_scoreboard *score;
	size_t offset;
} qemu_plugin_u64;
enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64 };
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };

void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, void (*callback)(uint64_t id, struct qemu_plugin_tb *block));
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *block, size_t index);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *instruction);
size_t qemu_plugin_insn_data(const struct qemu_plugin_insn *instruction, void *bytes, size_t length);
void qemu_plugin_register_vcpu_insn_exec_inline_per_vcpu(struct qemu_plugin_insn *instruction, enum qemu_plugin_op op,
							 qemu_plugin_u64 entry, uint64_t value);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *instruction,
					    void (*callback)(unsigned int processor, void *data),
					    enum qemu_plugin_cb_flags flags, void *data);
struct qemu_plugin_scoreboard *qemu_plugin_scoreboard_new(size_t size);
void *qemu_plugin_scoreboard_find(struct qemu_plugin_scoreboard *score, unsigned int processor);

#define EXPORT __attribute__((visibility("default")))
#define KERNEL_HALF UINT64_C(0xffff800000000000)

/* Distinct kernel addresses that can be counted: a power of two, far more than a boot executes. */
#define SLOT_BITS 22
#define SLOTS (UINT64_C(1) << SLOT_BITS)

EXPORT int qemu_plugin_version = 4;

static struct qemu_plugin_scoreboard *counts;
static uint64_t addresses[SLOTS];
static uint64_t used;
static const char *output;
static unsigned int written;

static void start(unsigned int processor, void *unused)
{
	memset(qemu_plugin_scoreboard_find(counts, processor), 0, SLOTS * sizeof(uint64_t));
}

static void write_counts(unsigned int processor, void *unused)
{
	const uint64_t *count = qemu_plugin_scoreboard_find(counts, processor);
	char name[4096];
	FILE *file;

	snprintf(name, sizeof(name), "%s.%u", output, ++written);
	file = fopen(name, "w");
	if (!file) {
		perror(name);
		return;
	}
	for (size_t i = 0; i < SLOTS; i++)
		if (count[i])
			fprintf(file, "%" PRIx64 " %" PRIu64 "\n", addresses[i], count[i]);
	fclose(file);
}

/* The address's place in the table, made at its first translation; false if the table is full. */
static bool slot_of(uint64_t address, size_t *slot)
{
	size_t i = (address * UINT64_C(0x9e3779b97f4a7c15)) >> (64 - SLOT_BITS);

	while (addresses[i] && addresses[i] != address)
		i = (i + 1) % SLOTS;
	if (!addresses[i]) {
		if (used == SLOTS - 1)
			return false;
		used++;
		addresses[i] = address;
	}
	*slot = i;
	return true;
}

static void count_instruction(struct qemu_plugin_insn *instruction)
{
	qemu_plugin_u64 entry = { .score = counts };
	size_t slot;

	if (!slot_of(qemu_plugin_insn_vaddr(instruction), &slot))
		return;
	entry.offset = slot * sizeof(uint64_t);
	qemu_plugin_register_vcpu_insn_exec_inline_per_vcpu(instruction, QEMU_PLUGIN_INLINE_ADD_U64, entry, 1);
}

static void watch_for_mark(struct qemu_plugin_insn *instruction)
{
	static const uint8_t start_mark[] = { 0x66, 0x87, 0xdb }, write_mark[] = { 0x66, 0x87, 0xc9 };
	uint8_t bytes[sizeof(start_mark)];

	if (qemu_plugin_insn_data(instruction, bytes, sizeof(bytes)) != sizeof(bytes))
		return;
	if (!memcmp(bytes, start_mark, sizeof(bytes)))
		qemu_plugin_register_vcpu_insn_exec_cb(instruction, start, QEMU_PLUGIN_CB_NO_REGS, NULL);
	else if (!memcmp(bytes, write_mark, sizeof(bytes)))
		qemu_plugin_register_vcpu_insn_exec_cb(instruction, write_counts, QEMU_PLUGIN_CB_NO_REGS, NULL);
}

static void translated(uint64_t id, struct qemu_plugin_tb *block)
{
	for (size_t i = 0; i < qemu_plugin_tb_n_insns(block); i++) {
		struct qemu_plugin_insn *instruction = qemu_plugin_tb_get_insn(block, i);

		if (qemu_plugin_insn_vaddr(instruction) >= KERNEL_HALF)
			count_instruction(instruction);
		else
			watch_for_mark(instruction);
	}
}

EXPORT int qemu_plugin_install(uint64_t id, const void *information, int argc, char **argv)
{
	if (argc != 1 || strncmp(argv[0], "out=", 4)) {
		fputs("profile_plugin: needs exactly one argument: out=FILE\n", stderr);
		return -1;
	}
	output = argv[0] + 4;
	counts = qemu_plugin_scoreboard_new(SLOTS * sizeof(uint64_t));
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}
