/* eslint-disable no-template-curly-in-string -- Go's regular expressions write groups like that. */
import t, { type Test } from 'tap'
import fc from 'fast-check'

import { compileTemplate } from '../../src/access/template/compile.js'
import { functions, refusedFunctions } from '../../src/access/template/functions.js'
import { TemplateError } from '../../src/access/template/template-error.js'
import { GatewayError } from '../../src/errors.js'
import type { JsonObject } from '../../src/store/records.js'
import { authenticationSession, type SessionParts } from '../helpers/authentication-session.js'

/** What the rows below were measured with, in Go. */
const extra: JsonObject = {
  n: 42, float: 3.14159, zero: 0, yes: true, no: false, nothing: null, empty: '', text: 'Hello <World> & "q"', 'with-dash': 'dashed',
  arr: ['a', 'b'], mixed: ['a', null], map: { z: 1, a: 'x' }, roles: ['admin', 'staff', 'dev'], scp: ['a', 'b'], ts: 1_700_000_000,
  identity: { id: 'i-1', traits: { email: 'ann@example.org', name: { first: 'Ann' } } },
}
const parts: SessionParts = {
  subject: 'u-1', extra, captures: ['42'], header: { 'x-user': 'u-1' }, method: 'PUT',
  url: 'https://shop.example.org/orders/4%202?a=1&b=x%20y&a=2',
  fields: [['Accept', '*/*'], ['accept', 'text/html'], ['X-Api-Key', 'k-1']],
}

function render(source: string, changes: SessionParts = {}): string {
  return compileTemplate(source)(authenticationSession({ ...parts, ...changes }))
}

/** The detail of the error that evaluating ends with. */
function failure(source: string, changes: SessionParts = {}): string {
  const compiled = compileTemplate(source)
  try {
    compiled(authenticationSession({ ...parts, ...changes }))
  } catch (thrown) {
    if (thrown instanceof GatewayError && thrown.code === 'internal_error') return thrown.detail ?? ''
    throw thrown
  }
  throw new Error(`${source} did not fail`)
}

function refusal(source: string): string {
  try {
    compileTemplate(source)
  } catch (thrown) {
    if (thrown instanceof TemplateError) return thrown.message
    throw thrown
  }
  throw new Error(`${source} compiled`)
}

type Row = readonly [template: string, output: string]

function table(test: Test, rows: readonly Row[]): void {
  for (const [template, output] of rows) test.equal(render(template), output, template)
  test.end()
}

