// OpenTelemetry with its instrumentation of pg, which has to be there before pg is. inTrace runs work in a trace as one
// comes in with a request.
const { context, createTraceState, trace } = require('@opentelemetry/api');
const { AsyncLocalStorageContextManager } = require('@opentelemetry/context-async-hooks');
const { PgInstrumentation } = require('@opentelemetry/instrumentation-pg');
const { TracerProvider } = require('@opentelemetry/sdk-trace');

context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
const provider = new TracerProvider();
trace.setGlobalTracerProvider(provider);
new PgInstrumentation({ addSqlCommenterCommentToQueries: true }).setTracerProvider(provider);

const parent = {
  traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
  spanId: '00f067aa0ba902b7',
  traceFlags: 1,
  isRemote: true,
  traceState: createTraceState("shop=it's"),
};

exports.inTrace = (work) => context.with(trace.setSpanContext(context.active(), parent), work);
