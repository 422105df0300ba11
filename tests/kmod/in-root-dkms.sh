#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Runs as root in a Debian with dkms, by kmod_dkms: in-root-dkms.sh SOURCES VERSION RELEASE OUT. SOURCES is what a
# source package of the module would hold; the directory OUT gets what DKMS installed: kmod/mimic.ko, decompressed; and
# installed/, the file as it is and modules.dep; and mok.pub, the certificate of DKMS's key (DER).
set -eu
sources=$1 version=$2 release=$3 out=$4

fail()
{
	echo "FAIL: $*"
	tail -n 40 /var/lib/dkms/mimic/"$version"/build/make.log 2>/dev/null
	exit 1
}

installed() { dkms status -m mimic -v "$version" -k "$release" | grep -q ': installed'; }

# The file that modprobe would load, decompressed.
unpack()
{
	local file
	file=$(modinfo -k "$release" -n mimic)
	[[ $file = */updates/dkms/mimic.ko* ]] || fail "installed to $file"
	case $file in
	*.xz) xz -dc "$file" ;;
	*.zst) zstd -qdc "$file" ;;
	*.gz) gzip -dc "$file" ;;
	*) cat "$file" ;;
	esac >"$1"
}

# verified MODULE: the signature at its end (include/linux/module_signature.h) is that of DKMS's $key over what precedes.
verified()
{
	local magic='~Module signature appended~' size len
	size=$(stat -c %s "$1")
	[ "$(tail -c 28 "$1")" = "$magic" ] || fail "not signed"
	# struct module_signature: its last field is the length of the signature, in network order.
	len=$((16#$(tail -c 32 "$1" | head -c 4 | od -An -v -tx1 | tr -d ' ')))
	head -c $((size - 28 - 12 - len)) "$1" >/tmp/content
	tail -c $((28 + 12 + len)) "$1" | head -c "$len" >/tmp/signature
	for key in /var/lib/dkms/mok.pub /var/lib/shim-signed/mok/MOK.der; do
		[ -e "$key" ] && break
	done
	openssl x509 -inform DER -in "$key" -out /tmp/key.pem
	openssl cms -verify -inform DER -in /tmp/signature -binary -content /tmp/content -certfile /tmp/key.pem \
		-nointern -noverify -out /dev/null || fail "the signature does not fit"
	modinfo "$1" | grep -E '^(version|signer|sig_hashalgo|vermagic):'
}

dkms --version
echo "--- dkms add, build, install"
dkms add "$sources"
dkms build -m mimic -v "$version" -k "$release" || fail "dkms build"
dkms install -m mimic -v "$version" -k "$release" || fail "dkms install"
dkms status
installed || fail "not installed"
unpack /tmp/mimic.ko
verified /tmp/mimic.ko
mkdir -p "$out/kmod" "$out/installed"
cp /tmp/mimic.ko "$out/kmod"
cp "$key" "$out/mok.pub"
file=$(modinfo -k "$release" -n mimic)
grep "^updates/dkms/${file##*/}:" "/lib/modules/$release/modules.dep" || fail "not in modules.dep"
cp "$file" "/lib/modules/$release/modules.dep" "$out/installed"

echo "--- when a kernel is installed"
dkms remove -m mimic -v "$version" -k "$release" || fail "dkms remove"
dkms add -m mimic -v "$version" 2>/dev/null || true
modinfo -k "$release" mimic 2>/dev/null && fail "it is still there"
for hook in /etc/kernel/postinst.d/dkms /etc/kernel/header_postinst.d/dkms; do
	[ -x $hook ] && break
done
DEB_MAINT_PARAMS="configure " "$hook" "$release" "/boot/vmlinuz-$release" || fail "$hook"
installed || fail "$hook did not build it"
unpack /tmp/again.ko
verified /tmp/again.ko

echo "--- kernels that are excluded"
# shellcheck disable=SC1091
(
	kernel_source_dir=
	. "$sources/dkms.conf"
	for good in 6.1.0-50-amd64 6.12.1 6.10.0 7.0.0-rc1 7.2.13+deb14-amd64 10.1.0; do
		[[ $good =~ $BUILD_EXCLUSIVE_KERNEL ]] || fail "$good is excluded"
	done
	for bad in 5.10.0-30-amd64 6.0.9 5.6.1 4.19.6.1; do
		[[ $bad =~ $BUILD_EXCLUSIVE_KERNEL ]] && fail "$bad is not excluded"
	done
	true
)

# left_out RELEASE CONFIG: dkms itself does not try to build for such a kernel, and says that it is not meant to.
left_out()
{
	local tree=/tmp/left-out/$1
	mkdir -p "$tree/include/generated" "/lib/modules/$1"
	printf '%s' "$2" >"$tree/.config"
	ln -sfn "$tree" "/lib/modules/$1/build"
	if dkms build -m mimic -v "$version" -k "$1" --kernelsourcedir "$tree" >/tmp/left-out.log 2>&1; then
		cat /tmp/left-out.log
		fail "dkms builds for $1"
	fi
	grep -q 'BUILD_EXCLUSIVE' /tmp/left-out.log || { cat /tmp/left-out.log; fail "dkms fails otherwise for $1"; }
	rm -rf "/lib/modules/$1" "$tree"
}
btf=$'CONFIG_DEBUG_INFO_BTF_MODULES=y\n'
left_out 5.10.0-30-amd64 "$btf"
left_out 6.0.9 "$btf"
left_out 6.12.99-nobtf '# CONFIG_DEBUG_INFO_BTF_MODULES is not set'$'\n'

echo "--- dkms remove"
dkms remove -m mimic -v "$version" --all || fail "dkms remove --all"
modinfo -k "$release" mimic 2>/dev/null && fail "it is still there"
exit 0
