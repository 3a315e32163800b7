/** The status page in a real browser: without scripts, on a desk and on a phone, in light and in dark. */
import type { Page } from 'playwright-core'
import t from 'tap'

import { chromiumPath, openBrowser, watchedPage } from '../helpers/browser.js'
import { startTestGateway } from '../helpers/gateway.js'
import { until } from '../helpers/redis.js'
import { startService } from '../helpers/service.js'
import { newVisitor } from '../helpers/visitor.js'

const noBrowser = chromiumPath === undefined && process.env['CI'] === undefined ? 'no Chromium on this machine' : false
const token = 'a token of at least thirty-two letters'
const longId = `${'a-rule-with-a-very-long-name-'.repeat(4)}<b>"&`

t.test('an operator looks at the status page', { skip: noBrowser }, async t => {
  const upstream = await startService(t)
  const rule = (id: string, path: string): object => ({
    id, match: { url: `http://127.0.0.1:<[0-9]+>/${path}/<.*>`, methods: ['GET'] }, upstream: { url: upstream.url },
    authenticators: [{ handler: 'noop' }], authorizer: { handler: 'allow' }, mutators: [{ handler: 'noop' }],
  })
  const gateway = await startTestGateway(t, { rules: [rule('shop', 'shop'), rule(longId, 'long')], config: { serve: { admin: { token } } } })
  const signUps = 3
  // A token keeps the helpers from reading flows on the admin listener; these sign-ups go by the public one.
  for (let count = 0; count < signUps; count++) await signUpInPublic(gateway.publicUrl, `person${count}`)
  for (let round = 0; round < 4; round++) await newVisitor().fetch(`${gateway.url}/shop/x`)
  const browser = await openBrowser(t)
  const credentials = { httpCredentials: { username: 'operator', password: token } }

  for (const [device, options] of Object.entries({
    'a desk': { viewport: { width: 1280, height: 900 } },
    'a phone': { viewport: { width: 360, height: 740 } },
    'a phone at night': { viewport: { width: 360, height: 740 }, colorScheme: 'dark' as const },
    'a browser without scripts': { javaScriptEnabled: false },
  })) {
    t.test(`on ${device} it is whole, and nothing is blocked`, async t => {
      const { page, problems } = await watchedPage(browser, { ...credentials, ...options })
      await until(async () => {
        await page.goto(`${gateway.adminUrl}/status?refresh=off`)
        return await page.getByRole('row', { name: /^shop 4 GET/ }).count() === 1
      })
      t.ok(await page.getByRole('heading', { name: 'Oathgate', exact: true }).isVisible())
      t.ok(await page.getByText('All is well.').isVisible())
      t.ok(await page.getByRole('img', { name: `${signUps} in the last day, by hour` }).isVisible())
      t.ok(await page.getByRole('rowheader', { name: longId }).isVisible(), 'a rule is called what it is called')
      t.match(await page.locator('dl').innerText(), new RegExp(`Sessions\\s+${signUps}\\s`))
      await page.getByText('As a table').click()
      t.equal(await page.getByRole('table', { name: /New accounts by hour/ }).getByRole('row').count(), 25)
      if (!('javaScriptEnabled' in options)) {
        t.ok(await fits(page), 'nothing is wider than the window, but what scrolls by itself')
        t.ok(await barIsPainted(page), 'the stylesheet is not blocked')
      }
      t.same(problems, [])
    })
  }

  t.test('it refreshes by itself, unless it is told to stand still', async t => {
    const { page } = await watchedPage(browser, credentials)
    await page.goto(`${gateway.adminUrl}/status`)
    t.equal(await page.locator('meta[http-equiv=refresh]').getAttribute('content'), '15')
    await page.getByRole('link', { name: 'stand still' }).click()
    await page.waitForURL(/refresh=off/)
    t.equal(await page.locator('meta[http-equiv=refresh]').count(), 0)
    await page.getByRole('link', { name: 'Refresh by itself' }).click()
    await page.waitForURL(/status\?$/)
    t.equal(await page.locator('meta[http-equiv=refresh]').count(), 1)
  })

  t.test('without the password there is nothing to see', async t => {
    const { page } = await watchedPage(browser)
    const answer = await page.request.get(`${gateway.adminUrl}/status`)
    t.equal(answer.status(), 401)
    t.notMatch(await answer.text(), 'Access rules')
  })
})

function fits(page: Page): Promise<boolean> {
  return page.evaluate('document.documentElement.scrollWidth <= document.documentElement.clientWidth')
}

function barIsPainted(page: Page): Promise<boolean> {
  return page.evaluate('getComputedStyle(document.querySelector("svg rect")).fill !== "rgb(0, 0, 0)"')
}

async function signUpInPublic(publicUrl: string, username: string): Promise<void> {
  const visitor = newVisitor()
  const { location = '' } = await visitor.visit(`${publicUrl}/auth/browser/registration`)
  const id = new URL(location).searchParams.get('request') ?? ''
  const document = (await visitor.fetch(`${publicUrl}/auth/browser/requests/registration?request=${id}`)).json() as
    { methods: { password: { config: { action: string, fields: { name: string, value?: string }[] } } } }
  const { action, fields } = document.methods.password.config
  const csrf = fields.find(({ name }) => name === 'csrf_token')?.value ?? ''
  await visitor.submit(action, { csrf_token: csrf, password: 'l3f9toh1uaf81n21', 'traits.username': username, 'traits.foobar': 'bar' })
}
