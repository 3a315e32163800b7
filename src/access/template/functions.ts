/** What a template may call, by name: Go's built-in functions, Oathkeeper's two, and sprig's that only look at their arguments. */
import { collections } from './functions/collections.js'
import { encodings } from './functions/encodings.js'
import { logic } from './functions/logic.js'
import { numbers } from './functions/numbers.js'
import { texts } from './functions/texts.js'
import type { GoFunction } from './values.js'

export const functions: ReadonlyMap<string, GoFunction> = new Map(
  [logic, texts, collections, numbers, encodings].flatMap(table => Object.entries(table)),
)

const environment = 'a rule must not read the environment of the gateway, which holds its secrets'
const clock = 'dates and clocks are not offered'
const secrets = 'making keys, passwords and certificates is not offered'
const chance = 'what it says would differ from request to request'

/** Functions that sprig and Go have and a gateway must not offer, with the reason that is said at load. */
export const refusedFunctions: ReadonlyMap<string, string> = new Map([
  ...reason(environment, 'env', 'expandenv'),
  ...reason('a rule must not make the gateway ask the DNS', 'getHostByName'),
  ...reason('a template has no functions among its values', 'call'),
  ...reason(
    clock, 'now', 'date', 'dateInZone', 'date_in_zone', 'dateModify', 'date_modify', 'mustDateModify', 'must_date_modify', 'toDate',
    'mustToDate', 'ago', 'duration', 'durationRound', 'htmlDate', 'htmlDateInZone', 'unixEpoch',
  ),
  ...reason(
    secrets, 'bcrypt', 'htpasswd', 'genPrivateKey', 'derivePassword', 'buildCustomCert', 'genCA', 'genCAWithKey', 'genSelfSignedCert',
    'genSelfSignedCertWithKey', 'genSignedCert', 'genSignedCertWithKey', 'encryptAES', 'decryptAES', 'sha1sum', 'sha256sum', 'sha512sum',
    'adler32sum',
  ),
  ...reason(chance, 'randAlphaNum', 'randAlpha', 'randAscii', 'randNumeric', 'randBytes', 'randInt', 'shuffle', 'uuidv4'),
  ...reason(
    'it would change what other parts of the template see',
    'set', 'unset', 'merge', 'mergeOverwrite', 'mustMerge', 'mustMergeOverwrite',
  ),
])

/** Methods that the values of a session have in Go, as paths from the session. They write, or are of no use here. */
export const refusedMethods: readonly string[] = [
  ...['Add', 'Set', 'Del', 'Clone', 'Write', 'WriteSubset'].flatMap(name => [`Header.${name}`, `MatchContext.Header.${name}`]),
  ...[
    'IsAbs', 'JoinPath', 'Parse', 'ResolveReference', 'Redacted', 'EscapedFragment', 'MarshalBinary', 'AppendBinary', 'UnmarshalBinary',
  ].map(name => `MatchContext.URL.${name}`),
  'Copy', 'SetHeader',
]

function reason(text: string, ...names: readonly string[]): (readonly [string, string])[] {
  return names.map(name => [name, text] as const)
}
