/** `tls` of `proxy` and of a rule's `upstream`: how https upstreams are checked. */

export const tlsProperties = {
  ca_file: { type: 'string', minLength: 1, description: 'Certificates of the authorities that upstreams are trusted by, in place of those that Node trusts.' },
  cert_file: { type: 'string', minLength: 1, description: 'Certificate (and those between it and its authority) that upstreams are shown when they ask for one.' },
  key_file: { type: 'string', minLength: 1, description: 'Key of that certificate, without a passphrase.' },
  server_name: { type: 'string', maxLength: 253, pattern: '^[A-Za-z0-9_-]+([.][A-Za-z0-9_-]+)*[.]?$', description: 'Name that the upstream\'s certificate must be for. Default: the host of the upstream\'s URL.' },
  insecure_skip_verify: { type: 'boolean', description: 'Whether any certificate does: then anybody on the way can pose as the upstream, and a warning says so.' },
} as const
