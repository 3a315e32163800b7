/** Social sign-in in a real browser: at the demo's provider, through the pages of the sample app. */
import type { Page } from 'playwright-core'
import t from 'tap'

import { chromiumPath, openBrowser, watchedPage } from '../helpers/browser.js'
import { startDemo } from '../helpers/demo.js'
import { ui } from '../helpers/gateway.js'
import { personClaims, startOidcGateway } from '../helpers/oidc-gateway.js'
import { newProvider } from '../helpers/provider.js'
import { startService } from '../helpers/service.js'

const password = 'three loud herons over the weir'
const noBrowser = chromiumPath === undefined && process.env['CI'] === undefined ? 'no Chromium on this machine' : false

t.test('a person with an account elsewhere', { skip: noBrowser }, async t => {
  const { url } = await startDemo(t)
  const browser = await openBrowser(t)

  t.test('signs up with it, logs out, and logs in again', async t => {
    const { page, problems } = await watchedPage(browser)
    await page.goto(`${url}/auth/registration`)
    await page.getByRole('button', { name: 'Sign up with Demo' }).click()
    await pick(page, 'Ada Lovelace')
    await page.waitForURL(`${url}/dashboard`)
    t.equal(await shownEmail(page), 'ada@example.org')

    await logOut(page)
    await page.goto(`${url}/dashboard/reports`)
    t.match(page.url(), /\/auth\/login\?request=/)
    await page.getByRole('button', { name: 'Log in with Demo' }).click()
    await pick(page, 'Ada Lovelace')
    await page.waitForURL(`${url}/dashboard/reports`)
    t.equal(await shownEmail(page), 'ada@example.org', 'back on the page first asked for')
    t.same(problems, [])
  })

  t.test('is asked for what the provider does not tell', async t => {
    const { page, problems } = await watchedPage(browser)
    await page.goto(`${url}/auth/login`)
    await page.getByRole('button', { name: 'Log in with Demo' }).click()
    await pick(page, 'Alan Turing')
    await page.waitForURL(/\/auth\/registration\?request=/)
    t.match(await page.getByRole('main').innerText(), /One more step/)
    t.equal(await page.getByLabel('Password').count(), 0, 'and for nothing else')
    await page.getByLabel('E-mail').fill('alan at example')
    await page.getByRole('button', { name: 'Sign up with Demo' }).click()
    await page.waitForURL(/\/auth\/registration\?request=/)
    t.equal(await page.getByLabel('E-mail').inputValue(), 'alan at example', 'what was typed is kept')

    await page.getByLabel('E-mail').fill('alan@example.org')
    await page.getByRole('button', { name: 'Sign up with Demo' }).click()
    await page.waitForURL(`${url}/dashboard`)
    t.equal(await shownEmail(page), 'alan@example.org')
    t.same(problems, [])
  })

  t.test('changes their mind', async t => {
    const { page, problems } = await watchedPage(browser)
    await page.goto(`${url}/auth/registration`)
    await page.getByRole('button', { name: 'Sign up with Demo' }).click()
    await page.getByRole('button', { name: 'Never mind' }).click()
    await page.waitForURL(/\/auth\/registration\?request=/)
    t.match(await page.getByRole('alert').innerText(), /You chose not to sign in/)
    t.same(problems, [])
  })

  t.test('proves the account that they have here already, and has both from then on', async t => {
    const { page, problems } = await watchedPage(browser)
    await page.goto(`${url}/auth/registration`)
    await page.getByLabel('E-mail').fill('grace@example.org')
    await page.getByLabel('Password').fill(password)
    await page.getByRole('button', { name: 'Sign up', exact: true }).click()
    await page.waitForURL(`${url}/dashboard`)
    await logOut(page)

    await page.goto(`${url}/auth/login`)
    await page.getByRole('button', { name: 'Log in with Demo' }).click()
    await pick(page, 'Grace Hopper')
    await page.waitForURL(/\/auth\/login\?request=/)
    t.match(await page.getByRole('alert').innerText(), /exists already.*demo will be added to it/)
    t.equal(await page.getByLabel('E-mail').inputValue(), 'grace@example.org')
    await page.getByLabel('Password').fill(password)
    await page.getByRole('button', { name: 'Log in', exact: true }).click()
    await page.waitForURL(`${url}/dashboard`)
    t.equal(await shownEmail(page), 'grace@example.org')

    await logOut(page)
    await page.goto(`${url}/auth/login`)
    await page.getByRole('button', { name: 'Log in with Demo' }).click()
    await pick(page, 'Grace Hopper')
    await page.waitForURL(`${url}/dashboard`)
    t.equal(await shownEmail(page), 'grace@example.org', 'without a question')
    t.same(problems, [])
  })

  t.test('may start from the client-side page', async t => {
    const { page, problems } = await watchedPage(browser)
    await page.goto(`${url}/auth/registration`)
    await page.getByRole('link', { name: 'client-side page' }).click()
    await page.getByRole('button', { name: 'Sign up with Demo' }).click()
    await pick(page, 'Ada Lovelace')
    await page.waitForURL(`${url}/dashboard`)
    t.equal(await shownEmail(page), 'ada@example.org', 'who is known is logged in')
    t.same(problems, [])
  })
})

t.test('O16 a provider on another site that answers with a form', { skip: noBrowser }, async t => {
  // To a browser, `localhost` and `127.0.0.1` are two sites.
  const provider = await newProvider('acme', 'localhost')
  const gateway = await startOidcGateway(t, [{ ...provider.config, claims: personClaims, response_mode: 'form_post' }])
  await provider.listen(t, gateway)
  const app = await startService(t, { body: 'a page of the app' })
  const { page } = await watchedPage(await openBrowser(t, { [new URL(ui).host]: new URL(app.url).host }))

  await page.goto(`${gateway.publicUrl}/auth/browser/login`)
  await page.goto(`${gateway.publicUrl}/auth/browser/methods/oidc/auth/${new URL(page.url()).searchParams.get('request')}?provider=acme`)
  const [posted] = await Promise.all([
    page.waitForRequest(request => request.method() === 'POST' && request.url().includes('/oidc/callback/acme')),
    page.waitForURL(`${ui}/dashboard`),
    pick(page, 'Ada Lovelace'),
  ])
  t.equal((await posted.allHeaders())['cookie'], undefined, 'the post has no cookie of ours')
  await page.goto(`${gateway.publicUrl}/sessions/whoami`)
  t.match(await page.innerText('body'), 'ada@example.org')
})

async function pick(page: Page, name: string): Promise<void> {
  await page.getByRole('button', { name }).click()
}

function shownEmail(page: Page): Promise<string> {
  return page.getByTestId('email').innerText()
}

async function logOut(page: Page): Promise<void> {
  await page.getByRole('link', { name: 'Log out' }).click()
  await page.waitForURL(/\/auth\/login\?request=/)
}
