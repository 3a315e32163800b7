/** `/spa/registration` and `/spa/login`: an empty page for `assets/client-side.mjs`, which talks to the gateway's public API by itself. */
import { html } from '../assets/html.mjs'
import { settings } from '../settings.mjs'
import { heading, otherFlow } from './flow.mjs'
import { page } from './layout.mjs'

/**
 * @param {import('../assets/form.mjs').FlowKind} kind
 * @returns {(url: URL) => import('./layout.mjs').Page}
 */
export const clientSidePage = kind => url => page({
  title: heading(kind),
  script: '/assets/client-side.mjs',
  // Not known before the script has read the flow.
  formsLeaveSite: true,
  body: html`
    <section class="card">
      <h1>${heading(kind)}</h1>
      <div id="flow" data-kind="${kind}" data-public-path="${new URL(settings.publicUrl).pathname}" aria-live="polite">
        <p class="loading">Loading …</p>
      </div>
      <noscript><p class="alert">This page needs JavaScript. <a href="/auth/${kind}${url.search}">The other one</a> does not.</p></noscript>
      ${otherFlow(kind, null)}
    </section>
    <p class="aside">
      Rendered in your browser by <code>/assets/client-side.mjs</code>.
      <a href="/auth/${kind}${url.search}">Back to the server-side page</a>
    </p>`,
})
