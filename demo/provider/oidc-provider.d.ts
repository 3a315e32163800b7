/** What the demo uses of oidc-provider, which comes without types. */
declare module 'oidc-provider' {
  import type { IncomingMessage, ServerResponse } from 'node:http'

  export interface Grant {
    addOIDCScope(scope: string): void
    save(): Promise<string>
  }

  export interface Context {
    readonly oidc: {
      readonly provider: Provider
      readonly client: { readonly clientId: string }
      readonly session: { readonly accountId: string }
      readonly result?: { readonly login?: object }
    }
  }

  export const interactionPolicy: {
    base(): { get(name: string): { checks: { add(check: object): void } } | undefined }
    Check: {
      new (reason: string, description: string, error: string, check: (context: Context) => boolean): object
      readonly REQUEST_PROMPT: boolean
      readonly NO_NEED_TO_PROMPT: boolean
    }
  }

  export class Provider {
    constructor(issuer: string, configuration: object)
    readonly Grant: new (properties: { clientId: string, accountId: string }) => Grant
    callback(): (request: IncomingMessage, response: ServerResponse) => Promise<void>
    interactionDetails(request: IncomingMessage, response: ServerResponse): Promise<object>
    interactionFinished(request: IncomingMessage, response: ServerResponse, result: object): Promise<void>
  }
}
