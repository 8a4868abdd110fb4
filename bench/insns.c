// A plugin for QEMU's translator that counts guest instructions per block, so
// that a measurement can say both how many and where. `cargo run -- bench`
// compiles it and reads what it writes; docs/benchmarks.md says how.
//
// The file it maps (little endian): total u64, number of blocks u64, then one
// record for each block: address u64, instructions executed in it u64, how many it
// has u8, the lengths of the first of them u8[15]. It can be read at any time while
// the guest runs. Counting is exact for one CPU; a block that is left early by a
// fault counts as a whole.
//
// QEMU's header is not packaged everywhere; the few prototypes are these:
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

struct qemu_plugin_tb;
__attribute__((visibility("default"))) int qemu_plugin_version = 1;
void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t, void (*)(uint64_t, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, int, void *, uint64_t);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *);
struct qemu_plugin_insn;
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *);
int ftruncate(int, long);

enum { ADD = 0, MAX_BLOCKS = 1 << 19, TABLE = MAX_BLOCKS * 2, LENGTHS = 15 };

struct block { uint64_t address, executed; uint8_t count, length[LENGTHS]; };
static struct { uint64_t total, blocks; struct block block[MAX_BLOCKS]; } *shared;
static uint32_t table[TABLE]; // number of a block + 1, by address
static char busy; // several CPUs may translate at once

// The record of the block at this address, whether it was translated before
// or not; null when there is no room.
static struct block *record(uint64_t address) {
	uint64_t at = (address * 0x9E3779B97F4A7C15ull) >> 44;
	for (;; at++) {
		at %= TABLE;
		if (!table[at]) break;
		struct block *known = &shared->block[table[at] - 1];
		if (known->address == address) return known;
	}
	if (shared->blocks == MAX_BLOCKS) return NULL;
	struct block *fresh = &shared->block[shared->blocks++];
	fresh->address = address;
	table[at] = (uint32_t)shared->blocks;
	return fresh;
}

static void translated(uint64_t id, struct qemu_plugin_tb *tb) {
	(void)id;
	uint64_t count = qemu_plugin_tb_n_insns(tb);
	qemu_plugin_register_vcpu_tb_exec_inline(tb, ADD, &shared->total, count);
	while (__atomic_test_and_set(&busy, __ATOMIC_ACQUIRE)) {}
	struct block *block = record(qemu_plugin_tb_vaddr(tb));
	if (block && !block->count) {
		block->count = count > 255 ? 255 : (uint8_t)count;
		for (size_t at = 0; at < count && at < LENGTHS; at++)
			block->length[at] = (uint8_t)qemu_plugin_insn_size(qemu_plugin_tb_get_insn(tb, at));
	}
	__atomic_clear(&busy, __ATOMIC_RELEASE);
	if (block) qemu_plugin_register_vcpu_tb_exec_inline(tb, ADD, &block->executed, count);
}

__attribute__((visibility("default")))
int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv) {
	(void)info;
	int file = -1;
	for (int i = 0; i < argc; i++)
		if (!strncmp(argv[i], "out=", 4)) file = open(argv[i] + 4, O_RDWR | O_CREAT | O_TRUNC, 0644);
	if (file < 0 || ftruncate(file, sizeof *shared)) return -1;
	shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (shared == MAP_FAILED) return -1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}