t.test('contract 3.3: what the measured templates print', test => table(test, [
  ['{{ print .Subject }}', 'u-1'],
  ['{{ .Subject }}', 'u-1'],
  ['{{ print .Extra.missing }}', ''],
  ['{{ .Extra.missing }}', '<no value>'],
  ['{{ print .Extra.nothing }}', ''],
  ['{{ .Extra.nothing }}', '<no value>'],
  ['{{ (((.Extra.identity).traits).email) }}', 'ann@example.org'],
  ['{{ if (((.Extra.absent).traits).email) }}yes{{ else }}no{{ end }}', 'no'],
  ['{{ with (((.Extra.absent).traits).email) }}yes{{ else }}no{{ end }}', 'no'],
  ['{{ .Extra.arr }}', '[a b]'],
  ['{{ .Extra.mixed }}', '[a <nil>]'],
  ['{{ .Extra.map }}', 'map[a:x z:1]'],
  ['{{ .Extra.map | toJson }}', '{"a":"x","z":1}'],
  ['{{ .Extra.text | toJson }}', '"Hello \\u003cWorld\\u003e \\u0026 \\"q\\""'],
  ['{{ .Extra.missing | toJson }}', 'null'],
  ['{{ .Extra.ts | toJson }}', '1700000000'],
  ['{{ printf "%.0f" .Extra.ts }}', '1700000000'],
  ['{{ printf "%+q" .Extra.scp }}', '["a" "b"]'],
  ['{{ index .Extra "with-dash" }}', 'dashed'],
  ['{{ printIndex .MatchContext.RegexpCaptureGroups 0 }}', '42'],
  ['{{ printIndex .MatchContext.RegexpCaptureGroups 5 }}', ''],
  ['{{ .MatchContext.URL }}', 'https://shop.example.org/orders/4%202?a=1&b=x%20y&a=2'],
  ['{{ .MatchContext.URL.String }}', 'https://shop.example.org/orders/4%202?a=1&b=x%20y&a=2'],
  ['{{ .MatchContext.URL.Scheme }} {{ .MatchContext.URL.Host }}', 'https shop.example.org'],
  ['{{ .MatchContext.URL.Path }}', '/orders/4 2'],
  ['{{ .MatchContext.URL.EscapedPath }}', '/orders/4%202'],
  ['{{ .MatchContext.URL.RequestURI }}', '/orders/4%202?a=1&b=x%20y&a=2'],
  ['{{ .MatchContext.URL.RawQuery }}', 'a=1&b=x%20y&a=2'],
  ['{{ .MatchContext.URL.Query.Get "a" }}{{ .MatchContext.URL.Query.Get "b" }}{{ .MatchContext.URL.Query.Get "c" }}', '1x y'],
  ['{{ .MatchContext.Header.Get "x-api-key" }} {{ .Header.Get "X-User" }}', 'k-1 u-1'],
  ['{{ .MatchContext.Header.Get "ACCEPT" }} {{ .MatchContext.Header.Accept }}', '*/* [*/* text/html]'],
  ['{{ .MatchContext.Header.Get "Host" }}', ''],
  ['{{ .MatchContext.Method }}', 'PUT'],
  ['{{ range $k, $v := .Extra.map }}{{ $k }}={{ $v }};{{ end }}', 'a=x;z=1;'],
  ['{{ range .Extra.absent }}x{{ else }}none{{ end }}', 'none'],
  ['{{ if .Extra.no }}a{{ else if .Extra.zero }}b{{ else if .Extra.yes }}c{{ else }}d{{ end }}', 'c'],
  ['{{ $x := "a" }}{{ if true }}{{ $x = "b" }}{{ end }}{{ $x }}', 'b'],
  ['{{ $x := "a" }}{{ if true }}{{ $x := "b" }}{{ end }}{{ $x }}', 'a'],
  ['a  {{- /* gone */ -}}  b {{- " c " -}} d', 'ab c d'],
  ['{{ `raw\\n` }}{{ "cooked\\t\\u00e9" }}', 'raw\\ncooked\té'],
  ['{{ eq .Subject "a" "u-1" }} {{ ne .Subject "a" }} {{ lt 1 2 }} {{ gt "b" "a" }}', 'true true true true'],
  ['{{ and .Subject .Extra.zero }} {{ or .Extra.zero "d" }} {{ not .Extra.absent }}', '0 d true'],
  ['{{ len .Extra.arr }} {{ len "é" }} {{ slice .Extra.arr 1 }}', '2 2 [b]'],
  ['{{ html .Extra.text }}', 'Hello &lt;World&gt; &amp; &#34;q&#34;'],
  ['{{ js "a\'b<" }} {{ urlquery "a b&é" }} {{ println "x" 1 }}', 'a\\\'b\\u003C a+b%26%C3%A9 x 1\n'],
]))

t.test('contract 3.3: floats print like Go\'s %g', test => {
  const rows: readonly (readonly [value: number | boolean, output: string])[] = [
    [42, '42'], [999_999, '999999'], [1_000_000, '1e+06'], [1_234_567, '1.234567e+06'], [1_700_000_000, '1.7e+09'], [0.00001, '1e-05'],
    [3.14159, '3.14159'], [123_456.789, '123456.789'], [0.0001, '0.0001'], [1e21, '1e+21'], [-1_500_000, '-1.5e+06'], [1e-300, '1e-300'],
    [12_345_678_901, '1.2345678901e+10'], [true, 'true'],
  ]
  for (const [n, output] of rows) {
    test.equal(render('{{ print .Extra.n }}', { extra: { n } }), output)
    test.equal(render('{{ .Extra.n }}', { extra: { n } }), output)
    test.equal(render('[{{ list .Extra.n }}]', { extra: { n } }), `[[${output}]]`)
  }
  test.equal(render('{{ toJson .Extra.n }}', { extra: { n: [1_000_000, 1e21, 1e-7, -0] } }), '[1000000,1e+21,1e-7,-0]')
  test.end()
})

