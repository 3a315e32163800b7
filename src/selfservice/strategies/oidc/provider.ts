/** What a provider can do for the strategy, whatever protocol it speaks. */
import type { JsonObject } from '../../../store/records.js'
import type { ClaimMapping } from './claim-mapping.js'

/** What a browser takes along to the provider. */
export interface Departure {
  readonly state: string
  readonly nonce: string
  /** S256 of the code verifier. */
  readonly codeChallenge: string
  readonly redirectUri: string
}

/** What it has to bring back. */
export interface Return {
  /** The redirect URI, with what the provider added to it. */
  readonly url: URL
  readonly state: string
  readonly nonce: string
  readonly codeVerifier: string
}

/** Somebody whom the provider knows. */
export interface ProvenSubject {
  /** What the provider calls them, for ever. */
  readonly subject: string
  /** What it says about them; may ask the provider once more. */
  claims(): Promise<JsonObject>
}

export interface Provider {
  readonly id: string
  readonly mapping: ClaimMapping
  /** Where the browser is sent. */
  authorizationUrl(departure: Departure): Promise<URL>
  /** Who came back. Rejects with `ProviderFailure`, and with `GatewayError` for what the operator has to mend. */
  prove(back: Return): Promise<ProvenSubject>
}

/** Longest name of a person at a provider (OpenID Connect Core 2: 255 ASCII characters). */
export const subjectLimit = 255
