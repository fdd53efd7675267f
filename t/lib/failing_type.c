/*
 * A type whose output function does what its value says, in the ways in which
 * code that is not the server's own may fail, and functions that make values
 * which the server itself would not.
 */
#include "postgres.h"

#include <unistd.h>

#include "access/genam.h"
#include "access/heapam.h"
#include "access/table.h"
#include "access/toast_internals.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(failing_in);
PG_FUNCTION_INFO_V1(failing_out);
PG_FUNCTION_INFO_V1(broken_compression);
PG_FUNCTION_INFO_V1(stray_chunk);
PG_FUNCTION_INFO_V1(broken_text);
PG_FUNCTION_INFO_V1(broken_timestamp);

Datum
failing_in(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(PG_GETARG_CSTRING(0)));
}

/* "raise:SQLSTATE" always, "raise:SQLSTATE:FILE" for as long as the file is there. */
static void
raise_error(const char *what)
{
	const char *file = strchr(what, ':');

	if (file != NULL && access(file + 1, F_OK) != 0)
		return;
	ereport(ERROR,
			(errcode(MAKE_SQLSTATE(what[0], what[1], what[2], what[3], what[4])),
			 errmsg("output of \"%s\" failed", what)));
}

/* Takes all that a transaction gives back at its end, and fails. */
static void
leak_and_fail(void)
{
	Relation	relation = table_open(RelationRelationId, ShareUpdateExclusiveLock);
	SysScanDesc scan = systable_beginscan(relation, InvalidOid, false, NULL, 0, NULL);

	(void) systable_getnext(scan);
	PushActiveSnapshot(GetCatalogSnapshot(RelationRelationId));
	elog(ERROR, "output failed while it held locks, pins and a snapshot");
}

static void
change_setting_and_fail(void)
{
	(void) set_config_option("DateStyle", "German", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SET, true, 0, false);
	elog(ERROR, "output failed after it had changed a setting");
}

static void
fail_in_subtransaction(void)
{
	BeginInternalSubTransaction("output");
	MemoryContextSwitchTo(TopMemoryContext);
	elog(ERROR, "output failed in a subtransaction of its own");
}

static void
fail_in_query(void)
{
	SPI_connect();
	SPI_execute("SELECT 1 / 0", true, 0);
	SPI_finish();
}

Datum
failing_out(PG_FUNCTION_ARGS)
{
	char	   *value = text_to_cstring(PG_GETARG_TEXT_PP(0));

	if (strncmp(value, "raise:", 6) == 0)
		raise_error(value + 6);
	else if (strcmp(value, "leak") == 0)
		leak_and_fail();
	else if (strcmp(value, "setting") == 0)
		change_setting_and_fail();
	else if (strcmp(value, "subtransaction") == 0)
		fail_in_subtransaction();
	else if (strcmp(value, "query") == 0)
		fail_in_query();
	else if (strcmp(value, "memory") == 0)
		value = palloc(MaxAllocSize + 1);
	else if (strcmp(value, "not text") == 0)
		value = pstrdup("\xff\xfe");
	else if (strncmp(value, "sleep", 5) == 0)
	{
		for (int i = 0; i < 20; i++)
		{
			pg_usleep(5000);
			CHECK_FOR_INTERRUPTS();
		}
	}
	PG_RETURN_CSTRING(value);
}

/* Claims to be text of `size` bytes, compressed by `method` (0 pglz, 1 lz4) into `noise` bytes, and is noise. */
Datum
broken_compression(PG_FUNCTION_ARGS)
{
	const int32 size = PG_GETARG_INT32(0);
	const int32 noise = PG_GETARG_INT32(1);
	const int32 method = PG_GETARG_INT32(2);
	struct varlena *value = palloc0(VARHDRSZ_COMPRESSED + noise);

	SET_VARSIZE_COMPRESSED(value, VARHDRSZ_COMPRESSED + noise);
	TOAST_COMPRESS_SET_SIZE_AND_COMPRESS_METHOD(value, size, method);
	memset((char *) value + VARHDRSZ_COMPRESSED, 0xFF, noise);
	PG_RETURN_POINTER(value);
}

/* Writes a sixth chunk of a value that has no others into a table's TOAST table, behind its index's back. */
Datum
stray_chunk(PG_FUNCTION_ARGS)
{
	Relation	table = table_open(PG_GETARG_OID(0), RowExclusiveLock);
	Relation	toast = table_open(table->rd_rel->reltoastrelid, RowExclusiveLock);
	bool		nulls[3] = {false, false, false};
	Datum		values[3] = {ObjectIdGetDatum(1), Int32GetDatum(5), PointerGetDatum(cstring_to_text("stray"))};
	HeapTuple	tuple = heap_form_tuple(RelationGetDescr(toast), values, nulls);

	heap_insert(toast, tuple, GetCurrentCommandId(true), 0, NULL);
	table_close(toast, RowExclusiveLock);
	table_close(table, RowExclusiveLock);
	PG_RETURN_VOID();
}

/* Text that is none in any multibyte encoding. */
Datum
broken_text(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text("good \xE2\x82 bad"));
}

/* Before any date there is. */
Datum
broken_timestamp(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(PG_INT64_MIN + 7);
}
