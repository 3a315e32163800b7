/** Memory that upstreams' bytes are read into: used again, and by one connection at a time. */
import t from 'tap'

import { lendReadBuffer, returnReadBuffer, takeReadBuffer } from '../../src/proxy/client/read-buffers.js'

t.test('a buffer whose connection has ended is used by the next one', async t => {
  const buffer = takeReadBuffer()
  returnReadBuffer(buffer)
  t.equal(takeReadBuffer(), buffer)
})

t.test('a buffer that is being written when its connection ends is nobody else\'s until it is written, and then of one', async t => {
  const buffer = takeReadBuffer()
  const written = [lendReadBuffer(buffer), lendReadBuffer(buffer)]
  returnReadBuffer(buffer)
  t.not(takeReadBuffer(), buffer)
  written[0]?.()
  t.not(takeReadBuffer(), buffer)
  written[1]?.()
  t.equal(takeReadBuffer(), buffer)
  t.not(takeReadBuffer(), buffer)
})

t.test('a buffer that has been written before its connection ends is not given to two', async t => {
  const buffer = takeReadBuffer()
  lendReadBuffer(buffer)()
  returnReadBuffer(buffer)
  t.equal(takeReadBuffer(), buffer)
  t.not(takeReadBuffer(), buffer)
})

t.test('a buffer whose write failed is never used again', async t => {
  const buffer = takeReadBuffer()
  lendReadBuffer(buffer)(new Error('reset'))
  returnReadBuffer(buffer)
  for (let taken = 0; taken < 100; taken++) t.not(takeReadBuffer(), buffer)
})
