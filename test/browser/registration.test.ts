/** A stranger becomes a customer, in a real browser: through the pages that the sample app renders on its server, and through the client-side ones. */
import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'

import { chromiumPath, openBrowser, watchedPage } from '../helpers/browser.js'
import { startDemo } from '../helpers/demo.js'

const password = 'three loud herons over the weir'
const noBrowser = chromiumPath === undefined && process.env['CI'] === undefined ? 'no Chromium on this machine' : false

t.test('a person in a browser', { skip: noBrowser }, async t => {
  const { url } = await startDemo(t)
  const browser = await openBrowser(t)

  t.test('signs up, mends a mistake, logs out and in again, on pages rendered by the server', async t => {
    const { page, problems } = await watchedPage(browser)

    await page.goto(`${url}/auth/registration`)
    t.match(page.url(), /\/auth\/registration\?request=[0-9a-f-]{36}$/, 'the gateway has begun a registration request')
    await mendsAMistake(t, page, 'ada@example.org')
    await page.waitForURL(`${url}/dashboard`)
    t.equal(await shownEmail(page), 'ada@example.org', 'the dashboard knows who signed up')

    await logOut(t, page)
    await page.goto(`${url}/dashboard/reports`)
    t.match(page.url(), /\/auth\/login\?request=/, 'a page for people with an account asks to log in')
    await fillIn(page, 'ada@example.org', 'not my password')
    await page.getByRole('button', { name: 'Log in', exact: true }).click()
    t.match(await page.getByRole('alert').innerText(), /credentials are invalid/, 'a wrong password is told')
    t.equal(await page.getByLabel('E-mail').inputValue(), 'ada@example.org', 'the e-mail is kept')

    await page.getByLabel('Password').fill(password)
    await page.getByRole('button', { name: 'Log in', exact: true }).click()
    await page.waitForURL(`${url}/dashboard/reports`)
    t.equal(await shownEmail(page), 'ada@example.org', 'back on the page first asked for')
    t.same(problems, [], 'nothing went wrong on the pages')
  })

  t.test('does the same on client-side pages', async t => {
    // Chromium reports the answer to a wrong submit, whatever a script makes of it.
    const { page, problems } = await watchedPage(browser, {}, /status of 400 .*\/auth\/browser\/methods\/password\//)

    await page.goto(`${url}/auth/registration`)
    await page.getByRole('link', { name: 'client-side page' }).click()
    await page.waitForURL(/\/spa\/registration\?request=/)
    await mendsAMistake(t, page, 'grace@example.org')
    await page.waitForURL(`${url}/dashboard`)
    t.equal(await shownEmail(page), 'grace@example.org', 'the dashboard knows who signed up')

    await logOut(t, page)
    await page.goto(`${url}/dashboard/reports`)
    await page.getByRole('link', { name: 'client-side page' }).click()
    await page.waitForURL(/\/spa\/login\?request=/)
    await fillIn(page, 'grace@example.org', 'not my password')
    await page.getByRole('button', { name: 'Log in', exact: true }).click()
    t.match(await page.getByRole('alert').innerText(), /credentials are invalid/, 'a wrong password is told')

    await fillIn(page, 'grace@example.org', password)
    await page.getByRole('button', { name: 'Log in', exact: true }).click()
    await page.waitForURL(`${url}/dashboard/reports`)
    t.equal(await shownEmail(page), 'grace@example.org', 'back on the page first asked for')
    t.same(problems, [], 'nothing went wrong on the pages')
  })

  t.test('begins anew when the request is unknown', async t => {
    const { page, problems } = await watchedPage(browser)
    for (const path of ['/auth/registration', '/spa/registration']) {
      await page.goto(`${url}${path}?request=00000000-0000-4000-8000-000000000000`)
      await page.waitForURL(/\/auth\/registration\?request=(?!00000000)/)
      t.ok(await page.getByRole('button', { name: 'Sign up', exact: true }).isVisible(), path)
    }
    // The public API answers 403 to the client-side page, which Chromium reports.
    t.same(problems.filter(problem => !problem.includes('status of 403')), [])
  })

  t.test('C11 sees what was typed as text, never as part of the page', async t => {
    const { page, problems } = await watchedPage(browser, {}, /status of 400 .*\/auth\/browser\/methods\/password\//)
    const hostile = '"><img src=x onerror="document.title=1"><script>document.title=1</script>'

    await page.goto(`${url}/auth/registration`)
    for (const clientSide of [false, true]) {
      if (clientSide) await page.getByRole('link', { name: 'client-side page' }).click()
      await fillIn(page, hostile, password)
      await page.getByRole('button', { name: 'Sign up', exact: true }).click()
      await page.locator('[aria-invalid]').waitFor()
      t.equal(await page.getByLabel('E-mail').inputValue(), hostile)
      t.equal(await page.locator('main img, main script').count(), 0)
    }
    await page.goto(`${url}/error?error=${encodeURIComponent(hostile)}`)
    t.not(await page.title(), '1')
    t.same(problems, [])
  })

  t.test('C8 meets pages that run no script but the app\'s own and can not be framed', async t => {
    const { page } = await watchedPage(browser)
    await page.goto(`${url}/auth/login`)
    const clientSide = `/spa/login${new URL(page.url()).search}`
    for (const path of ['/', '/auth/registration', '/auth/login', clientSide]) {
      const response = await page.goto(`${url}${path}`)
      const policy = response?.headers()['content-security-policy'] ?? ''
      t.match(policy, /default-src 'none'.*base-uri 'none'; frame-ancestors 'none'/, path)
      t.notMatch(policy, /unsafe|\*/, path)
      await page.evaluate('document.body.append(Object.assign(document.createElement("script"), { textContent: "document.title = 1" }))')
      t.not(await page.title(), '1', `an inline script on ${path} does not run`)
    }
  })

  t.test('needs no more than 360 pixels', async t => {
    const { page } = await watchedPage(browser, { viewport: { width: 360, height: 740 } })
    for (const path of ['/', '/auth/registration', '/auth/login', '/error']) {
      await page.goto(`${url}${path}`)
      t.equal(await page.evaluate('document.documentElement.scrollWidth'), 360, `${path} does not scroll sideways`)
    }
  })
})

/** Registers with a wrong e-mail first, as people do. */
async function mendsAMistake(t: Test, page: Page, email: string): Promise<void> {
  await fillIn(page, 'ada at example', password)
  await page.getByRole('button', { name: 'Sign up', exact: true }).click()

  const field = page.getByLabel('E-mail')
  await page.locator('[aria-invalid]').waitFor()
  t.equal(await field.getAttribute('aria-invalid'), 'true', 'the wrong field is marked')
  t.equal(await field.inputValue(), 'ada at example', 'what was typed is kept')
  const messages = await page.locator(`[id="${await field.getAttribute('aria-describedby')}"]`).innerText()
  t.equal(messages, 'This does not look like an e-mail address.', 'the message stands at the field')
  t.equal(await page.getByLabel('Password').inputValue(), '', 'a password is never sent back')

  await fillIn(page, email, password)
  await page.getByRole('button', { name: 'Sign up', exact: true }).click()
}

async function fillIn(page: Page, email: string, secret: string): Promise<void> {
  await page.getByLabel('E-mail').fill(email)
  await page.getByLabel('Password').fill(secret)
}

function shownEmail(page: Page): Promise<string> {
  return page.getByTestId('email').innerText()
}

async function logOut(t: Test, page: Page): Promise<void> {
  await page.getByRole('link', { name: 'Log out' }).click()
  await page.waitForURL(/\/auth\/login\?request=/)
  const cookies = await page.context().cookies()
  t.notOk(cookies.some(({ name }) => name === 'ory_kratos_session'), 'the session cookie is gone')
}
