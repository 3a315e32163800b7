/** The two header fields in which a trace travels (W3C Trace Context, sections 3.2 and 3.3). */
import type { IncomingHttpHeaders } from 'node:http'
import { createTraceState, TraceFlags, type SpanContext } from '@opentelemetry/api'

/** The context that a sender says it is in; absent when it says none that is valid. Unknown versions are read as far as they are known. */
export function readTraceParent({ traceparent, tracestate }: IncomingHttpHeaders): SpanContext | undefined {
  if (typeof traceparent !== 'string') return undefined
  const [, version, traceId = '', spanId = '', flags = '', more] =
    /^([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/.exec(traceparent) ?? []
  if (version === undefined || version === 'ff' || (version === '00' && more !== undefined)) return undefined

  return {
    traceId, spanId, isRemote: true,
    traceFlags: parseInt(flags, 16) & TraceFlags.SAMPLED,
    ...(typeof tracestate === 'string' && tracestate !== '' ? { traceState: createTraceState(tracestate) } : {}),
  }
}

/** The fields by which the next one learns the context it is in, by lower-case name. */
export function traceFields({ traceId, spanId, traceFlags, traceState }: SpanContext): Readonly<Record<string, string>> {
  const state = traceState?.serialize() ?? ''
  return {
    traceparent: `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`,
    ...(state === '' ? {} : { tracestate: state }),
  }
}
