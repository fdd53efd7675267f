/*
 * The floor of what an output plugin can cost: looks at nothing, and emits nothing or the same
 * number of bytes for every row change.
 *
 *   bytes  bytes a change, 0 by default; may have a fraction, which adds up
 *   batch  0: a message a change; else changes are gathered into messages of this many bytes,
 *          which end with their transaction, as those of bemi_decoder do
 */
#include "postgres.h"

#include "fmgr.h"
#include "nodes/parsenodes.h"
#include "replication/logical.h"
#include "replication/output_plugin.h"
#include "utils/memutils.h"

PG_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_output_plugin_init(OutputPluginCallbacks *callbacks);

typedef struct NullState
{
	double		bytes;
	double		owed;			/* fractions of bytes that were not emitted yet */
	int			batch;
	bool		open;			/* a message is being filled */
} NullState;

/* What is copied into messages: like a record, it does not fit into a cache line. */
static char filling[65536];

static void
null_startup(LogicalDecodingContext *ctx, OutputPluginOptions *options, bool is_init)
{
	NullState  *state = MemoryContextAllocZero(ctx->context, sizeof(NullState));
	ListCell   *cell;

	options->output_type = OUTPUT_PLUGIN_TEXTUAL_OUTPUT;
	ctx->output_plugin_private = state;
	memset(filling, 'x', sizeof(filling));
	foreach(cell, ctx->output_plugin_options)
	{
		DefElem    *option = lfirst(cell);

		if (strcmp(option->defname, "bytes") == 0)
			state->bytes = strtod(strVal(option->arg), NULL);
		else if (strcmp(option->defname, "batch") == 0)
			state->batch = atoi(strVal(option->arg));
		else
			elog(ERROR, "unknown option \"%s\"", option->defname);
	}
}

static void
null_begin(LogicalDecodingContext *ctx, ReorderBufferTXN *txn)
{
}

static void
null_change(LogicalDecodingContext *ctx, ReorderBufferTXN *txn, Relation relation,
			ReorderBufferChange *change)
{
	NullState  *state = ctx->output_plugin_private;
	int			left;

	if (state->bytes == 0)
		return;
	state->owed += state->bytes;
	left = (int) state->owed;
	state->owed -= left;
	if (!state->open)
		OutputPluginPrepareWrite(ctx, true);
	state->open = true;
	while (left > 0)
	{
		int			piece = Min(left, (int) sizeof(filling));

		appendBinaryStringInfo(ctx->out, filling, piece);
		left -= piece;
	}
	if (ctx->out->len < state->batch)
		return;
	OutputPluginWrite(ctx, true);
	state->open = false;
}

static void
null_commit(LogicalDecodingContext *ctx, ReorderBufferTXN *txn, XLogRecPtr commit_lsn)
{
	NullState  *state = ctx->output_plugin_private;

	if (state->open)
		OutputPluginWrite(ctx, true);
	state->open = false;
}

void
_PG_output_plugin_init(OutputPluginCallbacks *callbacks)
{
	callbacks->startup_cb = null_startup;
	callbacks->begin_cb = null_begin;
	callbacks->change_cb = null_change;
	callbacks->commit_cb = null_commit;
}
