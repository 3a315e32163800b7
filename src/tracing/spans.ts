/** Spans and what they are parts of: the span that is current is that of whatever awaits the work. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { ROOT_CONTEXT, SpanStatusCode, trace, type Link, type Span, type SpanContext, type SpanOptions, type Tracer } from '@opentelemetry/api'

import { toGatewayError } from '../errors.js'

export interface Spans {
  /** Begins a trace, or continues the one of `parent`. */
  begin(name: string, options: SpanOptions, parent: SpanContext | undefined): Span
  /** Does the work as a part of the span. */
  within<T>(span: Span, work: () => T): T
  /**
   * Does the work in a span of its own, as a part of the current one; without a current one nothing is traced. A failure is told
   * by its code alone, since messages may hold anything.
   */
  stage<T>(name: string, options: SpanOptions, work: (span: Span | undefined) => T | Promise<T>): Promise<T>
}

export function createSpans(tracer: Tracer): Spans {
  const current = new AsyncLocalStorage<Span>()

  return {
    begin(name, options, parent) {
      const context = parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, parent)
      return tracer.startSpan(name, options, context)
    },
    within: (span, work) => current.run(span, work),
    async stage(name, options, work) {
      const parent = current.getStore()
      if (parent === undefined) return work(undefined)

      const span = tracer.startSpan(name, options, trace.setSpan(ROOT_CONTEXT, parent))
      try {
        return await current.run(span, () => work(span))
      } catch (thrown) {
        noteFailure(span, toGatewayError(thrown))
        throw thrown
      } finally {
        span.end()
      }
    },
  }
}

/** Refusals are no errors of ours. */
export function noteFailure(span: Span, { code, status }: { readonly code: string, readonly status: number }): void {
  span.setAttribute('error.type', code)
  if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR })
}

/** A trace that somebody else is in is no parent, but can be found from here. */
export function linkTo(context: SpanContext | undefined): Link[] {
  return context === undefined ? [] : [{ context }]
}
