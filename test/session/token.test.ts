/** What is signed, and what only looks like it. */
import t from 'tap'

import { createKnownDevices } from '../../src/selfservice/known-device.js'
import { createTokens } from '../../src/session/token.js'

const secrets = ['a secret of thirty-two characters']

t.test('a cookie with as many characters as a signature, but more bytes, is refused and breaks nothing', async t => {
  const tokens = createTokens(secrets)
  const token = tokens.issue()
  t.type(tokens.hashOf(token), 'string')
  t.equal(tokens.hashOf(`${token.slice(0, -1)}\xff`), undefined)
  t.equal(tokens.hashOf(`${token.slice(0, -2)}\xff`), undefined, 'nor with as many bytes')

  const devices = createKnownDevices(secrets)
  const cookie = devices.remember('ann')
  t.type(devices.recognise(cookie, 'ann'), 'string')
  t.equal(devices.recognise(`${cookie.slice(0, -1)}\xff`, 'ann'), undefined)
})
