/** `when`: which failures of which requests an error handler is responsible for (contract 2.5.5, 7.13). */
import t from 'tap'

import { statusName } from '../../../src/access/errors/status-names.js'
import { type When, compileWhen } from '../../../src/access/errors/when.js'
import { GatewayError } from '../../../src/errors.js'
import { type RequestOptions, accessRequest } from '../requests.js'

function responsible(when: When | undefined, options: RequestOptions = {}, error = new GatewayError('unauthorized')): boolean {
  return compileWhen(when)(error, accessRequest('GET', 'http://h/', options))
}

const accept = (...types: string[]): When => [{ request: { header: { accept: types } } }]
const sends = (accept: string): RequestOptions => ({ headers: { accept } })
const chrome = 'text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.9'
const firefox = 'text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8'

t.test('without conditions it is always responsible', async t => {
  for (const when of [undefined, [], [{}], [{ request: {} }], [{ error: [], request: { header: {} } }]] as (When | undefined)[]) t.ok(responsible(when), JSON.stringify(when))
})

t.test('one of the errors, in one of the items', async t => {
  t.notOk(responsible([{ error: ['forbidden'] }]))
  t.ok(responsible([{ error: ['forbidden', 'unauthorized'] }]))
  t.ok(responsible([{ error: ['not_found'] }, { error: ['unauthorized'] }]))
  t.ok(responsible([{ error: ['internal_server_error'] }], {}, new GatewayError('internal_error')))
  t.ok(responsible([{ error: ['not_found'] }], {}, new GatewayError('no_rule')))
  t.equal(statusName(418), 'im_a_teapot')
  t.equal(statusName(429), 'too_many_requests')
})

t.test('the client must name the media type: its wildcards are literal, ours are not', async t => {
  const rows: [sent: string, wanted: string[], fits: boolean][] = [
    ['application/json', ['application/xml'], false],
    ['application/json', ['application/xml', 'application/json'], true],
    ['application/*', ['application/json'], false],
    ['*/*', ['application/json'], false],
    ['application/*', ['application/*'], true],
    ['*/*', ['*/*'], true],
    ['text/plain;q=0.3, Application/JSON ; q=0.5', ['application/xml', 'application/json'], true],
    ['application/json', ['application/*'], true],
    ['application/json', ['*/*'], true],
    ['applicationx/json', ['application/*'], false],
    [chrome, ['application/json'], false],
    [firefox, ['application/json'], false],
    [chrome, ['text/html'], true],
    ['application/json,text/html', ['text/html'], true],
    ['application/json,text/html', ['text/*'], true],
  ]
  for (const [sent, wanted, fits] of rows) t.equal(responsible(accept(...wanted), sends(sent)), fits, `${sent} for ${wanted.join()}`)
  t.notOk(responsible(accept('application/json')), 'no Accept at all')
  t.ok(responsible(accept('application/octet-stream')), 'which counts as application/octet-stream')
})

t.test('content_type is compared likewise', async t => {
  const when: When = [{ request: { header: { content_type: ['application/json'] } } }]
  t.ok(responsible(when, { headers: { 'content-type': 'application/json; charset=utf-8' } }))
  t.notOk(responsible(when))
  t.notOk(responsible(when, { headers: { 'content-type': ';;' } }), 'what can not be parsed fits nothing')
})

t.test('remote_ip and cidr are both honoured', async t => {
  const cidr: When = [{ request: { cidr: ['192.168.1.0/24', '2001:db8::/32'] } }]
  const remoteIp: When = [{ request: { remote_ip: { match: ['192.168.1.0/24', '2001:db8::/32'], respect_forwarded_for_header: false } } }]
  for (const when of [cidr, remoteIp]) {
    t.ok(responsible(when, { clientAddress: '192.168.1.1' }))
    t.ok(responsible(when, { clientAddress: '2001:db8:1::1' }))
    t.notOk(responsible(when, { clientAddress: '192.168.2.1' }))
    t.notOk(responsible(when, { clientAddress: '192.168.2.1', headers: { 'x-forwarded-for': '192.168.1.1' } }))
    t.notOk(responsible(when, { clientAddress: 'unknown' }))
  }
  const forwarded: When = [{ request: { remote_ip: { match: ['192.168.1.0/24'], respect_forwarded_for_header: true } } }]
  t.ok(responsible(forwarded, { clientAddress: '192.168.2.1', headers: { 'x-forwarded-for': '10.0.0.1, 192.168.1.1' } }))
  t.notOk(responsible(forwarded, { clientAddress: '192.168.2.1', headers: { 'x-forwarded-for': '10.0.0.1, nonsense' } }))
})

t.test('all parts of an item must fit', async t => {
  const when: When = [{ error: ['unauthorized'], request: { header: { accept: ['text/html'] }, cidr: ['10.0.0.0/8'] } }]
  t.ok(responsible(when, { ...sends('text/html'), clientAddress: '10.1.1.1' }))
  t.notOk(responsible(when, { ...sends('text/plain'), clientAddress: '10.1.1.1' }))
  t.notOk(responsible(when, { ...sends('text/html'), clientAddress: '11.1.1.1' }))
  t.notOk(responsible(when, { ...sends('text/html'), clientAddress: '10.1.1.1' }, new GatewayError('forbidden')))
})

t.test('a request that could not be read fits no condition about requests', async t => {
  t.notOk(compileWhen(accept('*/*'))(new GatewayError('bad_request'), undefined))
  t.ok(compileWhen([{ error: ['bad_request'] }])(new GatewayError('bad_request'), undefined))
})

t.test('what is no network is refused at load', t => {
  for (const cidr of ['10.0.0.0', '10.0.0.0/33', '10.0.0/8', '::1/129', 'x/8', '10.0.0.0/8/9', '10.0.0.0/-1', '/8', '']) {
    t.throws(() => compileWhen([{ request: { cidr: [cidr] } }]), /is no network/, cidr)
  }
  t.end()
})
