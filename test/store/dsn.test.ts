/** What a dsn may look like, and what is said of one that is no good. */
import t from 'tap'

import { describeAddress, parseDsn, type RedisAddress } from '../../src/store/dsn.js'
import { openStore } from '../../src/store/open.js'

const single = { kind: 'redis', topology: 'single', tls: false, db: 0 }

t.test('every kind of dsn names its store', async t => {
  const cases: [dsn: string, address: object][] = [
    ['embedded:///var/lib/oathgate', { kind: 'embedded', path: '/var/lib/oathgate' }],
    ['embedded://./data', { kind: 'embedded', path: './data' }],
    ['embedded://../data.d', { kind: 'embedded', path: '../data.d' }],
    ['redis://redis', { ...single, hosts: [{ host: 'redis', port: 6379 }] }],
    ['redis://127.0.0.1:7000/3', { ...single, hosts: [{ host: '127.0.0.1', port: 7000 }], db: 3 }],
    ['redis://[::1]:7000?db=4', { ...single, hosts: [{ host: '::1', port: 7000 }], db: 4 }],
    ['redis://:p%40ss%2F@h', { ...single, hosts: [{ host: 'h', port: 6379 }], password: 'p@ss/' }],
    ['redis://:p@ss:word@h', { ...single, hosts: [{ host: 'h', port: 6379 }], password: 'p@ss:word' }],
    ['rediss://user:pass@h:1', { ...single, tls: true, hosts: [{ host: 'h', port: 1 }], username: 'user', password: 'pass' }],
    ['redis+sentinel://a,b:1/mymaster?db=2', {
      ...single, topology: 'sentinel', hosts: [{ host: 'a', port: 26379 }, { host: 'b', port: 1 }], name: 'mymaster', db: 2,
    }],
    ['rediss+sentinel://:p@a/m?sentinel_username=u&sentinel_password=s%2B', {
      ...single, topology: 'sentinel', tls: true, hosts: [{ host: 'a', port: 26379 }], name: 'm', password: 'p', sentinelUsername: 'u', sentinelPassword: 's+',
    }],
    ['redis+cluster://a:1,b:2,c', {
      ...single, topology: 'cluster', hosts: [{ host: 'a', port: 1 }, { host: 'b', port: 2 }, { host: 'c', port: 6379 }],
    }],
  ]
  for (const [dsn, address] of cases) t.strictSame(parseDsn(dsn), address, dsn)
})

t.test('K4 a dsn that is no good is refused with a sentence that repeats no password', async t => {
  const cases: [dsn: string, reason: RegExp][] = [
    ['canary', /no scheme/],
    ['', /no scheme/],
    ['postgres://u:canary@h', /scheme `postgres:\/\/`/],
    ['redis+other://u:canary@h', /scheme `redis\+other:\/\/`/],
    ['embedded://data', /starts with `\/` or `\.\/`/],
    ['embedded:///a\0b', /zero byte/],
    ['redis://', /`host` or `host:port`/],
    ['redis://u:canary@h:0', /`host` or `host:port`/],
    ['redis://u:canary@h:65536', /`host` or `host:port`/],
    ['redis://u:canary@h h', /`host` or `host:port`/],
    ['redis://u:canary@a,b', /several hosts/],
    ['redis://u:canary@h/db', /database must be a number/],
    ['redis://u:canary@h/1/2', /database must be a number/],
    ['redis://u:canary%zz@h', /percent-encoding/],
    ['redis://canary@h', /`user:password@` or `:password@`/],
    ['redis://h?password=canary', /option after `\?`/],
    ['redis+sentinel://u:canary@h', /name is missing/],
    ['redis+cluster://u:canary@h/1', /no databases/],
  ]
  for (const [dsn, reason] of cases) {
    const error = await openStore({ dsn, timeoutMs: 1, keyPrefix: '', durability: 'required', warn: t.fail }).then(() => undefined, (thrown: Error) => thrown)
    t.match(error?.message, reason, dsn)
    t.notMatch(String(error?.stack), 'canary')
  }
})

t.test('an address is described without its credentials', async t => {
  t.equal(describeAddress(parseDsn('redis+sentinel://u:canary@a,b:1/m') as RedisAddress), 'a:26379,b:1 (m)')
})
