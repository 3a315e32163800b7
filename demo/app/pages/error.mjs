/** `/error?error=ID`: what went wrong in a flow where no form can say it; also the app's own failures. */
import { fetchErrors } from '../admin-api.mjs'
import { html } from '../assets/html.mjs'
import { page, redirect } from './layout.mjs'

/** @param {URL} url */
export async function flowErrorPage(url) {
  const id = url.searchParams.get('error')
  const errors = id ? await fetchErrors(id) : undefined
  return errors ? errorPage(200, errors.map(error => ({ title: error.status ?? 'Error', text: error.reason ?? error.message }))) : redirect('/')
}

/**
 * @param {number} status
 * @param {{ title: string, text: string }[]} errors
 */
export function errorPage(status, errors) {
  return page({
    title: 'Something went wrong',
    status,
    body: html`
      <section class="card">
        <h1>Something went wrong</h1>
        ${errors.map(error => html`<div role="alert" class="alert"><p><strong>${error.title}</strong></p><p>${error.text}</p></div>`)}
        <nav class="buttons"><a class="button" href="/">Back to the start</a></nav>
      </section>`,
  })
}
