/** R10: which hosts a provider's document may not name. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { promisify } from 'node:util'
import t from 'tap'

import { isLoopbackHost, isPrivateAddress, isPrivateHost, publicLookup } from '../../../src/selfservice/strategies/oidc/private-address.js'
import { createProviderFetch, endpointMistake } from '../../../src/selfservice/strategies/oidc/provider-fetch.js'

t.test('R10 addresses', async t => {
  const isPrivate = [
    '0.0.0.0', '10.1.2.3', '100.64.0.1', '127.0.0.1', '127.255.255.255', '169.254.169.254', '172.16.0.1', '172.31.255.255', '192.168.0.1', '198.18.0.1',
    '224.0.0.1', '255.255.255.255', '::', '::1', '::ffff:127.0.0.1', '::ffff:a9fe:a9fe', 'fc00::1', 'fd12::1', 'fe80::1', 'ff02::1', '2001:db8::1', '2002:7f00:1::',
  ]
  const isPublic = ['1.1.1.1', '8.8.8.8', '100.63.255.255', '172.15.0.1', '172.32.0.1', '192.167.1.1', '2606:4700::1111', '2a00:1450::1', '::ffff:8.8.8.8', '64:ff9b::808:808']
  for (const address of isPrivate) t.ok(isPrivateAddress(address), address)
  for (const address of isPublic) t.notOk(isPrivateAddress(address), address)
})

t.test('R10 hosts, as URLs have them', async t => {
  for (const url of ['http://0x7f.1', 'http://2130706433', 'http://127.1', 'http://[::1]', 'http://[::ffff:10.0.0.1]', 'http://localhost', 'http://a.LOCALHOST', 'http://localhost.']) {
    t.ok(isPrivateHost(new URL(url).hostname), url)
  }
  for (const url of ['https://accounts.google.com', 'https://localhost.example.org', 'https://1.1.1.1']) t.notOk(isPrivateHost(new URL(url).hostname), url)
  for (const url of ['http://127.0.0.1:1', 'http://localhost:1', 'http://[::1]:1']) t.ok(isLoopbackHost(new URL(url).hostname), url)
  for (const url of ['http://127.0.0.1.example.org', 'http://10.0.0.1', 'http://localhost.example.org']) t.notOk(isLoopbackHost(new URL(url).hostname), url)
})

t.test('R10 a name that leads to a private address is not connected to', async t => {
  const look = promisify(publicLookup)
  await t.rejects(look('localhost', {}), { message: /which is not a public address/ })
  await t.rejects(look('localhost', { all: true }), { message: /which is not a public address/ })
  await t.rejects(look('no-such-host.invalid', {}), { code: /ENOTFOUND|EAI_AGAIN/ })
})

t.test('endpoints', async t => {
  const named = new Set(['127.0.0.1', 'idp.internal'])
  const rows: readonly (readonly [url: string, mistake: RegExp | undefined])[] = [
    ['http://127.0.0.1:4438/token', undefined],
    ['https://idp.internal/token', undefined],
    ['http://idp.internal/token', /is not https/],
    ['https://accounts.example.org/token', undefined],
    ['http://accounts.example.org/token', /is not https/],
    ['http://127.0.0.2/token', /is not https/],
    ['https://127.0.0.2/token', /is not a public address/],
    ['ftp://accounts.example.org/token', /is not https/],
    ['https://a:b@accounts.example.org/token', /credentials/],
  ]
  for (const [url, mistake] of rows) {
    const found = endpointMistake(new URL(url), named)
    if (mistake === undefined) t.equal(found, undefined, url)
    else t.match(found, mistake, url)
  }
})

t.test('R10 a redirect is an answer, and goes nowhere', async t => {
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(request.url ?? '')
    response.writeHead(302, { location: '/elsewhere' }).end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const answer = await createProviderFetch(new Set(['127.0.0.1']))(`${url}/here`, {})
  t.equal(answer.status, 302)
  t.strictSame(asked, ['/here'])
  await t.rejects(createProviderFetch(new Set())(`${url}/here`, {}), { message: /is not https/ })
})
