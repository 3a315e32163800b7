/** What the linter holds the code to. Formatting is left to the eye. */
import { defineConfig, globalIgnores } from 'eslint/config'
import tseslint from 'typescript-eslint'

const noDefault = { selector: 'ExportDefaultDeclaration', message: 'Name what you export.' }

/**
 * What compares a secret, or what is made from one, character by character: how long that takes says how many were right (security K8).
 * It goes by names, so call a secret what it is. With what is written in the code, `undefined` or a number of something it may be compared.
 */
const secret = '/(secret|password|passphrase|token|hash|digest|signature|hmac|sig|mac|csrf|binding|nonce|state|verifier|challenge|authorization|credentials?|otp|presented)$/i'
const named = `:matches([name=${secret}], [property.name=${secret}], [callee.name=${secret}], [callee.property.name=${secret}], [expression.property.name=${secret}])`
const unknown = ":not(Literal):not(TemplateLiteral[expressions.length=0]):not(Identifier[name='undefined']):not(UnaryExpression)"
const message = 'Secrets are compared with timingSafeEqual.'
export const secretComparisons = [
  { selector: `BinaryExpression[operator=/^[!=]==?$/]:has(> ${named}.left) > ${unknown}.right`, message },
  { selector: `BinaryExpression[operator=/^[!=]==?$/]:has(> ${named}.right) > ${unknown}.left:not(${named})`, message },
  { selector: `CallExpression[callee.property.name=/^(includes|indexOf|lastIndexOf|startsWith|endsWith|localeCompare|is)$/] > ${named}.arguments`, message },
  { selector: "CallExpression[callee.property.name='equals']", message },
]

export default defineConfig(
  globalIgnores(['dist/', 'data/', 'coverage/', '.tap/']),
  {
    files: ['**/*.{ts,mjs,js}'],
    extends: [tseslint.configs.base],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      'eqeqeq': 'error',
      'no-constant-binary-expression': 'error',
      'no-else-return': ['error', { allowElseIf: false }],
      'no-fallthrough': 'error',
      'no-self-compare': 'error',
      'no-template-curly-in-string': 'error',
      'no-unreachable-loop': 'error',
      'no-var': 'error',
      'object-shorthand': 'error',
      'prefer-const': 'error',
      'no-restricted-syntax': ['error', noDefault],
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-array-delete': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      // tap awaits its subtests by itself.
      '@typescript-eslint/no-floating-promises': ['error', {
        allowForKnownSafePromises: [{ from: 'package', package: '@tapjs/core', name: 'PromiseWithSubtest' }],
      }],
      '@typescript-eslint/no-for-in-array': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/only-throw-error': 'error',
      '@typescript-eslint/prefer-promise-reject-errors': 'error',
      '@typescript-eslint/return-await': 'error',
    },
  },
  { files: ['src/**/*.ts'], rules: { 'no-restricted-syntax': ['error', noDefault, ...secretComparisons] } },
  // Tests throw what code must cope with.
  { files: ['test/**/*.test.ts'], rules: { '@typescript-eslint/only-throw-error': 'off' } },
  // Tools find their configuration by its default export.
  { files: ['eslint.config.js'], rules: { 'no-restricted-syntax': 'off' } },
)
