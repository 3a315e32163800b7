/** The span of a whole request, by the conventions for HTTP servers. It tells no query, no cookie, no header value and no subject. */
import type { IncomingMessage } from 'node:http'
import { SpanKind, SpanStatusCode, type Attributes, type Span } from '@opentelemetry/api'

import { createTrust, plainAddress } from '../http/client-address.js'
import type { ExchangeState } from '../http/exchange.js'
import { noteFailure, linkTo, type Spans } from './spans.js'
import { readTraceParent } from './trace-parent.js'
import type { Tracing } from './tracing.js'

/**
 * A trace is continued for a trusted proxy alone: anybody else could have any number of requests recorded, or its own recorded as
 * part of somebody else's trace. Theirs begin a new one, with a link to what they said.
 */
export function createRequestSpans(spans: Spans, trustedProxies: readonly string[]): Pick<Tracing, 'requests' | 'requestsBelow' | 'upgrades' | 'endings'> {
  const isTrusted = createTrust(trustedProxies)
  const upgrading = new WeakMap<ExchangeState, { req: IncomingMessage, span: Span }>()

  function begin(req: IncomingMessage, exchange: ExchangeState): Span {
    const said = readTraceParent(req.headers)
    const isParent = said !== undefined && isTrusted(plainAddress(req.socket.remoteAddress ?? ''))
    const span = spans.begin(methodOf(req), { kind: SpanKind.SERVER, ...(isParent ? {} : { links: linkTo(said) }) }, isParent ? said : undefined)
    exchange.traceId = span.spanContext().traceId
    return span
  }

  const requests: Tracing['requests'] = handle => (req, res, exchange) => {
    const span = begin(req, exchange)
    res.once('close', () => {
      const status = exchange.refusal?.status ?? (res.headersSent ? res.statusCode : 499)
      setImmediate(() => { end(span, req, exchange, status) }) // by then all has been noted, see logExchange
    })
    spans.within(span, () => { handle(req, res, exchange) })
  }

  return {
    requests,
    requestsBelow(path, handle) {
      const traced = requests(handle)
      return (req, res, exchange) => { (req.url?.startsWith(path) ? traced : handle)(req, res, exchange) }
    },
    upgrades: handle => (req, socket, head, exchange) => {
      const span = begin(req, exchange)
      upgrading.set(exchange, { req, span })
      spans.within(span, () => { handle(req, socket, head, exchange) })
    },
    endings: metrics => ({
      ...metrics,
      ended(via, exchange, status, ms) {
        metrics.ended(via, exchange, status, ms)
        const upgrade = upgrading.get(exchange)
        if (upgrade !== undefined) end(upgrade.span, upgrade.req, exchange, status ?? 499)
      },
    }),
  }
}

function end(span: Span, req: IncomingMessage, exchange: ExchangeState, status: number): void {
  if (span.isRecording()) {
    span.updateName([methodOf(req), exchange.ruleId ?? exchange.route].filter(part => part !== undefined).join(' '))
    span.setAttributes(attributesOf(req, exchange, status))
    const failure = exchange.refusal ?? exchange.failure
    if (failure !== undefined) noteFailure(span, { code: failure.code, status })
    else if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR }).setAttribute('error.type', String(status))
  }
  span.end()
}

function attributesOf(req: IncomingMessage, { request, requestId, ruleId, route, decision }: ExchangeState, status: number): Attributes {
  const [, address, port] = /^(.*?)(?::(\d+))?$/.exec(request?.host ?? '') ?? []
  return {
    'http.request.method': methodOf(req),
    'http.response.status_code': status,
    'network.protocol.version': req.httpVersion,
    ...defined({
      'url.path': request?.path, 'url.scheme': request?.scheme, 'client.address': request?.clientAddress,
      'server.address': address === '' ? undefined : address, 'server.port': port === undefined ? undefined : Number(port),
      'http.route': route, 'oathgate.rule_id': ruleId, 'oathgate.decision': decision,
    }),
    'oathgate.request_id': requestId,
  }
}

function defined(attributes: Readonly<Record<string, string | number | undefined>>): Attributes {
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined)) as Attributes
}

const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'QUERY'])

/** A name of a span must not be the client's to make up. */
function methodOf({ method = '' }: IncomingMessage): string {
  return methods.has(method) ? method : '_OTHER'
}
