# bemi_ingest: an ordinary C++ program beside the plugin, with exceptions and libpq. Included by the
# Makefile behind PGXS; `all` builds it, `install` puts it into bindir, `clean` removes it.

INGEST_DIR = $(srcdir)/src/ingest
INGEST_BUILD = build/ingest
COMMON_DIR = $(srcdir)/src/common
INGEST_SOURCES = $(sort $(wildcard $(INGEST_DIR)/*.cpp))
COMMON_SOURCES = $(sort $(wildcard $(COMMON_DIR)/*.cpp))
INGEST_SQL = $(sort $(wildcard $(INGEST_DIR)/sql/*.sql))
INGEST_OBJS = $(patsubst $(INGEST_DIR)/%.cpp,$(INGEST_BUILD)/%.o,$(INGEST_SOURCES)) \
	$(patsubst $(COMMON_DIR)/%.cpp,$(INGEST_BUILD)/common/%.o,$(COMMON_SOURCES)) \
	$(INGEST_BUILD)/sql_files.o

# The client library of the machine that builds, which need not be the server's.
INGEST_LIBPQ_CFLAGS ?= $(shell pkg-config --cflags libpq 2>/dev/null || echo -I$$($(PG_CONFIG) --includedir))
INGEST_LIBPQ_LIBS ?= $(shell pkg-config --libs libpq 2>/dev/null || echo -L$$($(PG_CONFIG) --libdir) -lpq)
# OpenSSL, which libpq uses as well: verify hashes rows.
INGEST_CRYPTO_CFLAGS ?= $(shell pkg-config --cflags libcrypto 2>/dev/null)
INGEST_CRYPTO_LIBS ?= $(shell pkg-config --libs libcrypto 2>/dev/null || echo -lcrypto)
INGEST_CXXFLAGS ?= -O2 -g $(INGEST_HARDENING)
# What Debian builds its programs with; scripts/check-hardening asserts it.
INGEST_HARDENING = -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE
INGEST_LDFLAGS = -pie -Wl,-z,relro -Wl,-z,now
INGEST_FLAGS = -std=c++17 -Wall -Wextra -Werror $(INGEST_CXXFLAGS) \
	-I$(srcdir)/include -I$(COMMON_DIR) -I$(INGEST_DIR) $(INGEST_LIBPQ_CFLAGS) \
	$(INGEST_CRYPTO_CFLAGS)
INGEST_HEADERS = $(wildcard $(INGEST_DIR)/*.hpp $(COMMON_DIR)/*.hpp $(srcdir)/include/bemi/wire.hpp)

all: bemi_ingest

bemi_ingest: $(INGEST_OBJS)
	$(CXX) $(INGEST_CXXFLAGS) $(INGEST_LDFLAGS) $^ $(INGEST_LIBPQ_LIBS) $(INGEST_CRYPTO_LIBS) -o $@

$(INGEST_BUILD)/%.o: $(INGEST_DIR)/%.cpp $(INGEST_HEADERS)
	@mkdir -p $(INGEST_BUILD)
	$(CXX) $(INGEST_FLAGS) -c $< -o $@

$(INGEST_BUILD)/common/%.o: $(COMMON_DIR)/%.cpp $(INGEST_HEADERS)
	@mkdir -p $(INGEST_BUILD)/common
	$(CXX) $(INGEST_FLAGS) -c $< -o $@

$(INGEST_BUILD)/sql_files.cpp: $(INGEST_DIR)/embed-sql.sh $(INGEST_SQL)
	@mkdir -p $(INGEST_BUILD)
	$(INGEST_DIR)/embed-sql.sh $(INGEST_SQL) > $@

$(INGEST_BUILD)/sql_files.o: $(INGEST_BUILD)/sql_files.cpp $(INGEST_DIR)/sql_files.hpp
	$(CXX) $(INGEST_FLAGS) -c $< -o $@

install: install-ingest
install-ingest: bemi_ingest
	$(MKDIR_P) '$(DESTDIR)$(bindir)'
	$(INSTALL_PROGRAM) bemi_ingest '$(DESTDIR)$(bindir)/'

uninstall: uninstall-ingest
uninstall-ingest:
	rm -f '$(DESTDIR)$(bindir)/bemi_ingest'

clean: clean-ingest
clean-ingest:
	rm -rf bemi_ingest $(INGEST_BUILD)

.PHONY: install-ingest uninstall-ingest clean-ingest
