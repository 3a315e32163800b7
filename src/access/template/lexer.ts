/** Cuts a template's source into tokens, by the rules of Go's text/template/parse: trim markers and comments end here. */

export type TokenKind =
  | 'text' | 'left' | 'right' | 'space' | 'word' | 'field' | 'dot' | 'variable' | 'string' | 'char' | 'number'
  | 'pipe' | 'declare' | 'assign' | 'comma' | 'open' | 'close' | 'error' | 'end'

export interface Token {
  readonly kind: TokenKind
  /** Offset in the source. */
  readonly at: number
  /** As written, quotes included; what is wrong, for `error`. */
  readonly text: string
}

const spaces = ' \t\r\n'

/** The tokens of what stands between `{{` and `}}`, tried in this order. */
const lexemes: readonly (readonly [TokenKind, RegExp])[] = [
  // A run of spaces leaves its last one to a closing ` -}}`.
  ['space', /[ \t\r\n]+?(?=[ \t\r\n]-\}\}|[^ \t\r\n]|$)/y],
  ['declare', /:=/y],
  ['assign', /=/y],
  ['pipe', /\|/y],
  ['comma', /,/y],
  ['open', /\(/y],
  ['close', /\)/y],
  ['string', /"(?:\\[^\n]|[^"\\\n])*"|`[^`]*`/y],
  ['char', /'(?:\\[^\n]|[^'\\\n])*'/y],
  ['variable', /\$[\p{L}\p{Nd}_]*/uy],
  ['number', /[+-]?(?=\.?[0-9])(?:0[xX][0-9a-fA-F_]*|0[oO][0-7_]*|0[bB][01_]*|[0-9_]*)(?:\.[0-9_]*)?(?:[eE][+-]?[0-9_]*)?i?/y],
  ['field', /\.[\p{L}\p{Nd}_]+/uy],
  ['dot', /\./y],
  ['word', /[\p{L}\p{Nd}_]+/uy],
]

/** What may follow a word, a field or a variable without a space. */
const terminator = /[ \t\r\n.,|:)(]|\}\}|$/y
const wordCharacter = /[\p{L}\p{Nd}_]/uy
const rightDelimiter = /[ \t\r\n]-\}\}|\}\}/y
const comment = /\/\*(?:(?!\*\/)[^])*\*\/([ \t\r\n]-)?\}\}/y

/** The tokens of a template. The last one is `end`, or `error` where the source makes no sense. */
export function lex(source: string): Token[] {
  const tokens: Token[] = []
  let position = 0
  while (position < source.length) {
    const left = source.indexOf('{{', position)
    if (left === -1) {
      tokens.push({ kind: 'text', at: position, text: source.slice(position) })
      break
    }
    const trims = source[left + 2] === '-' && isSpace(source[left + 3])
    const text = source.slice(position, left)
    pushText(tokens, position, trims ? trimEnd(text) : text)

    const inside = left + 2 + (trims ? 2 : 0)
    const end = source.startsWith('/*', inside) ? skipComment(source, inside, tokens) : lexAction(source, left, inside, tokens)
    if (end === undefined) return tokens
    position = end
  }
  tokens.push({ kind: 'end', at: source.length, text: '' })
  return tokens
}

function pushText(tokens: Token[], at: number, text: string): void {
  if (text !== '') tokens.push({ kind: 'text', at, text })
}

/** The offset behind a comment; `undefined` when it does not end, which is the last token then. */
function skipComment(source: string, at: number, tokens: Token[]): number | undefined {
  const match = matchAt(comment, source, at)
  if (match === undefined) {
    const problem = source.includes('*/', at + 2) ? 'comment ends before closing delimiter' : 'unclosed comment'
    tokens.push({ kind: 'error', at, text: problem })
    return undefined
  }
  return match[1] === undefined ? at + match[0].length : skipSpaces(source, at + match[0].length)
}

/** The offset behind an action, whose tokens are pushed; `undefined` when one of them is an error. */
function lexAction(source: string, left: number, inside: number, tokens: Token[]): number | undefined {
  tokens.push({ kind: 'left', at: left, text: '{{' })
  let depth = 0
  let at = inside
  while (true) {
    const right = matchAt(rightDelimiter, source, at)?.[0]
    if (right !== undefined && depth === 0) {
      tokens.push({ kind: 'right', at, text: '}}' })
      return right === '}}' ? at + 2 : skipSpaces(source, at + right.length)
    }
    const token = right === undefined ? lexeme(source, at, left) : problem(at, 'unclosed left paren')
    if (token.kind === 'open') depth++
    if (token.kind === 'close') depth--
    tokens.push(depth < 0 ? problem(at, 'unexpected right paren') : token)
    if (token.kind === 'error' || depth < 0) return undefined
    at += token.text.length
  }
}

function lexeme(source: string, at: number, left: number): Token {
  if (at >= source.length) return problem(left, 'unclosed action')
  for (const [kind, pattern] of lexemes) {
    const text = matchAt(pattern, source, at)?.[0]
    if (text !== undefined) return checkEnd({ kind, at, text }, source)
  }
  return problem(at, whyNone(source, at))
}

function checkEnd(token: Token, source: string): Token {
  const end = token.at + token.text.length
  const next = String.fromCodePoint(source.codePointAt(end) ?? 0)
  const isName = ['word', 'field', 'variable', 'dot'].includes(token.kind)
  if (isName && matchAt(terminator, source, end) === undefined) return problem(end, `bad character ${JSON.stringify(next)}`)
  if (token.kind === 'number' && (token.text.endsWith('i') || matchAt(wordCharacter, source, end) !== undefined)) {
    return problem(token.at, `bad number syntax: ${JSON.stringify(token.text + (token.text.endsWith('i') ? '' : next))}`)
  }
  return token
}

function whyNone(source: string, at: number): string {
  switch (source[at]) {
    case '"': return 'unterminated quoted string'
    case '`': return 'unterminated raw quoted string'
    case '\'': return 'unterminated character constant'
    case ':': return 'expected :='
    case '+': case '-': return `bad number syntax: ${JSON.stringify(source[at])}`
  }
  return `unrecognized character in action: ${JSON.stringify(String.fromCodePoint(source.codePointAt(at) as number))}`
}

function problem(at: number, text: string): Token {
  return { kind: 'error', at, text }
}

/** What a sticky pattern matches at exactly this offset. */
function matchAt(pattern: RegExp, source: string, at: number): RegExpExecArray | undefined {
  pattern.lastIndex = at
  return pattern.exec(source) ?? undefined
}

function isSpace(character: string | undefined): boolean {
  return character !== undefined && spaces.includes(character)
}

function skipSpaces(source: string, at: number): number {
  let end = at
  while (isSpace(source[end])) end++
  return end
}

function trimEnd(text: string): string {
  let end = text.length
  while (isSpace(text[end - 1])) end--
  return text.slice(0, end)
}
