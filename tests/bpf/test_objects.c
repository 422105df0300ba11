/* SPDX-License-Identifier: GPL-2.0-only */
/* The embedded objects: what each program costs the verifier, and that `plain` needs no kernel BTF and no callback */
#include <gelf.h>
#include <libelf.h>

#include "rig.h"

enum {
	VERIFIED_INSNS_MAX = 200000, /* the budget of one program; the kernel's own limit is a million */
	VERIFIED_INSNS_KNOWN = offsetof(struct bpf_prog_info, verified_insns) + sizeof(__u32),
};

/* The beginning of .BTF.ext (Documentation/bpf/btf.rst); lengths in bytes, offsets from the end of the header. */
struct btf_ext_start {
	__u16 magic;
	__u8 version, flags;
	__u32 hdr_len;
	__u32 func_info_off, func_info_len;
	__u32 line_info_off, line_info_len;
	__u32 core_relo_off, core_relo_len;
};

START_TEST(test_verifier_budget)
{
	struct rig *rig = &rigs[_i];
	struct bpf_program *program;

	bpf_object__for_each_program(program, rig->datapath.object) {
		struct bpf_prog_info info = {};
		__u32 len = sizeof(info);

		expect(!bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &len));
		expect(len >= VERIFIED_INSNS_KNOWN); /* Linux 5.16 */
		printf("%-14s %-20s %6u instructions verified, %5zu in the program\n", rig->name,
		       bpf_program__name(program), info.verified_insns, bpf_program__insn_cnt(program));
		expect(info.verified_insns);
		if (info.verified_insns > VERIFIED_INSNS_MAX)
			ck_abort_msg("%s: %s costs the verifier %u instructions, more than %d", rig->name,
				     bpf_program__name(program), info.verified_insns, VERIFIED_INSNS_MAX);
	}
}
END_TEST

/* A section of the plain object, or NULL. What it lies in stays until the process ends. */
static Elf_Data *plain_section(const char *name)
{
	static Elf *elf;
	static char *copy;
	size_t size, names;
	const void *bytes = datapath_elf(DATAPATH_PLAIN, &size);
	Elf_Scn *section = NULL;
	GElf_Shdr header;

	copy = malloc(size);
	expect(copy);
	memcpy(copy, bytes, size); /* libelf wants it writable */
	elf_version(EV_CURRENT);
	elf = elf_memory(copy, size);
	expect(elf && !elf_getshdrstrndx(elf, &names));
	while ((section = elf_nextscn(elf, section))) {
		expect(gelf_getshdr(section, &header));
		if (!strcmp(elf_strptr(elf, names, header.sh_name), name))
			return elf_getdata(section, NULL);
	}
	return NULL;
}

START_TEST(test_plain_has_no_core_relocation)
{
	Elf_Data *data = plain_section(".BTF.ext");
	struct btf_ext_start start = {};

	expect(data && data->d_size >= offsetof(struct btf_ext_start, core_relo_off));
	memcpy(&start, data->d_buf, data->d_size < sizeof(start) ? data->d_size : sizeof(start));
	expect_eq(start.magic, 0xeb9f);
	/* The part begins with the size of a record. */
	if (start.hdr_len >= sizeof(start) && start.core_relo_len > sizeof(__u32))
		ck_abort_msg("plain has CO-RE relocations: %u bytes", start.core_relo_len);
}
END_TEST

START_TEST(test_plain_has_no_ksym)
{
	Elf_Data *data = plain_section(".BTF");
	struct btf *btf;

	expect(data);
	btf = btf__new(data->d_buf, (__u32)data->d_size);
	expect(btf);
	expect(btf__find_by_name_kind(btf, ".ksyms", BTF_KIND_DATASEC) < 0);
	btf__free(btf);
}
END_TEST

/* As the kernel gets them. */
START_TEST(test_plain_instructions)
{
	struct bpf_program *program;

	expect(!plain_section(".text")); /* where subprograms and callbacks would be */
	bpf_object__for_each_program(program, rigs[RIG_PLAIN_ETHERNET].datapath.object) {
		const struct bpf_insn *insn = bpf_program__insns(program);

		for (size_t i = 0; i < bpf_program__insn_cnt(program); i++) {
			bool call = insn[i].code == (BPF_JMP | BPF_CALL);
			bool wide = insn[i].code == (BPF_LD | BPF_DW | BPF_IMM);

			if ((call && insn[i].src_reg) ||
			    (wide && (insn[i].src_reg == BPF_PSEUDO_BTF_ID || insn[i].src_reg == BPF_PSEUDO_FUNC)))
				ck_abort_msg("%s, instruction %zu: %s of kind %u", bpf_program__name(program), i,
					     call ? "call" : "address", insn[i].src_reg);
			i += wide;
		}
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("objects");
	TCase *tcase = tcase_create("objects");

	rigs_open();
	tcase_add_loop_test(tcase, test_verifier_budget, 0, RIG_COUNT);
	tcase_add_test(tcase, test_plain_has_no_core_relocation);
	tcase_add_test(tcase, test_plain_has_no_ksym);
	tcase_add_test(tcase, test_plain_instructions);
	suite_add_tcase(suite, tcase);
	return rigs_run(suite);
}
