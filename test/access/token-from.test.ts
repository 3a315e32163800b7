import t from 'tap'

import { compileTokenFrom } from '../../src/access/token-from.js'
import { accessRequest } from './requests.js'

type Place = Parameters<typeof compileTokenFrom>[0]

t.test('contract 7.10: where the token is', test => {
  const rows: readonly (readonly [from: Place, headers: Record<string, string>, query: string, token: string | undefined])[] = [
    [undefined, { authorization: 'bearer token' }, '', 'token'],
    [undefined, { authorization: 'BEARER token' }, '', 'token'],
    [null, { authorization: 'Bearer a.b.c' }, '', 'a.b.c'],
    [undefined, {}, '', undefined],
    [undefined, { authorization: 'token' }, '', undefined],
    [undefined, { authorization: 'Bearer' }, '', undefined],
    [undefined, { authorization: 'Bearer ' }, '', undefined],
    [undefined, { authorization: 'Basic dTpw' }, '', undefined],
    [undefined, {}, '?access_token=token', undefined],
    [{ header: 'Authorization' }, { authorization: 'bearer token' }, '', 'token'],
    [{ header: 'X-Custom-Header' }, { 'x-custom-header': 'bearer token' }, '', 'bearer token'],
    [{ header: 'X-Custom-Header' }, { authorization: 'bearer token' }, '', undefined],
    [{ query_parameter: 'token' }, { authorization: 'bearer other' }, '?token=a%20b&token=second', 'a b'],
    [{ query_parameter: 'token' }, { 'content-type': 'application/x-www-form-urlencoded' }, '?nothing', undefined],
    [{ cookie: 'session' }, { cookie: 'a=1; session=token' }, '', 'token'],
    [{ cookie: 'session' }, { cookie: 'session=one; session=two' }, '', undefined],
  ]
  for (const [from, headers, query, token] of rows) {
    const found = compileTokenFrom(from)(accessRequest('GET', `http://gateway.test/${query}`, { headers }))
    test.equal(found, token, JSON.stringify([from, headers, query]))
  }
  test.end()
})
