/** The provider's one page: who are you today? */
import { html, toString } from '../app/assets/html.mjs'

/**
 * @param {string} action Where the choice goes.
 * @param {Readonly<Record<string, import('./people.mjs').Person>>} people
 */
export function choicePage(action, people) {
  return toString(html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>Sign in · Demo provider</title>
        <link rel="stylesheet" href="/style.css">
      </head>
      <body>
        <main>
          <p class="brand">Demo provider</p>
          <h1>Who are you today?</h1>
          <p>This stands for the place where people have an account already. It runs on your machine and asks for no password.</p>
          <form method="post" action="${action}">
            ${Object.entries(people).map(([id, { name, hint }]) => html`
              <button name="person" value="${id}"><strong>${name}</strong> <span>${hint}</span></button>`)}
            <button class="quiet" name="person" value="">Never mind, take me back</button>
          </form>
        </main>
      </body>
    </html>`)
}

export const style = `
  body { margin: 0; font: 1rem/1.5 system-ui, sans-serif; color: #1c2733; background: #eef1f6; }
  main { box-sizing: border-box; max-width: 26rem; margin: 10vh auto; padding: 2rem; background: #fff; border-radius: .75rem; box-shadow: 0 1px 4px #0002; }
  h1 { margin: 0 0 .5rem; font-size: 1.4rem; }
  .brand { margin: 0 0 1.5rem; color: #6b4fbb; font-weight: 600; }
  form { display: grid; gap: .75rem; margin-top: 1.5rem; }
  button { display: grid; gap: .1rem; padding: .75rem 1rem; text-align: start; font: inherit; color: inherit; background: #fff; border: 1px solid #8a94a3; border-radius: .5rem; cursor: pointer; }
  button:hover, button:focus-visible { border-color: #6b4fbb; outline: 2px solid #6b4fbb; outline-offset: 1px; }
  button span { color: #55606e; font-size: .9rem; }
  .quiet { border-color: transparent; color: #55606e; text-align: center; }
  @media (prefers-color-scheme: dark) {
    body { color: #e6eaf0; background: #14181e; }
    main { background: #1f252d; }
    button { background: #1f252d; }
    button span, .quiet { color: #a8b2bf; }
    .brand { color: #b39df0; }
  }
`
