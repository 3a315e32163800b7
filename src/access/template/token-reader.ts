/** Walks over a template's tokens and says where it stands when they make no sense. */
import { lex, type Token } from './lexer.js'
import { TemplateError } from './template-error.js'

/** A place to name in an error: a token or a node. */
export interface Place { readonly at: number }

export interface TokenReader {
  /** Takes the next token. Throws `TemplateError` where the source is no sequence of tokens. */
  next(): Token
  /** Takes the next token that is not space. */
  nextWord(): Token
  peek(): Token
  peekWord(): Token
  /** Hands the last token taken out again. */
  back(): void
  /** Where it stands; `reset` goes back there. */
  mark(): number
  reset(mark: number): void
  unexpected(token: Token, context: string): never
  problem(place: Place, text: string): never
}

export function createTokenReader(source: string): TokenReader {
  const tokens = lex(source)
  let position = 0
  return {
    next, nextWord, peek, peekWord, unexpected, problem,
    back: () => { position-- },
    mark: () => position,
    reset: mark => { position = mark },
  }

  function next(): Token {
    const token = peek()
    position++
    return token.kind === 'error' ? problem(token, token.text) : token
  }

  function nextWord(): Token {
    const token = next()
    return token.kind === 'space' ? next() : token
  }

  function peek(): Token {
    return tokenAt(position)
  }

  function peekWord(): Token {
    return tokenAt(peek().kind === 'space' ? position + 1 : position)
  }

  /** The last token is `end` or `error`, and stays. */
  function tokenAt(index: number): Token {
    return tokens[Math.min(index, tokens.length - 1)] as Token
  }

  function unexpected(token: Token, context: string): never {
    return problem(token, `unexpected ${token.kind === 'end' ? 'EOF' : `<${token.text}>`} in ${context}`)
  }

  function problem(place: Place, text: string): never {
    throw new TemplateError(text, source, place.at)
  }
}
