/** What people log in with, in one canonical spelling: two spellings are one account (security J6, contract 4.2). */
import { domainToASCII } from 'node:url'

import type { Problem } from '../store/records.js'

/** Most UTF-8 bytes of an identifier: the longest mail address there is (RFC 5321, section 4.5.3.1: 64 + 1 + 255). */
export const identifierByteLimit = 320

/** Control, formatting (zero-width, bidirectional), private and unassigned characters, line separators: nobody sees them. */
const invisible = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u

/**
 * The spelling under which an identifier is stored and found: without surrounding spaces, NFKC, lower case, the domain of a
 * mail address in IDNA's ASCII. A problem on `field` when it is too long or holds characters that can not be seen.
 */
export function canonicalIdentifier(text: string, field: string): string | Problem {
  // Normalising may lengthen a text, so the limit is held on both sides of it.
  if (Buffer.byteLength(text) > 2 * identifierByteLimit) return tooLong(field)
  if (invisible.test(text)) return { code: 'identifier_characters', field, params: lastName(field) }

  const folded = text.normalize('NFKC').toLowerCase().normalize('NFKC').replace(/^\p{Zs}+/u, '').replace(/\p{Zs}+$/u, '')
  const canonical = withAsciiDomain(folded)
  return Buffer.byteLength(canonical) > identifierByteLimit ? tooLong(field) : canonical
}

function withAsciiDomain(text: string): string {
  const at = text.lastIndexOf('@')
  const domain = text.slice(at + 1)
  // Whatever a URL parser would decode or take for something else is no domain: the text stays as it is.
  if (at < 1 || !/^[\p{L}\p{M}\p{N}._\u3002-]+$/u.test(domain)) return text
  const ascii = domainToASCII(domain.replace(/[.\u3002]$/u, ''))
  return ascii === '' ? text : `${text.slice(0, at)}@${ascii}`
}

function tooLong(field: string): Problem {
  return { code: 'identifier_too_long', field, params: { ...lastName(field), max: identifierByteLimit } }
}

function lastName(field: string): { readonly property: string } {
  return { property: field.slice(field.lastIndexOf('.') + 1) }
}
