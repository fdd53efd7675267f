# bemi_session: a library of its own beside the plugin, for ordinary sessions. Included by the Makefile behind PGXS,
# which builds one shared library by itself and no second one; this one is built by its rules and flags. `all` builds
# it, `install` puts it into pkglibdir, `clean` removes it.

SESSION_LIB = bemi_session$(DLSUFFIX)
SESSION_OBJS = \
	bemi_session.o \
	src/session/comment_lexer.o \
	src/session/context_gate.o \
	src/session/context_pieces.o \
	src/session/current_context.o \
	src/session/emit_calls.o \
	src/session/in_force.o \
	src/session/known_comments.o \
	src/session/plan_gate.o \
	src/session/session_facts.o \
	src/session/session_hooks.o \
	src/session/session_settings.o \
	src/session/session_state.o \
	src/session/statement.o \
	src/session/statement_comments.o \
	src/session/tag_list.o \
	src/session/utility_gate.o
# Rooms of the plugin that know nothing of decoding.
SESSION_SHARED_OBJS = \
	src/decoder/context.o \
	src/decoder/encoding.o \
	src/decoder/json_check.o \
	src/decoder/json_simple.o \
	src/decoder/json_string.o \
	src/decoder/json_writer.o \
	src/decoder/jsonb_size.o

all: $(SESSION_LIB)

$(SESSION_OBJS): $(wildcard $(srcdir)/include/bemi/*.hpp $(srcdir)/src/session/*.hpp)

$(SESSION_LIB): $(SESSION_OBJS) $(SESSION_SHARED_OBJS)
	$(CC) $(CFLAGS) $^ $(LDFLAGS) $(LDFLAGS_SL) -shared $(SHLIB_LINK) -o $@

install: install-session
install-session: $(SESSION_LIB)
	$(MKDIR_P) '$(DESTDIR)$(pkglibdir)'
	$(INSTALL_SHLIB) $(SESSION_LIB) '$(DESTDIR)$(pkglibdir)/$(SESSION_LIB)'

uninstall: uninstall-session
uninstall-session:
	rm -f '$(DESTDIR)$(pkglibdir)/$(SESSION_LIB)'

clean: clean-session
clean-session:
	rm -f $(SESSION_LIB) $(SESSION_OBJS)

.PHONY: install-session uninstall-session clean-session
