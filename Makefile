# Builds and installs the output plugin and the extension with PGXS:
#   make && make install            (PG_CONFIG=… chooses another server)
# Tests: scripts/test runs everything; `make installcheck` runs what is here against a server
# that REGRESS_OPTS describes (see CONTRIBUTING.md).

MODULE_big = bemi_decoder
OBJS = \
	bemi_decoder.o \
	src/decoder/callbacks.o \
	src/decoder/context.o \
	src/decoder/encoding.o \
	src/decoder/filter.o \
	src/decoder/guard.o \
	src/decoder/json_check.o \
	src/decoder/json_simple.o \
	src/decoder/json_string.o \
	src/decoder/json_writer.o \
	src/decoder/jsonb_size.o \
	src/decoder/key.o \
	src/decoder/options.o \
	src/decoder/oversize.o \
	src/decoder/pattern.o \
	src/decoder/record.o \
	src/decoder/relation.o \
	src/decoder/relation_cache.o \
	src/decoder/relation_keys.o \
	src/decoder/session.o \
	src/decoder/settings.o \
	src/decoder/transaction.o \
	src/decoder/transaction_facts.o \
	src/decoder/tuple.o \
	src/decoder/tuple_columns.o \
	src/decoder/value.o \
	src/decoder/value_containers.o \
	src/decoder/value_jsonb.o \
	src/decoder/value_numeric.o \
	src/decoder/value_scalars.o \
	src/decoder/value_times.o

EXTENSION = bemi_decoder
EXTVERSION = 1.0
EXTENSION_SQL = $(sort $(wildcard extension/*.sql))
DATA_built = bemi_decoder--$(EXTVERSION).sql
EXTRA_CLEAN = bemi_decoder--*.sql tmp_check tmp_check_iso output_iso

# Listed by name, one topic each, in the order in which a reader would want them.
REGRESS = \
	setup \
	record \
	types \
	identities \
	keys \
	unique_keys \
	context \
	subtransactions \
	prepared \
	toast \
	truncate \
	partitions \
	columns \
	renames \
	quoting \
	options \
	filters \
	masks \
	server_settings \
	origin \
	messages \
	batch_size \
	oversize \
	hostile_settings \
	errors \
	kinds \
	quote_numbers \
	encodings \
	extension \
	track \
	track_all \
	check \
	session_comments \
	session_tags \
	session_messages \
	session_emit \
	session_context \
	session_savepoints \
	session_writers \
	session_nested \
	session_include
# What the tests share comes first, also where only some of them are asked for.
ifneq ($(strip $(REGRESS)),)
override REGRESS := setup $(filter-out setup,$(REGRESS))
endif
ENCODING = UTF8
NO_LOCALE = 1

TAP_TESTS = 1

# Debian's clang bitcode step would need C++ flags of its own, and a plugin gains nothing from it.
override with_llvm = no

PG_CPPFLAGS = -I$(srcdir)/include -I$(srcdir)/src/common -I$(srcdir)/src/session
PG_CXXFLAGS = -std=c++17 -fno-exceptions -fno-rtti -fno-threadsafe-statics -fvisibility=hidden \
	-Wall -Wextra -Werror -Wno-register -Wno-unused-parameter $(BEMI_CXXFLAGS)

# The C runtime's start files serve programs and C++ destructors; a plugin has neither.
SHLIB_LINK += -nostartfiles $(BEMI_LDFLAGS)

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

# Every object depends on every header of ours: few enough, and never a stale object.
$(OBJS): $(wildcard $(srcdir)/include/bemi/*.hpp $(srcdir)/src/decoder/*.hpp)

bemi_decoder--$(EXTVERSION).sql: $(EXTENSION_SQL)
	cat $(EXTENSION_SQL) > $@

include $(srcdir)/src/ingest/ingest.mk
include $(srcdir)/src/session/session.mk

# A tarball of the last commit, the same bytes wherever it is made; Debian packages for the server of PG_CONFIG.
DIST = bemi_decoder-$(EXTVERSION)
dist:
	@mkdir -p build
	git -C $(srcdir) archive --format=tar --prefix=$(DIST)/ HEAD | gzip -9n > build/$(DIST).tar.gz
	@sha256sum build/$(DIST).tar.gz

deb:
	PG_CONFIG='$(PG_CONFIG)' $(srcdir)/scripts/make-deb

.PHONY: dist deb
