/** One certificate from an ACME authority (RFC 8555), proved by HTTP-01. */
import { Agent } from 'node:https'
import { rootCertificates } from 'node:tls'

import acme from 'acme-client'

import type { AcmeRecords, IssuedCertificate } from './records.js'

export interface Authority {
  readonly directoryUrl: string
  readonly email: string | undefined
  /** PEM; authorities that its own certificate may be from besides those that Node trusts. */
  readonly ca: string | undefined
}

/** How long one of its answers may take. */
const answerMs = 20_000
/** How often, and with which pauses, it is asked whether it has made up its mind: two minutes in all. */
const patience = { backoffAttempts: 12, backoffMin: 1_000, backoffMax: 15_000 }

/** Makes the function that gets a certificate for one domain. The account is made when there is none. */
export function createOrders(authority: Authority, records: AcmeRecords): (domain: string) => Promise<IssuedCertificate> {
  const { axios } = acme
  axios.defaults.timeout = answerMs
  if (authority.ca !== undefined) axios.defaults.httpsAgent = new Agent({ ca: [...rootCertificates, authority.ca] })
  // The library repeats what failed by itself, for as long as Retry-After says, and forgets the reason. Ours is the schedule in the store.
  axios.interceptors.response.clear()
  axios.interceptors.response.use(null, (error: Error & { response?: never }) => error.response ?? Promise.reject(error))

  return async domain => {
    const client = new acme.Client({ directoryUrl: authority.directoryUrl, accountKey: await accountKey(records), ...patience })
    const [key, csr] = await acme.crypto.createCsr({ commonName: domain, altNames: [domain] }, await acme.crypto.createPrivateEcdsaKey())
    const cert = await client.auto({
      csr,
      termsOfServiceAgreed: true, // or the configuration would have been refused
      ...authority.email !== undefined && { email: authority.email },
      challengePriority: ['http-01'],
      skipChallengeVerification: true, // a host may not reach itself by the address that others have for it
      async challengeCreateFn(_authorization, challenge, answer) {
        if (challenge.type !== 'http-01') throw new Error('the authority does not offer http-01')
        await records.saveChallenge(challenge.token, answer)
      },
      challengeRemoveFn: () => Promise.resolve(), // it is forgotten by itself
    })
    return { cert, key: key.toString() }
  }
}

async function accountKey(records: AcmeRecords): Promise<string> {
  const known = await records.findAccountKey()
  if (known !== undefined) return known
  const made = (await acme.crypto.createPrivateEcdsaKey()).toString()
  await records.saveAccountKey(made)
  return made
}
