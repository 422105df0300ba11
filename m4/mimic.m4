# SPDX-License-Identifier: GPL-2.0-only
# Probes of Mimic's configure. What autoconf-archive has is taken from there.

# MIMIC_NEED(WHAT, DEBIAN, FEDORA, ARCH): note that WHAT is missing, and the package that has it.
AC_DEFUN([MIMIC_NEED], [AS_VAR_APPEND([mimic_missing], ["$1|$2|$3|$4
"])])

# MIMIC_WANT(WHAT, DEBIAN, FEDORA, ARCH): the same for something that one can do without.
AC_DEFUN([MIMIC_WANT], [AS_VAR_APPEND([mimic_wanted], ["$1|$2|$3|$4
"])])

# MIMIC_TABLE: format WHAT|DEBIAN|FEDORA|ARCH lines of standard input as a table.
m4_define([MIMIC_TABLE], [awk -F'|' '
	BEGIN { printf "    %-28s %-14s %-24s %s\n", "", "Debian", "Fedora", "Arch" }
	NF == 4 { printf "    %-28s %-14s %-24s %s\n", $[]1, $[]2, $[]3, $[]4 }'])

# MIMIC_REPORT_MISSING: end here, with everything that is missing, if something is.
AC_DEFUN([MIMIC_REPORT_MISSING], [
AS_IF([test -n "$mimic_missing"], [
	AS_ECHO(["
configure: missing, with the package that has it:
"]) >&2
	AS_ECHO(["$mimic_missing"]) | MIMIC_TABLE >&2
	AS_IF([test -n "$mimic_wanted"], [
		AS_ECHO(["
optional:
"]) >&2
		AS_ECHO(["$mimic_wanted"]) | MIMIC_TABLE >&2])
	AC_MSG_ERROR([install what is missing and run configure again (or set the variables that configure --help names)])
])])

# MIMIC_REPORT_WANTED: say what optional things are missing.
AC_DEFUN([MIMIC_REPORT_WANTED], [
AS_IF([test -n "$mimic_wanted"], [
	AC_MSG_NOTICE([optional, and missing:])
	AS_ECHO(["$mimic_wanted"]) | MIMIC_TABLE])
])

# MIMIC_PROG_CLANG: set CLANG to the first clang >= 14 that has the BPF target.
AC_DEFUN([MIMIC_PROG_CLANG], [
AC_ARG_VAR([CLANG], [clang >= 14, which compiles the BPF objects (whatever CC is)])
AC_CACHE_CHECK([for clang >= 14 with the BPF target], [mimic_cv_prog_clang], [
	mimic_cv_prog_clang=no
	for mimic_clang in ${CLANG:-clang clang-21 clang-20 clang-19 clang-18 clang-17 clang-16 clang-15 clang-14}; do
		mimic_major=$(echo __clang_major__ | $mimic_clang -E -P -x c - 2>&AS_MESSAGE_LOG_FD)
		case $mimic_major in
			''|*[[!0-9]]*) continue ;;
		esac
		AS_IF([test "$mimic_major" -ge 14 &&
		       echo 'int f(int x) { return x; }' |
		       $mimic_clang -target bpf -O2 -x c -c - -o conftest.bpf.o 2>&AS_MESSAGE_LOG_FD],
			[mimic_cv_prog_clang=$mimic_clang; break])
	done
	rm -f conftest.bpf.o
])
AS_IF([test "$mimic_cv_prog_clang" = no],
	[CLANG=; MIMIC_NEED([clang >= 14 (BPF target)], [clang], [clang], [clang])],
	[CLANG=$mimic_cv_prog_clang])
])

# MIMIC_PROG_BPFTOOL: set BPFTOOL to one that works (Ubuntu has a wrapper that may not) and can link objects.
AC_DEFUN([MIMIC_PROG_BPFTOOL], [
AC_ARG_VAR([BPFTOOL], [bpftool, which links the BPF objects and writes their skeletons])
AC_CACHE_CHECK([for bpftool], [mimic_cv_prog_bpftool], [
	mimic_cv_prog_bpftool=no
	mimic_save_path=$PATH
	PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
	for mimic_bpftool in ${BPFTOOL:-bpftool /usr/lib/linux-tools/*/bpftool}; do
		AS_IF([$mimic_bpftool gen help 2>&1 | grep 'gen object' >&AS_MESSAGE_LOG_FD],
			[mimic_cv_prog_bpftool=$(command -v "$mimic_bpftool"); break])
	done
	PATH=$mimic_save_path
])
AS_IF([test "$mimic_cv_prog_bpftool" = no],
	[BPFTOOL=; MIMIC_NEED([bpftool (with gen object)], [bpftool], [bpftool], [bpf])],
	[BPFTOOL=$mimic_cv_prog_bpftool])
])

# MIMIC_COMPLETION_DIR(SHELL, PACKAGE, DIRECTORY): set SHELLcompletiondir, where SHELL looks for completions: what is said to configure, or
# what PACKAGE tells pkg-config, or DIRECTORY. Below another prefix than those of systems everything stays there.
AC_DEFUN([MIMIC_COMPLETION_DIR], [
AC_ARG_WITH([$1-completion-dir],
	[AS_HELP_STRING([--with-$1-completion-dir=DIR], [where the completion for $1 goes, or no])],
	[], [with_$1_completion_dir=yes])
$1completiondir=
AS_CASE([$prefix], [NONE | /usr | /usr/local],
	[m4_ifval([$2], [PKG_CHECK_VAR([$1completiondir], [$2], [completionsdir], [], [:])])])
AS_CASE([$with_$1_completion_dir],
	[yes], [AS_IF([test -z "$$1completiondir"], [$1completiondir=$3])],
	[$1completiondir=$with_$1_completion_dir])
AC_SUBST([$1completiondir])
AM_CONDITIONAL([HAVE_]m4_toupper([$1])[_COMPLETION_DIR], [test "$$1completiondir" != no])
])

# MIMIC_WARNINGS: set BASE_CFLAGS (language and warnings) and WERROR_CFLAGS.
AC_DEFUN([MIMIC_WARNINGS], [
AX_APPEND_COMPILE_FLAGS([ \
	-std=gnu11 \
	-Wall \
	-Wextra \
	-Wshadow \
	-Wstrict-prototypes \
	-Wmissing-prototypes \
	-Wold-style-definition \
	-Wpointer-arith \
	-Wwrite-strings \
	-Wformat=2 \
	-Wundef \
	-Wvla \
	-Wimplicit-fallthrough \
	], [BASE_CFLAGS], [-Werror])
AS_IF([test "$enable_werror" = yes], [WERROR_CFLAGS=-Werror], [WERROR_CFLAGS=])
AC_SUBST([BASE_CFLAGS])
AC_SUBST([WERROR_CFLAGS])
])

# MIMIC_SANITIZERS: set TEST_SANITIZE (flags for compiling and linking the unit tests, where the compiler can)
# and SANITIZE (the same for mimic, with --enable-sanitizers).
AC_DEFUN([MIMIC_SANITIZERS], [
mimic_sanitize="-fsanitize=address,undefined"
AX_CHECK_LINK_FLAG([$mimic_sanitize], [mimic_can_sanitize=yes], [mimic_can_sanitize=no])
TEST_SANITIZE=
SANITIZE=
AS_IF([test "$mimic_can_sanitize" = yes],
	[TEST_SANITIZE="$mimic_sanitize -fno-sanitize-recover=all -fno-omit-frame-pointer"])
AS_IF([test "$enable_sanitizers" = yes], [
	AS_IF([test "$mimic_can_sanitize" = no],
		[AC_MSG_ERROR([--enable-sanitizers: $CC cannot link with $mimic_sanitize (Debian: libasan and libubsan come with gcc, those of clang with libclang-rt-dev)])])
	SANITIZE=$TEST_SANITIZE])
AC_SUBST([TEST_SANITIZE])
AC_SUBST([SANITIZE])
])

# MIMIC_BPF_FLAGS: set BPF_TARGET, BPF_MCPU and BPF_ARCH_CPPFLAGS.
AC_DEFUN([MIMIC_BPF_FLAGS], [
# The objects have the endianness of the host, which is not that of the build machine when cross compiling.
AC_C_BIGENDIAN([BPF_TARGET=bpfeb], [BPF_TARGET=bpfel],
	[AC_MSG_ERROR([cannot find out the endianness of $host])],
	[AC_MSG_ERROR([universal builds are not supported])])
AC_SUBST([BPF_TARGET])

# v3 has 32-bit ALU instructions and jumps, and atomics with a result: in every kernel >= 5.12.
AC_ARG_VAR([BPF_MCPU], [BPF instruction set, as clang's -mcpu (default: v3)])
: "${BPF_MCPU:=v3}"
AC_ARG_VAR([BPF_CFLAGS], [more flags for clang when it compiles the BPF objects])

# linux/types.h includes asm/types.h, which Debian keeps in the directory of the architecture, where clang does
# not look when its target is BPF. The C compiler of the host knows the directory.
AC_CACHE_CHECK([where asm/types.h is], [mimic_cv_asm_dir], [
	AC_LANG_CONFTEST([AC_LANG_SOURCE([[#include <asm/types.h>]])])
	mimic_cv_asm_dir=$($CPP $CPPFLAGS conftest.$ac_ext 2>&AS_MESSAGE_LOG_FD |
		sed -n 's|^# 1 "\(.*\)/asm/types\.h".*|\1|p' | head -n 1)
])
AS_IF([test -z "$mimic_cv_asm_dir"],
	[AC_MSG_ERROR([asm/types.h is missing (Debian: linux-libc-dev, Fedora: kernel-headers, Arch: linux-api-headers)])])
BPF_ARCH_CPPFLAGS="-idirafter $mimic_cv_asm_dir"
# That of MIPS goes by what compilers for MIPS define.
AS_CASE([$host_cpu:$BPF_TARGET],
	[mips*:bpfel], [BPF_ARCH_CPPFLAGS="$BPF_ARCH_CPPFLAGS -D__MIPSEL__ -D_MIPS_SZLONG=64"],
	[mips*:bpfeb], [BPF_ARCH_CPPFLAGS="$BPF_ARCH_CPPFLAGS -D__MIPSEB__ -D_MIPS_SZLONG=64"])
AC_SUBST([BPF_ARCH_CPPFLAGS])
])

# MIMIC_TAR: let `make dist` make the same archive of the same files wherever and whenever, with GNU tar: in order, of nobody, and of the
# time of $(DIST_EPOCH) (Makefile.am).
AC_DEFUN([MIMIC_TAR], [
mimic_tar='--sort=name --owner=0 --group=0 --numeric-owner --mode=u+rw,go+r-w,a+X --format=ustar'
AC_CACHE_CHECK([for a tar that makes reproducible archives], [mimic_cv_tar],
	[AS_IF([${TAR-tar} $mimic_tar --mtime=@0 -chf /dev/null "$srcdir/configure" 2>&AS_MESSAGE_LOG_FD],
		[mimic_cv_tar=yes], [mimic_cv_tar=no])])
AS_IF([test "$mimic_cv_tar" = yes],
	[AC_SUBST([am__tar], ['$(AMTAR) '"$mimic_tar"' --mtime=@$(DIST_EPOCH) -chf - "$$tardir"'])])
])

# MIMIC_ATOMIC: add libatomic to LIBS where the processor cannot access 64 bits at once, as 32-bit MIPS and ARM before version 6.
AC_DEFUN([MIMIC_ATOMIC], [
m4_pushdef([mimic_access], [AC_LANG_PROGRAM([[#include <stdint.h>
static uint64_t value;]], [[return (int)__atomic_load_n(&value, __ATOMIC_SEQ_CST);]])])
AC_MSG_CHECKING([for the library of 64-bit accesses])
AC_LINK_IFELSE([mimic_access], [AC_MSG_RESULT([not needed])], [
	LIBS="-latomic $LIBS"
	AC_LINK_IFELSE([mimic_access], [AC_MSG_RESULT([-latomic])], [
		AC_MSG_RESULT([missing])
		AC_MSG_ERROR([install libatomic, which comes with the compiler in Debian, and run configure again])])])
m4_popdef([mimic_access])
])
