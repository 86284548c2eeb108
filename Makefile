# SPDX-License-Identifier: GPL-2.0-only
#
# What a person types. `make help` explains it. The kernel's own build reads Kbuild, not this file.

KSERIES ?= 7.3
export KSERIES UPDATE RVS_MIRROR T D LOTS SEED DESTDIR PREFIX RVSCTL

# Where a kernel's build folder is given, its build does everything; where not, a prepared Debian kernel in the cache is used.
ifdef KDIR
module = +@scripts/check-kdir '$(KDIR)' && $(MAKE) -C '$(KDIR)' M='$(CURDIR)'
else
module = @scripts/module
endif

.PHONY: all module modules_install clean distclean rvsctl install uninstall toolroot kernel
.PHONY: debug-kernel test test-host test-vm test-diff test-debug demo demo-defense bench shell run fmt fmt-check lint rust-analyzer help

all: module

module:
	$(module) modules

modules_install: module
	$(module) modules_install

clean:
ifdef KDIR
	$(module) clean
else
	@scripts/clean
endif

distclean: clean
	@scripts/clean --all

rvsctl:
	@scripts/rvsctl

install:
	@scripts/install

uninstall:
	@scripts/install --remove

toolroot:
	@scripts/toolroot

kernel:
	@scripts/kernel

debug-kernel:
	@scripts/module --debug

test:
	@D="$${D:---brief}" scripts/test host vm diff

test-host:
	@scripts/test host

test-vm:
	@scripts/test vm

test-diff:
	@scripts/test diff

test-debug:
	@scripts/test debug

demo: module rvsctl
	@qemu/run --tty --timeout 900 -- scripts/demo

demo-defense: module
	@qemu/run --tty --timeout 900 -- scripts/demo-defense

bench: module rvsctl
	@bench/run

shell: module rvsctl
	@qemu/run --tty --timeout 0 -- bash -c 'bash --rcfile qemu/shellrc; true'

ifeq ($(filter run,$(MAKECMDGOALS))$(CMD),run)
$(error say what to run in the guest, for example: make run CMD='uname -a')
endif

run: export RVS_COMMAND := $(value CMD)
run: module rvsctl
	@qemu/run -- bash -c "$$RVS_COMMAND"

fmt:
	@scripts/format

fmt-check:
	@scripts/format --check

lint:
	@scripts/lint

rust-analyzer:
ifdef KDIR
	$(module) rust-analyzer
	@scripts/rust-analyzer '$(CURDIR)=$(CURDIR)'
else
	$(module) rust-analyzer
	@scripts/rust-analyzer
endif

help:
	@scripts/help
