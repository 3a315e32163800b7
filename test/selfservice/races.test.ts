import { join } from 'node:path'
import t, { type Test } from 'tap'

import { openStore } from '../../src/store/open.js'
import { flowIdOf, goodPassword, identitiesOf, messagesOf, open, readForm, signUp, whoAmI, type OpenForm } from '../helpers/flows.js'
import { startTestGateway, ui, type TestGateway } from '../helpers/gateway.js'
import { redisSkip, startRedis } from '../helpers/redis.js'
import { newVisitor, type Page, type Visitor } from '../helpers/visitor.js'

const fifty = Array.from({ length: 50 }, (_, index) => index)

for (const kind of ['embedded', 'redis'] as const) {
  t.test(`on the ${kind} store`, { skip: kind === 'redis' && redisSkip }, async t => {
    const dsn = kind === 'redis' ? (await startRedis(t)).url : undefined
    const secrets = { session: ['a secret of at least thirty-two letters'] }
    let gateways = 0
    const start = (): Promise<TestGateway> => startTestGateway(t, {
      config: dsn === undefined ? {} : { dsn, secrets, store: { key_prefix: `gateway${++gateways}:` } },
    })

    t.test('A10 of fifty submits of one registration one makes an identity and a session, the rest begin anew', async t => {
      const gateway = await start()
      const visitor = newVisitor()
      const form = await open(visitor, gateway, 'registration')
      // Each of them as a tab that knows nothing of the others' session.
      const csrf = visitor.jar.get('oathgate_csrf')
      const answers = await Promise.all(fifty.map(index => {
        const tab = newVisitor()
        if (csrf !== undefined) tab.jar.set('oathgate_csrf', csrf)
        return tab.submit(form.action, {
          csrf_token: form.csrf, password: goodPassword, 'traits.username': `person${index}`, 'traits.foobar': 'bar',
        })
      }))
      await checkOneWon(t, gateway, form, answers, 'registration')
      t.equal((await identitiesOf(gateway)).length, 1)
    })

    t.test('A10 of fifty submits of one login one makes a session, the rest begin anew', async t => {
      const gateway = await start()
      await signUp(newVisitor(), gateway, 'ada')
      const visitor = newVisitor()
      const form = await open(visitor, gateway, 'login')
      const csrf = visitor.jar.get('oathgate_csrf')
      const answers = await Promise.all(fifty.map(() => {
        const tab = newVisitor()
        if (csrf !== undefined) tab.jar.set('oathgate_csrf', csrf)
        return tab.submit(form.action, { csrf_token: form.csrf, identifier: 'ada', password: goodPassword })
      }))
      await checkOneWon(t, gateway, form, answers, 'login')
      const [identity] = await identitiesOf(gateway)
      t.equal(await countSessions(gateway, identity?.id ?? ''), 2, 'that of the registration and that of the login')
    })

    t.test('A9 of fifty people who want one identifier one gets it, and the others may choose another', async t => {
      const gateway = await start()
      const rivals = await Promise.all(fifty.map(async () => {
        const visitor = newVisitor()
        return { visitor, form: await open(visitor, gateway, 'registration') }
      }))
      const submit = (
        { visitor, form }: { visitor: Visitor, form: OpenForm }, username: string,
      ): Promise<Page> => visitor.submit(form.action, {
        csrf_token: form.csrf, password: goodPassword, 'traits.username': username, 'traits.foobar': 'bar',
      })
      const spellings = ['ada', 'Ada', ' ADA ', 'ａｄａ']
      const answers = await Promise.all(rivals.map((rival, index) => submit(rival, spellings[index % 4] as string)))

      t.equal(answers.filter(({ location }) => location === `${ui}/dashboard`).length, 1)
      t.equal((await identitiesOf(gateway)).length, 1)
      const losers = rivals.filter((_, index) => answers[index]?.location !== `${ui}/dashboard`)
      for (const { visitor, form } of losers) {
        t.same(messagesOf(await readForm(gateway, 'registration', form.id)), [
          'An account with the same identifier (email, phone, username, ...) exists already.',
        ])
        t.equal((await whoAmI(visitor, gateway)).status, 401)
      }
      t.equal((await submit(losers[0] as typeof losers[0] & object, 'somebody else')).location, `${ui}/dashboard`)
    })

    t.test('A9 five people, five times each, in ten rounds: five identities a round', async t => {
      const gateway = await start()
      for (let round = 0; round < 10; round++) {
        await Promise.all(
          Array.from({ length: 25 }, (_, index) => signUp(newVisitor(), gateway, `round ${round} person ${index % 5}`)),
        )
        t.equal((await identitiesOf(gateway)).length, 5 * (round + 1))
      }
    })

    async function countSessions(gateway: TestGateway, identityId: string): Promise<number> {
      if (dsn === undefined) await gateway.stop()
      const store = await openStore({
        dsn: dsn ?? `embedded://${join(gateway.folder, 'data')}`, keyPrefix: dsn === undefined ? '' : `gateway${gateways}:`,
        timeoutMs: 1000, durability: 'none', warn: message => t.comment(message),
      })
      const sessions = await store.listSessionsOf(identityId)
      await store.close()
      return sessions.length
    }
  })
}

async function checkOneWon(
  t: Test, gateway: TestGateway, form: OpenForm, answers: readonly Page[], kind: 'registration' | 'login',
): Promise<void> {
  const won = answers.filter(({ location }) => location === `${ui}/dashboard`)
  t.equal(won.length, 1)
  t.equal(answers.filter(({ headers }) => JSON.stringify(headers['set-cookie'] ?? '').includes('ory_kratos_session')).length, 1)
  const again = answers.filter(page => !won.includes(page)).map(flowIdOf)
  t.equal(new Set(again).size, 49)
  t.notOk(again.includes(form.id))
  t.same(messagesOf(await readForm(gateway, kind, again[0] as string)), ['This form has been submitted already, please try again.'])
}
