/** K8: the linter finds comparisons of secrets that take as long as what was right of them. */
import { Linter } from 'eslint'
import t from 'tap'
import tseslint from 'typescript-eslint'

import { secretComparisons } from '../eslint.config.js'

function findings(code: string): string[] {
  const linter = new Linter()
  return linter.verify(code, {
    files: ['**/*.ts'], languageOptions: { parser: tseslint.parser as Linter.Parser }, rules: { 'no-restricted-syntax': ['error', ...secretComparisons] },
  }, 'planted.ts').map(({ message }) => message)
}

t.test('K8 a secret that is compared by characters is found, on whichever side it stands', async t => {
  for (const code of [
    'if (signature === expected) pass()', 'if (expected !== signature) refuse()', 'if (given.csrfToken === flow.csrfToken) pass()', 'return attempt.nonce !== claims.nonce',
    'return state == query.get("state")', 'return sign(value) === presented', 'return hash.digest("hex") === stored', 'return tokenHash(token) === session.tokenHash',
    'return secrets.includes(secret)', 'return known.indexOf(request.token) >= 0', 'return header.startsWith(token)', 'return Object.is(a, password)',
    'return "Bearer " + value === authorization', 'return left.equals(right)', 'return a!.secret === b', 'return codeVerifier === b',
  ]) t.strictSame(findings(code), ['Secrets are compared with timingSafeEqual.'], code)
})

t.test('K8 whether there is a secret at all, and what it is made of, may be asked', async t => {
  for (const code of [
    'return token === undefined', 'return undefined !== secret', 'return password === ""', 'return typeof nonce === "string"', 'return token.length === 43',
    'return state === "open"', 'return timingSafeEqual(digest(left), digest(right))', 'return names.includes(name)', 'return kind === other.kind', 'return token?.split(".").length !== 3',
    'return statusOf(a) === statusOf(b)', 'return hashes.running === limit',
  ]) t.strictSame(findings(code), [], code)
})
