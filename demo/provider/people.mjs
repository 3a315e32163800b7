/** Who has an account at the demo's OpenID provider. */

/**
 * @typedef {{ name: string, hint: string, claims: Readonly<Record<string, unknown>> }} Person
 * @type {Readonly<Record<string, Person>>} By the name that the provider knows them by (`sub`).
 */
export const people = {
  ada: {
    name: 'Ada Lovelace',
    hint: 'ada@example.org',
    claims: { name: 'Ada Lovelace', given_name: 'Ada', family_name: 'Lovelace', email: 'ada@example.org', email_verified: true },
  },
  grace: {
    name: 'Grace Hopper',
    hint: 'grace@example.org',
    claims: { name: 'Grace Hopper', given_name: 'Grace', family_name: 'Hopper', email: 'grace@example.org', email_verified: true },
  },
  alan: {
    name: 'Alan Turing',
    hint: 'keeps his e-mail address to himself',
    claims: { name: 'Alan Turing', given_name: 'Alan', family_name: 'Turing' },
  },
}
