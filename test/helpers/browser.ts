/** A real browser for tests: Chromium without a window, and a page that remembers everything that went wrong on it. */
import { existsSync } from 'node:fs'
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core'
import type { Test } from 'tap'

const places = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome', '/Applications/Chromium.app/Contents/MacOS/Chromium']

/** Where Chromium is: `CHROMIUM_PATH`, or where systems put it. `undefined` when there is none. */
export const chromiumPath = [process.env['CHROMIUM_PATH'], ...places].find(path => path !== undefined && existsSync(path))

/**
 * A browser that ends with the test. It talks to nobody but the pages it is sent to.
 * `hosts` tells it where names are that no name server knows: `{ 'ui.test': '127.0.0.1:4436' }`.
 */
export async function openBrowser(t: Test, hosts: Readonly<Record<string, string>> = {}): Promise<Browser> {
  const browser = await chromium.launch({
    ...chromiumPath !== undefined && { executablePath: chromiumPath },
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync',
      `--host-resolver-rules=${Object.entries(hosts).map(([name, at]) => `MAP ${name} ${at}`).join(', ')}`,
    ],
  })
  t.teardown(() => browser.close())
  return browser
}

/** A page of a fresh browser profile. */
export interface WatchedPage {
  readonly page: Page
  /** Errors on its console (a blocked script or style is one) and exceptions of its scripts, so far. */
  readonly problems: readonly string[]
}

/** `expected` tells errors that belong to what is tested, such as the answer 400 to a `fetch`, which Chromium reports too. */
export async function watchedPage(browser: Browser, options: BrowserContextOptions = {}, expected?: RegExp): Promise<WatchedPage> {
  const context = await browser.newContext(options)
  const page = await context.newPage()
  page.setDefaultTimeout(15_000)
  const problems: string[] = []

  page.on('console', message => {
    const text = `${message.text()} (${message.location().url})`
    if (message.type() === 'error' && expected?.test(text) !== true) problems.push(text)
  })
  page.on('pageerror', error => problems.push(String(error)))
  return { page, problems }
}
