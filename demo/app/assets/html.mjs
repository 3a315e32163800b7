/** HTML with every value escaped; the pages on the server and the client-side pages both write with it. */

// A symbol, not a property name: no JSON that arrives over the network can pretend to be markup.
const markup = Symbol('markup')

/** @typedef {{ readonly [markup]: string }} Markup Text that is HTML already. */

/**
 * Template tag: HTML in which every `${value}` is escaped, except other markup. Arrays are joined; `undefined`, `null` and
 * `false` are nothing, so that `${condition && html`...`}` reads well. Attributes must be quoted.
 * @param {TemplateStringsArray} strings
 * @param {unknown[]} values
 * @returns {Markup}
 */
export function html(strings, ...values) {
  return { [markup]: strings.reduce((text, string, i) => text + toMarkup(values[i - 1]) + string) }
}

/**
 * The HTML as a string, to be sent or inserted.
 * @param {Markup} value
 */
export function toString(value) {
  return value[markup]
}

/**
 * @param {unknown} value
 * @returns {string}
 */
function toMarkup(value) {
  if (value === undefined || value === null || value === false) return ''
  if (Array.isArray(value)) return value.map(toMarkup).join('')
  if (typeof value === 'object' && markup in value) return String(value[markup])
  return String(value).replace(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`)
}
