/** A receiver of traces: takes OTLP over HTTP and reads the protobuf by the field numbers of the published schema (opentelemetry-proto, trace/v1). */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'

export interface ReceivedSpan {
  readonly traceId: string
  readonly spanId: string
  /** Empty for the first of a trace. */
  readonly parentSpanId: string
  readonly traceState: string
  readonly name: string
  readonly kind: 'internal' | 'server' | 'client'
  readonly startNs: bigint
  readonly endNs: bigint
  readonly attributes: Readonly<Record<string, unknown>>
  readonly links: readonly { readonly traceId: string, readonly spanId: string }[]
  readonly failed: boolean
  /** Attributes of what sent it. */
  readonly resource: Readonly<Record<string, unknown>>
}

export interface OtlpReceiver {
  /** The endpoint. */
  readonly url: string
  readonly spans: readonly ReceivedSpan[]
  /** All bytes that came, as latin1. */
  readonly bytes: () => string
  /** Header fields of the last request. */
  readonly headers: () => Readonly<Record<string, unknown>>
  /** Answers with that status from now on, without taking anything; 200 takes again. */
  answer(status: number): void
}

export async function startOtlpReceiver(t: Test): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = []
  const bodies: Buffer[] = []
  let headers: Readonly<Record<string, unknown>> = {}
  let status = 200
  const server = createServer((req, res) => {
    const chunks: Buffer[] = []
    req.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => {
      headers = req.headers
      const isOtlp = req.method === 'POST' && req.url === '/v1/traces' && req.headers['content-type'] === 'application/x-protobuf'
      if (isOtlp && status === 200) {
        const body = Buffer.concat(chunks)
        bodies.push(body)
        spans.push(...readRequest(body))
      }
      res.writeHead(isOtlp ? status : 400, { 'content-type': 'application/x-protobuf' }).end()
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/traces`,
    spans, bytes: () => Buffer.concat(bodies).toString('latin1'), headers: () => headers, answer(next) { status = next },
  }
}

/** The values of a message by field number, each as often as it is there. */
type Message = ReadonlyMap<number, readonly (Buffer | bigint)[]>

/** Protobuf's wire format: varints, 64 bits, lengths, 32 bits. */
function readMessage(bytes: Buffer): Message {
  const fields = new Map<number, (Buffer | bigint)[]>()
  let at = 0
  const varint = (): bigint => {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes.readUInt8(at++)
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
  }
  const fixed = (length: number): bigint => {
    at += length
    return length === 8 ? bytes.readBigUInt64LE(at - 8) : BigInt(bytes.readUInt32LE(at - 4))
  }
  const chunk = (): Buffer => {
    const length = Number(varint())
    at += length
    return bytes.subarray(at - length, at)
  }
  while (at < bytes.length) {
    const tag = Number(varint())
    const read = [varint, () => fixed(8), chunk, undefined, undefined, () => fixed(4)][tag & 7]
    if (read === undefined) throw new Error(`wire type ${tag & 7}`)
    fields.set(tag >> 3, [...fields.get(tag >> 3) ?? [], read()])
  }
  return fields
}

const buffers = (message: Message, field: number): readonly Buffer[] => (message.get(field) ?? []) as readonly Buffer[]
const messages = (message: Message, field: number): Message[] => buffers(message, field).map(readMessage)
const text = (message: Message, field: number): string => buffers(message, field)[0]?.toString('utf8') ?? ''
const hex = (message: Message, field: number): string => buffers(message, field)[0]?.toString('hex') ?? ''
const number = (message: Message, field: number): bigint => (message.get(field)?.[0] ?? 0n) as bigint

function readRequest(body: Buffer): ReceivedSpan[] {
  return messages(readMessage(body), 1).flatMap(resourceSpans => {
    const resource = attributesOf(messages(resourceSpans, 1)[0] ?? new Map(), 1)
    return messages(resourceSpans, 2).flatMap(scopeSpans => messages(scopeSpans, 2)).map(span => readSpan(span, resource))
  })
}

function readSpan(span: Message, resource: ReceivedSpan['resource']): ReceivedSpan {
  return {
    traceId: hex(span, 1), spanId: hex(span, 2), traceState: text(span, 3), parentSpanId: hex(span, 4), name: text(span, 5),
    kind: (['internal', 'internal', 'server', 'client'] as const)[Number(number(span, 6))] ?? 'internal',
    startNs: number(span, 7), endNs: number(span, 8),
    attributes: attributesOf(span, 9),
    links: messages(span, 13).map(link => ({ traceId: hex(link, 1), spanId: hex(link, 2) })),
    failed: messages(span, 15).some(status => number(status, 3) === 2n),
    resource,
  }
}

function attributesOf(message: Message, field: number): Record<string, unknown> {
  return Object.fromEntries(messages(message, field).map(pair => [text(pair, 1), valueOf(messages(pair, 2)[0] ?? new Map())]))
}

function valueOf(value: Message): unknown {
  if (value.has(1)) return text(value, 1)
  if (value.has(2)) return number(value, 2) === 1n
  if (value.has(3)) return Number(number(value, 3))
  throw new Error('a value that is neither text, boolean nor whole number')
}
