/** Which of Oathkeeper and Kratos is missing, in the words of the report. */
import t from 'tap'

import { missingOry } from '../../bench/peers/ory.mjs'

const onPath = (...programs: string[]) => (name: string) => programs.includes(name) ? `/usr/bin/${name}` : undefined

t.test('one of the two is as good as none, and the goal says which is not there', async t => {
  t.equal(missingOry(onPath('oathkeeper', 'kratos')), undefined)
  t.equal(missingOry(onPath('oathkeeper')), 'Kratos is missing')
  t.equal(missingOry(onPath('kratos')), 'Oathkeeper is missing')
  t.equal(missingOry(onPath()), 'Oathkeeper and Kratos are missing')
})
