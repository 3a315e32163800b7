/** What is signed, and what only looks like it. */
import t from 'tap'

import { createKnownDevices } from '../../src/selfservice/known-device.js'
import { isSigned, newToken } from '../../src/session/token.js'

const secrets = ['a secret of thirty-two characters']

t.test('a cookie with as many characters as a signature, but more bytes, is refused and breaks nothing', async t => {
  const token = newToken(secrets)
  t.equal(isSigned(token, secrets), true)
  t.equal(isSigned(`${token.slice(0, -1)}\xff`, secrets), false)
  t.equal(isSigned(`${token.slice(0, -2)}\xff`, secrets), false, 'nor with as many bytes')

  const devices = createKnownDevices(secrets)
  const cookie = devices.remember('ann')
  t.type(devices.recognise(cookie, 'ann'), 'string')
  t.equal(devices.recognise(`${cookie.slice(0, -1)}\xff`, 'ann'), undefined)
})
