/** What the gateway asks of others: upstreams, and the services that handlers ask. They are told which trace they are part of. */
import { SpanKind, type Span, type SpanOptions } from '@opentelemetry/api'

import type { FetchBounded } from '../access/outgoing.js'
import type { Upstream } from '../access/pipeline.js'
import type { AccessRequest } from '../http/access-request.js'
import type { Forwarder } from '../proxy/forward.js'
import type { Upgrader } from '../proxy/upgrade.js'
import type { Spans } from './spans.js'
import { traceFields } from './trace-parent.js'

export function tracedForwarder(forwarder: Forwarder, { stage }: Spans): Forwarder {
  return {
    ...forwarder,
    forward: (req, res, request, decision) => stage('upstream', upstreamSpan(request, decision.rule.upstream), async span => {
      const outcome = await forwarder.forward(req, res, inTrace(request, span), decision)
      if (res.headersSent) span?.setAttribute('http.response.status_code', outcome.status)
      if (outcome.end !== 'complete') span?.setAttribute('error.type', outcome.end)
      return outcome
    }),
  }
}

export function tracedUpgrader(upgrader: Upgrader, { stage }: Spans): Upgrader {
  return {
    ...upgrader,
    upgrade: (req, socket, head, request, decision) => stage('upstream', upstreamSpan(request, decision.rule.upstream), async span => {
      const status = await upgrader.upgrade(req, socket, head, inTrace(request, span), decision)
      span?.setAttribute('http.response.status_code', status)
      return status
    }),
  }
}

export function tracedFetch(fetchBounded: FetchBounded, { stage }: Spans): FetchBounded {
  return request => {
    const { protocol, host, origin, pathname } = new URL(request.url)
    return stage(`fetch ${host}`, clientSpan(request.method, protocol, host, origin + pathname), async span => {
      const answer = await fetchBounded(span === undefined ? request : { ...request, headers: { ...request.headers, ...traceFields(span.spanContext()) } })
      span?.setAttribute('http.response.status_code', answer.status)
      return answer
    })
  }
}

/** The path that the upstream gets may be another one (`strip_path`); the request's own says more to who reads the trace. */
function upstreamSpan({ method, path }: AccessRequest, upstream: Upstream | undefined): SpanOptions {
  if (upstream === undefined) return {}
  const [protocol = '', host = ''] = upstream.origin.split('//')
  return clientSpan(method, protocol, host, upstream.origin + path)
}

function clientSpan(method: string, protocol: string, host: string, url: string): SpanOptions {
  const [, address = '', port] = /^(.*?)(?::(\d+))?$/.exec(host) ?? []
  return {
    kind: SpanKind.CLIENT,
    attributes: {
      'http.request.method': method, 'url.full': url, 'server.address': address, 'server.port': Number(port ?? (protocol === 'https:' ? 443 : 80)),
    },
  }
}

/** The request with the trace it is now in, in place of what the client said. */
function inTrace(request: AccessRequest, span: Span | undefined): AccessRequest {
  if (span === undefined) return request
  const rawHeaders = Object.entries(traceFields(span.spanContext())).flat()
  for (let at = 0; at < request.rawHeaders.length; at += 2) {
    const name = request.rawHeaders[at] as string
    if (!/^trace(parent|state)$/i.test(name)) rawHeaders.push(name, request.rawHeaders[at + 1] as string)
  }
  return { ...request, rawHeaders }
}
