/** What can go wrong with a provider, as the person is told it and as the log is. */
import { AuthorizationResponseError, ClientError, ResponseBodyError } from 'openid-client'

import type { Problem } from '../../../store/records.js'

/** A provider did not do what was needed. `problem` is for the person, `message` for the log; neither holds a secret. */
export class ProviderFailure extends Error {
  override readonly name = 'ProviderFailure'
  readonly problem: Problem

  constructor(problem: Problem, detail: string, options?: ErrorOptions) {
    super(detail, options)
    this.problem = problem
  }
}

/** The provider can't be asked: nobody answers, or not in time, or not in its language. */
export function unavailable(provider: string, cause: unknown): ProviderFailure {
  if (cause instanceof ProviderFailure) return cause
  return new ProviderFailure({ code: 'provider_unavailable', params: { provider } }, detailOf(cause), { cause })
}

/** The provider answered, but its answer proves nothing. */
export function untrusted(provider: string, detail: string): ProviderFailure {
  return new ProviderFailure({ code: 'provider_untrusted', params: { provider } }, detail)
}

/** What openid-client says about the end of a journey to the provider. */
export function exchangeFailure(provider: string, error: unknown): ProviderFailure {
  if (error instanceof ProviderFailure) return error
  if (error instanceof AuthorizationResponseError) {
    const params = { error: plainText(error.error), description: plainText(error.error_description ?? '') }
    return new ProviderFailure({ code: 'provider_error', params }, `the authorization endpoint answered "${params.error}"`, { cause: error })
  }
  if (lacksIdToken(error)) return new ProviderFailure({ code: 'provider_no_id_token' }, 'the token endpoint gave no id_token', { cause: error })
  if (error instanceof ClientError && untrustedCodes.has(error.code ?? '')) {
    return new ProviderFailure({ code: 'provider_untrusted', params: { provider } }, detailOf(error), { cause: error })
  }
  return unavailable(provider, error)
}

/** What the provider made up, as opposed to what it failed to do. */
const untrustedCodes: ReadonlySet<string> = new Set([
  'OAUTH_INVALID_RESPONSE', 'OAUTH_JWT_CLAIM_COMPARISON_FAILED', 'OAUTH_JWT_TIMESTAMP_CHECK_FAILED', 'OAUTH_KEY_SELECTION_FAILED',
  'OAUTH_UNSUPPORTED_OPERATION', 'OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED',
])

function lacksIdToken(error: unknown): boolean {
  const cause = error instanceof ClientError ? (error.cause as { cause?: { body?: unknown } } | undefined)?.cause : undefined
  const body = cause?.body as { access_token?: unknown, id_token?: unknown } | undefined
  return typeof body?.access_token === 'string' && body.id_token === undefined
}

/** Names and messages alone: what hangs on these errors besides can hold tokens. */
function detailOf(error: unknown): string {
  if (error instanceof ResponseBodyError) return `the token endpoint answered ${error.status} "${plainText(error.error)}"`
  const texts: string[] = []
  for (let cause = error; cause instanceof Error && texts.length < 4; cause = cause.cause) {
    const { code } = cause as Error & { code?: unknown }
    texts.push(cause.message || (typeof code === 'string' ? code : cause.name))
  }
  return texts.join(': ') || 'unknown failure'
}

/** What a stranger wrote, fit to be shown and logged: one line, of bounded length. */
function plainText(text: string): string {
  return text.replace(/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]+/gu, ' ').slice(0, 200).trim()
}
