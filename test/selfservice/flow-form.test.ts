import t from 'tap'

import { csrfBinding, csrfToken, isCsrfToken, newCsrfCookie } from '../../src/http/csrf.js'
import { withForm, withProblemEverywhere } from '../../src/selfservice/flow-form.js'
import { renderFlow, type FormModel } from '../../src/selfservice/render-flow.js'
import type { Flow, JsonValue, Problem } from '../../src/store/records.js'
import { fieldOf, messagesOf, type Form } from '../helpers/flows.js'

const id = '3f2a9a54-0f0b-4f0e-8a71-6f8e0f5d2c10'
const cookie = newCsrfCookie()
const fresh: Flow = {
  id, kind: 'registration', type: 'browser', issuedAt: 0, expiresAt: 3_600_000, requestUrl: 'https://example.org/begin',
  csrfBinding: csrfBinding(cookie), csrfToken: csrfToken(cookie, id), forms: {},
}
const model: FormModel = {
  publicUrl: 'https://example.org', methods: ['password', 'oidc'], providers: ['acme'],
  traitFields: [
    { name: 'traits.email', type: 'email', pattern: '@', required: true },
    { name: 'traits.email_alt', type: 'email', required: false },
    { name: 'traits.tags', type: 'text', required: false },
  ],
}
const required: Problem = { code: 'required', field: 'traits.email', params: { property: 'email' } }

function passwordForm(flow: Flow): Form {
  return renderFlow(flow, model).methods.password?.config as Form
}

function submitted(problems: readonly Problem[], values: { readonly [field: string]: JsonValue } = {}): Form {
  return passwordForm(withForm(fresh, 'password', problems, values))
}

t.test('F6 a problem stands at its field, or at the form when it belongs to none', async t => {
  const form = submitted([required, { code: 'invalid_credentials' }, { code: 'no_value' }])
  t.same(messagesOf(form, 'traits.email'), ['traits.email: email is required'])
  t.match(messagesOf(form), [/^The provided credentials are invalid/, 'Did not receive any value changes.'])
  t.notOk('errors' in submitted([required]), 'no summary of what the fields say')
})

t.test('F7 the CSRF field comes first, hidden, required, and masked anew', async t => {
  const [first, second] = [passwordForm(fresh).fields[0], passwordForm(fresh).fields[0]]
  t.match(first, { name: 'csrf_token', type: 'hidden', required: true })
  t.not(first?.value, second?.value)
  for (const field of [first, second]) t.ok(isCsrfToken(field?.value as string, cookie, id))
})

t.test('F7 a value is put into its field, which keeps type, pattern and place', async t => {
  const form = submitted([], { 'traits.email': 'ada', 'traits.email_alt': '', 'traits.tags': false })
  t.strictSame(fieldOf(form, 'traits.email'), { name: 'traits.email', type: 'email', pattern: '@', required: true, value: 'ada' })
  t.strictSame(fieldOf(form, 'traits.email_alt'), { name: 'traits.email_alt', type: 'email', value: '' })
  t.equal(fieldOf(form, 'traits.tags')?.value, false)
  t.same(form.fields.map(({ name }) => name), ['csrf_token', 'password', 'traits.email', 'traits.email_alt', 'traits.tags'])
})

t.test('F7 a value or problem of no field makes one: items of a list behind the list, the rest last', async t => {
  const form = submitted([
    { code: 'type', field: 'traits.tags.1', params: { expected: 'string', given: 'number' } },
    { code: 'required', field: 'traits.other', params: { property: 'other' } },
  ], { 'traits.tags.0': 'a', 'traits.tags.1': 7, 'traits.emails': 'x' })
  t.same(form.fields.map(({ name }) => name), [
    'csrf_token', 'password', 'traits.email', 'traits.email_alt', 'traits.tags', 'traits.tags.0', 'traits.tags.1', 'traits.emails', 'traits.other',
  ])
  t.strictSame(fieldOf(form, 'traits.tags.1'), {
    name: 'traits.tags.1', type: 'text', value: 7, errors: [
      { message: 'traits.tags.1: Invalid type. Expected: string, given: number' },
    ],
  })
  t.strictSame(fieldOf(form, 'traits.other'), { name: 'traits.other', errors: [{ message: 'traits.other: other is required' }] })
})

t.test('F7 several problems of one field all stand there, in order', async t => {
  const form = submitted([
    { code: 'min_length', field: 'traits.email', params: { min: 3 } },
    { code: 'format', field: 'traits.email', params: { format: 'email' } },
  ])
  t.same(messagesOf(form, 'traits.email'), [
    'traits.email: String length must be greater than or equal to 3', 'traits.email: Does not match format \'email\'',
  ])
})

t.test('F7 a new form of a method clears the one before and leaves other methods alone', async t => {
  const before = withForm(
    withForm(fresh, 'oidc', [{ code: 'no_value' }]), 'password', [required, { code: 'no_value' }], { 'traits.email': 'ada' },
  )
  const after = withForm(before, 'password', [])
  t.strictSame(after.forms.password, { problems: [], values: {} })
  t.equal(after.forms.oidc, before.forms.oidc)
  t.same(messagesOf(passwordForm(after)), [])
  t.notOk('value' in (fieldOf(passwordForm(after), 'traits.email') ?? {}))
  t.same(before.forms.password?.problems.length, 2, 'the flow that was given is not touched')
})

t.test('a problem of the flow itself stands on every method', async t => {
  const { methods } = renderFlow(withProblemEverywhere(fresh, model.methods, { code: 'flow_expired' }), model)
  t.same(Object.keys(methods), ['oidc', 'password'])
  for (const method of Object.values(methods)) t.same(messagesOf(method.config as Form), ['Your session expired, please try again.'])
})
