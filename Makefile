# SPDX-License-Identifier: GPL-2.0
# What there is to make: "make help".

override BUILD := $(abspath $(or $(BUILD),build))
export BUILD
KDIR	?= /lib/modules/$(shell uname -r)/build
PREFIX	?= /usr/local

# The kernel of "make vm" and "make demo", and those of "make test".
KERNEL	?= 6.1
KERNELS	?= 6.1 6.12 7.3

release	= $(shell cut -d'"' -f2 $(KDIR)/include/generated/utsrelease.h)
vm	:= selftests/vm
headers	= $(DESTDIR)/usr/src/net_backend-headers
kind_headers := kind msg queue moderation packet drop buffer rx_run capture skb zerocopy mem region ring rss compat
man	:= $(wildcard Documentation/man/*.[1-9])
version	:= $(shell sed -n 's/.* NB_VERSION "\(.*\)"/\1/p' kmod/version.h)
packaging := tools/packaging
udev	= $(DESTDIR)$(PREFIX)/lib/udev/rules.d
MAKEFLAGS += --no-print-directory

.PHONY: all modules kind_delay nb_tcg tools selftests install uninstall modules_install
.PHONY: deb dkms test-packages
.PHONY: vm vm-build demo demo-vm bench bench-check bench-bounds bench-scale bench-latency bench-smp
.PHONY: test test-debug test-kcsan test-qemu test-testpmd test-sanitized soak coverage fuzz lint htmldocs clean help

all: modules tools

# The module is built in a folder per kernel, from links to the sources, so that
# the sources stay clean and kernels do not get in each other's way.  The folder's
# include/ and Module.symvers are what modules that bring a kind are built against, and
# are installed for them.
modules modules_install: $(KDIR)/Makefile
	@set -e; dir=$(BUILD)/kmod-$(release); mkdir -p $$dir/include; \
	cp -rsf $(addprefix $(CURDIR)/,Kbuild kmod uapi) $$dir; \
	find -L $$dir -type l -delete; \
	ln -sfn ../kmod $$dir/include/net_backend; ln -sfn ../uapi/linux $$dir/include/linux; \
	$(MAKE) -C $(KDIR) M=$$dir INSTALL_MOD_PATH=$(DESTDIR) INSTALL_MOD_DIR=updates $@
	@$(if $(filter modules_install,$@),$(install_headers))

define install_headers
set -e; to=$(headers)-$(release); \
install -D -m 644 -t $$to $(BUILD)/kmod-$(release)/Module.symvers; \
install -D -m 644 -t $$to/include/net_backend $(kind_headers:%=kmod/%.h); \
install -D -m 644 -t $$to/include/linux uapi/linux/*.h
endef

# The example of a kind in a module of its own, built as anybody would build theirs; what
# a guest needs that is emulated.
kind_delay: folder = selftests/kind_delay
nb_tcg: folder = selftests/vm/nb_tcg
kind_delay nb_tcg: modules
	@set -e; dir=$(BUILD)/$@-$(release); mkdir -p $$dir; \
	cp -rsf $(CURDIR)/$(folder)/. $$dir; \
	find -L $$dir -type l -delete; \
	$(MAKE) -C $(KDIR) M=$$dir NB=$(BUILD)/kmod-$(release) modules

$(KDIR)/Makefile:
	@echo "There are no headers of the kernel to build the module for, in $(KDIR)." >&2
	@echo "On Debian: apt install linux-headers-$$(uname -r). If they are elsewhere: make KDIR=..." >&2
	@echo "Without any: make KDIR=\$$($(vm)/kernel 6.1)/build fetches Debian's, for the VM." >&2
	@false

tools:
	@$(MAKE) -C tools BUILD=$(BUILD)/tools

selftests: tools
	@set -e; dir=$(BUILD)/selftests; source=$$($(vm)/source)/tools/testing/selftests; \
	make="$(MAKE) -C selftests KSELFTEST_DIR=$$source OUTPUT=$(BUILD)/selftests.o BUILD=$(BUILD)/tools"; \
	mkdir -p $$dir/net_backend $(BUILD)/selftests.o; \
	$$make INSTALL_PATH=$$dir/net_backend install; \
	$$make -s COLLECTION=net_backend emit_tests > $$dir/kselftest-list.txt; \
	cp -r $$source/run_kselftest.sh $$source/kselftest $$dir

# A page of section 3 is found by the name of each of its functions.
other_names = sed -n '/^\.SH NAME/,/^\.SH [^N]/ { /^\./d; s/\\-.*//; s/, */\n/g; s/ *$$//; p }' $$page | \
	grep -vxF -e '' -e "$$(basename $$page .3)"
man_dir = $(DESTDIR)$(PREFIX)/share/man/man

install:
	@$(MAKE) -C tools BUILD=$(BUILD)/tools PREFIX=$(PREFIX) DESTDIR=$(DESTDIR) install
	@set -e; for page in $(man); do \
		install -D -m 644 $$page $(man_dir)$${page##*.}/$${page##*/}; \
	done; \
	for page in $(filter %.3,$(man)); do \
		for name in $$($(other_names)); do \
			echo ".so man3/$${page##*/}" > $(man_dir)3/$$name.3; \
		done; \
	done
	install -D -m 644 -t $(udev) $(packaging)/60-net_backend.rules

uninstall:
	@$(MAKE) -C tools BUILD=$(BUILD)/tools PREFIX=$(PREFIX) DESTDIR=$(DESTDIR) uninstall
	@for page in $(man); do \
		rm -f $(man_dir)$${page##*.}/$${page##*/}; \
	done; \
	for page in $(filter %.3,$(man)); do \
		for name in $$($(other_names)); do rm -f $(man_dir)3/$$name.3; done; \
	done
	rm -f $(udev)/60-net_backend.rules
	rm -f $(DESTDIR)/lib/modules/*/updates/net_backend.ko*
	rm -rf $(headers)-*

# What "dkms install" takes; Debian packages. See Documentation/packaging.rst.
dkms:
	@$(packaging)/source dkms $(BUILD)/dkms/net-backend-$(version)

deb:
	@$(vm)/setup deb
	@$(packaging)/source deb $(BUILD)/deb/net-backend-$(version)
	cd $(BUILD)/deb/net-backend-$(version) && \
		env -u MAKEFLAGS -u MAKELEVEL -u BUILD dpkg-buildpackage -us -uc

# For the VM's kernel instead of the machine's own.
vm-build:
	@$(MAKE) KDIR="$$($(vm)/kernel $(KERNEL))/build$(if $(LLVM),-clang)" modules kind_delay nb_tcg tools

vm: vm-build
	@$(vm)/run -k $(KERNEL)

demo:
	@$(vm)/setup demo
	$(MAKE) vm-build
	@$(vm)/run -k $(KERNEL) /selftests/demo.sh

# A guest, in the virtual machine.
demo-vm:
	@$(vm)/setup demo-vm
	$(MAKE) vm-build
	@$(vm)/run -k $(KERNEL) -t 1200 -p linux.uml -d "$$($(vm)/uml-guest):uml" /selftests/demo_vm.sh

# Instructions per packet, see Documentation/performance.rst.
bench:
	@$(vm)/setup bench
	$(MAKE) vm-build
	@KERNEL=$(KERNEL) tools/bench/bench all

# The paths of this project against tools/bench/bounds.tsv; that file anew; many objects;
# round trips; packets per second on 2 CPUs.
bench-check bench-bounds bench-scale bench-latency bench-smp:
	@$(vm)/setup bench
	$(MAKE) vm-build
	@KERNEL=$(KERNEL) tools/bench/bench $(@:bench-%=%)

test:
	@$(vm)/setup test
	@KERNELS="$(KERNELS)" TESTS="$(TESTS)" NB_ROUNDS="$(NB_ROUNDS)" $(vm)/test

# The same tests on a kernel with sanitizers and lock checks, and on one that watches for data
# races; see selftests/vm/own-kernel.
test-debug:
	@$(vm)/setup debug
	@KERNELS=debug TESTS="$(TESTS)" NB_ROUNDS="$(NB_ROUNDS)" $(vm)/test

test-kcsan:
	@$(vm)/setup debug
	@KERNELS=kcsan TESTS="$(TESTS)" NB_ROUNDS="$(NB_ROUNDS)" $(vm)/test

# QEMU with a guest, in the virtual machine; DPDK's testpmd there.
test-qemu test-testpmd:
	@$(vm)/setup test
	@KERNELS=$(KERNEL) TESTS=$(@:test-%=%.sh) $(vm)/test

# nbvhost with sanitizers, under its test programs.
test-sanitized:
	@$(vm)/setup test
	$(MAKE) vm-build selftests
	@KERNEL=$(KERNEL) TESTS="$(TESTS)" $(vm)/sanitized

# The test program "soak" for as long as that; see Documentation/testing.rst.
MINUTES ?= 30
soak:
	@$(vm)/setup test
	$(MAKE) vm-build selftests
	@$(vm)/run -k $(KERNEL) -t $$(($(MINUTES) * 60 + 1800)) -m 3G 'cd /selftests/net_backend && \
		NB_SOAK_SECONDS=$$(($(MINUTES) * 60)) NB_SOAK_KINDS="$(KINDS)" ./soak'

# Which lines of the module and of libnb the tests run; see Documentation/testing.rst.
coverage:
	@$(vm)/setup coverage
	@TESTS="$(TESTS)" $(vm)/coverage

# libnb against a kernel that lies, then the module against everybody who can; so many seconds
# each of the five.  See Documentation/testing.rst.
fuzz:
	@$(vm)/setup debug
	@selftests/fuzz/libnb.sh $(or $(SECONDS),60)
	@selftests/fuzz/module.sh $(or $(SECONDS),60) $(TARGETS)

# The packages, used in the VM.
test-packages:
	@$(vm)/setup packages
	@KERNEL=$(KERNEL) $(packaging)/check vm

lint:
	@$(vm)/setup test
	@KERNELS="$(KERNELS)" $(vm)/lint

# The pages of Documentation/ with those of the headers, in build/htmldocs.
htmldocs:
	@$(vm)/setup docs
	@$(vm)/htmldocs
	@echo $(BUILD)/htmldocs/index.html

clean:
	rm -rf $(BUILD)

help:
	@echo 'make                     the module for the running kernel, library and tools'
	@echo 'make install             library, headers and tools    (PREFIX=/usr/local DESTDIR=)'
	@echo 'make modules_install     the module, and headers for modules that bring a kind (DESTDIR=)'
	@echo 'make uninstall           takes both away again'
	@echo 'make dkms                what dkms takes, in build/dkms/'
	@echo 'make deb                 Debian packages, in build/deb/'
	@echo
	@echo 'In a throw-away virtual machine with a kernel of its own; what Debian packages'
	@echo 'that takes, and are not there, gets installed:'
	@echo 'make demo                shows what this is'
	@echo 'make demo-vm             the same with a real guest'
	@echo 'make vm                  a root shell                  (KERNEL=6.1)'
	@echo 'make bench               counts instructions per packet, of this and of its peers'
	@echo 'make bench-check         fails if a path costs more than tools/bench/bounds.tsv allows'
	@echo 'make bench-bounds        makes that file anew, from what is measured'
	@echo 'make bench-latency       round trips: instructions and context switches'
	@echo 'make bench-smp           packets per second on 2 CPUs, as ratios'
	@echo 'make bench-scale         many endpoints, queues and regions: instructions, memory'
	@echo 'make test                all checks and tests          (KERNELS="$(KERNELS)" TESTS="memory badrings")'
	@echo
	@echo 'make test-packages       the packages: built, checked, used in the virtual machine'
	@echo 'make test-debug          the tests on a kernel with sanitizers and lock checks'
	@echo 'make test-kcsan          the same on a kernel that watches for data races'
	@echo 'make test-qemu           those with a guest of QEMU only, and those with DPDK, as clients'
	@echo 'make test-testpmd        of nbvhost'
	@echo 'make test-sanitized      those of nbvhost, which is built with ASan and UBSan'
	@echo 'make soak                traffic, changes and kills    (MINUTES=30 KERNEL=6.1)'
	@echo 'make coverage            the tests, and how much of module and libnb they run'
	@echo 'make fuzz                hostile input for libnb and the module (SECONDS=60 TARGETS="rings ioctls")'
	@echo 'make lint                the checks alone'
	@echo 'make htmldocs            the documentation, for a browser'
	@echo 'make modules             the module alone              (KDIR=/lib/modules/$$(uname -r)/build)'
	@echo 'make kind_delay          the module, and the example of a kind in a module of its own'
	@echo 'make tools, selftests    library and tools, test programs alone'
	@echo 'make clean               removes build/'
	@echo
	@echo 'LLVM=1, W=1, C=1, V=1 do what they do for the kernel.'