t.test('contract 3.3: what fails for one session fails as internal_error, with place and reason in the log only', test => {
  const rows: readonly (readonly [template: string, reason: RegExp])[] = [
    ['{{ .Extra.missing.x }}', /^template, 1:4: nil pointer evaluating interface \{\}\.x$/],
    ['{{ .UnknownField }}', /can't evaluate field UnknownField in type authn\.AuthenticationSession/],
    ['{{ .MatchContext.URL.Unknown }}', /can't evaluate field Unknown in type url\.URL/],
    ['{{ index .MatchContext.RegexpCaptureGroups 5 }}', /index out of range: 5/],
    ['{{ eq .Extra.n 42 }}', /incompatible types for comparison: float64 and int/],
    ['{{ lower .Extra.n }}', /wrong type for value; expected string; got float64/],
    ['{{ lower .Extra.missing }}', /expected string/],
    ['{{ .Extra.map.a "x" }}', /a is not a method but has arguments/],
    ['{{ eq .Extra.arr .Extra.arr }}', /non-comparable type/],
    ['{{ first .Subject }}', /Cannot find first on type string/],
    ['{{ div 1 0 }}', /divide by zero/],
    ['{{ range .Subject }}{{ end }}', /range can't iterate over/],
    ['{{ fail "not for you" }}', /not for you/],
  ]
  for (const [template, reason] of rows) test.match(failure(template), reason, template)
  test.match(failure('{{ .Extra.missing.x }}', { extra: undefined as never }), /nil pointer/, 'nil Extra')
  test.match(failure('\n  {{ .Extra.missing.x }}'), /^template, 2:6:/, 'line and column')
  test.end()
})

t.test('contract 3.3: what can never work is refused at load, in Go\'s words, with line and column', test => {
  const rows: readonly (readonly [template: string, message: string])[] = [
    ['{{ Invalid Template }}', '1:4: function "Invalid" not defined'],
    ['{{', '1:1: unclosed action'],
    ['a\nbc {{ .Subject', '2:4: unclosed action'],
    ['{{ print "a" "b" }}', '1:4: wrong number of args for print: want 1 got 2'],
    ['{{ nil }}', '1:4: nil is not a command'],
    ['{{ .Subject', '1:1: unclosed action'],
    ['{{ "abc }}', '1:4: unterminated quoted string'],
    ['{{ if true }}x', '1:15: unexpected EOF'],
    ['{{ end }}', '1:1: unexpected {{end}}'],
    ['{{ if }}x{{ end }}', '1:7: missing value for if'],
    ['{{ $x }}', '1:4: undefined variable "$x"'],
    ['{{ (.Subject }}', '1:14: unclosed left paren'],
    ['{{ .Subject ) }}', '1:13: unexpected right paren'],
    ['{{ /* x }}', '1:4: unrecognized character in action: "/"'],
    ['{{/* x }}', '1:3: unclosed comment'],
    ['{{ break }}', '1:4: {{break}} outside {{range}}'],
    ['{{ 1 | 2 }}', '1:8: non executable command in pipeline stage 2'],
    ['{{ .a-b }}', '1:6: bad character "-"'],
    ['{{ 12x }}', '1:4: bad number syntax: "12x"'],
  ]
  for (const [template, message] of rows) test.equal(refusal(template), message, template)
  test.end()
})

t.test('contract 3.4 tier 1', test => table(test, [
  ['{{ print .Extra.identity.traits.email }}', 'ann@example.org'],
  ['{{ .Extra.identity.id }}', 'i-1'],
  ['{{ toJson .Extra.identity.traits }}', '{"email":"ann@example.org","name":{"first":"Ann"}}'],
  ['{{ print (.Extra.identity.traits.name | toJson) }}', '{"first":"Ann"}'],
  ['{{ index .Extra.identity.traits "email" }}', 'ann@example.org'],
  ['Bearer {{ print .Subject }};', 'Bearer u-1;'],
  ['{{- print .Subject -}}\n', 'u-1'],
  ['{{ index .MatchContext.RegexpCaptureGroups 0 }}', '42'],
  ['{"subject":"{{ print .Subject }}","method":"{{ .MatchContext.Method }}"}', '{"subject":"u-1","method":"PUT"}'],
  ['{"extra":{{ .Extra.map | toJson }}}', '{"extra":{"a":"x","z":1}}'],
]))

t.test('contract 3.4 tier 2', test => table(test, [
  ['{{ with .Extra.identity }}{{ .id }} {{ $.Subject }}{{ end }}', 'i-1 u-1'],
  ['{{ range $i, $r := .Extra.roles }}{{ $i }}{{ $r }} {{ end }}', '0admin 1staff 2dev '],
  [
    '{{ $roles := .Extra.roles }}[{{ range $i, $r := $roles }}"{{ $r }}"{{ if ne (add $i 1) (len $roles) }},{{ end }}{{ end }}]',
    '["admin","staff","dev"]',
  ],
  ['{{ range .Extra.roles }}{{ if eq . "staff" }}{{ continue }}{{ end }}{{ . }}{{ if eq . "dev" }}{{ break }}{{ end }},{{ end }}', 'admin,dev'],
  ['{{ has "staff" .Extra.roles }} {{ has "root" .Extra.roles }} {{ has "x" .Extra.absent }}', 'true false false'],
  ['{{ join "," .Extra.roles }} {{ .Extra.mixed | join "," }}', 'admin,staff,dev a'],
  ['{{ .Extra.absent | default "d" }} {{ default "d" .Extra.empty }} {{ default "d" .Subject }}', 'd d u-1'],
  ['{{ printf "%s" .Subject }} {{ printf "%s-%d" "a" 3 }}', 'u-1 a-3'],
  ['{{ lower "AbC" }} {{ upper "abc" }} {{ trim "  a b " }}', 'abc ABC a b'],
  ['{{ add 1 2 }} {{ sub 5 7 }} {{ int .Extra.float }} {{ int "12" }} {{ mul 2 3 }} {{ div 7 2 }} {{ mod 7 3 }}', '3 -2 3 12 6 3 1'],
  ['{{ first .Extra.roles }} {{ last .Extra.roles }} {{ rest .Extra.roles }} {{ initial .Extra.roles }}', 'admin dev [staff dev] [admin staff]'],
  ['{{ index (splitList "@" .Extra.identity.traits.email) 1 }} {{ (split "@" .Extra.identity.traits.email)._0 }}', 'example.org ann'],
  ['{{ trimPrefix "u-" .Subject }} {{ trimSuffix "-1" .Subject }}', '1 u'],
  ['{{ .Extra.text | replace " " "_" }}', 'Hello_<World>_&_"q"'],
  ['{{ regexReplaceAll "(\\\\w+)@(\\\\w+)" "ann@example" "${2} at ${1}" }} {{ regexReplaceAll "a" "banana" "" }}', 'example at ann bnn'],
  ['{{ b64enc "hello" }} {{ b64dec "aGVsbG8=" }}', 'aGVsbG8= hello'],
  ['{{ quote .Subject }} {{ quote "a\\"b" }} {{ squote 1 }}', '"u-1" "a\\"b" \'1\''],
  ['{{ ternary "yes" "no" true }} {{ eq .Subject "u-1" | ternary "me" "you" }}', 'yes me'],
  ['{{ dict "a" 1 "b" (list 1 "x" nil) | toJson }}', '{"a":1,"b":[1,"x",null]}'],
  ['{{ ((.Extra.a).b) }}', '<no value>'],
  ['{{ if and (eq .Subject "u-1") (or .Extra.no .Extra.yes) }}ok{{ end }}', 'ok'],
  ['{{ hasKey .Extra "n" }} {{ get .Extra.map "a" }} {{ keys .Extra.map }} {{ contains "b" "abc" }}', 'true x [a z] true'],
  ['{{- (index .Extra "roles") | join "," -}}', 'admin,staff,dev'],
]))

t.test('contract 3.4 tier 3 is refused at load with the reason', test => {
  test.equal(refusal('{{ env "SECRETS_SESSION" }}'), '1:4: function "env" is refused: a rule must not read the environment of the gateway, which holds its secrets')
  test.match(refusal('{{ expandenv "$HOME" }}'), /environment/)
  test.match(refusal('{{ now | date "2006" }}'), /"now" is refused: dates and clocks/)
  test.match(refusal('{{ genPrivateKey "rsa" }}'), /is refused/)
  test.match(refusal('{{ define "x" }}{{ end }}'), /\{\{define\}\} is refused/)
  test.match(refusal('{{ template "x" }}'), /\{\{template\}\} is refused/)
  test.match(refusal('{{ block "x" . }}{{ end }}'), /\{\{block\}\} is refused/)
  test.match(refusal('{{ .MatchContext.Header.Set "a" "b" }}'), /\.MatchContext\.Header\.Set is refused/)
  test.match(refusal('{{ with .Extra }}{{ $.MatchContext.URL.IsAbs }}{{ end }}'), /is refused/)
  test.equal(render('{{ with .Extra.o }}{{ .Header.Set }}{{ end }}', { extra: { o: { Header: { Set: 's' } } } }), 's', 'only the session\'s own')
  test.strictSame([...refusedFunctions.keys()].filter(name => functions.has(name)), [])
  test.end()
})

t.test('printf prints what Go prints, error forms included', test => table(test, [
  ['{{ printf "%d %d" 3 .Extra.n }}', '3 %!d(float64=42)'],
  ['{{ printf "%s %s %s" .Extra.n true nil }}', '%!s(float64=42) %!s(bool=true) %!s(<nil>)'],
  ['{{ printf "%d" "x" }} {{ printf "%5d" "x" }} {{ printf "%d" }} {{ printf "%" }} {{ printf "%z" 1 }}', '%!d(string=x) %!d(string=    x) %!d(MISSING) %!(NOVERB) %!z(int=1)'],
  ['{{ printf "a" 1 "b" }} {{ printf "100%%" }}', 'a%!(EXTRA int=1, string=b) 100%'],
  ['{{ printf "%v %v %v" nil .Extra.mixed .Extra.map }}', '<nil> [a <nil>] map[a:x z:1]'],
  ['{{ printf "%q %+q %q" "é\\n" "é" 65 }}', '"é\\n" "\\u00e9" \'A\''],
  ['{{ printf "%x %X %x" 255 255 "hé" }}', 'ff FF 68c3a9'],
  ['{{ printf "%5d|%-5d|%05d|%+d" 3 3 3 3 }} {{ printf "%5s|%-5s|%.2s" "é" "é" "éab" }}', '    3|3    |00003|+3     é|é    |éa'],
  ['{{ printf "%t" true }} {{ printf "%f %.2f %e %g %.3g" 2.5 2.675 12345.678 1e10 1234567.0 }}', 'true 2.500000 2.67 1.234568e+04 1e+10 1.23e+06'],
  ['{{ printf "%.0f %.0f %.0f %.1f" 0.5 1.5 2.5 0.25 }}', '0 2 2 0.2'],
  ['{{ printf "%d" .Extra.arr }}', '[%!d(string=a) %!d(string=b)]'],
]))

t.test('contract 7.12: headers, cookies and claims', test => {
  const session: SessionParts = { subject: 'foo', extra: { bar: 'baz', number: 10, float: 3.14159, yes: true }, captures: ['one', 'two'] }
  test.equal(render('{{ print .Subject }}', session), 'foo')
  test.equal(render('Subject: {{ print .Subject }}, {{ print .Extra.bar }}', session), 'Subject: foo, baz')
  const scrubbed: SessionParts = { subject: 'anonymous', extra: undefined as never, fields: [['X-User', 'admin'], ['X-Issuer', 'admin']] }
  test.equal(render('{{ print .Subject }}', scrubbed), 'anonymous')
  test.equal(render('{{ print .Extra.iss }}{{ print .Extra.aud }}', scrubbed), '')
  test.equal(render('{{ print .Extra.number }} {{ print .Extra.float }} {{ print .Extra.yes }} {{ print .Extra.nope }}', session), '10 3.14159 true ')
  const claims: SessionParts = { extra: { 'example.com/some-claims': ['Foo', 'Bar'] } }
  test.equal(render('{{- (index .Extra "example.com/some-claims") | join "," -}}', claims), 'Foo,Bar')
  test.equal(render('{{ index .MatchContext.RegexpCaptureGroups 1 }}', session), 'two')
  test.equal(render('{"g":"{{ printIndex .MatchContext.RegexpCaptureGroups 7 }}","n":{{ .Extra.number }},"b":{{ .Extra.yes }}}', session), '{"g":"","n":10,"b":true}')
  test.end()
})

t.test('nothing of JavaScript can be reached', test => {
  const names = ['__proto__', 'constructor', 'prototype', 'toString', 'valueOf', 'hasOwnProperty', '__defineGetter__', 'length', 'Get']
  for (const name of names) {
    test.equal(render(`{{ .Extra.map.${name} }}`), '<no value>')
    test.equal(render(`{{ print .Extra.map.${name} }}`), '')
    test.equal(render(`{{ index .Extra.map "${name}" }}{{ get .Extra.map "${name}" }}{{ hasKey .Extra.map "${name}" }}`), '<no value>false')
    test.match(failure(`{{ .Extra.map.${name}.x }}`), /nil pointer/)
    if (name !== 'Get') test.match(failure(`{{ .${name} }}`), /can't evaluate field/)
    test.match(failure(`{{ .Subject.${name} }}`), /can't evaluate field/)
    test.match(failure(`{{ .Extra.arr.${name} }}`), /can't evaluate field/)
    if (!functions.has(name)) test.match(refusal(`{{ ${name} "x" }}`), /not defined/)
  }
  const hostile = JSON.parse('{"__proto__":{"admin":true},"constructor":"c"}') as JsonObject
  test.equal(render('{{ .Extra.admin }} {{ .Extra.__proto__.admin }} {{ .Extra.constructor }}', { extra: hostile }), '<no value> true c')
  test.equal(render('{{ (dict "__proto__" (dict "a" 1)).a }} {{ (pick .Extra "__proto__").admin }}', { extra: hostile }), '<no value> <no value>')
  test.equal(({} as { admin?: unknown }).admin, undefined)
  test.end()
})

t.test('a template can only ask for so much', test => {
  const long = 'x'.repeat(40_000)
  const many = Array.from({ length: 10_001 }, () => 'x')
  test.match(refusal('x'.repeat(65_537)), /longer than 65536 characters/)
  test.match(refusal(`${'{{ if true }}'.repeat(101)}${'{{ end }}'.repeat(101)}`), /max expression depth exceeded/)
  test.match(refusal(`{{ ${'('.repeat(101)}1${')'.repeat(101)} }}`), /max expression depth exceeded/)
  test.match(failure('{{ .Extra.long }}{{ .Extra.long }}', { extra: { long } }), /output is longer than 65536/)
  test.match(failure('{{ print .Extra.long }}{{ .Subject }}', { subject: long, extra: { long } }), /output is longer than 65536/)
  test.match(failure('{{ printf "%s%s" .Extra.long .Extra.long | len }}', { extra: { long } }), /longer than 65536/)
  test.match(failure('{{ repeat 99999999 "x" }}'), /longer than 65536/)
  test.match(failure('{{ range .Extra.many }}{{ end }}', { extra: { many } }), /more than 10000 rounds/)
  test.match(failure('{{ range 1000000000 }}{{ end }}'), /more than 10000 rounds/)
  test.match(failure('{{ range 200 }}{{ range 200 }}{{ end }}{{ end }}'), /more than 10000 rounds/)
  test.match(failure('{{ $l := list 1 }}{{ range 60 }}{{ $l = concat $l $l }}{{ end }}'), /a list is longer/)
  test.match(failure('{{ $l := list 1 }}{{ range 60 }}{{ $l = list $l $l }}{{ end }}{{ $l }}'), /longer than 65536/)
  test.match(failure('{{ $l := list 1 }}{{ range 60 }}{{ $l = list $l $l }}{{ end }}{{ toJson $l }}'), /longer than 65536/)
  test.match(failure('{{ $a := list 1 }}{{ $b := list 1 }}{{ range 60 }}{{ $a = list $a $a }}{{ $b = list $b $b }}{{ end }}{{ deepEqual $a $b }}'), /too much to compare/)
  test.match(failure('{{ $l := list 1 }}{{ range 10000 }}{{ $l = list $l }}{{ end }}{{ $l }}'), /call stack|longer than/)
  test.match(failure('{{ range 10000 }}{{ contains "y" $.Extra.long }}{{ end }}', { extra: { long } }), /more than 100000 steps/)
  test.equal(render('{{ regexMatch "(a+)+$" .Extra.a }}', { extra: { a: `${'a'.repeat(5000)}b` } }), 'false', 'linear time')
  test.end()
})

t.test('any text either compiles or is a TemplateError, and then renders or is a GatewayError', test => {
  const pieces = [
    '{{', '}}', '{{- ', ' -}}', ' ', '.', '.Subject', '.Extra', '.a', '$', '$x', ':=', '=', ',', '|', '(', ')', '"s"', '"', '`r`', '`', '\'c\'', '1', '1.5',
    '-', 'if', 'else', 'end', 'range', 'with', 'break', 'nil', 'true', '/*', '*/', '\n', '\\', '{{ end }}', '{{ range .Extra.l }}', '{{ $x := 1 }}',
    '\ud800', '\0', 'é', ...functions.keys(),
  ]
  const source = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(fc.constantFrom(...pieces), { maxLength: 20 }).map(list => list.join('')),
    fc.array(fc.constantFrom(...pieces), { maxLength: 12 }).map(list => `{{ ${list.join(' ')} }}`),
  )
  const document = fc.dictionary(fc.constantFrom('a', 'l', '__proto__', 'x'), fc.jsonValue({ maxDepth: 3 })) as fc.Arbitrary<JsonObject>

  test.doesNotThrow(() => fc.assert(fc.property(source, document, fc.string(), (template, data, subject) => {
    const began = performance.now()
    try {
      compileTemplate(template)(authenticationSession({ subject, extra: data }))
    } catch (thrown) {
      const expected = thrown instanceof TemplateError || (thrown instanceof GatewayError && thrown.code === 'internal_error')
      if (!expected) throw thrown
    }
    return performance.now() - began < 1000
  }), { numRuns: 3000 }))
  test.end()
})

t.test('calls of random functions with random values end, and fail as GatewayError only', test => {
  const argument = fc.constantFrom('.Subject', '.Extra.a', '.Extra.l', '.Extra', '.', 'nil', 'true', '1', '-1', '2.5', '"x"', '""', '"%d"', '"a(b)"', '(list 1 "a")', '(dict "a" 1)')
  const call = fc.tuple(fc.constantFrom(...functions.keys()), fc.array(argument, { maxLength: 4 })).map(([name, args]) => [name, ...args].join(' '))
  const document = fc.record({ a: fc.jsonValue({ maxDepth: 2 }), l: fc.array(fc.jsonValue({ maxDepth: 1 })) }) as fc.Arbitrary<JsonObject>

  test.doesNotThrow(() => fc.assert(fc.property(fc.array(call, { minLength: 1, maxLength: 3 }), document, (calls, data) => {
    try {
      compileTemplate(`{{ ${calls.join(' | ')} }}`)(authenticationSession({ subject: 's', extra: data }))
    } catch (thrown) {
      const expected = thrown instanceof TemplateError || (thrown instanceof GatewayError && thrown.code === 'internal_error')
      if (!expected) throw thrown
    }
  }), { numRuns: 3000 }))
  test.end()
})
