/** The passwords that everybody tries first: about 49,000, lower-cased, shipped with the gateway (security A6). */

let loading: Promise<ReadonlySet<string>> | undefined

/** The list; loaded when it is first asked for and then kept (about 4 MB). */
export function commonPasswords(): Promise<ReadonlySet<string>> {
  loading ??= import('@zxcvbn-ts/language-common').then(({ dictionary }) => new Set(dictionary['passwords-common']))
  return loading
}
