/** Keys of Kratos' and Oathkeeper's files that mean nothing here: a file that has them starts all the same, and says so. */
import { remove } from './aliases.js'
import { problemText, type ConfigProblem } from './config-error.js'
import { placeOf, pointerOf, valueAt, type Layer, type Path } from './layer.js'

export interface UnusedKey {
  readonly path: Path
  /** Said in the warning; without one nobody is told, because nobody expects an effect. */
  readonly because?: string
}

const otlpAlone = 'traces are sent by OTLP alone, where tracing.enabled and .endpoint say so'
const plainHttp = 'this listener speaks plain HTTP; let what stands in front of it speak TLS'

export const unusedKeys: readonly UnusedKey[] = [
  { path: ['$schema'] },
  { path: ['version'], because: 'a configuration has no version of its own' },
  { path: ['courier'], because: 'no mail is sent' },
  { path: ['tracing', 'provider'], because: otlpAlone },
  { path: ['tracing', 'providers'], because: otlpAlone },
  { path: ['tracing', 'deployment_environment'], because: otlpAlone },
  { path: ['profiling'], because: 'nothing is profiled' },
  { path: ['serve', 'admin', 'tls'], because: plainHttp },
  { path: ['serve', 'public', 'cors', 'debug'], because: 'CORS writes nothing to the log' },
  { path: ['serve', 'admin', 'cors'], because: 'browsers have no business on this listener' },
  { path: ['serve', 'prometheus'], because: 'metrics are at /metrics of the admin listener' },
  { path: ['log', 'leak_sensitive_values'], because: 'secrets are never logged' },
  { path: ['log', 'redaction_text'], because: 'secrets are never logged' },
  { path: ['log', 'additional_redacted_headers'], because: 'header values are not logged' },
  { path: ['urls', 'profile_ui'], because: 'there is no profile flow' },
  { path: ['urls', 'mfa_ui'], because: 'there is no second factor' },
  { path: ['urls', 'verify_ui'], because: 'addresses are not verified' },
  { path: ['selfservice', 'profile'], because: 'there is no profile flow' },
  { path: ['selfservice', 'verify'], because: 'addresses are not verified' },
]

/** Takes the unused keys out of a layer, whose aliases are resolved; a warning for each that somebody might count on. */
export function dropUnusedKeys(layer: Layer): string[] {
  return unusedKeys.flatMap(({ path, because }) => {
    if (valueAt(layer.value, path) === undefined) return []
    const place = placeOf(layer, pointerOf(path))

    remove(layer.value, path)
    return because === undefined ? [] : [problemText({ ...place, message: `is not used: ${because}` })]
  })
}

export const trustForwardedHeaders: Path = ['serve', 'public', 'trust_forwarded_headers']

/** Oathkeeper's switch that believes everybody is no choice here (security H8): off is what we do anyway, on is refused. */
export function refuseTrustInEverybody(layer: Layer): ConfigProblem[] {
  const value = valueAt(layer.value, trustForwardedHeaders)
  if (value === undefined) return []
  const place = placeOf(layer, pointerOf(trustForwardedHeaders))

  remove(layer.value, trustForwardedHeaders)
  if (value === false) return []
  const message = 'would let every client say where it is; name the proxies that you trust in serve.public.trusted_proxies instead, as CIDRs'
  return [{ ...place, message }]
}
