// SPDX-License-Identifier: GPL-2.0-only
#include "abifile.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <string.h>

#include "abi.h"
#include "util.h"

#define ABIFILE_SECTION ".mimic.abi"

/* Others find it there without running the program, and a test makes another program of it: so the compiler may not know it. */
static const volatile __u32 abifile_number __attribute__((section(ABIFILE_SECTION), used)) = MIMIC_ABI;

uint32_t abifile_own(void)
{
	return abifile_number;
}

static int abifile_read(Elf *elf)
{
	Elf_Scn *section = NULL;
	size_t names;
	__u32 abi;

	if (elf_getshdrstrndx(elf, &names))
		return -ENOENT;
	while ((section = elf_nextscn(elf, section))) {
		const Elf_Data *data;
		GElf_Shdr header;
		const char *name;

		if (!gelf_getshdr(section, &header))
			continue;
		name = elf_strptr(elf, names, header.sh_name);
		if (!name || strcmp(name, ABIFILE_SECTION))
			continue;
		data = elf_rawdata(section, NULL);
		if (!data || !data->d_buf || data->d_size != sizeof(abi))
			return -ENOENT;
		memcpy(&abi, data->d_buf, sizeof(abi));
		return abi <= INT32_MAX ? (int)abi : -ENOENT;
	}
	return -ENOENT;
}

int abifile_of(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	int abi = -ENOENT;
	Elf *elf;

	if (fd < 0)
		return -errno;
	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ, NULL);
	if (elf && elf_kind(elf) == ELF_K_ELF)
		abi = abifile_read(elf);
	elf_end(elf);
	return abi;
}
