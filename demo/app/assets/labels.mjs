/** The words people read: the gateway says which fields there are and what is wrong; how to put it is up to your app. */

/** @type {Readonly<Record<string, string>>} */
const labels = {
  identifier: 'E-mail',
  password: 'Password',
  email: 'E-mail',
  'name.first': 'First name',
  'name.last': 'Last name',
  newsletter: 'Send me the newsletter',
}

/** @type {Readonly<Record<string, string>>} */
const autocompletes = {
  identifier: 'username',
  // What people log in with, so that password managers keep it beside the password.
  email: 'username',
  name: 'name',
  'name.first': 'given-name',
  'name.last': 'family-name',
  phone: 'tel',
}

/** @type {readonly [RegExp, string][]} */
const wordings = [
  [/^\S+ is required$/, 'Please fill this in.'],
  [/^Does not match format 'email'$/, 'This does not look like an e-mail address.'],
  [/^Does not match format 'uri'$/, 'This does not look like a web address.'],
  [/^Invalid type\. Expected: (number|integer), given: string$/, 'Please enter a number.'],
]

/**
 * The label of a field: its `title`, a word we know, or its name made readable (`traits.shipping.zip_code`: "Shipping zip code").
 * @param {import('./form.mjs').Field} field
 */
export function label(field) {
  const trait = traitOf(field.name)
  return field.title ?? labels[trait] ?? capitalised(trait.replace(/[._-]+/g, ' ').trim())
}

/**
 * What a browser or a password manager may fill in (`autocomplete`); `undefined` leaves it to the browser.
 * @param {string} name
 */
export function autocomplete(name) {
  return autocompletes[traitOf(name)]
}

/**
 * A message of the gateway in our words. Those of a field begin with its name (`traits.email: ...`), which its label says already.
 * @param {string} message
 * @param {string} [fieldName]
 */
export function wording(message, fieldName) {
  const prefix = `${fieldName}: `
  const bare = message.startsWith(prefix) ? message.slice(prefix.length) : message
  const known = wordings.find(([pattern]) => pattern.test(bare))
  return known ? known[1] : capitalised(bare)
}

/**
 * `github`: "Github"; also the readable form of names that we know nothing about.
 * @param {string} text
 */
export function capitalised(text) {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

/** @param {string} name */
function traitOf(name) {
  return name.replace(/^traits\./, '')
}
